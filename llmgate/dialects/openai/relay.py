"""OpenAI's streams passed through as the bytes that came: JSON is read only where it matters.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Event
from llmgate.contract import Usage
from llmgate.dialects.openai import errors as openai_errors
from llmgate.dialects.openai import repair
from llmgate.dialects.openai import usage as openai_usage

# It begins with one byte, which `re` finds ten times as fast as one of several beginnings.
_NOTABLE = re.compile(
    rb'"(?=[cefut])(?:usage"\s*:\s*\{|finish_reason"\s*:\s*"|error"(?!\s*:\s*null)|content":\s*\['
    rb'|tool_calls"\s*:\s*\[(?!\s*\]|\{"index":\d+,"function":\{"arguments":"))'
)
"""An event that has to be read: an end, usage, an error, and what may need repair: content that
is a list, and a tool call that begins or is not written as OpenAI writes it."""

_LAST = b"[DONE]"
_PLAIN_MEMBERS = frozenset(
    "id object created model choices usage system_fingerprint service_tier obfuscation".split()
)
"""The members of a chunk that mean nothing without a choice or usage."""


def relayed(
    pieces: Iterable[bytes], shows_usage: bool, report: Callable[[Usage], None]
) -> Iterator[bytes]:
    """Yield a stream's bytes as they came, in whole events, and [DONE] at the end.

    JSON is read only in the first event and in those that end a choice, report usage (passed to
    *report*; hidden unless *shows_usage*), an error, or may need repair: the pieces of tool calls
    get an index and an id of their own, lists of content become text. Comments before the first
    event are dropped: the first bytes must show whether the call succeeded. Raises UpstreamError
    and CutShort.
    """
    scan = _Scan(shows_usage, report)
    for block in sse.blocks(pieces):
        kept = block if scan.is_passing and _notable(block) < 0 else scan.kept(block)
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
    """Return where in *block*, from *at* on, an event has to be read; -1: nowhere."""
    found = _NOTABLE.search(block, at)
    last = block.find(_LAST, at)
    if found is None:
        return last
    return found.start() if last < 0 else min(found.start(), last)


class _Scan:
    """The state of one stream."""

    def __init__(self, shows_usage: bool, report: Callable[[Usage], None]) -> None:
        self.shows_usage = shows_usage
        self.report = report
        self.is_passing = False  # events went on, and none of them needed repair
        self.finished = False  # a choice has ended
        self.done = False  # [DONE] came
        self.error: errors.UpstreamError | None = None
        self._started = False  # an event with data came
        self._repair = repair.Repair()

    def kept(self, block: bytes) -> bytes:
        """Return the bytes of *block* that go on: up to an error, without hidden usage."""
        kept, at = bytearray(), 0
        while at < len(block) and not self.done:
            start = self._unread(block, at)
            kept += block[at:start]
            raw = sse.event_at(block, start)
            at = start + len(raw)
            kept += self._event(raw)
            if self.error:
                break
        return bytes(kept)

    def _unread(self, block: bytes, at: int) -> int:
        """Return where in *block*, from *at* on, the next event begins that has to be read."""
        if not self.is_passing:
            return at
        found = _notable(block, at)
        if found < 0:
            return len(block)
        return sse.last_end(block, at, found) or at

    def _event(self, raw: bytes) -> bytes:
        """Return the bytes that go on in place of one event."""
        event = self._read(raw)
        if self.error or not self._started:
            return b""
        if not isinstance(event, dict):
            return raw
        shown: Event | None = self._repair.event(event)
        self.is_passing = not self._repair.is_needed
        if event.get("usage") and not self.shows_usage and not event.get("choices"):
            shown = _without_usage(event)
        if shown is event:
            return raw
        return sse.encoded(shown) if shown else b""

    def _read(self, raw: bytes) -> Any:
        """Return the JSON of one event, None if it has none, and note what it reports."""
        for _, data in sse.decoded(raw):
            self._started = self._started or bool(data)
            if data == _LAST:
                self.done = True
            if self.done or not data:
                return None
            event = json.loads(data.decode("utf-8", "replace"))
            if openai_errors.is_error(event):
                self.error = openai_errors.stream_error(event)
            elif isinstance(event, dict):
                self.report(openai_usage.usage(event))
                self.finished = self.finished or _is_finish(event)
            return event
        return None


def _is_finish(event: Mapping[str, Any]) -> bool:
    """Return whether *event* ends a choice."""
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def _without_usage(event: Event) -> Event | None:
    """Return the chunk of usage without it; None if it has nothing else.

    What else it has (llama.cpp's `timings`) stays, in a chunk that adds nothing to the choice:
    many clients read the first choice of any chunk.
    """
    if _PLAIN_MEMBERS.issuperset(event):
        return None
    rest = {name: value for name, value in event.items() if name != "usage"}
    return {**rest, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}
