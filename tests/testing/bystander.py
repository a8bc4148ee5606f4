"""Other clients of a gateway, which must not notice what happens to one request.

with Bystander(gate, upstream):
    ...  # while this happens, /health answers and a stream misses no event
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from types import TracebackType
from typing import Any

from testing.gateway import Gateway
from testing.peer import Peer
from testing.sockets import asked
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import event
from testing.upstream import head
from testing.upstream import raw
from testing.workers import chat

PROMPT = 0.1  # seconds, on a machine that has nothing else to do
_GAP = 0.01
_PAUSE = 0.02
_SLACK = 10  # a gateway needs the processor more often than a thread that only sleeps


class Bystander:
    """A client that asks for /health again and again, and another that reads a stream.

    The stream goes on for as long as the block does; its answer is the first of *upstream*. Both
    must be answered within *prompt* seconds, and what a busy machine adds: its load, and how late
    this process is woken from sleep at the same time.
    """

    def __init__(self, gate: Gateway, upstream: Upstream, prompt: float = PROMPT) -> None:
        self._gate, self._upstream, self._prompt = gate, upstream, prompt
        self._ended = threading.Event()
        self.waits: list[float] = []  # for /health, in seconds
        self.gaps: list[float] = []  # between events
        self.late = 0.0  # the most seconds by which a sleep of this process was too long
        self.numbers: list[int] = []  # of the events received
        self._threads = [threading.Thread(target=run) for run in (self._ask, self._read)]

    def __enter__(self) -> Bystander:
        """Begin; the stream has begun when this returns."""
        self._upstream.plays(_stream(self._ended))
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + 10
        while not (self.numbers and self.waits):
            assert time.monotonic() < deadline, "the bystanders had no answer"
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and check what they saw unless the block failed."""
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
        if error is None:
            self.check()

    def check(self) -> None:
        """Fail if /health or an event was late, or an event is missing."""
        share = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # who wants a processor
        limit = self._prompt * share + _SLACK * self.late
        wait, gap = max(self.waits), max(self.gaps, default=0.0)
        assert wait < limit, f"/health took {wait:.2f} s, {self.late:.3f} s is the machine's"
        assert self.numbers == list(range(len(self.numbers))), "events are missing"
        assert gap < limit, f"no event for {gap:.2f} s, {self.late:.3f} s is the machine's"

    def _ask(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            with contextlib.suppress(OSError), asked(self._gate.url + "/health") as sock:
                sock.settimeout(30)
                got = sock.recv(65536)
                assert got.startswith(b"HTTP/1.1 200 "), got[:100]
            answered = time.monotonic()
            self.waits.append(answered - began)
            time.sleep(_PAUSE)
            self.late = max(self.late, time.monotonic() - answered - _PAUSE)

    def _read(self) -> None:
        body = chat(stream=True, user="bystander")
        with asked(self._gate.url + "/v1/chat/completions", body, connection="close") as sock:
            sock.settimeout(60)
            rest, last = b"", time.monotonic()
            while data := sock.recv(65536):
                now = time.monotonic()
                self.gaps.append(now - last)
                last = now
                *lines, rest = (rest + data).split(b"\n")
                self.numbers += [
                    json.loads(line[6:])["created"] for line in lines if b'"created"' in line
                ]


class _Numbered:
    """A step of an answer: numbered events until the test ends."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def play(self, peer: Peer) -> None:
        """Send them."""
        for number in itertools.count():
            if self._ended.is_set():
                return
            peer.send(event({**_CHUNK, "created": number}))
            peer.wait(_GAP)


_CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}],
}


def _stream(ended: threading.Event) -> Answer:
    """Return a stream of numbered events that ends when *ended* is set."""
    start = head(headers={"content-type": "text/event-stream", "connection": "close"})
    numbered: Any = _Numbered(ended)
    return raw(start, numbered, event("[DONE]"))
