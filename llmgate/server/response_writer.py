"""gunicorn's response, whose head goes out together with the first bytes of its body.

gunicorn writes them one after the other: a packet more for the client to wake up for, and under
threads one more turn that another may take.
"""

from __future__ import annotations

from typing import Any

from gunicorn.http import wsgi

_MOST_COPIED = 65536  # bytes of a first piece; a larger one follows its head


class Response(wsgi.Response):  # type: ignore[misc]
    """A response that writes its head and what comes with it at once."""

    sock: Any

    def write(self, arg: Any) -> None:
        """Send *arg*, after the head if that has not gone out."""
        if self.headers_sent or len(arg) > _MOST_COPIED:
            super().write(arg)
            return
        sock, self.sock = self.sock, _Gathered()
        try:
            super().write(arg)
        finally:
            gathered, self.sock = self.sock, sock
        sock.sendall(gathered)

    def _emit_body(self, data: bytes) -> None:
        """Send *data*, framed if the body is chunked, in one step: it is done for each chunk."""
        self.sock.sendall(b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data)


class _Gathered(bytearray):
    """What would be sent on a socket."""

    def sendall(self, data: bytes) -> None:
        """Keep *data* for later."""
        self += data


def install() -> None:
    """Let gunicorn make such responses; it has no setting for that."""
    wsgi.Response = Response
