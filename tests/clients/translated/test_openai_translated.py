"""OpenAI's SDK with every provider that needs translation behind the gateway."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from testing import wires
from testing.answers import Answer
from testing.answers import answer
from testing.answers import json_answer
from testing.samples import sample
from testing.sdk import MESSAGES
from testing.sdk import STREAMED
from testing.sdk import texts
from testing.upstream import Upstream

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
TOOLS: list[Any] = [
    WEATHER,
    {"type": "function", "function": {**WEATHER["function"], "name": "get_weather"}},  # type: ignore[dict-item]
]


@pytest.mark.parametrize("model", wires.WIRES)
def test_a_chat_is_answered(upstream: Upstream, sdk: openai.OpenAI, model: str) -> None:
    wire = wires.WIRES[model]
    upstream.plays(wire.text)

    got = sdk.chat.completions.create(model=model, messages=MESSAGES, max_tokens=64)

    assert got.object == "chat.completion"
    assert got.choices[0].message.content == wire.said
    assert got.choices[0].finish_reason == "stop"
    assert got.usage is not None
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens > 0
    assert got.created > 1_000_000_000


@pytest.mark.parametrize("model", wires.WIRES)
def test_a_chat_is_streamed(upstream: Upstream, sdk: openai.OpenAI, model: str) -> None:
    wire = wires.WIRES[model]
    upstream.plays(wire.stream)

    got = list(sdk.chat.completions.create(model=model, messages=MESSAGES, **STREAMED))

    assert "".join(texts(got)) == wire.streamed
    assert [c.finish_reason for chunk in got for c in chunk.choices if c.finish_reason] == ["stop"]
    assert got[-1].choices == []
    assert got[-1].usage is not None
    assert got[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in got}) == len({chunk.created for chunk in got}) == 1


@pytest.mark.parametrize("model", wires.WIRES)
def test_tools_are_called(upstream: Upstream, sdk: openai.OpenAI, model: str) -> None:
    wire = wires.WIRES[model]
    upstream.plays(wire.tools)

    got = sdk.chat.completions.create(model=model, messages=MESSAGES, tools=TOOLS)

    calls: list[Any] = got.choices[0].message.tool_calls or []
    assert tuple(call.function.name for call in calls) == wire.called
    assert all(isinstance(json.loads(call.function.arguments), dict) for call in calls)
    assert len({call.id for call in calls}) == len(calls)
    assert got.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("model", wires.WIRES)
def test_tools_are_called_in_a_stream(upstream: Upstream, sdk: openai.OpenAI, model: str) -> None:
    wire = wires.WIRES[model]
    upstream.plays(wire.tool_stream)

    with sdk.chat.completions.stream(model=model, messages=MESSAGES, tools=TOOLS) as stream:
        got = stream.get_final_completion().choices[0]

    calls: list[Any] = got.message.tool_calls or []
    assert tuple(call.function.name for call in calls) == wire.called
    assert all(isinstance(json.loads(call.function.arguments), dict) for call in calls)
    assert got.finish_reason == "tool_calls"


@pytest.mark.parametrize("model", sorted(wires.WIRES.keys() - {"sagemaker"}))
def test_a_result_of_a_tool_is_told(upstream: Upstream, sdk: openai.OpenAI, model: str) -> None:
    wire = wires.WIRES[model]
    upstream.plays(wire.tools, wire.text)

    first = sdk.chat.completions.create(model=model, messages=MESSAGES, tools=TOOLS)
    said = first.choices[0].message
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": "rain"}
        for call in said.tool_calls or ()
    ]
    turns: list[Any] = [*MESSAGES, said.model_dump(exclude_none=True), *results]
    got = sdk.chat.completions.create(model=model, messages=turns, tools=TOOLS)

    assert got.choices[0].message.content == wire.said
    assert upstream.requests[1].body.count(b"rain") == len(wire.called)


EMBEDDED: dict[str, tuple[list[Answer], int]] = {
    "sagemaker-embeddings": ([json_answer([[0.5, 0.25], [1.0, 2.0]])], 1),
    "bedrock-embeddings": ([json_answer({"embeddings": [[0.5, 0.25], [1.0, 2.0]]})], 1),
    "bedrock-titan-embeddings": (
        [
            json_answer({"embedding": [0.5, 0.25], "inputTextTokenCount": 3}),
            json_answer({"embedding": [1.0, 2.0], "inputTextTokenCount": 4}),
        ],
        2,
    ),
    "gemini-embeddings": (
        [json_answer({"embeddings": [{"values": [0.5, 0.25]}, {"values": [1.0, 2.0]}]})],
        1,
    ),
    "vertex-embeddings": (
        [
            json_answer(
                {
                    "predictions": [
                        {"embeddings": {"values": values, "statistics": {"token_count": 2}}}
                        for values in ([0.5, 0.25], [1.0, 2.0])
                    ]
                }
            )
        ],
        1,
    ),
    "cohere-embeddings": (
        [
            json_answer(
                {
                    **sample("cohere", "embed")["reply"],
                    "embeddings": {"float": [[0.5, 0.25], [1.0, 2.0]]},
                }
            )
        ],
        1,
    ),
    "databricks-embeddings": ([json_answer(sample("databricks", "embeddings")["reply"])], 1),
    "watsonx-embeddings": ([json_answer(sample("watsonx", "embeddings")["reply"])], 1),
    "ollama-embeddings": (
        [json_answer({"model": "m", "embeddings": [[0.5, 0.25], [1.0, 2.0]]})],
        1,
    ),
}


@pytest.mark.parametrize("model", EMBEDDED)
@pytest.mark.parametrize("given", [["Hello", "world"], [[9906], [14957]]])
def test_inputs_are_embedded(
    upstream: Upstream, sdk: openai.OpenAI, model: str, given: Any
) -> None:
    answers, calls = EMBEDDED[model]
    upstream.plays(*answers)

    got = sdk.embeddings.create(model=model, input=given)

    assert [(row.index, row.embedding) for row in got.data] == [(0, [0.5, 0.25]), (1, [1.0, 2.0])]
    sent = b"".join(seen.body for seen in upstream.requests)
    assert (sent.count(b"Hello"), sent.count(b"world")) == (1, 1)
    assert len(upstream.requests) == calls


def test_the_usage_of_several_calls_is_added_up(upstream: Upstream, sdk: openai.OpenAI) -> None:
    upstream.plays(*EMBEDDED["bedrock-titan-embeddings"][0])

    got = sdk.embeddings.create(model="bedrock-titan-embeddings", input=["a", "b"])

    assert (got.usage.prompt_tokens, got.usage.total_tokens) == (7, 7)


def test_what_fails_among_several_calls_fails_the_whole(
    upstream: Upstream, sdk: openai.OpenAI
) -> None:
    refused = json_answer({"message": "Too many requests"}, 429)
    upstream.plays(EMBEDDED["bedrock-titan-embeddings"][0][0], refused)

    with pytest.raises(openai.RateLimitError, match="Too many requests"):
        sdk.embeddings.create(model="bedrock-titan-embeddings", input=["a", "b", "c"])

    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        (
            "anthropic",
            json_answer(
                {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
                529,
            ),
        ),
        (
            "gemini",
            json_answer(
                {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}, 503
            ),
        ),
        (
            "bedrock",
            answer(
                [b'{"message":"Overloaded"}'],
                status=503,
                headers={
                    "content-type": "application/json",
                    "x-amzn-errortype": "ServiceUnavailableException",
                },
            ),
        ),
        ("cohere", json_answer({"id": "x", "message": "Overloaded"}, 503)),
        ("ollama", json_answer({"error": "Overloaded"}, 503)),
    ],
)
def test_a_refusal_is_openais_error(
    upstream: Upstream, sdk: openai.OpenAI, model: str, refused: Answer
) -> None:
    upstream.plays(refused)

    with pytest.raises(openai.InternalServerError, match="Overloaded") as caught:
        sdk.chat.completions.create(model=model, messages=MESSAGES)

    assert caught.value.status_code in (503, 529)


class TestCompletions:
    """Legacy completions over chat."""

    def test_whole(self, upstream: Upstream, sdk: openai.OpenAI) -> None:
        upstream.plays(wires.WIRES["anthropic"].text)

        got = sdk.completions.create(model="anthropic", prompt="Say hello", max_tokens=5)

        assert (got.object, got.choices[0].text) == ("text_completion", "Hello! How can I help?")
        assert upstream.requests[0].json["messages"] == [
            {"role": "user", "content": [{"type": "text", "text": "Say hello"}]}
        ]

    @pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
    def test_streamed(self, upstream: Upstream, sdk: openai.OpenAI, options: Any) -> None:
        upstream.plays(wires.WIRES["gemini"].stream)

        got = list(sdk.completions.create(model="gemini", prompt="Hi", stream=True, **options))

        assert "".join(c.text for chunk in got for c in chunk.choices) == "Grüße 👋!"
        assert (got[-1].usage is not None) == bool(options)
        assert all(chunk.object == "text_completion" for chunk in got)
