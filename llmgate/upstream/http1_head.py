"""HTTP/1.1 message heads: write a request's, parse a response's.

`http.client` uses the parser for mail, which takes several times as long. Tolerant where real
upstreams are sloppy, but then `Head.is_strict` is false and the connection is not reused.
Source: https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple

MAX_HEAD = 65536
"""The maximum size of a response head in bytes."""

MAX_FIELDS = 100
"""The maximum number of header lines in a response."""

MAX_INTERIM = 15
"""The maximum number of 1xx responses before the final one."""

_END = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(r"\r?\n")
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,18}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)")
_INTERIM_START = b"HTTP/1.1 1"
_WHITESPACE = " \t"
_SWITCHING_PROTOCOLS = 101
_SINGLETONS = frozenset(
    """age content-location content-range content-type date etag expires last-modified location
    retry-after retry-after-ms server set-cookie x-should-retry""".split()
)
"""Headers that are not lists: of repeated ones the last counts (RFC 9110 5.3, 6265 3)."""


class ProtocolError(Exception):
    """The bytes of a response are not valid HTTP/1.1; the message is the cause."""


class IncompleteError(ProtocolError):
    """The connection was closed before the response was complete; the message has the position."""


class Head(NamedTuple):
    """The status line and the headers of a response."""

    status: int
    headers: dict[str, str]  # lower-case names; repeated ones joined by ", " (RFC 9110 5.3)
    is_persistent: bool  # HTTP/1.1 without `Connection: close`
    is_strict: bool  # grammar and framing headers are exactly as RFC 9112 requires
    length: int | None  # bytes of the body; None: chunked, or delimited by the close
    is_chunked: bool

    @property
    def coding(self) -> str:
        """Return the content coding; "identity" if there is none."""
        return self.headers.get("content-encoding", "").strip().lower() or "identity"


def request(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode("ascii")


def read(receive: Callable[[], bytes], method: str, data: bytes = b"") -> tuple[Head, bytes]:
    """Return the head of the response to a *method*, and the bytes received behind it.

    *data* are the first bytes of the response, if some were received already. 1xx responses are
    skipped. Raises EOFError if the connection is closed before any byte, ProtocolError otherwise.
    """
    data = data or receive()
    if not data:
        raise EOFError
    is_strict = True
    for _ in range(MAX_INTERIM + 1):
        text, data, has_crlf = _split(data, receive)
        head = _parse(text, method)
        is_strict = is_strict and has_crlf and head.is_strict
        if head.status >= 200 or head.status == _SWITCHING_PROTOCOLS:
            return head._replace(is_strict=is_strict), data
    raise ProtocolError(f"more than {MAX_INTERIM} interim (1xx) responses")


def is_interim(data: bytes) -> bool:
    """Return whether *data*, the beginning of what was received, contains 1xx responses only."""
    while data and len(data) <= MAX_HEAD:
        if len(data) < len(_INTERIM_START):
            return _INTERIM_START.startswith(data)
        if not _INTERIM.match(data):
            return False
        end = _END.search(data)
        data = data[end.end() :] if end else b""
    return not data


def _split(data: bytes, receive: Callable[[], bytes]) -> tuple[str, bytes, bool]:
    """Return the lines of the head in *data*, the bytes behind it, and whether it ends in CRLF."""
    end = _END.search(data)
    if end is None:
        data, end = _receive_rest(bytearray(data), receive)
    text = data[: end.start()].decode("latin-1")
    return text, data[end.end() :], end[0] == b"\r\n\r\n"


def _receive_rest(data: bytearray, receive: Callable[[], bytes]) -> tuple[bytes, re.Match[bytes]]:
    """Return *data* completed to a whole head or more, and where the head ends."""
    while True:
        if len(data) > MAX_HEAD:
            raise ProtocolError(f"response head larger than {MAX_HEAD} bytes")
        seen = len(data)
        more = receive()
        if not more:
            raise IncompleteError("connection closed within the response head")
        data += more
        if _END.search(data, max(0, seen - 3)):
            whole = bytes(data)
            end = _END.search(whole, max(0, seen - 3))
            assert end is not None
            return whole, end


def _parse(text: str, method: str) -> Head:
    """Return the head whose lines are *text*."""
    first, *lines = _LINE.split(text)
    status = _STATUS.fullmatch(first)
    if not status:
        raise ProtocolError("malformed status line")
    if len(lines) > MAX_FIELDS:
        raise ProtocolError(f"more than {MAX_FIELDS} headers")
    headers, is_strict = _fields(lines)
    is_strict = is_strict and len(lines) == text.count("\r\n") == text.count("\r")
    is_strict = is_strict and not _CONTROL.search(text)
    number = int(status[2])
    is_persistent = status[1] == "1" and "close" not in headers.get("connection", "").lower()
    if number < 200 or number in (204, 304) or method == "HEAD":
        has_no_framing = not {"content-length", "transfer-encoding"} & headers.keys()
        _length(headers)  # it may be shown to the client
        return Head(number, headers, is_persistent, is_strict and has_no_framing, 0, False)
    length, is_chunked, is_clear = _framing(headers, status[1])
    return Head(number, headers, is_persistent, is_strict and is_clear, length, is_chunked)


def _framing(headers: dict[str, str], minor: str) -> tuple[int | None, bool, bool]:
    """Return the body's length, whether it is chunked, and whether *headers* are unambiguous.

    RFC 9112 6.3. *minor* is the minor version.
    """
    coding = headers.get("transfer-encoding")
    if coding is None:
        return _length(headers)
    codings = _listed(coding) - {"identity"}
    if codings - {"chunked"}:
        raise ProtocolError("unsupported Transfer-Encoding")
    if not codings:
        return (*_length(headers)[:2], False)
    is_clear = coding.lower() == "chunked" and minor == "1" and "content-length" not in headers
    return None, True, is_clear


def _length(headers: dict[str, str]) -> tuple[int | None, bool, bool]:
    """Return Content-Length as a framing; *headers* contain it once afterwards."""
    value = headers.get("content-length")
    if value is None:
        return None, False, True
    found = _listed(value)
    if not found:
        return None, False, False
    if len(found) > 1:
        raise ProtocolError("conflicting Content-Length")
    (length,) = found
    if not _LENGTH.fullmatch(length):
        raise ProtocolError("invalid Content-Length")
    headers["content-length"] = length
    return int(length), False, value == length


def _fields(lines: list[str]) -> tuple[dict[str, str], bool]:
    """Return the headers in *lines*, and whether each line is a header by the grammar.

    Other lines are skipped; a line that begins with whitespace continues the one before.
    """
    headers: dict[str, str] = {}
    name, is_strict = "", True
    for line in lines:
        if line[:1] in (" ", "\t"):
            is_strict = False
            if name:
                headers[name] = f"{headers[name]} {line.strip(_WHITESPACE)}".strip(_WHITESPACE)
            continue
        before, colon, value = line.partition(":")
        name = before.lower()
        if not colon or not _NAME.fullmatch(name):
            is_strict = False
            name = name.rstrip(_WHITESPACE)
            if not colon or not _NAME.fullmatch(name):
                name = ""
                continue
        value = value.strip(_WHITESPACE)
        is_repeated = name in headers and name not in _SINGLETONS
        headers[name] = f"{headers[name]}, {value}" if is_repeated else value
    return headers, is_strict


def _listed(value: str) -> set[str]:
    """Return the members of the list *value*, lower-case."""
    return {member.strip(_WHITESPACE).lower() for member in value.split(",")} - {""}
