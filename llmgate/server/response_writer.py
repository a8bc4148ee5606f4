"""gunicorn's response, which sends its head together with the first bytes of its body.

gunicorn sends them separately: one more packet that wakes the client up, and under threads one
more chance to lose the GIL.
"""

from __future__ import annotations

from typing import Any

from gunicorn.http import wsgi

from llmgate.server import gunicorn_api

_MAX_COPIED = 65536  # bytes of a first piece; a larger one is sent after the head


class Response(wsgi.Response):  # type: ignore[misc]
    """A response that sends its head and the first piece of its body in one call."""

    sock: Any

    def send_headers(self) -> None:
        """Send the head; it announces the close of the connection if a body is left unread.

        Where the next request starts is then unknown, and a client that still sends must learn
        that its body is not wanted.
        """
        if not self.headers_sent and not gunicorn_api.discard_body(self.req):
            self.force_close()
        super().send_headers()

    def write(self, arg: Any) -> None:
        """Send *arg*, after the head if that has not been sent."""
        if self.headers_sent or len(arg) > _MAX_COPIED:
            super().write(arg)
            return
        sock, self.sock = self.sock, _Buffer()
        try:
            super().write(arg)
        finally:
            gathered, self.sock = self.sock, sock
        sock.sendall(gathered)

    def _emit_body(self, data: bytes) -> None:
        """Send *data*, framed if the body is chunked, in one call."""
        self.sock.sendall(b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data)


class _Buffer(bytearray):
    """Bytes to be sent later."""

    def sendall(self, data: bytes) -> None:
        """Append *data*."""
        self += data
