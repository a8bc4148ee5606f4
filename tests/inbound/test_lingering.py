from __future__ import annotations

import os
import socket

from testing.sockets import received
from testing.workers import eventually

from llmgate.inbound.lingering import Lingering


def closing(lingering: Lingering) -> tuple[socket.socket, int]:
    """Return the client of a connection that is being closed, and another descriptor of it."""
    server, client = socket.socketpair()
    client.settimeout(10)
    other = os.dup(server.fileno())
    lingering.add(server)
    return client, other


def test_a_connection_is_closed_when_its_client_has_closed() -> None:
    lingering = Lingering()
    client, other = closing(lingering)
    os.close(other)
    with client:
        assert received(client) == b""
        client.sendall(b"what was on its way")
        assert len(lingering) == 1

    eventually(lambda: len(lingering) == 0)


def test_a_descriptor_that_is_closed_later_does_no_harm() -> None:
    """gevent closes a socket in its own time; until then the kernel reports its events."""
    lingering = Lingering()
    others = []
    for _ in range(3):
        client, other = closing(lingering)
        others.append(other)
        client.close()
        eventually(lambda: len(lingering) == 0)

    for other in others:
        os.close(other)
