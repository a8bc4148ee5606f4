"""What LibreChat, old and new, and guidance ask: every address, every field.

Source: LibreChat's code and issues.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
from testing.gateway import API_KEY
from testing.gateway import Gateway
from testing.sdk import CHAT
from testing.sdk import STREAMED
from testing.sdk import Received
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import tool_call

KEY = {"Authorization": "Bearer sk-1234"}
USER = "65f1c2d3e4a5b6c7d8e9f0a1"
MESSAGES: list[Any] = [
    {"role": "system", "content": "You are ChatGPT."},
    {"role": "user", "name": "Ann", "content": "Hi"},
]
BODY = {"model": "gpt-4o", "user": USER, "stream": True, "messages": MESSAGES}

FULL = {
    **BODY,
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "max_tokens": 1000,
    "n": 1,
    "stop": ["||>", "\nUser:", "<|diff_marker|>"],
    "seed": 7,
    "logit_bias": {},
    "logprobs": False,
    "response_format": {"type": "text"},
    "reasoning_effort": "low",
    "verbosity": "low",
    "store": False,
    "service_tier": "auto",
    "parallel_tool_calls": True,
    "conversationId": None,
    "parentMessageId": "00000000-0000-0000-0000-000000000000",
    "endpoint": "openAI",
    "endpointType": "custom",
    "chatGptLabel": None,
    "modelLabel": "GPT",
    "promptPrefix": None,
    "maxContextTokens": 4096,
    "resendFiles": True,
    "imageDetail": "auto",
    "iconURL": None,
    "spec": None,
    "greeting": "",
    "web_search": False,
    "artifacts": "default",
}
"""A body with all that LibreChat's settings can put into it, and what it lets slip."""

ADDRESSES = [
    ("2023", "/v1/chat/completions", "/v1/chat/completions", "/v1/models"),
    ("0.7", "/v1/chat/completions", "/v1/chat/completions", "/v1/models"),
    ("0.8", "/v1/chat/completions", "/v1/chat/completions/chat/completions", "/v1/models"),
    ("2023", "/v1", "/v1", "/v1/models"),
    ("0.7", "/v1", "/v1/chat/completions", "/v1/models"),
    ("2023", "", "", "/models"),
    ("0.8", "", "/chat/completions", "/models"),
    ("0.8", "/v1/", "/v1/chat/completions", "/v1/models"),
    ("sdk", "/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions/models"),
]
"""LibreChat's version, the path of OPENAI_REVERSE_PROXY, where that version asks for a chat, and
where for the models."""


def spoken(reply: requests.Response) -> list[str]:
    """Return the data of the events in *reply*, a stream."""
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    return [line[6:] for line in reply.text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize(("version", "value", "path", "models"), ADDRESSES)
def test_every_address_is_served(
    gateway: Gateway,
    upstream: Upstream,
    received: Received,
    version: str,
    value: str,
    path: str,
    models: str,
) -> None:
    upstream.plays(sse(chat_chunks("Hel", "lo!")))

    listed = requests.get(gateway.url + models, headers=KEY, params={"user": USER}, timeout=5)
    reply = requests.post(gateway.url + path, headers=KEY, json=BODY, timeout=5)

    assert "gpt-4o" in [model["id"] for model in listed.json()["data"]]
    told = spoken(reply)
    assert (len(told), told[-1]) == (5, "[DONE]")
    assert received(CHAT) == {**BODY, **STREAMED}


def test_a_body_of_thirty_fields_passes(
    gateway: Gateway, upstream: Upstream, received: Received
) -> None:
    assert len(FULL) >= 30
    upstream.plays(sse(chat_chunks("Hello!")))

    reply = requests.post(gateway.url + CHAT, headers=KEY, json=FULL, timeout=5)

    assert reply.status_code == 200
    assert spoken(reply)[-1] == "[DONE]"
    kept = {name: FULL[name] for name in FULL if name not in ("reasoning_effort", "verbosity")}
    assert received(CHAT) == {**kept, **STREAMED}  # gpt-4o refuses these two
    assert list(received(CHAT)) == [*kept, "stream_options"]


def test_what_a_provider_lacks_is_named_or_dropped(gateway: Gateway, upstream: Upstream) -> None:
    asked = {**FULL, "model": "librechat", "stream": False, "logit_bias": {"50256": -100}}
    upstream.plays(json_answer(chat_completion("Hello!")))

    refused = requests.post(gateway.url + CHAT, json=asked, timeout=5)
    dropped = requests.post(gateway.url + CHAT, json={**asked, "drop_params": True}, timeout=5)

    assert refused.status_code == 400
    told = refused.json()["error"]
    assert told["code"] == "unsupported_parameter"
    assert all(name in told["message"] for name in ("'logit_bias'", "drop_params"))
    assert dropped.status_code == 200
    (seen,) = upstream.requests
    lacking = {"logit_bias", "verbosity", "user", "store", "service_tier", "seed"}
    kept = {name: asked[name] for name in asked if name not in lacking}
    assert seen.json == {**kept, "model": "mistral-small-latest", "random_seed": 7}


@pytest.mark.parametrize(
    "how",
    [
        {"max_tokens": 16, "temperature": 0.2, "presence_penalty": 0, "frequency_penalty": 0},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "output_formatter",
                        "description": "Always use this function to format the title.",
                        "parameters": {
                            "type": "object",
                            "properties": {"title": {"type": "string"}},
                            "required": ["title"],
                        },
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "output_formatter"}},
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "title", "schema": {"type": "object"}, "strict": True},
            }
        },
    ],
    ids=["completion", "functions", "structured"],
)
def test_a_title_is_made(
    gateway: Gateway, upstream: Upstream, received: Received, how: dict[str, Any]
) -> None:
    prompt = "Write a 5-word title in title case for this conversation."
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "system", "content": prompt}], **how}
    call = tool_call("output_formatter", {"title": "A Friendly Greeting"})
    planned = chat_completion("A Friendly Greeting", tool_calls=[call] if "tools" in how else [])
    upstream.plays(json_answer(planned))

    reply = requests.post(gateway.url + CHAT, headers=KEY, json=asked, timeout=5)

    assert reply.json()["choices"] == planned["choices"]
    assert received(CHAT) == asked


def test_organizations_and_own_headers_stay_here(gateway: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    own = {"OpenAI-Organization": "org-of-the-client", "X-LibreChat-User-Id": USER, "Cookie": "a=b"}

    requests.post(
        gateway.url + CHAT, headers={**KEY, **own}, json={**BODY, "stream": False}, timeout=5
    )

    (seen,) = upstream.requests
    assert not {"openai-organization", "x-librechat-user-id", "cookie"} & set(seen.headers)
    assert seen.headers["authorization"] == f"Bearer {API_KEY}"


# guidance sends `stop_sequences` to everybody


@pytest.mark.parametrize(("model", "more"), [("gpt-4", {"stop_sequences": ["\n"]}), ("strict", {})])
def test_stop_sequences_pass_or_are_dropped(
    gateway: Gateway, upstream: Upstream, received: Received, model: str, more: dict[str, Any]
) -> None:
    asked = {
        "model": model,
        "messages": MESSAGES,
        "max_tokens": 300,
        "temperature": 0,
        "top_p": 1.0,
        "n": 1,
        "stop": None,
        "stream": True,
    }
    upstream.plays(sse(chat_chunks("1. Ann", " 2. Bob")))

    reply = requests.post(
        f"{gateway.url}/chat/completions",
        headers={"Authorization": "Bearer anything"},
        json={**asked, "stop_sequences": ["\n"]},
        timeout=5,
    )

    assert spoken(reply)[-1] == "[DONE]"
    wanted = {**asked, "model": "gpt-4" if model == "gpt-4" else "gpt-4o"}
    assert received(CHAT) == {**wanted, **STREAMED, **more}
