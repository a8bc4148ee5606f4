"""Request bodies that are forwarded unchanged: in memory if small, else on disk."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from typing import IO

from flask import Response
from flask import after_this_request
from flask import request
from gunicorn.http.errors import ParseException

from llmgate import errors
from llmgate.endpoints import json_bodies

_IN_MEMORY = 256 * 1024  # bytes of a body that are kept off the disk
_BLOCK = 64 * 1024
_HEAD = 64 * 1024  # bytes of a form in which fields are looked for: files follow them


class Spool:
    """A body on disk: read in blocks, rewound before each attempt (a contract.SpooledFile).

    Its first bytes may be replaced by others.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self._head, self._replaced = b"", 0
        self._blocks = self._read()

    def head(self) -> bytes:
        """Return its first bytes, as they came."""
        self._file.seek(0)
        return self._file.read(_HEAD)

    def with_head(self, head: bytes, replaced: int) -> Spool:
        """Return the same body, *head* in the place of its first *replaced* bytes."""
        made = Spool(self._file, self._size)
        made._head, made._replaced = head, replaced
        return made

    def _read(self) -> Iterator[bytes]:
        """Yield the body from its first byte."""
        if self._head:
            yield self._head
        self._file.seek(self._replaced)
        while block := self._file.read(_BLOCK):
            yield block

    def __len__(self) -> int:
        return self._size - self._replaced + len(self._head)

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def read(self, size: int = -1, /) -> bytes:
        """Return the next block, whatever *size* says; empty at the end."""
        return next(self._blocks, b"")

    def rewind(self) -> None:
        """Go back to the first byte."""
        self._blocks = self._read()


def body(limit: int, in_memory: int = _IN_MEMORY) -> bytes | Spool:
    """Return the request's body; above *in_memory* bytes it lies on disk.

    Raises TooLarge above *limit* bytes, UnsupportedMedia, RequestTimeout, InvalidRequest.
    """
    json_bodies.refuse_compression()
    length = request.content_length
    if length is not None and length > limit:
        raise json_bodies.too_large(limit)
    if length is None and "chunked" not in request.headers.get("Transfer-Encoding", "").lower():
        return b""
    file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115
    closed_after_answer(file.close)
    size = 0
    for block in _blocks(limit + 1 if length is None else length):
        file.write(block)
        size += len(block)
    if size > limit:
        raise json_bodies.too_large(limit)
    if length is not None and size < length:
        raise errors.InvalidRequest("The request body is shorter than Content-Length.")
    file.seek(0)
    return file.read() if size <= in_memory else Spool(file, size)


def closed_after_answer(close: Callable[[], object]) -> None:
    """Call *close* when the response to this request is complete."""

    @after_this_request
    def closing(response: Response) -> Response:
        response.call_on_close(close)
        return response


def _blocks(left: int) -> Iterator[bytes]:
    """Yield at most *left* bytes of the request's body."""
    stream = request.environ["wsgi.input"]
    try:
        while left and (block := stream.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
    except (BlockingIOError, TimeoutError) as error:
        raise json_bodies.too_slow(error) from error
    except (OSError, EOFError, ParseException) as error:
        raise errors.InvalidRequest(
            "The request body is incomplete or its chunked encoding is invalid."
        ) from error


# -- fields of forms


def field(head: bytes, name: str) -> str | None:
    """Return what the field called *name* says in *head*, the beginning of a form."""
    found = _field(name).search(head)
    return found[3].decode("utf-8", "replace") if found else None


def without_field(head: bytes, name: str) -> bytes:
    """Return *head*, the beginning of a form, without the field called *name*."""
    return _field(name).sub(b"", head, count=1)


def with_field(head: bytes, name: str, value: str) -> bytes:
    """Return *head*, the beginning of a form, *value* in its field called *name*."""
    said = value.encode()
    return _field(name).sub(lambda found: found[1] + found[2] + said + found[4], head, count=1)


def _field(name: str) -> re.Pattern[bytes]:
    """Return what finds a field: its boundary, its header, its value, its end."""
    title = re.escape(name.encode())
    return re.compile(
        rb"(--[^\r\n]{1,200}\r\n)(?=[^\r\n]*name=\"?"
        + title
        + rb"\"?(?:[;\r]))((?:[^\r\n]+\r\n)*\r\n)([^\r\n]{0,500})(\r\n)(?=--)"
    )
