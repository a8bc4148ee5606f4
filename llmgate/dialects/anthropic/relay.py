"""Streams of named events, forwarded unchanged: JSON is read only where it matters.

Anthropic's Messages and OpenAI's Responses stream this way: an event has a `type`, and one of a
few types ends the stream.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Relay
from llmgate.contract import Usage
from llmgate.dialects.anthropic import errors as anthropic_errors
from llmgate.dialects.anthropic import usage as anthropic_usage
from llmgate.dialects.openai import wire as openai_wire


class Wire(NamedTuple):
    """What is to be known of one kind of stream."""

    first: str  # the type of the event that begins it; what comes before is left out
    last: frozenset[str]  # the types of those that end it
    usage: Callable[[Mapping[str, Any]], Usage]  # of an event
    error: Callable[[dict[str, Any]], errors.UpstreamError]  # of an event of type `error`


def _usage_of_response(event: Mapping[str, Any]) -> Usage:
    """Return the usage of the Response in *event*."""
    response = event.get("response")
    return openai_wire.usage(response) if isinstance(response, dict) else {}


ANTHROPIC = Wire(
    "message_start",
    frozenset({"message_stop"}),
    anthropic_usage.counted,
    anthropic_errors.stream_error,
)
RESPONSES = Wire(
    "response.created",
    frozenset({"response.completed", "response.incomplete", "response.failed"}),
    _usage_of_response,
    lambda event: openai_wire.stream_error({"error": event}),
)


def relay(wire: Wire) -> Relay:
    """Return the function that passes streams of this *wire* on."""
    notable = _notable(wire)

    def relayed(
        pieces: Iterable[bytes], shows_usage: bool, report: Callable[[Usage], None]
    ) -> Iterator[bytes]:
        """Yield whole events up to the one that ends the stream; usage is passed to *report*.

        Raises UpstreamError for an error among them, CutShort if none ends it.
        """
        scan = _Scan(wire, report)
        for block in sse.blocks(pieces):
            kept = block if scan.started and not notable.search(block) else scan.kept(block)
            if kept:
                yield kept
            if scan.error:
                raise scan.error
            if scan.done:
                return
        raise errors.CutShort("The upstream ended its stream before it was complete.")

    return relayed


def _notable(wire: Wire) -> re.Pattern[bytes]:
    """Return what finds the events that have to be read; in texts the quotes are escaped."""
    types = sorted({"error", "message_delta", *wire.last})
    names = "|".join(map(re.escape, types)).encode()
    return re.compile(rb'"type"\s*:\s*"(?:' + names + rb')"')


class _Scan:
    """The state of one stream."""

    def __init__(self, wire: Wire, report: Callable[[Usage], None]) -> None:
        self.wire = wire
        self.report = report
        self.started = False
        self.done = False
        self.error: errors.UpstreamError | None = None

    def kept(self, block: bytes) -> bytes:
        """Return the bytes of *block* that go on: from the first event, up to an error."""
        kept = bytearray()
        for raw in sse.split(block):
            for _, data in sse.decoded(raw):
                self._read(json.loads(data))
            if self.error:
                break
            if self.started:
                kept += raw
            if self.done:
                break
        return bytes(kept)

    def _read(self, event: Mapping[str, Any]) -> None:
        """Update the state from *event*."""
        kind = event["type"]
        if kind == "error":
            self.error = self.wire.error(dict(event))
            return
        self.started = self.started or kind == self.wire.first
        self.done = kind in self.wire.last
        self.report(self.wire.usage(event))
