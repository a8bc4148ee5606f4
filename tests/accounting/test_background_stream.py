from __future__ import annotations

import io
import threading

import pytest

from llmgate.accounting import background_stream
from llmgate.accounting.background_stream import BackgroundStream


class Stuck(io.StringIO):
    """A stream whose reader has paused."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.is_reached = threading.Event()

    def write(self, text: str) -> int:
        self.is_reached.set()
        assert self.goes_on.wait(30)
        return super().write(text)


def stream(target: io.StringIO, **limits: int) -> BackgroundStream:
    return BackgroundStream(lambda: target, lambda number: f"dropped {number}\n", **limits)


def test_lines_are_written_in_order() -> None:
    target = io.StringIO()
    found = stream(target)

    for number in range(100):
        found.write(f"{number}\n")
    found.flush()

    assert found.drain(10)
    assert target.getvalue().split() == [str(number) for number in range(100)]


@pytest.mark.fault("F4", "P20")
def test_what_does_not_fit_is_dropped_and_counted() -> None:
    target = Stuck()
    found = stream(target, max_bytes=10)
    found.write("first\n")
    assert target.is_reached.wait(10)

    found.write("too long\n")
    found.write("fit\n")
    assert not found.drain(0.05)
    target.goes_on.set()

    assert found.drain(10)
    assert target.getvalue() == "first\nfit\ndropped 1\n"
    assert found.dropped == 1


@pytest.mark.fault("F4", "P20")
def test_the_number_of_lines_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_stream, "_MAX_LINES", 2)
    target = Stuck()
    found = stream(target)

    for line in "abcd":
        found.write(line)
    target.goes_on.set()

    assert found.drain(10)
    assert target.getvalue().replace("dropped 2\n", "") == "ab"


@pytest.mark.fault("F4")
def test_a_closed_target_fails_no_one() -> None:
    target = io.StringIO()
    target.close()
    found = stream(target)

    found.write("x")

    assert found.drain(10)
