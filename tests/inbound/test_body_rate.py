"""How slowly the body of a request may come, on a clock of the test's."""

from __future__ import annotations

import pytest

from llmgate.inbound import body_rate

PACE = body_rate.MinimumRate(15, 1024, 900)


class Dripping:
    """A socket that gives *size* bytes after each *pause*, and the clock of it."""

    def __init__(self, size: int, pause: float) -> None:
        self.now = 100.0
        self._size = size
        self._pause = pause

    def recv(self, size: int) -> bytes:
        """Return some bytes, a while later."""
        self.now += self._pause
        return b"x" * min(size, self._size)

    def settimeout(self, seconds: float) -> None:
        """Take no notice."""


@pytest.mark.parametrize(
    ("size", "pause", "seconds", "come"),
    [
        (1, 1.0, 16, 16),  # dripping: the grace and no more
        (1, 14.0, 28, 2),  # less than the time-out of a read each
        (1000, 1.0, 641, 641_000),  # a little too slow
        (8192, 4.0, 904, 1_851_392),  # fast enough, but not for ever
    ],
)
def test_a_body_that_comes_too_slowly_is_given_up(
    size: int, pause: float, seconds: float, come: int
) -> None:
    sock = Dripping(size, pause)
    paced = body_rate.RateCheckedSocket(sock, PACE, clock=lambda: sock.now)

    with pytest.raises(TimeoutError) as caught:
        while True:
            paced.recv(8192)

    assert sock.now - 100 == seconds
    assert str(caught.value) == f"the client sent {come} bytes of its body in {seconds} s"


def test_a_body_at_a_fair_pace_is_read() -> None:
    sock = Dripping(8192, 0.1)
    paced = body_rate.RateCheckedSocket(sock, PACE, clock=lambda: sock.now)

    assert sum(len(paced.recv(8192)) for _ in range(8000)) == 8000 * 8192


def test_the_end_of_a_body_is_not_too_slow() -> None:
    sock = Dripping(0, 60)

    assert body_rate.RateCheckedSocket(sock, PACE, clock=lambda: sock.now).recv(10) == b""


def test_the_socket_is_given_back() -> None:
    class Unreader:
        sock = Dripping(1, 1)

    unreader = Unreader()
    before = unreader.sock

    with body_rate.enforced(unreader, PACE):
        assert isinstance(unreader.sock, body_rate.RateCheckedSocket)
        unreader.sock.settimeout(1)

    assert unreader.sock is before


def test_what_has_no_socket_is_left_alone() -> None:
    with body_rate.enforced(object(), PACE):
        pass
