"""The headers that tell what became of a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.upstream import usage

AppFor = Callable[..., FlaskClient]
GOOD = json_answer(chat_completion())


# The request's id


@pytest.mark.parametrize("given", ["r1", "65f1-c0ffee.A_b", "x" * 128])
def test_the_clients_id_comes_back(
    client: FlaskClient, upstream: Upstream, lines: list[Any], given: str
) -> None:
    upstream.plays(GOOD)

    got = posted(client, asks(), X_Request_Id=given)

    assert got.headers["x-request-id"] == given
    assert [line["request_id"] for line in lines] == [given]


@pytest.mark.fault("C18", "S23")
@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a/b", "<script>", "\xe9", 'a"b'])
def test_an_id_that_is_none_is_replaced(
    client: FlaskClient, upstream: Upstream, given: str
) -> None:
    upstream.plays(GOOD)

    got = [posted(client, asks(), X_Request_Id=given).headers["x-request-id"] for _ in range(2)]

    assert len({*got}) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in got)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/nothing", 404), ("/health", 200), ("/v1/embeddings", 405), ("/v1/models", 200)],
)
def test_every_answer_has_an_id(client: FlaskClient, path: str, status: int) -> None:
    got = client.get(path, headers={"X-Request-Id": "r1"})

    assert (got.status_code, got.headers["x-request-id"]) == (status, "r1")


def test_the_upstreams_own_id_is_not_taken_for_ours(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(json_answer(chat_completion(), headers={"x-request-id": "req_of_openai"}))

    got = posted(client, asks(), X_Request_Id="r1")

    assert got.headers.get_all("x-request-id") == ["r1"]


# Where it went


@pytest.fixture
def named(app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway with a deployment that has a name."""
    entry = deployment("best", upstream.url, "openai/gpt-4o")
    entry["model_info"] = {"id": "the-one"}
    return app_for({"model_list": [entry], "router_settings": {"num_retries": 0}})


@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_says_where_it_comes_from(
    named: FlaskClient, upstream: Upstream, stream: bool
) -> None:
    upstream.plays(sse(chat_chunks("Hi")) if stream else GOOD)

    got = posted(named, asks(model="best", stream=stream))

    told = {
        name: value
        for name, value in got.headers.items()
        if name.startswith("x-llmgate-") and not name.endswith(("-ms", "-cost"))
    }
    assert told == {
        "x-llmgate-model-group": "best",
        "x-llmgate-model": "gpt-4o",
        "x-llmgate-provider": "openai",
        "x-llmgate-deployment": "the-one",
        "x-llmgate-attempts": "1",
        "x-llmgate-attempted-retries": "0",
        "x-llmgate-attempted-fallbacks": "0",
    }


def test_a_failure_says_where_it_comes_from_too(named: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(error_body(), 500))

    got = posted(named, asks(model="best"))

    assert got.headers["x-llmgate-deployment"] == "the-one"


def test_the_times_are_told_apart(client: FlaskClient, upstream: Upstream) -> None:
    upstream.answers = lambda seen: answer_after(0.2)

    got = posted(client, asks())

    whole = float(got.headers["x-llmgate-response-ms"])
    own = float(got.headers["x-llmgate-overhead-ms"])
    assert 200 <= whole < 1000
    assert 0 <= own < 100
    assert got.get_json()["_response_ms"] <= whole


def answer_after(seconds: float) -> Any:
    """Return a good answer that takes so long."""
    return raw(Pause(seconds), *GOOD.steps, close=False)


@pytest.mark.fault("C18", "S23")
def test_a_name_that_no_header_carries_is_shown_with_marks(
    app_for: AppFor, upstream: Upstream
) -> None:
    upstream.plays(GOOD)
    client = app_for({"model_list": [deployment("Größe\u20ac", upstream.url, "openai/gpt-4o")]})

    got = posted(client, asks(model="Größe\u20ac"))

    assert got.headers["x-llmgate-model-group"] == "Gr??e?"


def test_limits_of_the_upstream_are_shown_and_nothing_else(
    client: FlaskClient, upstream: Upstream
) -> None:
    limits = {"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-requests": "12ms"}
    other = {"set-cookie": "a=b", "server": "x", "openai-organization": "org-1", "x-any": "1"}
    timing = {"openai-processing-ms": "7", "openai-version": "2020-10-01"}
    broken = {"x-ratelimit-limit-tokens": "1\x00"}
    upstream.plays(json_answer(chat_completion(), headers={**limits, **other, **timing, **broken}))

    got = posted(client, asks())

    ours = ("x-llmgate-", "x-request-id", "Content-")
    assert {name: value for name, value in got.headers.items() if not name.startswith(ours)} == {
        **limits,
        **timing,
    }


# What it cost


@pytest.mark.parametrize(
    ("used", "cost"),
    [
        (usage(1000, 1000), "0.0125"),
        (usage(1000, 1000, cached=800), "0.0115"),
        (usage(1, 0), "0.0000025"),
        (usage(1_000_000, 0), "2.5"),
        (usage(0, 0), "0"),
    ],
)
def test_the_cost_of_a_known_model_is_told(
    client: FlaskClient, upstream: Upstream, lines: list[Any], used: Any, cost: str
) -> None:
    upstream.plays(json_answer(chat_completion(usage=used)))

    got = posted(client, asks())

    assert got.headers["x-llmgate-cost"] == cost
    assert [line["cost"] for line in lines] == [pytest.approx(float(cost))]


@pytest.mark.parametrize("used", [None, {}, [], "many"])
def test_without_usage_no_cost_is_told(
    client: FlaskClient, upstream: Upstream, lines: list[Any], used: Any
) -> None:
    upstream.plays(json_answer(chat_completion(usage=used)))

    got = posted(client, asks())

    assert "x-llmgate-cost" not in got.headers
    assert [line["cost"] for line in lines] == [None]


@pytest.mark.parametrize("reported", ["my-own-model", None])
def test_the_cost_of_an_unknown_model_is_not_told(
    app_for: AppFor, upstream: Upstream, lines: list[Any], reported: str | None
) -> None:
    upstream.plays(json_answer(chat_completion(model=reported)))
    client = app_for({"model_list": [deployment("own", upstream.url, "custom_openai/own")]})

    got = posted(client, asks(model="own"))

    assert "x-llmgate-cost" not in got.headers
    (line,) = lines
    assert (line["cost"], line["usage"]["prompt_tokens"]) == (None, 9)


def test_the_operators_own_prices_are_charged(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(GOOD)
    prices = {"input_cost_per_token": 0.5, "output_cost_per_token": 0.25}
    client = app_for({"model_list": [deployment("own", upstream.url, "openai/own", **prices)]})

    got = posted(client, asks(model="own"))

    assert got.headers["x-llmgate-cost"] == "7.5"


def test_a_price_of_nothing_is_told(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(GOOD)
    prices = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    client = app_for({"model_list": [deployment("own", upstream.url, "openai/own", **prices)]})

    assert posted(client, asks(model="own")).headers["x-llmgate-cost"] == "0"


def test_a_failure_costs_nothing_that_is_told(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer({**error_body(), "usage": usage()}, 400))

    assert "x-llmgate-cost" not in posted(client, asks()).headers


def test_the_cost_of_a_stream_is_in_the_log(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=usage(1000, 1000))))

    got = posted(client, asks(stream=True))

    assert "x-llmgate-cost" not in got.headers
    assert [line["cost"] for line in lines] == [pytest.approx(0.0125)]


# Streams


def test_a_stream_is_not_to_be_kept_or_buffered(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse(chat_chunks("Hi")))

    got = posted(client, asks(stream=True))

    assert got.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert got.headers["Cache-Control"] == "no-cache, no-transform"
    assert got.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in got.headers


def test_a_file_has_its_own_type_and_no_more(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(answer([b"ID3"], headers={"content-type": "audio/mpeg", "x-any": "1"}))

    got = posted(client, {"model": "tts-1", "input": "Hi", "voice": "a"}, "/v1/audio/speech")

    assert got.headers["Content-Type"] == "audio/mpeg"
    assert "x-any" not in got.headers
