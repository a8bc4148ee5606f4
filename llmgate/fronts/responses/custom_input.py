"""The free text of a custom tool's call, out of the JSON arguments of the function in its place.

The function has one parameter, a string; its pieces are decoded as they arrive.
"""

from __future__ import annotations

import json
import re

from llmgate.fronts.responses.tool_definitions import INPUT

_START = re.compile(r'\s*\{\s*"' + INPUT + r'"\s*:\s*"')
_PLAIN = re.compile(r'[^"\\]+')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_PREFIX_OF_UNICODE = re.compile(r"\\(u[0-9a-fA-F]{0,3})?")


class Decoder:
    """Decodes the string of `{"input": "..."}` from pieces that may be cut anywhere."""

    def __init__(self) -> None:
        self.is_started = False
        self._ended = False
        self._rest = ""  # not decoded yet
        self._texts: list[str] = []

    def feed(self, piece: str) -> str:
        """Return the text that *piece* completes."""
        if self._ended:
            return ""
        self._rest += piece
        if not self.is_started:
            start = _START.match(self._rest)
            if start is None:
                return ""
            self.is_started = True
            self._rest = self._rest[start.end() :]
        text = "".join(self._decoded())
        self._texts.append(text)
        return text

    def text(self) -> str:
        """Return the whole text so far."""
        return "".join(self._texts)

    def _decoded(self) -> list[str]:
        """Return the texts in what is not decoded yet; an incomplete escape stays there."""
        found: list[str] = []
        at, given = 0, self._rest
        while at < len(given):
            plain = _PLAIN.match(given, at)
            if plain:
                found.append(plain[0])
                at = plain.end()
                continue
            if given[at] == '"':
                self._ended = True
                break
            text, length = _escape(given, at)
            if not length:
                break
            found.append(text)
            at += length
        self._rest = given[at:]
        return found


def _escape(given: str, at: int) -> tuple[str, int]:
    """Return the text of the escape that begins *at* this place, and its length (0: incomplete)."""
    if _PREFIX_OF_UNICODE.fullmatch(given, at):
        return "", 0
    found = _UNICODE.match(given, at)
    if found is None:
        letter = given[at + 1]
        return _ESCAPES.get(letter, letter), 2
    code = int(found[1], 16)
    if not 0xD800 <= code < 0xDC00:
        return ("�" if 0xDC00 <= code < 0xE000 else chr(code)), 6
    low = _UNICODE.match(given, at + 6)
    if low and 0xDC00 <= int(low[1], 16) < 0xE000:
        return chr(0x10000 + ((code - 0xD800) << 10) + int(low[1], 16) - 0xDC00), 12
    is_cut = at + 6 == len(given) or _PREFIX_OF_UNICODE.fullmatch(given, at + 6)
    return ("", 0) if is_cut else ("�", 6)


def text_of(arguments: str) -> str:
    """Return the text in whole *arguments*; models may call the parameter otherwise, or write text.

    Of arguments that were cut short the text so far is returned.
    """
    decoder = Decoder()
    text = decoder.feed(arguments)
    if decoder.is_started:
        return text
    try:
        found = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    if not isinstance(found, dict):
        return found if isinstance(found, str) else arguments
    texts = [value for value in found.values() if isinstance(value, str)]
    named = found.get(INPUT)
    return named if isinstance(named, str) else _only(texts, arguments if found else "")


def _only(texts: list[str], other: str) -> str:
    """Return the only one of *texts*, else the *other*."""
    return texts[0] if len(texts) == 1 else other
