"""The private attributes of gunicorn that are used, all in one place.

`tests/server/test_gunicorn_api.py` names each one and fails when a release drops it.
"""

from __future__ import annotations

import select
from typing import Any

from gunicorn.http import body as http_body
from gunicorn.http import wsgi

from llmgate.inbound import disconnect

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MAX_DISCARDED = 65536


def install_response(response: type[wsgi.Response]) -> None:
    """Make gunicorn use *response*; it has no setting for that."""
    wsgi.Response = response


def take_expectation(req: Any) -> bytes:
    """Return the interim response that the client of *req* waits for, if any.

    gunicorn sends it before the application runs, so that a body follows even if the request is
    refused. The caller sends it when the body is first read.
    """
    expected, req._expected_100_continue = getattr(req, "_expected_100_continue", False), False
    return CONTINUE if expected else b""


def buffered(conn: Any) -> bytes:
    """Return what gunicorn has read of *conn* beyond its last request."""
    if conn.parser is None:
        return b""
    found: bytes = conn.parser.unreader.buf.getvalue()
    return found


def discard_body(req: Any) -> bool:
    """Return whether nothing of the body of *req* is left to read.

    A small rest that has arrived is discarded; this function never waits.
    """
    body = req.body
    reader = body.reader
    if isinstance(reader, http_body.LengthReader):
        return not body.failed and (reader.length == 0 or _discard_length(reader))
    return not body.failed and getattr(reader, "parser", reader) is None


def _discard_length(reader: Any) -> bool:
    """Return whether the rest of a body of known length was there, and discard it."""
    unreader = reader.unreader
    if reader.length > _MAX_DISCARDED:
        return False
    while (missing := reader.length - len(unreader.buf.getvalue())) > 0:
        data = _available(unreader, missing)
        if not data:
            return False
        unreader.buf.seek(0, 2)
        unreader.buf.write(data)
    reader.read(reader.length)
    return True


def _available(unreader: Any, size: int) -> bytes:
    """Return at most *size* bytes that have arrived; none if the client has sent nothing more."""
    poll = disconnect.native("select").poll()
    poll.register(unreader.sock.fileno(), select.POLLIN)
    try:
        data: bytes = unreader.chunk(size) if poll.poll(0) else b""
    except OSError:
        return b""
    return data
