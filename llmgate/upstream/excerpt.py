"""What an upstream said that was of no use, as far as the log may tell of it.

The words of error pages are told, on one line and not many; of JSON, events and files only what
they are: they may hold an answer. What repeats the request is not told, nor what may be a secret.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from llmgate.contract import Answer
from llmgate.trust import redaction

_KEPT = 2048  # bytes of an answer
_LONGEST = 200  # characters that are told
_LONGEST_REQUEST = 1024 * 1024  # characters in which words of the answer are looked for
_WINDOW = 12  # characters that request and answer may have in common by chance
_LEAST = 4  # characters of a text of the request that are not
_PAGE = re.compile(r"\s*(<\?xml[^>]*>)?\s*<(!doctype\s+html|html|head|body|title|center)\b", re.I)
_HIDDEN = re.compile(
    r"<(script|style|svg)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)|<[^>]*(>|$)", re.I | re.S
)
_EVENTS = re.compile(r"(data|event|id|retry)?:")
_OPAQUE = re.compile(r"[\w+/=-]{24,}")  # no word is that long
_NAME = re.compile(r"[\w.-]{1,40}")
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,120}")
_TEXTS = ("", "text/plain", "text/xml", "application/xml")
_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "cf-ray")


class Heard:
    """The last call of an attempt: where it went, and how its answer began."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget it: another attempt begins."""
        self._found: dict[str, Any] = {}
        self._data = bytearray()

    def asked(self, url: str) -> None:
        """Note that a call goes to *url*."""
        self.clear()
        self._found["host"] = urlsplit(url).netloc.rpartition("@")[2][:253]

    def answered(self, answer: Answer) -> Answer:
        """Return *answer*, which is noted as its pieces are read."""
        self._found["status"] = answer.status
        kind = answer.headers.get("content-type", "")
        if _PRINTABLE.fullmatch(kind):
            self._found["content_type"] = kind
        given = [answer.headers[name] for name in _REQUEST_IDS if name in answer.headers]
        if given and _PRINTABLE.fullmatch(given[0]):
            self._found["request_id"] = given[0]
        return answer._replace(pieces=self._noted(answer.pieces))

    def _noted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield *pieces*, the first of them noted."""
        data = self._data
        for piece in pieces:
            data += piece[: _KEPT - len(data)]
            yield piece
            if len(data) >= _KEPT:
                break
        yield from pieces

    def told(self, words: bool, request: Any, secrets: Iterable[str]) -> dict[str, Any]:
        """Return what the log tells of it: with its *words*, less *secrets* and *request*."""
        if not words or "status" not in self._found:
            return dict(self._found)
        said, is_theirs = _words(bytes(self._data), self._found)
        if is_theirs:
            said = " ".join(said.split())[:_LONGEST] or "(no words)"
            said = _OPAQUE.sub("***", redaction.clean(_without(said, request), secrets))
        return {**self._found, "said": said}


def _words(data: bytes, found: Mapping[str, Any]) -> tuple[str, bool]:
    """Return what the beginning of an answer says, and whether these are its own words.

    They are for a page and for the text of a refusal.
    """
    text = data.decode("utf-8", "replace").lstrip("\ufeff")
    kind = found.get("content_type", "").partition(";")[0].strip().lower()
    if not text.strip():
        return "(nothing)", False
    if kind == "text/html" or _PAGE.match(text):
        return html.unescape(_HIDDEN.sub(" ", text)), True
    if kind.endswith("json") or text.lstrip()[0] in '{["':
        return _shape(data), False
    if kind == "text/event-stream" or _EVENTS.match(text):
        return "(events)", False
    if found["status"] >= 400 and kind in _TEXTS and "\ufffd" not in text:
        return html.unescape(_HIDDEN.sub(" ", text)), True
    return f"({_size(data)} of {kind or 'no content type'})", False


def _shape(data: bytes) -> str:
    """Return what kind of JSON *data* is, without its values."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return f"({_size(data)} of JSON, cut or broken)"
    if isinstance(value, dict):
        names = [name for name in list(value)[:8] if _NAME.fullmatch(name)]
        return f"(a JSON object: {', '.join(names) or 'empty'})"
    if isinstance(value, list):
        return f"(a JSON array of {len(value)})"
    return "(JSON, neither object nor array)"


def _size(data: bytes) -> str:
    """Return how many bytes of an answer were read."""
    return f"{len(data)} bytes" if len(data) < _KEPT else "many bytes"


def _without(words: str, request: Any) -> str:
    """Return *words*, or a note in their place if they repeat what is in *request*."""
    texts = [text for text in _texts(request) if len(text) >= _LEAST]
    if sum(map(len, texts)) > _LONGEST_REQUEST:
        return "(not told: the request is long)"
    plain = words.casefold()
    asked = [" ".join(text.casefold().split()) for text in texts]
    windows = [plain[at : at + _WINDOW] for at in range(0, len(plain) - _WINDOW + 1, _WINDOW // 2)]
    repeated = (text in plain or any(window in text for window in windows) for text in asked)
    return "(not told: it repeats the request)" if any(repeated) else words


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in *value*, but for the name of the model and the words of the format."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in ("model", "role", "type"):
                yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
