"""OpenAI's streams passed on as the bytes that came: JSON is read only where it matters.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Usage
from llmgate.dialects.openai import wire as openai_wire

# It begins with one byte, which `re` looks for ten times as fast as for one of several beginnings.
_NOTABLE = re.compile(rb'"(?:usage"\s*:\s*\{|finish_reason"\s*:\s*"|error"(?!\s*:\s*null))')
_LAST = b"[DONE]"


def relayed(
    pieces: Iterable[bytes], shows_usage: bool, saw: Callable[[Usage], None]
) -> Iterator[bytes]:
    """Yield a stream's bytes as they came, in whole events, and [DONE] at the end.

    JSON is read only in the first event and in those that end a choice, report usage (told to
    *saw*; the chunk with nothing else is left out unless *shows_usage*) or an error. Comments
    before the first event are left out: what is first shall tell whether the call succeeded.
    Raises UpstreamError and CutShort.
    """
    scan = _Scan(shows_usage, saw)
    for block in sse.blocks(pieces):
        kept = block if scan.started and _notable(block) < 0 else scan.kept(block)
        if kept:
            yield kept
        if scan.error:
            raise scan.error
        if scan.done:
            return
    if not scan.finished:
        raise errors.CutShort("The upstream ended its stream before it was complete.")
    yield sse.DONE


def _notable(block: bytes, at: int = 0) -> int:
    """Return where in *block*, from *at* on, an event that has to be read is seen, -1: nowhere."""
    found = _NOTABLE.search(block, at)
    last = block.find(_LAST, at)
    if found is None:
        return last
    return found.start() if last < 0 else min(found.start(), last)


class _Scan:
    """What the events of one stream have said so far."""

    def __init__(self, shows_usage: bool, saw: Callable[[Usage], None]) -> None:
        self.shows_usage = shows_usage
        self.saw = saw
        self.started = False  # an event with data came
        self.finished = False  # a choice has ended
        self.done = False  # [DONE] came
        self.error: errors.UpstreamError | None = None

    def kept(self, block: bytes) -> bytes:
        """Return the bytes of *block* that go on: up to an error, without hidden usage."""
        kept, at = bytearray(), 0
        while at < len(block) and not self.done:
            start = self._plain(block, at)
            kept += block[at:start]
            raw = sse.event_at(block, start)
            at = start + len(raw)
            event = self._read(raw)
            if self.error:
                break
            if self.started and (self.shows_usage or not _is_usage_alone(event)):
                kept += raw
        return bytes(kept)

    def _plain(self, block: bytes, at: int) -> int:
        """Return where in *block*, from *at* on, the next event begins that has to be read."""
        if not self.started:
            return at
        found = _notable(block, at)
        if found < 0:
            return len(block)
        return sse.last_end(block, at, found) or at

    def _read(self, raw: bytes) -> Any:
        """Return the JSON of one event, None if it has none, having noted what it says."""
        for _, data in sse.decoded(raw):
            self.started = self.started or bool(data)
            if data == b"[DONE]":
                self.done = True
            if self.done or not data:
                return None
            event = json.loads(data.decode("utf-8", "replace"))
            if isinstance(event, dict):
                if openai_wire.is_error(event):
                    self.error = openai_wire.stream_error(event)
                self.saw(openai_wire.usage(event))
                self.finished = self.finished or openai_wire.is_finish(event)
            return event
        return None


def _is_usage_alone(event: Any) -> bool:
    """Return whether *event* is the chunk that reports usage and nothing else."""
    return isinstance(event, dict) and bool(event.get("usage")) and not event.get("choices")
