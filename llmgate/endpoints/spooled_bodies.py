"""Request bodies that are forwarded unchanged: in memory if small, else on disk."""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from typing import IO
from typing import Any

from flask import Response
from flask import after_this_request
from flask import request
from gunicorn.http.errors import ParseException

from llmgate import errors
from llmgate.endpoints import content_coding
from llmgate.endpoints import json_bodies

_IN_MEMORY = 256 * 1024  # bytes of a body that are kept off the disk
_BLOCK = 64 * 1024
_HEAD = 64 * 1024  # bytes of a form in which fields are read; files follow them


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
        """Return the next block, of any size; empty at the end."""
        return next(self._blocks, b"")

    def rewind(self) -> None:
        """Go back to the first byte."""
        self._blocks = self._read()


def body(limit: int, in_memory: int = _IN_MEMORY) -> bytes | Spool:
    """Return the request's body; above *in_memory* bytes it is on disk.

    Raises TooLarge above *limit* bytes, UnsupportedMedia, RequestTimeout, InvalidRequest, and
    StorageFailed.
    """
    coding = content_coding.name()
    length = request.content_length
    if length is not None and length > limit:
        raise json_bodies.too_large(limit)
    if length is None and "chunked" not in request.headers.get("Transfer-Encoding", "").lower():
        return b""
    file = temporary_file(in_memory)
    blocks = _received(limit, length)
    if coding is not None:
        blocks = content_coding.decoded(blocks, coding, json_bodies.too_large(limit))
    size = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(file)
        for block in blocks:
            size += len(block)
            if size > limit:
                raise json_bodies.too_large(limit)
            file.write(block)
        file.seek(0)
        if size <= in_memory:
            return file.read()
        stack.pop_all()  # the response closes it
    return Spool(file, size)


def _received(limit: int, length: int | None) -> Iterator[bytes]:
    """Yield the body as it was sent; raises InvalidRequest if it is shorter than *length*."""
    size = 0
    for block in _blocks(limit + 1 if length is None else length):
        size += len(block)
        yield block
    if length is not None and size < length:
        raise errors.InvalidRequest("The request body is shorter than Content-Length.")


class StorageFailed(errors.GateError):
    """A body could not be written to disk."""

    status = 507
    code = "insufficient_storage"
    retry = True


class _File(tempfile.SpooledTemporaryFile[bytes]):
    """A temporary file; a disk that is full or read-only raises StorageFailed."""

    def write(self, data: Any) -> int:
        """Append *data*."""
        try:
            return super().write(data)
        except OSError as error:
            raise _storage_failed(error) from error

    def close(self) -> None:
        """Close; a buffer that does not fit the disk is lost."""
        with contextlib.suppress(OSError):
            super().close()


def temporary_file(in_memory: int) -> IO[bytes]:
    """Return a file that is closed after the response, on disk above *in_memory* bytes."""
    file = _File(max_size=in_memory)

    @after_this_request
    def close_file(response: Response) -> Response:
        response.call_on_close(file.close)
        return response

    return file


def _storage_failed(error: OSError) -> StorageFailed:
    """Return the error for a body that could not be written because of *error*."""
    failed = StorageFailed(
        "The gateway cannot store the upload at the moment. Retry, or send a smaller file.",
        headers={"Retry-After": "30"},
    )
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        failed.status = 503
    failed.cause = f"writing a temporary file failed: {error.strerror or error}"
    return failed


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
