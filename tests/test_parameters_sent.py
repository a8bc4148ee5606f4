"""What goes upstream of a request, what stays, and what is shown of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import DONE
from testing.inprocess import asks
from testing.inprocess import chunks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import event
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import tool_call
from testing.upstream import usage

AppFor = Callable[..., FlaskClient]
LIBRECHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "user": "65f1c0ffee65f1c0ffee65f1",
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "stop": ["||>", "User:"],
    "max_tokens": 512,
    "max_completion_tokens": None,
    "stream": False,
    "seed": None,
    "n": 1,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": None,
    "response_format": {"type": "text"},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning_effort": "low",
    "verbosity": "low",
    "service_tier": "auto",
    "store": False,
    "modalities": ["text"],
    "prediction": None,
    "web_search_options": {},
    "promptPrefix": "be brief",
    "modelLabel": None,
    "endpoint": "openAI",
    "conversationId": "c1",
    "parentMessageId": "0",
    "resendFiles": True,
    "imageDetail": "auto",
    "messages": [
        {"role": "system", "content": "You are kind.", "cache_control": {"type": "ephemeral"}},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "of_tomorrow", "of_tomorrow": [1, {"x": None}]},
            ],
            "name": "u",
        },
        {"role": "assistant", "content": None, "tool_calls": [tool_call(), tool_call(id="2")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "function", "name": "f", "content": "{}"},
    ],
}
OWN: dict[str, Any] = {
    "metadata": {"a": ["b", {"c": [1]}]},
    "litellm_metadata": {"a": 1},
    "tags": ["x"],
    "api_version": "2024-10-21",
    "timeout": 30,
    "request_timeout": 30,
    "num_retries": 0,
    "max_retries": 0,
    "fallbacks": ["gpt-4o-mini"],
    "drop_params": False,
    "additional_drop_params": [],
    "allowed_openai_params": [],
    "cache": {"no-cache": True},
    "caching": False,
    "ttl": 5,
    "no-log": True,
    "guardrails": [],
    "litellm_trace_id": "t",
    "litellm_session_id": "s",
    "litellm_call_id": "c",
    "custom_llm_provider": None,
    "mock_response": None,
    "headers": {},
    "extra_body": {},
    "extra_headers": {},
    "rpm": 1,
    "tpm": 1,
    "weight": 1,
    "order": 1,
    "input_cost_per_token": 0,
    "output_cost_per_token": 0,
    "max_budget": 1,
}


def sent_of(client: FlaskClient, upstream: Upstream, body: Any, **headers: str) -> Any:
    """Return what of *body* arrives upstream."""
    upstream.plays(json_answer(chat_completion()))
    got = posted(client, body, **headers)
    assert got.status_code == 200, got.text
    return upstream.requests[-1].json


# The request

ARRIVES = {
    key: value
    for key, value in LIBRECHAT.items()
    if key not in ("reasoning_effort", "verbosity")  # which gpt-4o refuses
}


def test_a_body_of_librechat_arrives_as_it_is(client: FlaskClient, upstream: Upstream) -> None:
    assert sent_of(client, upstream, LIBRECHAT) == ARRIVES


def test_the_order_of_the_body_is_kept(client: FlaskClient, upstream: Upstream) -> None:
    sent_of(client, upstream, LIBRECHAT)

    sent = json.dumps(ARRIVES, separators=(",", ":"), ensure_ascii=False).encode()
    assert upstream.requests[0].body == sent


def test_the_same_body_is_sent_as_the_same_bytes(client: FlaskClient, upstream: Upstream) -> None:
    for spaces in (None, 2):
        posted(client, json.dumps(LIBRECHAT, indent=spaces).encode())

    first, second = upstream.requests
    assert first.body == second.body


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "x", "", [], [[{}]], {}, {"a": {"b": []}}])
def test_unknown_parameters_arrive_unchanged(
    client: FlaskClient, upstream: Upstream, value: Any
) -> None:
    body = asks(parameter_of_tomorrow=value)

    assert sent_of(client, upstream, body) == body


@pytest.mark.parametrize("name", OWN)
def test_what_is_the_gates_own_stays_here(
    client: FlaskClient, upstream: Upstream, name: str
) -> None:
    assert sent_of(client, upstream, asks(**{name: OWN[name]})) == asks()


def test_extra_body_is_merged_and_goes_first(client: FlaskClient, upstream: Upstream) -> None:
    extra = {"top_k": 5, "temperature": 0.5, "metadata": {"a": "b"}, "tags": ["x"]}

    got = sent_of(client, upstream, asks(temperature=1, extra_body=extra))

    assert got == asks(**extra)


def test_the_model_upstream_is_the_deployments(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for({"model_list": [deployment("best", upstream.url, "openai/gpt-4o-2024-08-06")]})

    assert sent_of(client, upstream, asks(model="best"))["model"] == "gpt-4o-2024-08-06"


def test_defaults_of_the_deployment_yield_to_the_client(
    app_for: AppFor, upstream: Upstream
) -> None:
    params = {"temperature": 0.1, "max_tokens": 5, "top_k": 3, "extra_body": {"min_p": 0.1}}
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url, **params)]})

    got = [
        sent_of(client, upstream, body)
        for body in (asks(), asks(temperature=0, max_completion_tokens=9, top_k=1))
    ]

    assert got == [
        asks(temperature=0.1, max_tokens=5, top_k=3, min_p=0.1),
        asks(temperature=0, max_completion_tokens=9, top_k=1, min_p=0.1),
    ]


def test_what_a_provider_does_not_take_is_refused_with_the_ways_out(
    app_for: AppFor, upstream: Upstream
) -> None:
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url, "perplexity/sonar")]})

    got = posted(client, asks(seed=7))

    assert failed(got) == (400, "invalid_request_error", "unsupported_parameter", "seed")
    message = got.get_json()["error"]["message"]
    assert [way in message for way in ("drop_params", "additional_drop", "allowed_openai")] == (
        [True] * 3
    )
    assert sent_of(client, upstream, asks(seed=7, drop_params=True)).keys() == {*asks()}
    assert sent_of(client, upstream, asks(seed=7, additional_drop_params=["seed"])).keys() == (
        {*asks()}
    )
    assert sent_of(client, upstream, asks(seed=7, allowed_openai_params=["seed"]))["seed"] == 7


def test_a_key_of_the_clients_own_replaces_ours_for_one_request(
    client: FlaskClient, upstream: Upstream
) -> None:
    sent_of(client, upstream, asks(api_key="sk-of-the-client"))
    sent_of(client, upstream, asks())

    assert [seen.headers["authorization"] for seen in upstream.requests] == [
        "Bearer sk-of-the-client",
        "Bearer sk-upstream-secret",
    ]


# Headers


def test_extra_headers_are_added(app_for: AppFor, upstream: Upstream) -> None:
    params = {"extra_headers": {"X-Operator": "o", "X-Both": "operator"}}
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url, **params)]})

    sent_of(client, upstream, asks(extra_headers={"X-Client": 7, "X-Both": "client"}))

    headers = upstream.requests[0].headers
    assert [headers[name] for name in ("x-operator", "x-client", "x-both")] == ["o", "7", "client"]


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "AUTHORIZATION",
        "api-key",
        "x-api-key",
        "X-Goog-Api-Key",
        "Cookie",
        "Host",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Content-Encoding",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Authorization",
        "Accept-Encoding",
    ],
)
def test_headers_of_our_own_are_not_for_clients_to_set(
    client: FlaskClient, upstream: Upstream, name: str
) -> None:
    sent_of(client, upstream, asks())

    sent_of(client, upstream, asks(extra_headers={name: "evil"}))

    before, after = (seen.headers for seen in upstream.requests)
    assert {**after, "content-length": ""} == {**before, "content-length": ""}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-C: d"},
        {"X-A\r\nX-C": "d"},
        {"X-A": "\u20ac"},
        {"X-A": "\ud800"},
        {"X-A": "a\x00"},
        {"X A": "b"},
        {"X-A:": "b"},
        {"Authorization: Bearer x": "b"},
        {"Authorization ": "b"},
        {"": "b"},
        {"\u00e9": "b"},
    ],
)
def test_headers_that_cannot_be_are_refused(
    client: FlaskClient, upstream: Upstream, headers: dict[str, str]
) -> None:
    got = posted(client, asks(extra_headers=headers))

    assert failed(got) == (400, "invalid_request_error", None, "extra_headers")
    assert upstream.requests == []


def test_the_clients_own_headers_stay_here(client: FlaskClient, upstream: Upstream) -> None:
    own = {"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "x-api-key": "sk-gate", "X-Any": "1"}

    sent_of(client, upstream, asks(), **own)

    assert upstream.requests[0].headers.keys() == {
        "host",
        "accept-encoding",
        "user-agent",
        "content-type",
        "content-length",
        "authorization",
        "x-llmgate-via",
    }


# The answer


def test_an_answer_is_passed_on_byte_for_byte_but_for_the_time_it_took(
    client: FlaskClient, upstream: Upstream
) -> None:
    wire = json.dumps(chat_completion("\u20ac \U0001f9a6", new={"x": [1e-7]}), indent=1).encode()
    upstream.plays(json_answer(wire + b"\n"))

    got = posted(client, asks())

    start, _, end = got.data.partition(b', "_response_ms": ')
    assert start == wire.removesuffix(b"}")
    assert 0 < float(end.removesuffix(b"}")) < 5000
    assert 0 < got.get_json()["_response_ms"] < 5000


def test_the_time_of_a_gate_behind_this_one_is_kept(
    client: FlaskClient, upstream: Upstream
) -> None:
    wire = json.dumps(chat_completion(_response_ms=7)).encode()
    upstream.plays(json_answer(wire))

    assert posted(client, asks()).data == wire


@pytest.mark.parametrize("cased", ["tools", "n", "logprobs", "reasoning", "refusal"])
def test_whatever_a_stream_says_is_passed_on(
    client: FlaskClient, upstream: Upstream, cased: str
) -> None:
    said = {
        "tools": chat_chunks(tool_calls=[tool_call(arguments={"a": 1}), tool_call(id="2")]),
        "n": chat_chunks("a", "b", n=3),
        "logprobs": [
            {**c, "choices": [{**c["choices"][0], "logprobs": {"content": []}}]}
            for c in chat_chunks("a")
        ],
        "reasoning": [
            *chat_chunks("")[:1],
            {**chat_chunks("")[0], "choices": [{"index": 0, "delta": {"reasoning_content": "x"}}]},
            *chat_chunks("b")[1:],
        ],
        "refusal": chat_chunks('{"error": {"message": "[DONE]"}, "usage": {}}'),
    }[cased]
    upstream.plays(sse(said))

    got = posted(client, asks(stream=True))

    assert got.data == b"".join(map(event, [*said, DONE]))


# Usage in streams


@pytest.mark.parametrize(
    ("options", "sent", "shown"),
    [
        ({}, {"include_usage": True}, False),
        ({"stream_options": None}, {"include_usage": True}, False),
        ({"stream_options": {}}, {"include_usage": True}, False),
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}, False),
        ({"stream_options": {"include_usage": None}}, {"include_usage": True}, False),
        ({"stream_options": {"include_usage": True}}, {"include_usage": True}, True),
        ({"stream_options": {"a": 1}}, {"a": 1, "include_usage": True}, False),
    ],
)
def test_usage_is_asked_for_always_and_shown_to_who_asked(
    client: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    options: Any,
    sent: Any,
    shown: bool,
) -> None:
    said = chat_chunks("Hi", usage=usage(9, 12, cached=3, reasoning=2))
    upstream.plays(sse(said))

    got = posted(client, asks(stream=True, **options))

    assert upstream.requests[0].json["stream_options"] == sent
    assert chunks(got) == [*(said if shown else said[:-1]), DONE]
    (line,) = lines
    assert line["usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 12,
        "cached_tokens": 3,
        "audio_prompt_tokens": 0,
        "reasoning_tokens": 2,
        "audio_completion_tokens": 0,
    }
    assert "usage_estimated" not in line


def test_usage_is_hidden_also_where_everything_comes_at_once(
    client: FlaskClient, upstream: Upstream
) -> None:
    said = chat_chunks("Hi", usage=usage())
    upstream.plays(sse([b"".join(map(event, [*said, DONE]))], done=False))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*said[:-1], DONE]


def test_usage_is_not_asked_for_where_nothing_streams(
    client: FlaskClient, upstream: Upstream
) -> None:
    assert "stream_options" not in sent_of(client, upstream, asks(stream=False))


def test_usage_that_comes_with_a_choice_is_passed_on(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    said = chat_chunks("Hi")
    said[-1]["usage"] = usage()
    upstream.plays(sse(said))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*said, DONE]
    assert lines[0]["usage"]["prompt_tokens"] == 9


@pytest.mark.parametrize(
    "count", [-1, 1e300, 10**400, True, None, "9", [], {"a": 1}, float("inf"), float("nan")]
)
def test_usage_that_cannot_be_is_not_believed(
    app_for: AppFor, upstream: Upstream, lines: list[Any], count: Any
) -> None:
    upstream.plays(json_answer(chat_completion(usage={"prompt_tokens": count})))

    got = posted(app_for(config_for(upstream)), asks())

    assert got.status_code == 200
    assert "x-llmgate-cost" not in got.headers
    assert [(line["usage"], line["cost"]) for line in lines] == [(None, None)]


@pytest.mark.parametrize(
    "spoiled",
    [{"extra_body": {"messages": 5}}, {"additional_drop_params": ["messages"]}],
)
@pytest.mark.parametrize("model", ["echo/echo", "anthropic/claude-sonnet-4-5"])
def test_a_body_that_its_own_extras_spoil_is_refused(
    app_for: AppFor, model: str, spoiled: dict[str, Any]
) -> None:
    given = {"model": model, "api_key": "sk-a-key"}
    client = app_for({"model_list": [{"model_name": "gpt-4o", "litellm_params": given}]})

    reply = posted(client, asks(**spoiled))

    assert reply.status_code == 400
    assert reply.get_json()["error"]["type"] == "invalid_request_error"
