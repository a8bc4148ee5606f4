from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from llmgate.inbound import lazy_socket


@pytest.fixture
def pair() -> Iterator[tuple[lazy_socket.LazyTimeoutSocket, socket.socket]]:
    """A quiet socket, and a plain one at its other end."""
    here, there = socket.socketpair()
    with lazy_socket.LazyTimeoutSocket(here) as made, there:
        there.settimeout(5)
        yield made, there


def told(sock: socket.socket) -> float | None:
    """Return what Python's own socket was told of waiting."""
    return socket.socket.gettimeout(sock)


def test_it_is_told_when_it_is_used(
    pair: tuple[lazy_socket.LazyTimeoutSocket, socket.socket],
) -> None:
    here, there = pair
    there.sendall(b"abc")

    here.settimeout(3)
    here.setblocking(True)
    here.settimeout(2)
    before = here.gettimeout(), told(here)

    assert before == (2, None)
    assert here.recv(3) == b"abc"
    assert told(here) == 2
    here.setblocking(True)
    here.sendall(b"de")
    assert told(here) is None
    here.setblocking(False)
    here.send(b"f")
    assert told(here) == 0
    assert there.recv(3, socket.MSG_WAITALL) == b"def"


def test_it_waits_no_longer_than_it_was_told(
    pair: tuple[lazy_socket.LazyTimeoutSocket, socket.socket],
) -> None:
    here, _ = pair

    here.settimeout(0.01)
    with pytest.raises(TimeoutError):
        here.recv(1)
    here.setblocking(False)
    with pytest.raises(BlockingIOError):
        here.recv(1)


def test_it_takes_over_the_other_socket() -> None:
    here, there = socket.socketpair()
    number = here.fileno()

    with lazy_socket.LazyTimeoutSocket(here) as made, there:
        assert (made.fileno(), here.fileno()) == (number, -1)
        assert (made.family, made.type) == (there.family, there.type)


def test_it_waits_even_if_the_other_did_not() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)

    with lazy_socket.LazyTimeoutSocket(here) as made, there:
        assert made.gettimeout() is None
        assert os.get_blocking(made.fileno())
