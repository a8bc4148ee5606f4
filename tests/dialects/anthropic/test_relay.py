from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing import anthropic_samples
from testing import responses_bodies
from testing.answers import cut_up

from llmgate import errors
from llmgate.dialects.anthropic import relay as anthropic_relay

TEXT = anthropic_samples.events("text")
RESPONSE = responses_bodies.events("Mo", "in")


def written(events: Iterable[dict[str, Any]]) -> bytes:
    return anthropic_samples.stream(events)


class Relayed:
    """What became of a stream."""

    def __init__(self, wire: anthropic_relay.Wire, pieces: Iterable[bytes]) -> None:
        self.usage: dict[str, float] = {}
        self.error: errors.GateError | None = None
        blocks = []
        try:
            for block in anthropic_relay.relay(wire)(iter(pieces), False, self.usage.update):
                blocks.append(block)
        except errors.GateError as error:
            self.error = error
        self.bytes = b"".join(blocks)


def anthropic(*pieces: bytes) -> Relayed:
    return Relayed(anthropic_relay.ANTHROPIC, pieces)


@pytest.mark.parametrize("name", anthropic_samples.STREAMS)
def test_bytes_go_on_as_they_came_however_they_are_cut(name: str) -> None:
    data = written(anthropic_samples.events(name))

    for size in (1, 2, 3, 7, 64, len(data)):
        got = anthropic(*cut_up(data, size))

        assert (got.bytes, got.error) == (data, None)
        assert got.usage["completion_tokens"] > 0


def test_a_response_goes_on_as_it_came() -> None:
    data = written(RESPONSE)

    for size in (1, 5, len(data)):
        got = Relayed(anthropic_relay.RESPONSES, cut_up(data, size))

        assert (got.bytes, got.error) == (data, None)
        assert got.usage == {
            "prompt_tokens": 32,
            "completion_tokens": 18,
            "cached_tokens": 8,
            "reasoning_tokens": 4,
        }


@pytest.mark.parametrize("last", ["incomplete", "failed"])
def test_a_response_may_end_otherwise(last: str) -> None:
    data = written(responses_bodies.events("Mo", last=last))

    got = Relayed(anthropic_relay.RESPONSES, [data, b"data: [DONE]\n\n"])

    assert (got.bytes, got.error) == (data, None)


def test_what_comes_before_the_first_event_is_left_out() -> None:
    data = written(TEXT)

    got = anthropic(b": hello\n\n", written([{"type": "ping"}]), data)

    assert got.bytes == data


def test_pings_between_events_go_on() -> None:
    data = written([TEXT[0], {"type": "ping"}, *TEXT[1:]])

    assert anthropic(data).bytes == data


def test_what_comes_after_the_last_event_is_left_out() -> None:
    data = written(TEXT)

    assert anthropic(data, written([{"type": "ping"}])).bytes == data
    assert anthropic(data + written([{"type": "ping"}])).bytes == data


@given(st.integers(1, len(TEXT) - 1))
def test_a_stream_that_ends_too_soon_is_cut_short(count: int) -> None:
    data = written(TEXT[:count])

    got = anthropic(data)

    assert got.bytes == data
    assert isinstance(got.error, errors.CutShort)


def test_half_an_event_is_left_out() -> None:
    data = written(TEXT[:3])

    got = anthropic(data, b"event: content_block_delta\ndata: {")

    assert got.bytes == data
    assert isinstance(got.error, errors.CutShort)


@pytest.mark.parametrize(
    ("wire", "events", "error", "wanted"),
    [
        (
            anthropic_relay.ANTHROPIC,
            TEXT[:3],
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            (529, "Overloaded"),
        ),
        (
            anthropic_relay.RESPONSES,
            RESPONSE[:3],
            {"type": "error", "code": "rate_limit_exceeded", "message": "Slow", "param": None},
            (429, "Slow"),
        ),
    ],
)
def test_an_error_is_raised_after_what_came_before_it(
    wire: anthropic_relay.Wire, events: list[Any], error: Any, wanted: tuple[int, str]
) -> None:
    data = written(events)

    for pieces in ([data + written([error])], [data, written([error])]):
        got = Relayed(wire, pieces)

        assert got.bytes == data
        assert isinstance(got.error, errors.UpstreamError)
        assert (got.error.status, got.error.message) == wanted


def test_an_error_before_anything_else_is_all_there_is() -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}

    got = anthropic(written([{"type": "ping"}, error]))

    assert got.bytes == b""
    assert isinstance(got.error, errors.UpstreamError)
    assert got.error.status == 429


@given(st.text())
def test_texts_that_look_like_events_are_texts(text: str) -> None:
    said = f'{text}"type": "error"{json.dumps({"type": "message_stop"})}'
    delta = {"type": "text_delta", "text": said}
    event = {"type": "content_block_delta", "index": 0, "delta": delta}
    data = written([*TEXT[:3], event, *TEXT[3:]])

    got = anthropic(data)

    assert (got.bytes, got.error) == (data, None)


def test_a_response_without_usage_is_no_fault() -> None:
    last = {"type": "response.completed", "response": None}

    got = Relayed(anthropic_relay.RESPONSES, [written([*RESPONSE[:-1], last])])

    assert (got.error, got.usage) == (None, {})
