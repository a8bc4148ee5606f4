from __future__ import annotations

from typing import Any

import pytest
from anthropic import types
from testing import anthropic_samples as samples
from testing import openai_bodies as bodies

from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.fronts.anthropic import wire as front_wire
from llmgate.fronts.anthropic.stream import stop_reason


def message(said: dict[str, Any], finish: str = "stop", **over: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": finish}
    found = front_wire.message_from_chat({"id": "x", "choices": [choice], **over}, "m")
    types.Message.model_validate(found)
    return found


def test_a_completion_is_a_message() -> None:
    reply = bodies.chat_completion("Hello there!") | {"usage": bodies.usage(9, 12, cached=4)}

    got = front_wire.message_from_chat(reply, "claude-x")

    types.Message.model_validate(got)
    assert got == {
        "id": reply["id"],
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hello there!"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens": 12,
        },
    }


@pytest.mark.parametrize("name", ["text", "tools", "cut"])
def test_there_and_back_is_the_same_message(name: str) -> None:
    sample = samples.message(name)

    got = front_wire.message_from_chat(anthropic_wire.chat_from_message(sample), sample["model"])

    for block in sample["content"]:
        block.pop("citations", None)
        block.pop("caller", None)
    known = ("id", "role", "model", "content", "stop_reason", "stop_sequence")
    assert {key: got[key] for key in known} == {key: sample[key] for key in known}
    assert got["usage"] == {key: sample["usage"][key] for key in got["usage"]}


def test_calls_are_blocks_of_tool_use() -> None:
    calls = [
        bodies.tool_call("f", {"x": 1}, "call_1"),
        bodies.tool_call("g", '{"x":', "call_2"),
    ]

    got = message({"content": None, "tool_calls": calls}, "tool_calls")

    assert got["stop_reason"] == "tool_use"
    assert got["content"] == [
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "call_2", "name": "g", "input": {"INVALID_JSON": '{"x":'}},
    ]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thinking_of_other_models_is_shown_unsigned(name: str) -> None:
    assert message({"content": "Hi", name: "Hm"})["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


def test_signed_thinking_is_kept() -> None:
    block = {"type": "thinking", "thinking": "Hm", "signature": "s"}

    got = message({"content": "Hi", "reasoning_content": "Hm", "thinking_blocks": [block]})

    assert got["content"] == [block, {"type": "text", "text": "Hi"}]


def test_a_refusal_is_text() -> None:
    assert message({"content": None, "refusal": "No."})["content"] == [
        {"type": "text", "text": "No."}
    ]


def test_a_filter_tells_why() -> None:
    got = message({"content": None, "refusal": "Harm."}, "content_filter")

    assert got["content"] == []
    assert got["stop_reason"] == "refusal"
    assert got["stop_details"] == {"type": "refusal", "category": None, "explanation": "Harm."}


def test_nothing_said_is_no_block() -> None:
    assert message({"content": ""}, usage=None, id=None) == {
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_cache_writes_are_counted_apart() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_creation_tokens": 30},
    }

    assert message({"content": "x"}, usage=usage)["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "output_tokens": 2,
    }


@pytest.mark.parametrize(
    ("finish", "calls", "wanted"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_use"),
        ("length", True, "max_tokens"),
        ("tool_calls", False, "tool_use"),
        ("function_call", True, "tool_use"),
        ("content_filter", False, "refusal"),
        ("new", False, "end_turn"),
        (None, False, "end_turn"),
    ],
)
def test_finish_reasons(finish: str | None, calls: bool, wanted: str) -> None:
    assert stop_reason(finish, calls) == wanted
