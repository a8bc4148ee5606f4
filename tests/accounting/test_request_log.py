"""The requests log: one true line of JSON for each request, without prompts and secrets."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import posted
from testing.sockets import asked
from testing.sockets import received_until
from testing.upstream import HANG
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import event
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import usage
from werkzeug.test import EnvironBuilder

from llmgate.accounting import request_log

AppFor = Callable[..., FlaskClient]
GOOD = json_answer(chat_completion())
TIMES = ("time", "latency_ms", "ttft_ms")


def lasting(line: dict[str, Any]) -> dict[str, Any]:
    """Return *line* without its times."""
    return {name: value for name, value in line.items() if name not in TIMES}


# What a line says


def test_a_line_says_what_was_asked_and_what_it_cost(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(GOOD)
    entry = deployment("best", upstream.url, "openai/gpt-4o")
    entry["model_info"] = {"id": "the-one"}
    client = app_for({"model_list": [entry], "general_settings": {"master_key": "sk-12345678"}})
    body = asks(model="best", user="u1", metadata={"a": ["b"]}, tags=["x", "y"])

    posted(client, body, Authorization="Bearer sk-12345678", X_Request_Id="r1")

    (line,) = lines
    assert lasting(line) == {
        "request_id": "r1",
        "endpoint": CHAT,
        "status": 200,
        "caller": "master",
        "user": "u1",
        "model_group": "best",
        "provider": "openai",
        "model": "gpt-4o",
        "deployment": "the-one",
        "attempts": 1,
        "stream": False,
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 12,
            "cached_tokens": 0,
            "audio_prompt_tokens": 0,
            "reasoning_tokens": 0,
            "audio_completion_tokens": 0,
        },
        "cost": pytest.approx(0.0001425),
        "tags": ["x", "y"],
        "metadata": {"a": ["b"]},
    }
    assert line["time"].endswith("+00:00")
    assert 0 < line["latency_ms"] < 5000
    assert line["ttft_ms"] is None


def test_a_line_of_a_stream_is_written_at_its_end(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=usage()), pause=0.02))

    with client.post(CHAT, json=asks(stream=True)) as got:
        next(iter(got.response))
        assert lines == []
        assert list(got.response)

    (line,) = lines
    assert (line["status"], line["stream"], line["usage"]["prompt_tokens"]) == (200, True, 9)
    assert 0 < line["ttft_ms"] < line["latency_ms"] - 50
    assert {"error", "aborted", "usage_estimated"} & {*line} == set()


def test_a_line_of_a_stream_that_the_client_left_says_so(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([*chat_chunks("Hi")[:2], HANG]))

    with client.post(CHAT, json=asks(stream=True)) as got:
        next(iter(got.response))

    (line,) = lines
    assert (line["status"], line["aborted"], line["usage_estimated"]) == (200, True, True)
    assert line["cause"] == "client disconnected before the response was complete"
    assert {"error", "upstream"} & {*line} == set()


def test_a_stream_that_was_never_read_was_left_too(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([*chat_chunks("Hi")[:2], HANG]))

    environ = EnvironBuilder(CHAT, method="POST", json=asks(stream=True)).get_environ()
    unread: Any = client.application(environ, lambda status, headers, info=None: print)
    unread.close()

    assert upstream.requests[0].closed_by_peer.wait(1)
    assert [line["aborted"] for line in lines] == [True]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "endpoint"),
    [
        ("POST", CHAT, b"{", 400, "invalid_json", CHAT),
        ("POST", CHAT, b"{}", 400, "missing_required_parameter", CHAT),
        ("POST", CHAT, b'{"model":"x","messages":[{"role":"user"}]}', 404, "model_not_found", CHAT),
        ("PUT", CHAT, b"", 405, "method_not_allowed", CHAT),
        ("GET", "/v1/nothing", b"", 404, "not_found", "/v1/nothing"),
        ("GET", "/v1/models", b"", 200, None, "/v1/models"),
        (
            "POST",
            "/openai/deployments/gpt-4o/chat/completions",
            b"{",
            400,
            "invalid_json",
            "/openai/deployments/<path:model>/chat/completions",
        ),
    ],
)
def test_a_line_is_written_for_what_came_to_nothing_too(
    client: FlaskClient,
    lines: list[Any],
    method: str,
    path: str,
    body: bytes,
    status: int,
    code: str | None,
    endpoint: str,
) -> None:
    kind = "application/json"

    got = client.open(path, method=method, data=body, content_type=kind, buffered=True)

    (line,) = lines
    assert (line["status"], line.get("error_code"), line["endpoint"]) == (status, code, endpoint)
    assert line["request_id"] == got.headers["x-request-id"]
    assert (line["attempts"], line["deployment"], line["usage"], line["cost"]) == (
        (0, None, None, None)
    )


def test_a_line_tells_the_last_error(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer(error_body("It broke.", code="broken"), 500))

    posted(client, asks())

    (line,) = lines
    assert (line["status"], line["error"], line["error_code"]) == (500, "It broke.", "broken")


# Who and what for


@pytest.mark.parametrize(
    "metadata",
    ["a text", 7, True, [], {}, [1, ["x"]], {"a": {"b": [None]}}, {"langchain": ["", {}]}],
)
@pytest.mark.parametrize("name", ["metadata", "litellm_metadata"])
def test_metadata_of_any_shape_is_logged_and_stays_here(
    client: FlaskClient, upstream: Upstream, lines: list[Any], name: str, metadata: Any
) -> None:
    upstream.plays(GOOD)

    posted(client, asks(**{name: metadata}))

    assert upstream.requests[0].json == asks()
    assert [line["metadata"] for line in lines] == [metadata]


@pytest.mark.parametrize(
    ("over", "headers", "tags"),
    [
        ({}, {}, []),
        ({"tags": ["a", " b "]}, {}, ["a", "b"]),
        ({}, {"x-litellm-tags": "a, b,,c"}, ["a", "b", "c"]),
        ({"metadata": {"tags": ["a", "b"]}}, {}, ["a", "b"]),
        ({"metadata": {"tags": "a,b"}}, {}, ["a", "b"]),
        ({"litellm_metadata": {"tags": ["a"]}}, {}, ["a"]),
        ({"tags": ["a"], "metadata": {"tags": ["b"]}}, {"x-litellm-tags": "c"}, ["a", "c", "b"]),
        ({"metadata": {"tags": ["b", "c", "b"]}}, {"x-litellm-tags": "c"}, ["c", "b"]),
        ({"metadata": {"tags": "b"}, "litellm_metadata": {"tags": ["a", "b"]}}, {}, ["b", "a"]),
        ({"tags": [7], "metadata": {"tags": ["b"]}}, {}, ["b"]),
        ({"metadata": {"tags": {"a": 1}}}, {}, []),
        ({"metadata": {"tags": ["a", 7, None]}}, {}, ["a"]),
        ({"metadata": "tags"}, {}, []),
    ],
)
def test_tags_come_from_the_body_the_header_or_the_metadata(
    client: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    over: dict[str, Any],
    headers: dict[str, str],
    tags: list[str],
) -> None:
    upstream.plays(GOOD)

    posted(client, asks(**over), **headers)

    assert [line["tags"] for line in lines] == [tags]


@pytest.mark.parametrize(
    ("metadata", "litellm_metadata", "logged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "c": {"d": 4}}, {"a": 2, "c": {"e": 5}}, {"a": 1, "c": {"d": 4}}),
        ({}, {"b": 2}, {"b": 2}),
        ({"a": 1}, {}, {"a": 1}),
        ("text", {"b": 2}, {"metadata": "text", "b": 2}),
        ({"a": 1}, [2], {"a": 1, "litellm_metadata": [2]}),
        ("text", 7, {"metadata": "text", "litellm_metadata": 7}),
        (None, {"b": 2}, {"b": 2}),
        ({"a": 1}, None, {"a": 1}),
    ],
)
def test_both_metadata_are_logged(
    client: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    metadata: Any,
    litellm_metadata: Any,
    logged: Any,
) -> None:
    upstream.plays(GOOD)

    posted(client, asks(metadata=metadata, litellm_metadata=litellm_metadata))

    assert [line["metadata"] for line in lines] == [logged]
    assert "metadata" not in upstream.requests[0].json


@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    ("metadata", "header", "logged"),
    [
        (None, '{"a": 1}', {"spend_logs_metadata": {"a": 1}}),
        (None, "no json", {"spend_logs_metadata": "no json"}),
        (None, "[" * 4000, {"spend_logs_metadata": "[" * 4000}),
        ({"b": 2}, '{"a": 1}', {"b": 2, "spend_logs_metadata": {"a": 1}}),
        ("text", '{"a": 1}', {"metadata": "text", "spend_logs_metadata": {"a": 1}}),
    ],
)
def test_metadata_for_the_spend_comes_by_a_header(
    client: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    metadata: Any,
    header: str,
    logged: Any,
) -> None:
    upstream.plays(GOOD)
    body = asks() if metadata is None else asks(metadata=metadata)

    posted(client, body, x_litellm_spend_logs_metadata=header)

    assert [line["metadata"] for line in lines] == [logged]


def test_metadata_that_is_too_long_is_not_logged(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(GOOD)

    posted(client, asks(metadata="x" * 10_000))

    assert [line["metadata"] for line in lines] == ["(more than 8192 characters)"]


# Prompts


def test_prompts_are_not_logged(client: FlaskClient, upstream: Upstream, lines: list[Any]) -> None:
    upstream.plays(json_answer(chat_completion("an answer of words")))

    posted(client, asks(messages=[{"role": "user", "content": "a prompt of words"}]))

    assert "of words" not in json.dumps(lines)


def test_prompts_are_logged_if_the_operator_asks(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(GOOD)
    client = app_for(config_for(upstream) | {"llmgate_settings": {"log_prompts": True}})
    body = asks(api_key="the-clients-own", extra_headers={"X-Secret": "s3cret"})

    posted(client, body)

    assert [line["request"] for line in lines] == [asks()]


# On standard output


def test_a_real_gateway_writes_its_lines_to_standard_output(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.plays(GOOD, sse([chat_chunks("Hi")[0], HANG]))
    whole = {"x_request_id": "whole-1", "connection": "close"}

    with asked(gateway.url + CHAT, asks(), **whole) as sock:
        received_until(sock, b"_response_ms")
    with asked(gateway.url + CHAT, asks(stream=True), x_request_id="left-1") as sock:
        received_until(sock, event(chat_chunks("Hi")[0]))
    upstream.drop()

    one = gateway.log(lambda line: isinstance(line, dict) and line["request_id"] == "whole-1")
    left = gateway.log(lambda line: isinstance(line, dict) and line["request_id"] == "left-1")
    assert (one["status"], one["usage"]["prompt_tokens"]) == (200, 9)
    assert (left["status"], left["stream"]) == (200, True)


# Where a line goes


def test_a_line_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    request_log.printed('{"a": 1}')
    assert request_log.STDOUT.drain(5)

    assert capsys.readouterr().out == '{"a": 1}\n'


@pytest.mark.parametrize("closed", [True, False])
def test_a_line_that_nobody_reads_fails_nothing(
    closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stdout", gone if closed else None)

    request_log.printed("{}")
    assert request_log.STDOUT.drain(5)

    assert sys.stdout is None or sys.stdout.closed
