"""What is tried again, where, and what is not: reference/reliability.md 2.4, from end to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment
from testing.inprocess import asks
from testing.inprocess import chunks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import refused_url
from testing.upstream import sse

AppFor = Callable[..., FlaskClient]
GOOD = json_answer(chat_completion())
AT_ONCE = {"retry-after": "0"}
HTML = {"content-type": "text/html"}


def refusal(status: int, **headers: str) -> Answer:
    """Return an error of *status*; it may be tried again at once unless *headers* say more."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return json_answer(error_body(f"no {status}"), status, named or AT_ONCE)


def one(upstream: Upstream, retries: int | None = 2) -> dict[str, Any]:
    """Return a configuration of one deployment."""
    config: dict[str, Any] = {"model_list": [deployment("gpt-4o", upstream.url)]}
    return config if retries is None else config | {"router_settings": {"num_retries": retries}}


def two(upstream: Upstream, retries: int = 0, **first: Any) -> dict[str, Any]:
    """Return a configuration of two deployments, /a (asked first) and /b."""
    return {
        "model_list": [
            deployment("gpt-4o", upstream.url + "/a", **first),
            deployment("gpt-4o", upstream.url + "/b", weight=1e-12),
        ],
        "router_settings": {"num_retries": retries},
    }


def playing(upstream: Upstream, a: Answer, b: Answer = GOOD) -> list[str]:
    """Make the deployments answer so; return the list of which are asked, as it grows."""
    asked: list[str] = []

    def played(seen: Any) -> Answer:
        asked.append(seen.path[1])
        return {"a": a, "b": b}[seen.path[1]]

    upstream.answers = played
    return asked


# The same deployment


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(
    app_for: AppFor, upstream: Upstream, lines: list[Any], status: int
) -> None:
    upstream.plays(refusal(status), refusal(status), GOOD)

    got = posted(app_for(one(upstream)), asks())

    assert got.status_code == 200
    assert got.headers["x-llmgate-attempts"] == "3"
    assert [(line["status"], line["attempts"]) for line in lines] == [(200, 3)]
    assert "error" not in lines[0]
    assert len({seen.body for seen in upstream.requests}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 501])
def test_what_will_not_pass_is_not_tried_again(
    app_for: AppFor, upstream: Upstream, status: int
) -> None:
    upstream.plays(refusal(status), GOOD)

    got = posted(app_for(one(upstream)), asks())

    assert got.status_code == status
    assert len(upstream.requests) == 1


@pytest.mark.fault("U15")
@pytest.mark.parametrize(("retries", "requests"), [(None, 3), (0, 1), (1, 2), (4, 5)])
def test_it_is_tried_as_often_as_configured_and_no_more(
    app_for: AppFor, upstream: Upstream, retries: int | None, requests: int
) -> None:
    upstream.plays(refusal(503))

    got = posted(app_for(one(upstream, retries)), asks())

    assert got.status_code == 503
    assert len(upstream.requests) == requests


@pytest.mark.fault("U14")
@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "3"},
        {"retry_after": "1000000000"},
        {"retry_after_ms": "2001"},
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_is_the_clients_to_take(
    app_for: AppFor, upstream: Upstream, status: int, headers: dict[str, str]
) -> None:
    upstream.plays(refusal(status, **headers), GOOD)

    got = posted(app_for(one(upstream)), asks())

    assert got.status_code == status
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "y"},
        {"retry_after": "soon"},
        {"retry_after": "-1"},
        {"retry_after": "nan"},
        {"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"},
    ],
)
def test_too_many_requests_without_a_wait_in_seconds_are_not_tried_again(
    app_for: AppFor, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(refusal(429, **headers), GOOD)

    got = posted(app_for(one(upstream)), asks())

    assert got.status_code == 429
    assert len(upstream.requests) == 1


@pytest.mark.fault("U14")
@pytest.mark.parametrize("headers", [{"retry_after": "0.2"}, {"retry_after_ms": "200"}])
def test_a_short_wait_is_obeyed(
    app_for: AppFor, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(refusal(429, **headers), GOOD)

    got = posted(app_for(one(upstream)), asks())

    assert got.status_code == 200
    first, second = upstream.requests
    assert 0.2 <= second.at - first.at < 0.5
    assert float(got.headers["x-llmgate-overhead-ms"]) < 100


def test_without_a_word_of_the_upstream_the_wait_is_short_and_grows(
    app_for: AppFor, upstream: Upstream
) -> None:
    upstream.plays(refusal(503, x="y"), refusal(503, x="y"), GOOD)

    posted(app_for(one(upstream)), asks())

    first, second, third = [seen.at for seen in upstream.requests]
    assert 0.25 <= second - first < 0.6
    assert 0.5 <= third - second < 1.1


def test_a_refused_connection_is_tried_again(app_for: AppFor) -> None:
    config = {
        "model_list": [deployment("gpt-4o", refused_url())],
        "router_settings": {"num_retries": 1},
    }

    got = posted(app_for(config), asks())

    assert got.status_code == 503
    assert got.headers["x-llmgate-attempts"] == "2"


@pytest.mark.parametrize(
    "planned",
    [
        raw(CUT),
        answer([b"<html>"], headers=HTML),
        json_answer(b'{"a":'),
        answer([], status=302),
        answer([b"{", CUT], headers={"content-length": "9"}),
    ],
)
def test_nonsense_is_not_asked_for_again(
    app_for: AppFor, upstream: Upstream, planned: Answer
) -> None:
    upstream.plays(planned, GOOD)

    got = posted(app_for(one(upstream)), asks())

    assert got.status_code == 502
    assert len(upstream.requests) == 1


def test_a_stream_is_tried_again_before_its_first_event(
    app_for: AppFor, upstream: Upstream
) -> None:
    said = chat_chunks("Hi")
    upstream.plays(refusal(503), sse([error_body(code="503")]), sse(said))
    client = app_for(one(upstream))
    began = time.monotonic()

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*said, "[DONE]"]
    assert time.monotonic() - began < 1.5


# Another deployment


@pytest.mark.parametrize(
    "planned",
    [
        *[refusal(status) for status in (408, 409, 429, 500, 502, 503, 504, 529)],
        refusal(429, retry_after="3600"),
        raw(CUT),
        answer([b"<html>"], headers=HTML),
        answer([b"<html>"], status=502, headers=HTML),
        json_answer(b'{"a":'),
        json_answer({}),
        json_answer(error_body(code="server_error")),
        answer([], status=302),
        answer([b"{", CUT], headers={"content-length": "9"}),
    ],
)
def test_what_fails_falls_back_to_another_deployment_at_once(
    app_for: AppFor, upstream: Upstream, lines: list[Any], planned: Answer
) -> None:
    asked = playing(upstream, planned)

    got = posted(app_for(two(upstream, retries=2)), asks())

    assert got.status_code == 200
    assert asked == ["a", "b"]
    assert got.headers["x-llmgate-attempts"] == "2"
    assert [(line["status"], line["deployment"], line["attempts"]) for line in lines] == [
        (200, got.headers["x-llmgate-deployment"], 2)
    ]


@pytest.mark.parametrize(
    "planned",
    [
        sse([], done=False),
        sse([b": comment\n\n", CUT]),
        sse([error_body(code="overloaded")]),
        sse(["no JSON"]),
        answer([b"<html>"], headers=HTML),
        json_answer(error_body()),
    ],
)
def test_what_fails_before_the_first_event_falls_back(
    app_for: AppFor, upstream: Upstream, planned: Answer
) -> None:
    said = chat_chunks("Hi")
    asked = playing(upstream, planned, sse(said))

    got = posted(app_for(two(upstream)), asks(stream=True))

    assert chunks(got) == [*said, "[DONE]"]
    assert asked == ["a", "b"]


def test_what_fails_after_the_first_event_does_not_fall_back(
    app_for: AppFor, upstream: Upstream
) -> None:
    said = chat_chunks("Hi")
    asked = playing(upstream, sse([said[0], CUT]), sse(said))

    got = posted(app_for(two(upstream, retries=2)), asks(stream=True))

    first, error = chunks(got)
    assert (first, error["error"]["code"]) == (said[0], "upstream_cut_short")
    assert asked == ["a"]


def test_an_unreachable_deployment_falls_back(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(GOOD)
    config = two(upstream, api_base=refused_url())

    got = posted(app_for(config), asks())

    assert got.status_code == 200
    assert got.headers["x-llmgate-attempts"] == "2"


@pytest.mark.parametrize("status", [401, 402, 403, 404, 498, 501, 520])
def test_what_is_wrong_with_one_deployment_falls_back(
    app_for: AppFor, upstream: Upstream, status: int
) -> None:
    asked = playing(upstream, refusal(status))

    got = posted(app_for(two(upstream)), asks())

    assert (got.status_code, asked) == (200, ["a", "b"])


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_client_did_wrong_does_not_fall_back(
    app_for: AppFor, upstream: Upstream, status: int
) -> None:
    asked = playing(upstream, refusal(status))

    got = posted(app_for(two(upstream)), asks())

    assert got.status_code == status
    assert asked == ["a"]


def test_a_parameter_that_one_deployment_refuses_goes_to_the_other(
    app_for: AppFor, upstream: Upstream
) -> None:
    asked = playing(upstream, GOOD)
    config = two(upstream, model="perplexity/sonar")

    got = posted(app_for(config), asks(seed=7))

    assert got.status_code == 200
    assert asked == ["b"]


def test_a_parameter_that_all_deployments_refuse_is_the_clients_error(app_for: AppFor) -> None:
    both = [
        deployment("gpt-4o", refused_url(), "perplexity/sonar"),
        deployment("gpt-4o", refused_url(), "perplexity/sonar-pro"),
    ]

    got = posted(app_for({"model_list": both}), asks(seed=7))

    assert failed(got) == (400, "invalid_request_error", "unsupported_parameter", "seed")


def test_when_all_fail_the_last_error_is_told(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, refusal(503), refusal(500))

    got = posted(app_for(two(upstream, retries=1)), asks())

    assert failed(got) == (500, "server_error", None, None)
    assert got.get_json()["error"]["message"] == "no 500"
    assert asked == ["a", "b", "b"]
