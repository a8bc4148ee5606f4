"""An excerpt of an invalid upstream response for the log.

The text of error pages is logged, on one line and shortened; of JSON, events and files only the
kind: they may contain an answer. Text that repeats the request or may be a secret is not logged.
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
_LONGEST = 200  # characters that are logged
_LONGEST_REQUEST = 1024 * 1024  # characters that are compared with the response
_WINDOW = 12  # characters that request and response may have in common by chance
_LEAST = 4  # characters of a text of the request that may not
_PAGE = re.compile(r"\s*(<\?xml[^>]*>)?\s*<(!doctype\s+html|html|head|body|title|center)\b", re.I)
_HIDDEN = re.compile(
    r"<(script|style|svg)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)|<[^>]*(>|$)", re.I | re.S
)
_EVENTS = re.compile(r"(data|event|id|retry)?:")
_OPAQUE = re.compile(r"[\w+/=-]{24,}")  # longer than any word
_NAME = re.compile(r"[\w.-]{1,40}")
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,120}")
_TEXTS = ("", "text/plain", "text/xml", "application/xml")
_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "cf-ray")


class ResponseExcerpt:
    """The last call of an attempt: its host, and the beginning of the response."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget it: another attempt begins."""
        self._found: dict[str, Any] = {}
        self._data = bytearray()

    def record_request(self, url: str) -> None:
        """Record that a call is sent to *url*."""
        self.clear()
        self._found["host"] = urlsplit(url).netloc.rpartition("@")[2][:253]

    def record_response(self, answer: Answer) -> Answer:
        """Return *answer*, whose beginning is recorded while it is read."""
        self._found["status"] = answer.status
        kind = answer.headers.get("content-type", "")
        if _PRINTABLE.fullmatch(kind):
            self._found["content_type"] = kind
        given = [answer.headers[name] for name in _REQUEST_IDS if name in answer.headers]
        if given and _PRINTABLE.fullmatch(given[0]):
            self._found["request_id"] = given[0]
        return answer._replace(pieces=self._recorded(answer.pieces))

    def _recorded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield *pieces*; the first bytes are recorded."""
        data = self._data
        for piece in pieces:
            data += piece[: _KEPT - len(data)]
            yield piece
            if len(data) >= _KEPT:
                break
        yield from pieces

    def log_fields(self, with_text: bool, request: Any, secrets: Iterable[str]) -> dict[str, Any]:
        """Return the fields for the log: the text if *with_text*, without *secrets*."""
        if not with_text or "status" not in self._found:
            return dict(self._found)
        text, is_own = _text(bytes(self._data), self._found)
        if is_own:
            text = " ".join(text.split())[:_LONGEST] or "(no text)"
            text = _OPAQUE.sub("***", redaction.clean(_without(text, request), secrets))
        return {**self._found, "said": text}


def _text(data: bytes, found: Mapping[str, Any]) -> tuple[str, bool]:
    """Return a text for the log, and whether it is the response's own.

    It is for an HTML page and for the plain text of an error response.
    """
    text = data.decode("utf-8", "replace").lstrip("\ufeff")
    kind = found.get("content_type", "").partition(";")[0].strip().lower()
    if not text.strip():
        return "(empty)", False
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
    """Return the kind of JSON in *data*, without its values."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return f"({_size(data)} of JSON, incomplete)"
    if isinstance(value, dict):
        names = [name for name in list(value)[:8] if _NAME.fullmatch(name)]
        return f"(a JSON object: {', '.join(names) or 'empty'})"
    if isinstance(value, list):
        return f"(a JSON array of {len(value)})"
    return "(JSON, neither object nor array)"


def _size(data: bytes) -> str:
    """Return how many bytes of a response were read."""
    return f"{len(data)} bytes" if len(data) < _KEPT else "many bytes"


def _without(text: str, request: Any) -> str:
    """Return *text*, or a note instead if it repeats something in *request*."""
    texts = [each for each in _texts(request) if len(each) >= _LEAST]
    if sum(map(len, texts)) > _LONGEST_REQUEST:
        return "(not shown: the request is long)"
    plain = text.casefold()
    requested = [" ".join(each.casefold().split()) for each in texts]
    windows = [plain[at : at + _WINDOW] for at in range(0, len(plain) - _WINDOW + 1, _WINDOW // 2)]
    repeated = (each in plain or any(window in each for window in windows) for each in requested)
    return "(not shown: it repeats the request)" if any(repeated) else text


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in *value*, except the model's name and the format's own members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in ("model", "role", "type"):
                yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
