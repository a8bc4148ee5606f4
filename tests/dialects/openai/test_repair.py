from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate.dialects.openai import repair

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def reply(**message: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "given",
    [
        reply(content="Hello"),
        reply(tool_calls=[{"id": 1}, None]),
        reply(content=[{"type": "image_url"}]),
        reply(tool_calls=[CALL, {**CALL, "id": "b"}]),
        {"choices": [None, {"text": "x"}, {"message": {"content": []} | {"content": "y"}}]},
        {"choices": [None], "content": []},
    ],
)
def test_a_right_reply_stays_the_same_bytes(given: Any) -> None:
    data = json.dumps(given).encode()

    assert repair.data(data) is data


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            reply(content=[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "x"}]),
            {"content": "x", "reasoning_content": "hm"},
        ),
        (reply(content=["x"]), {"content": "x"}),
    ],
)
def test_a_list_of_content_becomes_text(given: Any, wanted: Any) -> None:
    got = json.loads(repair.data(json.dumps(given).encode()))

    assert got["choices"][0]["message"] == wanted


def test_calls_without_ids_and_with_objects_are_repaired() -> None:
    calls = [{**CALL, "id": ""}, {"id": "b", "function": {"name": "f", "arguments": {"a": 1}}}]

    got = json.loads(repair.data(json.dumps(reply(tool_calls=calls)).encode()))

    first, second = got["choices"][0]["message"]["tool_calls"]
    assert first["id"].startswith("call_")
    assert second["function"]["arguments"] == '{"a":1}'


@pytest.mark.parametrize("event", [{}, {"choices": None}, {"choices": [None, {"delta": None}]}])
def test_events_of_other_shapes_are_left_alone(event: Any) -> None:
    assert repair.Repair().event(event) is event


def test_a_call_whose_name_is_late_is_held_back() -> None:
    stream = repair.Repair()
    late = {"index": 0, "id": "a", "function": {"arguments": "{}"}}

    got = stream.event({"choices": [{"index": 0, "delta": {"tool_calls": [late]}}]})

    assert got["choices"][0]["delta"]["tool_calls"] == []
    assert stream.is_needed
