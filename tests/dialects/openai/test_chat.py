from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.chat import ChatCompletionChunk

from llmgate import errors
from llmgate.dialects.openai import chat as openai_chat

TOOLS = [{"type": "function", "function": {"name": name}} for name in "abc"]


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def test_chunks_are_what_openai_sends() -> None:
    head = openai_chat.head("chatcmpl-1", 7, "m")

    events = [
        openai_chat.chunk(head, {"role": "assistant", "content": ""}),
        openai_chat.chunk(head, {}, "stop"),
        openai_chat.usage_chunk(head, openai_chat.usage(3, 4)),
    ]

    assert [ChatCompletionChunk.model_validate(event).model for event in events] == ["m"] * 3
    assert events[0]["choices"][0]["finish_reason"] is None
    assert events[1]["choices"][0]["finish_reason"] == "stop"
    assert events[2]["choices"] == []


def test_a_completion_is_what_openai_sends() -> None:
    head = openai_chat.head("chatcmpl-1", 7, "m")

    got = openai_chat.completion(
        head, {"role": "assistant", "content": "x"}, "stop", openai_chat.usage(9, 4, 5)
    )

    assert ChatCompletion.model_validate(got).usage is not None
    assert got == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "x"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 5},
        },
    }


@pytest.mark.parametrize(
    ("content", "parts", "text"),
    [
        ("a", [{"type": "text", "text": "a"}], "a"),
        (None, [], ""),
        (
            [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}, {"type": "file"}],
            [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}, {"type": "file"}],
            "ab",
        ),
    ],
)
def test_content_is_parts_and_text(content: Any, parts: Any, text: str) -> None:
    assert (openai_chat.parts(content), openai_chat.text(content)) == (parts, text)


@pytest.mark.parametrize(
    ("stop", "wanted"), [("x", ["x"]), (["x", "y"], ["x", "y"]), (None, None), ("", [""])]
)
def test_stops_are_a_list(stop: Any, wanted: Any) -> None:
    assert openai_chat.stops({"stop": stop}) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, None),
        ({"max_tokens": 3}, 3),
        ({"max_tokens": 3, "max_completion_tokens": 4}, 4),
        ({"max_tokens": 3, "max_completion_tokens": None}, 3),
        ({"max_completion_tokens": 0}, 0),
    ],
)
def test_the_newer_limit_goes_before_the_older(body: Any, wanted: Any) -> None:
    assert openai_chat.limit(body) == wanted


@pytest.mark.parametrize(
    ("choice", "names", "mode"),
    [
        (None, "abc", "auto"),
        ("auto", "abc", "auto"),
        ("none", "abc", "none"),
        ("required", "abc", "required"),
        (named("b"), "b", "required"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named("c")]}},
            "c",
            "auto",
        ),
        ({"type": "allowed_tools", "allowed_tools": {"tools": [named("a")]}}, "a", "auto"),
    ],
)
def test_a_tool_choice_leaves_tools_on_offer(choice: Any, names: str, mode: str) -> None:
    assert openai_chat.offered({"tools": TOOLS, "tool_choice": choice}) == (
        [*map(named, names)],
        mode,
    )


def test_no_tools_are_no_offer() -> None:
    assert openai_chat.offered({}) == ([], "auto")


@pytest.mark.parametrize("tools", [TOOLS, None])
def test_a_choice_of_a_tool_that_is_not_there_is_refused(tools: Any) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        openai_chat.offered({"tools": tools, "tool_choice": named("z")})

    assert caught.value.param == "tool_choice"
