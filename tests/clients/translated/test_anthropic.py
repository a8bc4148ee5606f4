"""Anthropic's SDK at /v1/messages: Claude natively, every other model over chat."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
import requests
from testing import anthropic_samples as samples
from testing import wires
from testing.answers import CUT
from testing.answers import Answer
from testing.answers import answer
from testing.answers import cut_up
from testing.answers import json_answer
from testing.answers import sse
from testing.gateway import API_KEY
from testing.gateway import Gateway
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import chat_completion
from testing.openai_bodies import error_body
from testing.openai_bodies import tool_call
from testing.openai_bodies import usage
from testing.upstream import Upstream

HI: Any = [{"role": "user", "content": "Hi"}]
ASKED: dict[str, Any] = {"max_tokens": 64, "messages": HI}
TOOL: Any = {
    "name": "weather",
    "description": "Tell the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
NATIVE = {
    "anthropic": "/v1/messages",
    "vertex-claude": "/v1/projects/proj/locations/eu/publishers/anthropic/models/"
    "claude-sonnet-4-5:rawPredict",
    "bedrock": "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke",
}
STREAMED = {
    "anthropic": "/v1/messages",
    "vertex-claude": NATIVE["vertex-claude"].replace("rawPredict", "streamRawPredict"),
    "bedrock": f"{NATIVE['bedrock']}-with-response-stream",
}


def stream_of(model: str, events: list[dict[str, Any]]) -> Answer:
    """Return a native stream of *events* as the provider of *model* sends it."""
    if model == "bedrock":
        return wires.invoked(events)
    return answer([samples.stream(events)], headers=wires.EVENTS)


class TestNatively:
    @pytest.mark.parametrize("model", NATIVE)
    @pytest.mark.parametrize("name", samples.MESSAGES)
    def test_a_message_is_passed_on(
        self, upstream: Upstream, claude: anthropic.Anthropic, model: str, name: str
    ) -> None:
        upstream.plays(json_answer(samples.message(name)))

        got = claude.messages.create(model=model, **ASKED, metadata={"user_id": "u"})

        read = got.model_dump(exclude_unset=True, by_alias=True, mode="json")
        assert {**read, "_request_id": None} == {**samples.message(name), "_request_id": None}
        (seen,) = upstream.requests
        assert seen.path == NATIVE[model]
        assert seen.json["messages"] == HI
        assert seen.json["metadata"] == {"user_id": "u"}

    @pytest.mark.parametrize("model", STREAMED)
    @pytest.mark.parametrize("name", samples.STREAMS)
    def test_a_stream_is_passed_on(
        self, upstream: Upstream, claude: anthropic.Anthropic, model: str, name: str
    ) -> None:
        upstream.plays(stream_of(model, samples.events(name)))

        with claude.messages.create(model=model, **ASKED, stream=True) as stream:
            got = [event.type for event in stream]

        wanted = [e["type"] for e in samples.events(name) if e["type"] != "ping"]
        assert got == wanted
        assert upstream.requests[0].path == STREAMED[model]

    @pytest.mark.parametrize("name", samples.STREAMS)
    def test_bytes_are_not_touched(self, upstream: Upstream, gateway: Gateway, name: str) -> None:
        data = samples.stream(samples.events(name))
        upstream.plays(answer(cut_up(data, 97), headers=wires.EVENTS, framing="chunked"))
        body = {"model": "anthropic", **ASKED, "stream": True}

        got = requests.post(f"{gateway.url}/v1/messages", json=body, timeout=10)

        assert got.content == data

    def test_what_is_said_in_headers_goes_on(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        upstream.plays(json_answer(samples.message("text")))

        claude.beta.messages.create(
            model="anthropic",
            **ASKED,
            betas=["context-1m-2025-08-07", "other-1"],
            extra_headers={"anthropic-version": "2023-01-01"},
        )

        (seen,) = upstream.requests
        assert seen.headers["anthropic-beta"] == "context-1m-2025-08-07,other-1"
        assert seen.headers["anthropic-version"] == "2023-01-01"
        assert seen.headers["x-api-key"] == API_KEY
        assert "authorization" not in seen.headers
        assert "anthropic_beta" not in seen.json

    def test_bedrock_is_told_of_the_betas_that_it_knows(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        upstream.plays(json_answer(samples.message("text")))

        claude.beta.messages.create(
            model="bedrock", **ASKED, betas=["context-1m-2025-08-07", "other-1"]
        )

        (seen,) = upstream.requests
        assert seen.json["anthropic_beta"] == ["context-1m-2025-08-07"]
        assert seen.json["anthropic_version"] == "bedrock-2023-05-31"
        assert not {"model", "stream"} & seen.json.keys()
        assert seen.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")

    @pytest.mark.parametrize("model", ["anthropic", "vertex-claude"])
    def test_tokens_are_counted(
        self, upstream: Upstream, claude: anthropic.Anthropic, model: str
    ) -> None:
        upstream.plays(json_answer({"input_tokens": 14}))

        got = claude.messages.count_tokens(model=model, messages=HI, tools=[TOOL])

        assert got.model_dump(exclude_unset=True) == {"input_tokens": 14}
        assert len(upstream.requests) == 1

    def test_tokens_are_counted_at_bedrock(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        upstream.plays(json_answer({"inputTokens": 14}))

        got = claude.messages.count_tokens(model="bedrock", messages=HI, tools=[TOOL])

        assert got.model_dump(exclude_unset=True) == {"input_tokens": 14}
        assert upstream.requests[0].path.endswith("/count-tokens")

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "The provided model doesn't support counting tokens."),
            (403, "User is not authorized to perform: bedrock:CountTokens"),
        ],
    )
    def test_tokens_are_estimated_where_they_may_not_be_counted(
        self, upstream: Upstream, claude: anthropic.Anthropic, status: int, message: str
    ) -> None:
        upstream.plays(json_answer({"message": message}, status))

        got = claude.messages.count_tokens(model="bedrock", messages=HI)

        assert got.model_dump(exclude_unset=True)["estimated"] is True
        assert got.input_tokens > 0
        assert len(upstream.requests) == 1

    def test_what_is_wrong_with_it_is_told(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        upstream.plays(json_answer({"message": "messages: roles must alternate"}, 400))

        with pytest.raises(anthropic.BadRequestError, match="roles must alternate"):
            claude.messages.count_tokens(model="bedrock", messages=HI)

    @pytest.mark.parametrize(
        ("status", "kind", "error"),
        [
            (400, "invalid_request_error", anthropic.BadRequestError),
            (429, "rate_limit_error", anthropic.RateLimitError),
            (529, "overloaded_error", anthropic.InternalServerError),
        ],
    )
    def test_a_refusal_is_anthropics(
        self, upstream: Upstream, claude: anthropic.Anthropic, status: int, kind: str, error: Any
    ) -> None:
        refused = {"type": "error", "error": {"type": kind, "message": "Not now"}}
        upstream.plays(json_answer(refused, status))

        with pytest.raises(error) as caught:
            claude.messages.create(model="anthropic", **ASKED)

        assert (caught.value.status_code, caught.value.body) == (status, refused)

    @pytest.mark.parametrize("model", STREAMED)
    def test_a_stream_that_is_cut_ends_with_an_error(
        self, upstream: Upstream, claude: anthropic.Anthropic, model: str
    ) -> None:
        upstream.plays(stream_of(model, samples.events("text")[:-1]))

        with (
            pytest.raises(anthropic.APIStatusError, match="before it was complete"),
            claude.messages.stream(model=model, **ASKED) as stream,
        ):
            stream.until_done()

    def test_an_error_in_a_stream_is_passed_on(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        upstream.plays(stream_of("anthropic", [*samples.events("text")[:4], error]))

        with (
            pytest.raises(anthropic.APIStatusError, match="Overloaded") as caught,
            claude.messages.stream(model="anthropic", **ASKED) as stream,
        ):
            stream.until_done()

        assert caught.value.body == error

    def test_an_error_before_the_first_event_is_a_status(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slowly"}}
        upstream.plays(stream_of("anthropic", [{"type": "ping"}, error]))

        with pytest.raises(anthropic.RateLimitError, match="Slowly"):
            claude.messages.create(model="anthropic", **ASKED, stream=True)


class TestOverChat:
    def test_a_message_is_answered(self, upstream: Upstream, claude: anthropic.Anthropic) -> None:
        upstream.plays(json_answer(chat_completion("Moin", usage=usage(20, 3, cached=5))))

        got = claude.messages.create(
            model="gpt-4o",
            system=[{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}],
            stop_sequences=["END"],
            metadata={"user_id": "u"},
            thinking={"type": "enabled", "budget_tokens": 1024},
            **{**ASKED, "max_tokens": 2048},
        )

        assert (got.role, got.stop_reason, got.model) == (
            "assistant",
            "end_turn",
            "gpt-4o",
        )
        assert [block.model_dump(exclude_unset=True) for block in got.content] == [
            {"type": "text", "text": "Moin"}
        ]
        assert (got.usage.input_tokens, got.usage.cache_read_input_tokens) == (15, 5)
        assert upstream.requests[0].path == "/v1/chat/completions"
        assert upstream.requests[0].json == {
            "model": "gpt-4o",
            "max_completion_tokens": 2048,
            "messages": [{"role": "system", "content": "Be brief"}, *HI],
            "stop": ["END"],
            "user": "u",
        }

    def test_a_stream_is_answered(self, upstream: Upstream, claude: anthropic.Anthropic) -> None:
        upstream.plays(sse(chat_chunks("Mo", "in", usage=usage(9, 2))))

        with claude.messages.stream(model="gpt-4o", **ASKED) as stream:
            texts = list(stream.text_stream)
            got = stream.get_final_message()

        assert (texts, got.stop_reason) == (["Mo", "in"], "end_turn")
        assert got.usage.output_tokens == 2

    @pytest.mark.parametrize("model", sorted(wires.WIRES))
    def test_every_provider_answers(
        self, upstream: Upstream, claude: anthropic.Anthropic, model: str
    ) -> None:
        wire = wires.WIRES[model]
        native = json_answer(samples.message("text"))
        upstream.plays(native if model == "bedrock" else wire.text)

        got = claude.messages.create(model=model, **ASKED)

        (block,) = got.content
        assert block.type == "text"
        assert block.text == ("Hello! How can I help?" if model == "bedrock" else wire.said)

    @pytest.mark.parametrize("model", sorted(wires.WIRES.keys() - NATIVE.keys()))
    def test_every_provider_streams_tool_calls(
        self, upstream: Upstream, claude: anthropic.Anthropic, model: str
    ) -> None:
        wire = wires.WIRES[model]
        upstream.plays(wire.tool_stream)

        with claude.messages.stream(model=model, tools=[TOOL], **ASKED) as stream:
            got = stream.get_final_message()

        calls = [block for block in got.content if block.type == "tool_use"]
        assert tuple(call.name for call in calls) == wire.called
        assert all(isinstance(call.input, dict) for call in calls)
        assert got.stop_reason == "tool_use"

    def test_tools_are_called_and_their_results_told(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        calls = [
            tool_call("weather", {"city": "Köln"}),
            tool_call("weather", {"city": "Bonn"}, "c2"),
        ]
        upstream.plays(
            json_answer(chat_completion(None, tool_calls=calls)),
            json_answer(chat_completion("Rain")),
        )

        first = claude.messages.create(
            model="gpt-4o", tools=[TOOL], tool_choice={"type": "any"}, **ASKED
        )
        results: Any = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "rain"}
            for block in first.content
            if block.type == "tool_use"
        ]
        turns: Any = [*HI, {"role": "assistant", "content": first.content}]
        turns.append({"role": "user", "content": results})
        claude.messages.create(model="gpt-4o", tools=[TOOL], max_tokens=64, messages=turns)

        asked, told = (seen.json for seen in upstream.requests)
        assert first.stop_reason == "tool_use"
        assert asked["tool_choice"] == "required"
        assert asked["tools"][0]["function"]["parameters"] == TOOL["input_schema"]
        assert [message["role"] for message in told["messages"]] == [
            "user",
            "assistant",
            "tool",
            "tool",
        ]
        assert json.loads(told["messages"][1]["tool_calls"][1]["function"]["arguments"]) == {
            "city": "Bonn"
        }

    def test_thoughts_are_thinking(self, upstream: Upstream, claude: anthropic.Anthropic) -> None:
        reply = chat_completion("Moin")
        reply["choices"][0]["message"]["reasoning_content"] = "Hm."
        upstream.plays(json_answer(reply))

        got = claude.messages.create(model="groq", **ASKED)

        assert [block.type for block in got.content] == ["thinking", "text"]

    def test_tokens_are_estimated(self, upstream: Upstream, claude: anthropic.Anthropic) -> None:
        got = claude.messages.count_tokens(
            model="gpt-4o", messages=[{"role": "user", "content": "a" * 400}]
        )

        assert got.model_dump(exclude_unset=True) == {"input_tokens": 104, "estimated": True}
        assert upstream.requests == []

    def test_a_refusal_is_told_in_anthropics_words(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        refused = error_body("Slow down", "rate_limit_error", code="rate_limit_exceeded")
        upstream.plays(json_answer(refused, 429, headers={"retry-after": "7"}))

        with pytest.raises(anthropic.RateLimitError) as caught:
            claude.messages.create(model="gpt-4o", **ASKED)

        assert caught.value.body == {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": "Slow down"},
        }
        assert caught.value.response.headers["retry-after"] == "7"

    def test_a_stream_that_is_cut_ends_with_an_error(
        self, upstream: Upstream, claude: anthropic.Anthropic
    ) -> None:
        upstream.plays(sse([*chat_chunks("Mo", "in")[:2], CUT], done=False))

        with (
            pytest.raises(anthropic.APIStatusError),
            claude.messages.stream(model="gpt-4o", **ASKED) as stream,
        ):
            stream.until_done()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ({"model": "nope", **ASKED}, anthropic.NotFoundError),
        ({"model": "gpt-4o", "max_tokens": 0, "messages": HI}, anthropic.BadRequestError),
        (
            {
                "model": "gpt-4o",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": [{"type": "image"}]}],
            },
            anthropic.BadRequestError,
        ),
        (
            {
                "model": "gpt-4o",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": [{"type": "tool_result"}]}],
            },
            anthropic.BadRequestError,
        ),
    ],
)
def test_what_is_wrong_is_told_in_anthropics_shape(
    upstream: Upstream, claude: anthropic.Anthropic, call: Any, error: Any
) -> None:
    with pytest.raises(error) as caught:
        claude.messages.create(**call)

    assert caught.value.body["type"] == "error"
    assert set(caught.value.body["error"]) == {"type", "message"}
    assert upstream.requests == []
