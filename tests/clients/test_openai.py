"""OpenAI's own SDK as the client, for chat: what it reads, and what the upstream was sent.

This and the other test_openai_*.py pass with the SDK of today and with a 1.x (.ci/clients).
"""

from __future__ import annotations

import asyncio
from typing import Any

import openai
from testing.gateway import Gateway
from testing.sdk import ASKED
from testing.sdk import CALLS
from testing.sdk import CHAT
from testing.sdk import MESSAGES
from testing.sdk import STREAMED
from testing.sdk import WEATHER
from testing.sdk import City
from testing.sdk import Received
from testing.sdk import chat_beta
from testing.sdk import dumped
from testing.sdk import texts
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import completion
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import usage


def test_a_chat_is_answered(sdk: openai.OpenAI, upstream: Upstream, received: Received) -> None:
    upstream.plays(json_answer(chat_completion("Hello!")))

    reply = sdk.chat.completions.create(**ASKED, temperature=0.5, max_tokens=5, user="u-1")

    assert dumped(reply) == chat_completion("Hello!")
    assert received(CHAT) == {**ASKED, "temperature": 0.5, "max_tokens": 5, "user": "u-1"}


def test_an_answer_says_how_it_came_about(sdk: openai.OpenAI, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("Hello!"), headers={"x-ratelimit-limit": "7"}))

    raw = sdk.chat.completions.with_raw_response.create(
        **ASKED, extra_headers={"x-request-id": "my-request-1"}
    )

    assert raw.parse().choices[0].message.content == "Hello!"
    told = {
        "x-request-id": "my-request-1",
        "x-llmgate-model-group": "gpt-4o",
        "x-llmgate-model": "gpt-4o",
        "x-llmgate-provider": "openai",
        "x-llmgate-attempts": "1",
        "x-ratelimit-limit": "7",
    }
    assert {name: raw.headers[name] for name in told} == told
    assert float(raw.headers["x-llmgate-cost"]) > 0
    assert float(raw.headers["x-llmgate-response-ms"]) >= float(
        raw.headers["x-llmgate-overhead-ms"]
    )


def test_every_answer_has_a_request_id(sdk: openai.OpenAI, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))

    first, second = (sdk.chat.completions.create(**ASKED) for _ in range(2))

    assert first._request_id and second._request_id
    assert first._request_id != second._request_id


def test_several_choices_and_logprobs_are_read(
    sdk: openai.OpenAI, upstream: Upstream, received: Received
) -> None:
    token = {"token": "Hi", "bytes": [72, 105], "logprob": -0.1}
    planned = chat_completion("Hi", n=3)
    planned["choices"][0]["logprobs"] = {
        "content": [{**token, "top_logprobs": [token]}],
        "refusal": None,
    }
    upstream.plays(json_answer(planned))

    reply = sdk.chat.completions.create(**ASKED, n=3, logprobs=True, top_logprobs=1)

    assert dumped(reply) == planned
    assert received(CHAT) == {**ASKED, "n": 3, "logprobs": True, "top_logprobs": 1}


def test_images_and_files_go_up_as_they_are(
    sdk: openai.OpenAI, upstream: Upstream, received: Received
) -> None:
    parts: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:;base64,JVBE"}},
    ]
    messages: Any = [{"role": "user", "content": parts}]
    upstream.plays(json_answer(chat_completion("An otter.")))

    reply = sdk.chat.completions.create(model="gpt-4o", messages=messages)

    assert reply.choices[0].message.content == "An otter."
    assert received(CHAT) == {"model": "gpt-4o", "messages": messages}


def test_reasoning_goes_both_ways(
    sdk: openai.OpenAI, upstream: Upstream, received: Received
) -> None:
    planned = chat_completion("42", usage=usage(reasoning=7))
    planned["choices"][0]["message"] |= {
        "reasoning_content": "Let me think.",
        "reasoning_details": [{"type": "reasoning.text", "text": "Let me think."}],
    }
    messages: Any = [
        {"role": "developer", "content": "Be brief."},
        *MESSAGES,
        planned["choices"][0]["message"],
        {"role": "user", "content": "Why?"},
    ]
    options: Any = {"reasoning_effort": "low", "max_completion_tokens": 100, "verbosity": "low"}
    upstream.plays(json_answer(planned))

    reply = sdk.chat.completions.create(model="o3-mini", messages=messages, extra_body=options)

    assert dumped(reply) == planned
    assert getattr(reply.choices[0].message, "reasoning_content", None) == "Let me think."
    for name in ("reasoning_content", "reasoning_details"):  # OpenAI's own models refuse them
        del messages[2][name]
    assert received(CHAT) == {"model": "o3-mini", "messages": messages, **options}


def test_tools_are_called_and_their_results_sent(sdk: openai.OpenAI, upstream: Upstream) -> None:
    upstream.plays(
        json_answer(chat_completion(None, tool_calls=CALLS)), json_answer(chat_completion("Sunny."))
    )
    asked: Any = {"tools": [WEATHER], "tool_choice": "auto", "parallel_tool_calls": True}

    first = sdk.chat.completions.create(**ASKED, **asked)
    said: Any = first.choices[0].message
    results = [{"role": "tool", "tool_call_id": c.id, "content": "sun"} for c in said.tool_calls]
    second = sdk.chat.completions.create(model="gpt-4o", messages=[*MESSAGES, said, *results])

    assert dumped(first) == chat_completion(None, tool_calls=CALLS)
    assert second.choices[0].message.content == "Sunny."
    one, other = upstream.requests
    assert one.json == {**ASKED, **asked}
    assert other.json["messages"] == [*MESSAGES, dumped(said), *results]


def test_structured_outputs_are_parsed(
    sdk: openai.OpenAI, upstream: Upstream, received: Received
) -> None:
    upstream.plays(json_answer(chat_completion('{"name": "Paris", "people": 2}')))

    reply = chat_beta(sdk, "parse")(**ASKED, response_format=City)

    assert reply.choices[0].message.parsed == City(name="Paris", people=2)
    wanted = received(CHAT)["response_format"]["json_schema"]
    assert (wanted["name"], wanted["strict"]) == ("City", True)
    assert wanted["schema"]["required"] == ["name", "people"]
    assert wanted["schema"]["additionalProperties"] is False


def test_metadata_and_gate_settings_stay_here(
    sdk: openai.OpenAI, upstream: Upstream, gateway: Gateway, received: Received
) -> None:
    upstream.plays(json_answer(chat_completion()))
    own = {
        "metadata": {"tags": ["sdk", "ci"], "trace_id": "t-openai-1"},
        "num_retries": 0,
        "extra_body": {"top_k": 3},
    }

    sdk.chat.completions.create(**ASKED, extra_body={**own, "seed_of_theirs": [1]})

    assert received(CHAT) == {**ASKED, "seed_of_theirs": [1], "top_k": 3}
    line = gateway.log(lambda line: line["metadata"] == own["metadata"])
    assert (line["tags"], line["status"]) == (["sdk", "ci"], 200)


def test_the_async_client_is_served(gateway: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("Hello!")), sse(chat_chunks("Hel", "lo!")))

    async def both() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(api_key="k", base_url=gateway.url, max_retries=0) as client:
            reply = await client.chat.completions.create(**ASKED)
            stream: Any = await client.chat.completions.create(**ASKED, stream=True)
            return reply.choices[0].message.content, "".join(texts([c async for c in stream]))

    assert asyncio.run(both()) == ("Hello!", "Hello!")
    assert [seen.json for seen in upstream.requests] == [ASKED, {**ASKED, **STREAMED}]


# The endpoint before chat


def test_a_prompt_is_completed(sdk: openai.OpenAI, upstream: Upstream, received: Received) -> None:
    upstream.plays(json_answer(completion("upon a time")))
    asked: Any = {"model": "gpt-3.5-turbo-instruct", "prompt": ["Once", "Twice"], "echo": True}

    reply = sdk.completions.create(**asked)

    assert dumped(reply) == completion("upon a time")
    assert received("/v1/completions") == asked
