from __future__ import annotations

from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from testing.openai_bodies import chat_completion
from testing.openai_bodies import tool_call
from testing.openai_bodies import usage

from llmgate.contract import Deployment
from llmgate.dialects.gemini import contents as gemini_contents
from llmgate.dialects.gemini import reply as gemini_reply
from llmgate.fronts.gemini import reply as front_reply
from llmgate.fronts.gemini import thoughts as front_thoughts

UNSIGNED = gemini_contents.UNSIGNED
GEMINI = Deployment("g", "gemini", "gemini-2.5-flash", "https://x/v1beta")


def response(reply: dict[str, Any]) -> dict[str, Any]:
    found = front_reply.response_from_chat(reply)
    types.GenerateContentResponse.model_validate(found)
    return found


def parts(**message: Any) -> list[dict[str, Any]]:
    reply = chat_completion()
    reply["choices"][0]["message"] = {"role": "assistant", **message}
    found: list[dict[str, Any]] = response(reply)["candidates"][0]["content"].get("parts", [])
    return found


def test_a_completion_is_a_response() -> None:
    reply = chat_completion("Moin", n=2, usage=usage(20, 9, cached=5, reasoning=4))

    assert response(reply) == {
        "candidates": [
            {
                "content": {"parts": [{"text": "Moin"}], "role": "model"},
                "index": index,
                "finishReason": "STOP",
            }
            for index in (0, 1)
        ],
        "modelVersion": "gpt-4o-2024-08-06",
        "responseId": "chatcmpl-9NoYhS2G0fswot0b6QpoQgmRQMaIf",
        "usageMetadata": {
            "promptTokenCount": 20,
            "cachedContentTokenCount": 5,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 4,
            "totalTokenCount": 29,
        },
    }


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"content": None}, []),
        ({"content": ""}, []),
        ({"content": [{"type": "text", "text": "a"}]}, [{"text": "a"}]),
        ({"content": None, "refusal": "No"}, [{"text": "No"}]),
        (
            {"content": "a", "reasoning_content": "Hm"},
            [{"text": "Hm", "thought": True}, {"text": "a"}],
        ),
        ({"content": None, "reasoning": "Hm"}, [{"text": "Hm", "thought": True}]),
        (
            {
                "content": None,
                "images": [
                    {"image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"image_url": {"url": "https://e.org/a"}},
                ],
            },
            [
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                {"fileData": {"fileUri": "https://e.org/a", "mimeType": "image/png"}},
            ],
        ),
        (
            {
                "content": "a",
                "tool_calls": [
                    tool_call("f", {"a": "ü"}),
                    tool_call("g", "", "call_2"),
                    {"id": None, "function": {"name": "h", "arguments": "{"}},
                ],
            },
            [
                {"text": "a"},
                {
                    "functionCall": {"id": "call_1", "name": "f", "args": {"a": "ü"}},
                    "thoughtSignature": UNSIGNED,
                },
                {"functionCall": {"id": "call_2", "name": "g", "args": {}}},
                {"functionCall": {"name": "h", "args": {"INVALID_JSON": "{"}}},
            ],
        ),
    ],
)
def test_what_a_message_says_is_parts(message: dict[str, Any], wanted: Any) -> None:
    assert parts(**message) == wanted


def test_signed_thinking_is_told_once() -> None:
    block = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    hidden = {"type": "redacted_thinking", "data": "d"}
    ours = front_thoughts.signature

    assert parts(content="a", reasoning_content="Hm", thinking_blocks=[block, hidden]) == [
        {"text": "Hm", "thought": True, "thoughtSignature": ours(block)},
        {"text": "", "thought": True, "thoughtSignature": ours(hidden)},
        {"text": "a"},
    ]


@pytest.mark.parametrize(
    ("finish", "message", "wanted"),
    [
        ("stop", {}, "STOP"),
        (None, {}, "STOP"),
        ("length", {}, "MAX_TOKENS"),
        ("tool_calls", {}, "STOP"),
        ("content_filter", {}, "SAFETY"),
        ("stop", {"refusal": "No"}, "SAFETY"),
        ("eos", {}, "OTHER"),
    ],
)
def test_why_it_ended(finish: str | None, message: Any, wanted: str) -> None:
    reply = chat_completion()
    choice = {"message": {"content": "a", **message}, "finish_reason": finish}

    got = response({**reply, "choices": [choice]})["candidates"][0]

    assert (got["finishReason"], got["index"]) == (wanted, 0)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (None, {}),
        ("x", {}),
        ({}, {"promptTokenCount": 0, "totalTokenCount": 0}),
        (
            {"prompt_tokens": 3, "completion_tokens": 2},
            {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        ),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 2,
                "total_tokens": 9,
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            {
                "promptTokenCount": 3,
                "candidatesTokenCount": 2,
                "thoughtsTokenCount": 4,
                "totalTokenCount": 9,
            },
        ),
    ],
)
def test_what_was_used(said: Any, wanted: dict[str, int]) -> None:
    assert front_reply.counted(said) == ({"usageMetadata": wanted} if wanted else {})


def test_how_probable_the_tokens_were() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    rival = {"token": "b", "logprob": -1.5}

    assert front_reply.log_probabilities({"content": []}) == {}
    assert front_reply.log_probabilities({"content": [token]}) == {
        "avgLogprobs": -0.5,
        "logprobsResult": {"chosenCandidates": [{"token": "a", "logProbability": -0.5}]},
    }
    got = front_reply.log_probabilities({"content": [{**token, "top_logprobs": [rival]}]})
    assert got["logprobsResult"]["topCandidates"] == [
        {"candidates": [{"token": "b", "logProbability": -1.5}]}
    ]


def test_what_nobody_named_has_no_name() -> None:
    assert front_reply.head({"model": "", "id": None}) == {}


@given(st.text(min_size=1), st.text(min_size=1), st.integers(0, 9), st.integers(0, 9))
def test_there_and_back_is_the_same_reply(
    text: str, thought: str, prompt: int, written: int
) -> None:
    reply = chat_completion(text, usage=usage(prompt, written))
    reply["choices"][0]["message"]["reasoning_content"] = thought

    back = gemini_reply.completion(response(reply), GEMINI)

    message = back["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (text, thought)
    assert back["choices"][0]["finish_reason"] == "stop"
    assert back["usage"]["prompt_tokens"] == prompt
    assert back["usage"]["completion_tokens"] == written
