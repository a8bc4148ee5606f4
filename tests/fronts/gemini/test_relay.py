from __future__ import annotations

import json
from typing import Any

import pytest
from testing import samples

from llmgate import errors
from llmgate.contract import Usage
from llmgate.fronts.gemini import relay as front_relay

ERROR = {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}


def written(events: list[Any], end: bytes = b"\r\n\r\n") -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + end for event in events)


def relayed(data: bytes, size: int) -> tuple[bytes, dict[str, float]]:
    saw: dict[str, float] = {}

    def note(usage: Usage) -> None:
        saw.update(usage)

    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(front_relay.relayed(pieces, False, note)), saw


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("name", samples.names("gemini", "stream_"))
def test_a_stream_is_passed_on_as_it_came(name: str, size: int) -> None:
    events = samples.sample("gemini", name)["events"]
    data = written(events)

    got, saw = relayed(data, size)

    assert got == data
    assert saw == dict(front_relay.usage(events[-1]))


def test_an_answer_tells_of_its_usage() -> None:
    reply = samples.sample("gemini", "reply_thinking")["response"]
    said = reply["usageMetadata"]

    assert front_relay.usage(reply)["prompt_tokens"] == said["promptTokenCount"]
    assert front_relay.usage(reply)["reasoning_tokens"] == said["thoughtsTokenCount"]
    assert front_relay.usage({}) == {}
    assert front_relay.usage({"usageMetadata": 3}) == {}


@pytest.mark.parametrize("error", [ERROR, [ERROR]])
def test_an_error_is_raised_after_what_came_before_it(error: Any) -> None:
    first = samples.sample("gemini", "stream_text")["events"][:1]
    saw: list[bytes] = []

    with pytest.raises(errors.UpstreamError, match="Overloaded") as caught:
        for block in front_relay.relayed([written([*first, error])], False, lambda usage: None):
            saw.append(block)

    assert (b"".join(saw), caught.value.status) == (written(first), 503)


@pytest.mark.parametrize("events", [[], [{}], [{"candidates": [{"index": 1}]}]])
def test_what_has_no_end_was_cut_short(events: list[Any]) -> None:
    with pytest.raises(errors.CutShort):
        relayed(written(events), 99)


def test_an_error_at_once_is_raised_at_once() -> None:
    with pytest.raises(errors.UpstreamError, match="Overloaded"):
        relayed(written([ERROR]), 99)
