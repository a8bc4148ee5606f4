"""What each stream makes of a pause: a pause, at its place, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testing import anthropic_samples
from testing.upstream import chat_chunks

from llmgate.contract import PAUSE
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.fronts import completions
from llmgate.fronts.anthropic import stream as front_stream

CHUNKS = chat_chunks("Hel", "lo")


def paused(events: list[Any]) -> Iterator[Any]:
    for event in events:
        yield event
        yield PAUSE


def test_anthropics_stream_pauses_between_its_events() -> None:
    data = anthropic_samples.stream(anthropic_samples.events("text"))
    whole = list(anthropic_wire.chunks(iter([data])))
    at = data.index(b"\n\n") + 2

    got = list(anthropic_wire.chunks(iter([data[:at], b"", data[at:]])))

    assert PAUSE in got[1:-1]
    assert [chunk for chunk in got if chunk] == whole


def test_completions_pause_where_the_chat_does() -> None:
    got = list(completions.completion_chunks(paused(CHUNKS)))

    assert got.count(PAUSE) == len(CHUNKS)
    assert [chunk for chunk in got if chunk] == list(completions.completion_chunks(iter(CHUNKS)))


def test_messages_pause_where_the_chat_does() -> None:
    got = list(front_stream.message_events(paused(CHUNKS), "m"))

    assert got.count(PAUSE) == len(CHUNKS)
    assert [event for event in got if event] == list(front_stream.message_events(iter(CHUNKS), "m"))
