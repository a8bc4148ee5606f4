"""A small HTTP proxy: CONNECT, and plain requests forwarded with the URL as their target."""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit


class Proxy:
    """A proxy on a free port, from `with` to its end; *heads* are the requests it received."""

    def __init__(self, status: int = 200, pause: float = 0.0) -> None:
        """Answer CONNECT with *status*, each byte of the answer after a *pause* in seconds."""
        self.heads: list[str] = []
        self._status, self._pause = status, pause
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://us%40r:p%3Aw@{self.address}"

    @property
    def targets(self) -> list[str]:
        """Return the first lines of the requests, without the version."""
        return [head.partition(" HTTP/")[0] for head in self.heads]

    def __enter__(self) -> Proxy:
        """Start."""
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every connection and every thread."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._open.append(sock)
                self._start(self._serve, sock)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                piece = client.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, _ = data.partition(b"\r\n\r\n")
            self.heads.append(head.decode("latin-1"))
            method, target, _ = head.decode("latin-1").split(" ", 2)
            if method == "CONNECT":
                self._tunnel(client, target)
            else:
                where = urlsplit(target)
                rest = data.replace(target.encode(), (where.path or "/").encode(), 1)
                self._between(client, where.hostname, where.port, rest)

    def _tunnel(self, client: socket.socket, target: str) -> None:
        answer = f"HTTP/1.1 {self._status} Said\r\nX-Proxy: yes\r\n\r\n".encode()
        pieces = [bytes([byte]) for byte in answer] if self._pause else [answer]
        for piece in pieces:
            time.sleep(self._pause)
            client.sendall(piece)
        host, _, port = target.rpartition(":")
        if self._status == 200:
            self._between(client, host, int(port), b"")

    def _between(
        self, client: socket.socket, host: str | None, port: int | None, first: bytes
    ) -> None:
        with socket.create_connection((host, port or 80)) as upstream:
            self._open.append(upstream)
            upstream.sendall(first)
            pairs = {client: upstream, upstream: client}
            while True:
                for sock in select.select([*pairs], [], [])[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    pairs[sock].sendall(data)
