"""What the dialect writes is what OpenAI's own SDK reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest
from testing import samples
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import json_answer

from llmgate.codecs import sse
from llmgate.dialects.others import cohere_stream
from llmgate.dialects.others import ollama
from llmgate.fronts.responses import stream as front_stream
from llmgate.fronts.responses import wire as front_wire


class City(pydantic.BaseModel):
    city: str


@pytest.fixture
def client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=f"{upstream.url}/v1", max_retries=0) as client:
        yield client


def chunk(delta: Any, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "model": "m-1", "choices": [choice]}


def plays(upstream: Upstream, chunks: Iterator[Any]) -> None:
    events = front_stream.response_events(chunks, {"model": "m"}, "resp_x", 7)
    pieces = [sse.encoded(event, event["type"]) for event in events]
    upstream.plays(answer(pieces, headers={"content-type": "text/event-stream"}))


def cohere(name: str) -> Iterator[Any]:
    events = samples.sample("cohere", name)["events"]
    return cohere_stream.chunks((sse.encoded(event) for event in events), "command")


def lines(name: str) -> Iterator[Any]:
    told = samples.sample("ollama", name)["lines"]
    return ollama.chat_chunks(json.dumps(line).encode() + b"\n" for line in told)


def test_text_is_read(upstream: Upstream, client: openai.OpenAI) -> None:
    plays(upstream, cohere("stream_text"))

    with client.responses.stream(model="m", input="Hi") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()

    assert deltas == ["Grüße", ", 世界 🌍"]
    assert (final.output_text, final.model) == ("Grüße, 世界 🌍", "command")
    assert final.usage is not None
    assert final.usage.input_tokens_details.cached_tokens == 16


@pytest.mark.parametrize("chunks", [cohere, lines])
def test_tool_calls_are_read(upstream: Upstream, client: openai.OpenAI, chunks: Any) -> None:
    plays(upstream, chunks("stream_tools"))

    with client.responses.stream(model="m", input="Hi") as stream:
        final = stream.get_final_response()

    calls = [item for item in final.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["weather", "weather"]
    assert json.loads(calls[0].arguments) == {"city": "Köln"}


def test_thoughts_are_read(upstream: Upstream, client: openai.OpenAI) -> None:
    said = [chunk({"reasoning_content": "Hm."}), chunk({"content": "Hi"}), chunk({}, "stop")]
    plays(upstream, iter(said))

    with client.responses.stream(model="m", input="Hi") as stream:
        final = stream.get_final_response()

    assert [item.type for item in final.output] == ["reasoning", "message"]


def test_an_answer_that_was_cut_is_read_as_incomplete(
    upstream: Upstream, client: openai.OpenAI
) -> None:
    plays(upstream, cohere("stream_thinking"))

    with client.responses.stream(model="m", input="Hi") as stream:
        *_, last = stream

    assert last.type == "response.incomplete"


def test_a_failure_is_read(upstream: Upstream, client: openai.OpenAI) -> None:
    plays(upstream, cohere("stream_failed"))

    with client.responses.stream(model="m", input="Hi") as stream:
        *_, last = stream

    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.message == "the model stumbled"


def test_a_parsed_answer_is_read(upstream: Upstream, client: openai.OpenAI) -> None:
    message = {"role": "assistant", "content": '{"city":"Köln"}'}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {"id": "c", "model": "m-1", "choices": [choice], "usage": None}
    upstream.plays(json_answer(front_wire.response_from_chat(reply, {"model": "m"}, "resp_x", 7)))

    got = client.responses.parse(model="m", input="Hi", text_format=City)
    asked = front_wire.chat_from_response(upstream.requests[0].json)

    assert got.output_parsed == City(city="Köln")
    assert asked["response_format"]["json_schema"]["name"] == "City"
