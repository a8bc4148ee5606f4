"""Structured answers of models that have no structured output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate.dialects.anthropic import reply
from llmgate.dialects.anthropic import request
from llmgate.dialects.anthropic import stream

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
ANSWER = {"type": "tool_use", "id": "t1", "name": "json_tool_call", "input": {"a": "b"}}
CALL = {"type": "tool_use", "id": "t2", "name": "f", "input": {}}
USAGE = {"input_tokens": 1, "output_tokens": 2}


def sent(**more: Any) -> dict[str, Any]:
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        **more,
    }
    return request.messages_from_chat(body, "claude-3-7-sonnet")


def test_an_older_model_is_forced_to_answer_by_a_tool() -> None:
    got = sent()

    about = "Give the answer by calling this."
    tool = {"name": "json_tool_call", "description": about, "input_schema": SCHEMA}
    assert got["tools"] == [tool]
    assert got["tool_choice"] == {"type": "tool", "name": "json_tool_call"}
    assert "system" not in got


def test_with_tools_of_the_client_any_of_them_is_forced() -> None:
    got = sent(tools=[{"type": "function", "function": {"name": "f"}}])

    assert [tool["name"] for tool in got["tools"]] == ["f", "json_tool_call"]
    assert got["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize(
    "more",
    [
        {"reasoning_effort": "low"},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "array"}},
            }
        },
    ],
)
def test_while_it_thinks_or_for_no_object_the_schema_is_described(more: dict[str, Any]) -> None:
    got = sent(**more)

    assert "tools" not in got
    assert "JSON Schema" in got["system"][0]["text"]


def message(*blocks: dict[str, Any]) -> dict[str, Any]:
    head = {"id": "m", "model": "c", "usage": USAGE, "stop_reason": "tool_use"}
    return {**head, "content": list(blocks)}


def test_the_input_of_the_tool_is_the_answer() -> None:
    (got,) = reply.chat_from_message(message(ANSWER))["choices"]

    assert (got["message"]["content"], got["finish_reason"]) == ('{"a":"b"}', "stop")
    assert "tool_calls" not in got["message"]


def test_other_calls_stay_calls() -> None:
    (got,) = reply.chat_from_message(message(CALL))["choices"]

    assert (got["message"]["content"], got["finish_reason"]) == (None, "tool_calls")
    assert got["message"]["tool_calls"][0]["id"] == "t2"


def events(block: dict[str, Any], *texts: str) -> bytes:
    start = {"id": "m", "model": "c", "usage": USAGE}
    found: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {**block, "input": {}}},
    ]
    for text in texts:
        delta = {"type": "input_json_delta", "partial_json": text}
        found.append({"type": "content_block_delta", "index": 0, "delta": delta})
    found += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": USAGE},
        {"type": "message_stop"},
    ]
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in found)


def test_a_streamed_input_of_the_tool_is_the_answer() -> None:
    got = list(stream.chunks([events(ANSWER, "", '{"a":', '"b"}')]))

    deltas = [chunk["choices"][0]["delta"] for chunk in got if chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == '{"a":"b"}'
    assert not any("tool_calls" in delta for delta in deltas)
    assert got[-2]["choices"][0]["finish_reason"] == "stop"


def test_a_streamed_call_stays_a_call() -> None:
    got = list(stream.chunks([events(CALL)]))

    assert got[-2]["choices"][0]["finish_reason"] == "tool_calls"
