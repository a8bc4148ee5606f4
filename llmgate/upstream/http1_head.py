"""The heads of HTTP/1.1's messages: a request's is written, an answer's is read.

`http.client` reads them with the parser for mail, which takes several times as long. Source: https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple

from llmgate import errors

_LARGEST = 65536  # bytes
_MOST_FIELDS = 100
_MOST_INTERIM = 16  # answers that only announce another
_END = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(r"\r?\n")
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,18}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_ALL = ("connection", "content-length", "transfer-encoding")
_BLANK = " \t"
_SWITCHED = 101


class Head(NamedTuple):
    """What an answer begins with."""

    status: int
    headers: dict[str, str]  # lower-case names
    is_kept: bool  # the connection may be used again when the body is over
    length: int | None  # bytes of the body; None: it ends by its framing, or with the connection
    is_chunked: bool

    @property
    def coding(self) -> str:
        """Return how the body is compressed; "identity" if it is not."""
        return self.headers.get("content-encoding", "").strip().lower() or "identity"


def request(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode("ascii")


def read(receive: Callable[[], bytes], method: str) -> tuple[Head, bytes]:
    """Return the head of the answer to a *method*, and what *receive* brought behind it.

    Raises EOFError if nothing comes at all, BadUpstream if it is no head.
    """
    data = receive()
    if not data:
        raise EOFError
    for _ in range(_MOST_INTERIM):
        text, data = _cut(data, receive)
        head = _parsed(text, method)
        if head.status >= 200 or head.status == _SWITCHED:
            return head, data
    raise no_answer()


def _cut(data: bytes, receive: Callable[[], bytes]) -> tuple[str, bytes]:
    """Return the lines of the head that *data* begins with, and what is behind it."""
    seen = 0
    while not (end := _END.search(data, max(0, seen - 3))):
        seen = len(data)
        more = receive() if seen <= _LARGEST else b""
        if not more:
            raise no_answer()
        data += more
    return data[: end.start()].decode("latin-1"), data[end.end() :]


def _parsed(text: str, method: str) -> Head:
    """Return the head whose lines are *text*."""
    first, *lines = _LINE.split(text)
    status = _STATUS.fullmatch(first)
    if not status or len(lines) > _MOST_FIELDS:
        raise no_answer()
    headers = _fields(lines)
    number = int(status[2])
    options = headers.get("connection", "").lower()
    kept = "close" not in options if status[1] == "1" else "keep-alive" in options
    if number < 200:  # another answer follows, or another protocol
        return Head(number, headers, False, 0, is_chunked=False)
    if method == "HEAD" or number in (204, 304):
        return Head(number, headers, kept, 0, is_chunked=False)
    codings = _said(headers, "transfer-encoding") - {"identity"}
    if codings - {"chunked"}:
        raise no_answer()
    if codings:
        return Head(number, headers, kept, None, is_chunked=True)
    length = _length(headers)
    return Head(number, headers, kept and length is not None, length, is_chunked=False)


def _fields(lines: list[str]) -> dict[str, str]:
    """Return the headers that *lines* give; what is no header is left out.

    A line that begins with a space goes on with the one before. Of several of one name the last
    counts, but of those that say how the body ends each does.
    """
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t"):
            if name:
                headers[name] = f"{headers[name]} {line.strip(_BLANK)}".strip(_BLANK)
            continue
        before, colon, value = line.partition(":")
        name = before.rstrip(_BLANK).lower()
        if not colon or not _NAME.fullmatch(name):
            name = ""
            continue
        value = value.strip(_BLANK)
        headers[name] = f"{headers[name]},{value}" if name in headers and name in _ALL else value
    return headers


def _said(headers: Mapping[str, str], name: str) -> set[str]:
    """Return what the header called *name* lists, lower-case."""
    said = {each.strip(_BLANK).lower() for each in headers.get(name, "").split(",")}
    return said - {""}


def _length(headers: dict[str, str]) -> int | None:
    """Return the length that *headers* give the body, None if none; it is there once then."""
    found = _said(headers, "content-length")
    if not found:
        return None
    length = found.pop()
    if found or not _LENGTH.fullmatch(length):
        raise no_answer()
    headers["content-length"] = length
    return int(length)


def no_answer() -> errors.BadUpstream:
    """Return the error for what is no answer."""
    return errors.BadUpstream("The upstream closed the connection without a usable answer.")
