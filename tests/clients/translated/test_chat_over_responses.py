"""Official SDKs with a model of OpenAI's that has the Responses API alone, on every front."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pydantic
import pytest
import requests
from openai.types.responses import response_create_params
from testing import responses_bodies as bodies
from testing.answers import Answer
from testing.answers import answer
from testing.answers import json_answer
from testing.gateway import Gateway
from testing.sdk import STREAMED
from testing.sdk import WEATHER
from testing.sdk import texts
from testing.upstream import Seen
from testing.upstream import Upstream

REQUEST: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(
    response_create_params.ResponseCreateParamsNonStreaming
)
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city":"Paris"}',
    "status": "completed",
}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "ENC"}
EVENTS = {"content-type": "text/event-stream"}
TEXT = "It is sunny."


def upstream_of_two_steps(seen: Seen) -> Answer:
    """Answer as the API does: a call first, a text once its result is there."""
    body = json.loads(seen.body)
    assert seen.path in ("/v1/responses", "/openai/v1/responses")
    REQUEST.validate_python({key: it for key, it in body.items() if key != "stream"})
    has_result = body["input"][-1].get("type") == "function_call_output"
    if has_result:
        assert body["input"][-3:-1] == [REASONING, _sent_call()]
        found = bodies.events(*TEXT.split(" ", 1)) if body.get("stream") else bodies.response(TEXT)
    else:
        whole = bodies.response(output=[REASONING, CALL])
        found = _events(whole) if body.get("stream") else whole
    if isinstance(found, dict):
        return json_answer(found)
    return answer(bodies.stream(found), headers=EVENTS)


def _sent_call() -> dict[str, Any]:
    return {key: it for key, it in CALL.items() if key not in ("id", "status")}


def _events(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stream of a response that reasons and calls."""
    arguments = {"type": "response.function_call_arguments.delta", "item_id": "fc_1"}
    blank = {key: it for key, it in REASONING.items() if key != "encrypted_content"}
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "output": [], "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": blank},
        {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {**CALL, "arguments": "", "status": "in_progress"},
        },
        {**arguments, "output_index": 1, "delta": '{"city":'},
        {**arguments, "output_index": 1, "delta": '"Paris"}'},
        {"type": "response.output_item.done", "output_index": 1, "item": CALL},
        {"type": "response.completed", "response": whole},
    ]
    return [{**event, "sequence_number": at} for at, event in enumerate(found)]


@pytest.mark.parametrize("model", ["o3-pro", "azure-pro"])
def test_a_loop_of_tools_in_a_chat(upstream: Upstream, sdk: openai.OpenAI, model: str) -> None:
    upstream.answers = upstream_of_two_steps
    messages: list[Any] = [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]

    first = sdk.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    message = first.choices[0].message
    messages += [message, {"role": "tool", "tool_call_id": "call_1", "content": "sun"}]
    second = sdk.chat.completions.create(model=model, messages=messages, tools=[WEATHER])

    assert message.tool_calls is not None
    assert message.tool_calls[0].id == "call_1"
    assert first.choices[0].finish_reason == "tool_calls"
    assert second.choices[0].message.content == TEXT
    assert second.usage is not None
    assert second.usage.total_tokens == 50


def test_a_chat_is_streamed(upstream: Upstream, sdk: openai.OpenAI) -> None:
    upstream.answers = upstream_of_two_steps
    call = {"id": "call_1", "type": "function", "function": {"name": "weather"}}
    call["function"] = {"name": "weather", "arguments": CALL["arguments"]}
    details = {"type": "reasoning.encrypted", "data": "ENC", "id": "rs_1", "index": 0}
    turn = {"role": "assistant", "tool_calls": [call]}
    turn["reasoning_details"] = [{**details, "format": "openai-responses-v1"}]
    messages: list[Any] = [
        {"role": "user", "content": "hi"},
        turn,
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
    ]

    got = list(sdk.chat.completions.create(model="o3-pro", messages=messages, **STREAMED))

    assert "".join(texts(got)) == TEXT.replace(" ", "", 1)
    assert got[-1].usage is not None
    assert got[-1].usage.prompt_tokens == 32


@pytest.mark.parametrize("streams", [False, True])
def test_a_loop_of_tools_of_claude_code_s_client(
    upstream: Upstream, claude: anthropic.Anthropic, streams: bool
) -> None:
    upstream.answers = upstream_of_two_steps
    schema = WEATHER["function"]["parameters"]
    given: dict[str, Any] = {
        "model": "o3-pro",
        "max_tokens": 500,
        "tools": [{"name": "weather", "input_schema": schema}],
    }
    messages: list[Any] = [{"role": "user", "content": "hi"}]

    def asked() -> anthropic.types.Message:
        if not streams:
            return claude.messages.create(messages=messages, **given)
        with claude.messages.stream(messages=messages, **given) as stream:
            return stream.get_final_message()

    first = asked()
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "sun"}
    messages += [
        {"role": "assistant", "content": [block.model_dump() for block in first.content]},
        {"role": "user", "content": [result]},
    ]
    second = asked()

    assert first.stop_reason == "tool_use"
    assert first.content[-1].input == {"city": "Paris"}  # type: ignore[union-attr]
    assert second.content[0].text.replace(" ", "") == TEXT.replace(" ", "")  # type: ignore[union-attr]


def test_gemini_s_clients_and_completions_are_answered(
    upstream: Upstream, gateway: Gateway
) -> None:
    upstream.plays(json_answer(bodies.response("Moin")))
    contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}

    gemini = requests.post(
        f"{gateway.url}/v1beta/models/o3-pro:generateContent", json=contents, timeout=9
    ).json()
    text = requests.post(
        f"{gateway.url}/v1/completions", json={"model": "o3-pro", "prompt": "hi"}, timeout=9
    ).json()

    assert gemini["candidates"][0]["content"]["parts"][0]["text"] == "Moin"
    assert text["choices"][0]["text"] == "Moin"
    assert {seen.path for seen in upstream.requests} == {"/v1/responses"}


def test_a_response_that_fails_is_an_error(upstream: Upstream, sdk: openai.OpenAI) -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow down"}
    upstream.plays(json_answer(bodies.response(output=[], status="failed", error=error)))

    with pytest.raises(openai.RateLimitError, match="slow down"):
        sdk.chat.completions.create(model="o3-pro", messages=[{"role": "user", "content": "hi"}])


def test_a_newer_model_gets_tools_through_the_responses_api(
    upstream: Upstream, sdk: openai.OpenAI
) -> None:
    upstream.plays(json_answer(bodies.response("Moin", output=[CALL])))
    messages: list[Any] = [{"role": "user", "content": "hi"}]

    got = sdk.chat.completions.create(model="gpt-5.5", messages=messages, tools=[WEATHER])

    assert upstream.requests[0].path == "/v1/responses"
    assert got.choices[0].finish_reason == "tool_calls"
