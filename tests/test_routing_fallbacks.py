"""Fallbacks, retries, time and tags, from end to end: docs/routing.md."""

from __future__ import annotations

import email.utils
import itertools
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
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Pause
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse

AppFor = Callable[..., FlaskClient]
GOOD = json_answer(chat_completion())


def refusal(status: int, code: str | None = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return json_answer(error_body(f"no {status}", code=code), status, named)


def groups(upstream: Upstream, *names: str, **router: Any) -> dict[str, Any]:
    """Return a configuration of groups, each at an address of its own; nothing is tried again."""
    listed = [deployment(name, f"{upstream.url}/{name}") for name in names]
    return {"model_list": listed, "router_settings": {"num_retries": 0, **router}}


def playing(upstream: Upstream, **answers: Answer) -> list[str]:
    """Make the groups answer so, others well; return the list of who was asked, as it grows."""
    asked: list[str] = []

    def played(seen: Seen) -> Answer:
        name = seen.path.split("/")[1]
        asked.append(name)
        return answers.get(name, GOOD)

    upstream.answers = played
    return asked


# -- the configuration's


@pytest.mark.parametrize(
    "router",
    [
        {"fallbacks": [{"a": ["b"]}]},
        {"fallbacks": [{"*": ["b"]}]},
        {"default_fallbacks": ["b"]},
        {"fallbacks": [{"x": ["c"]}], "default_fallbacks": ["b"]},
        {"fallbacks": [{"a": ["gone", "b"]}]},
    ],
)
@pytest.mark.parametrize("section", ["router_settings", "litellm_settings"])
def test_a_failed_group_is_stood_in_for(
    app_for: AppFor, upstream: Upstream, router: dict[str, Any], section: str
) -> None:
    asked = playing(upstream, a=refusal(503))
    config = groups(upstream, "a", "b", "c")
    config[section] = {**config.get(section, {}), **router}

    got = posted(app_for(config), asks(model="a"))

    assert got.status_code == 200
    assert asked == ["a", "b"]
    assert got.headers["x-llmgate-model-group"] == "b"
    assert got.headers["x-llmgate-attempted-fallbacks"] == "1"
    assert got.headers["x-llmgate-attempted-retries"] == "1"


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503, 529])
def test_what_another_group_may_have_right_falls_back(
    app_for: AppFor, upstream: Upstream, status: int
) -> None:
    asked = playing(upstream, a=refusal(status))

    got = posted(app_for(groups(upstream, "a", "b", fallbacks=[{"a": ["b"]}])), asks(model="a"))

    assert (got.status_code, asked) == (200, ["a", "b"])


def test_default_fallbacks_stand_in_for_a_model_that_does_not_exist(
    app_for: AppFor, upstream: Upstream
) -> None:
    asked = playing(upstream, a=refusal(503))
    client = app_for(groups(upstream, "a", "b", default_fallbacks=["gone", "a", "b"]))

    got = posted(client, asks(model="typo"))

    assert (got.status_code, asked) == (200, ["a", "b"])
    assert got.headers["x-llmgate-attempted-fallbacks"] == "2"


def test_an_unknown_model_without_default_fallbacks_is_404(
    app_for: AppFor, upstream: Upstream
) -> None:
    asked = playing(upstream)
    groups_ab = groups(upstream, "a", "b", default_fallbacks=["gone"])

    for given in (groups(upstream, "a"), groups_ab):
        got = posted(app_for(given), asks(model="typo"))
        assert (got.status_code, got.json["error"]["code"]) == (404, "model_not_found")

    own_key = posted(
        app_for(groups(upstream, "a", default_fallbacks=["a"])),
        asks(model="typo", api_key="sk-of-the-client"),
    )
    assert (own_key.status_code, asked) == (404, [])


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_client_did_wrong_does_not(
    app_for: AppFor, upstream: Upstream, status: int
) -> None:
    asked = playing(upstream, a=refusal(status))

    got = posted(app_for(groups(upstream, "a", "b", fallbacks=[{"a": ["b"]}])), asks(model="a"))

    assert (got.status_code, asked) == (status, ["a"])


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("context_length_exceeded", "long"), ("content_policy_violation", "bold"), (None, "b")],
)
def test_errors_of_a_kind_have_fallbacks_of_their_own(
    app_for: AppFor, upstream: Upstream, code: str | None, wanted: str
) -> None:
    asked = playing(upstream, a=refusal(400 if code else 500, code))
    config = groups(
        upstream,
        *("a", "b", "long", "bold"),
        fallbacks=[{"a": ["b"]}],
        context_window_fallbacks=[{"a": ["long"]}],
        content_policy_fallbacks=[{"a": ["bold"]}],
    )

    posted(app_for(config), asks(model="a"))

    assert asked == ["a", wanted]


def test_fallbacks_of_fallbacks_end(app_for: AppFor, upstream: Upstream) -> None:
    names = [f"m{at}" for at in range(9)]
    asked = playing(upstream, **dict.fromkeys(names, refusal(503)))
    chain = [{name: [following, "m0"]} for name, following in itertools.pairwise(names)]

    got = posted(app_for(groups(upstream, *names, fallbacks=chain)), asks(model="m0"))

    assert got.status_code == 503
    assert asked == names[:6]


def test_a_timeout_falls_back_unless_the_operator_declines(
    app_for: AppFor, upstream: Upstream
) -> None:
    config = groups(upstream, "a", "b", fallbacks=[{"a": ["b"]}])
    config["model_list"][0]["litellm_params"]["timeout"] = 0.2
    asked = playing(upstream, a=raw(HANG))

    declined = config | {"llmgate_settings": {"retry_unsafe": False}}
    alone = posted(app_for(declined), asks(model="a"))
    got = posted(app_for(config), asks(model="a"))

    assert failed(alone) == (504, "upstream_error", "upstream_timeout", None)
    assert got.status_code == 200
    assert asked == ["a", "a", "b"]


def test_the_clients_refusal_does_not_hide_the_upstreams(
    app_for: AppFor, upstream: Upstream
) -> None:
    config = groups(upstream, "a", fallbacks=[{"a": ["strict"]}])
    config["model_list"].append(deployment("strict", upstream.url, "perplexity/sonar"))
    playing(upstream, a=refusal(503))

    got = posted(app_for(config), asks(model="a", seed=7))

    assert failed(got)[0] == 503


# -- the client's


@pytest.mark.parametrize("wish", [["b"], [{"a": ["b"]}], [{"model": "b"}], [{"*": ["b"]}]])
def test_a_client_names_fallbacks(app_for: AppFor, upstream: Upstream, wish: Any) -> None:
    asked = playing(upstream, a=refusal(503))
    config = groups(upstream, "a", "b", "c", fallbacks=[{"a": ["c"]}])

    got = posted(app_for(config), asks(model="a", fallbacks=wish))

    assert (got.status_code, asked) == (200, ["a", "b"])
    assert "fallbacks" not in upstream.requests[-1].json


def test_a_fallback_may_have_messages_of_its_own(app_for: AppFor, upstream: Upstream) -> None:
    playing(upstream, a=refusal(503))
    messages = [{"role": "user", "content": "shorter"}]

    posted(
        app_for(groups(upstream, "a", "b")),
        asks(model="a", fallbacks=[{"model": "b", "messages": messages}]),
    )

    assert upstream.requests[1].json == {"model": "b", "messages": messages}


def test_a_fallback_that_is_no_request_is_passed_over(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(503))
    wish = [{"model": "b", "messages": "no list"}, {"model": "c", "stream": True}]

    got = posted(app_for(groups(upstream, "a", "b", "c")), asks(model="a", fallbacks=wish))

    assert (got.status_code, asked) == (200, ["a", "c"])
    assert "stream" not in upstream.requests[-1].json


def test_fallbacks_can_be_declined(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(503))
    config = groups(upstream, "a", "b", fallbacks=[{"a": ["b"]}])

    got = posted(app_for(config), asks(model="a", disable_fallbacks=True))

    assert (got.status_code, asked) == (503, ["a"])


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"fallbacks": "b"}, "fallbacks"),
        ({"fallbacks": [7]}, "fallbacks[0]"),
        ({"fallbacks": ["b"] * 6}, "fallbacks"),
        ({"fallbacks": [{"a": [7]}]}, "fallbacks[0].a"),
        ({"context_window_fallbacks": ["b"]}, "context_window_fallbacks[0]"),
        ({"num_retries": "many"}, "num_retries"),
        ({"num_retries": -1}, "num_retries"),
        ({"num_retries": True}, "num_retries"),
        ({"timeout": "nan"}, "timeout"),
        ({"timeout": [1]}, "timeout"),
        ({"stream_timeout": -0.5}, "stream_timeout"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(
    app_for: AppFor, upstream: Upstream, wish: dict[str, Any], param: str
) -> None:
    got = posted(app_for(groups(upstream, "a", "b")), asks(model="a", **wish))

    status, kind, code, place = failed(got)
    assert (status, kind, place) == (400, "invalid_request_error", param)
    assert code in ("invalid_value", "invalid_type")
    assert upstream.requests == []


# -- retries and time


def test_a_header_says_how_often_to_try_again(app_for: AppFor, upstream: Upstream) -> None:
    playing(upstream, a=refusal(503, retry_after="0"))

    got = posted(app_for(groups(upstream, "a")), asks(model="a"), x_litellm_num_retries="3")

    assert got.headers["x-llmgate-attempts"] == "4"


@pytest.mark.parametrize(
    ("policy", "status", "attempts"),
    [
        ({"RateLimitErrorRetries": 2}, 429, 3),
        ({"InternalServerErrorRetries": 0}, 503, 1),
        ({"TimeoutErrorRetries": 1}, 408, 2),
        ({"AuthenticationErrorRetries": 1}, 401, 2),
        ({"RateLimitErrorRetries": 2}, 503, 2),
    ],
)
def test_a_policy_goes_by_the_kind_of_error(
    app_for: AppFor, upstream: Upstream, policy: dict[str, int], status: int, attempts: int
) -> None:
    asked = playing(upstream, a=refusal(status, retry_after="0"))
    config = groups(upstream, "a", num_retries=1, retry_policy=policy)

    posted(app_for(config), asks(model="a"))

    assert len(asked) == attempts


@pytest.mark.parametrize("how", ["body", "header", "settings"])
def test_all_attempts_have_one_time_together(app_for: AppFor, upstream: Upstream, how: str) -> None:
    slow = raw(Pause(0.4), b"", close=True)
    config = groups(upstream, "a", "b", "c", fallbacks=[{"a": ["b", "c"]}])
    config["llmgate_settings"] = {"retry_unsafe": True}
    if how == "settings":
        config["router_settings"]["timeout"] = 0.6
        for entry in config["model_list"]:
            entry["litellm_params"]["timeout"] = 0.6
    asked = playing(upstream, a=slow, b=slow, c=slow)
    said = {"timeout": 0.6} if how == "body" else {}
    headers = {"x_litellm_timeout": "0.6"} if how == "header" else {}
    client = app_for(config)
    began = time.monotonic()

    got = posted(client, asks(model="a", **said), **headers)

    assert got.status_code in (502, 504)
    assert time.monotonic() - began < 3 * 0.4  # what each alone would take
    assert asked == ["a", "b"]


def test_a_retry_that_cannot_be_in_time_is_not_begun(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(503, retry_after="1.5"))
    client = app_for(groups(upstream, "a", num_retries=3))
    began = time.monotonic()

    got = posted(client, asks(model="a", timeout=1))

    assert got.status_code == 503
    assert (asked, time.monotonic() - began < 0.5) == (["a"], True)


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_an_answer_that_drips_ends_with_the_time(
    app_for: AppFor, upstream: Upstream, framing: Any
) -> None:
    pieces: list[Any] = []
    for _ in range(40):
        pieces += [b" ", Pause(0.1)]
    headers = {"content-length": "9999"} if framing == "length" else {}
    upstream.plays(answer([*pieces, b"{}"], framing=framing, headers=headers))
    client = app_for(groups(upstream, "a"))
    began = time.monotonic()

    got = posted(client, asks(model="a", timeout=0.5))

    assert failed(got)[2] == "upstream_timeout"
    assert 0.4 < time.monotonic() - began < 0.8


def test_a_stream_has_only_to_begin_in_time(app_for: AppFor, upstream: Upstream) -> None:
    said = chat_chunks("a", "b", "c")
    steps: list[Any] = []
    for chunk in said:
        steps += [chunk, Pause(0.15)]
    upstream.plays(sse(steps))

    got = posted(app_for(groups(upstream, "a")), asks(model="a", stream=True, timeout=0.4))

    assert chunks(got) == [*said, "[DONE]"]


def test_a_stream_may_be_silent_for_its_own_time(app_for: AppFor, upstream: Upstream) -> None:
    said = chat_chunks("a")
    upstream.plays(sse([said[0], Pause(2), *said[1:]]))
    client = app_for(groups(upstream, "a", stream_timeout=0.2))

    got = posted(client, asks(model="a", stream=True))

    assert chunks(got)[-1]["error"]["code"] == "upstream_timeout"


def in_seconds(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "requests"),
    [
        ({"retry_after": "0"}, 2),
        ({"retry_after": "0.1"}, 2),
        ({"retry_after_ms": "100"}, 2),
        ({"retry_after_ms": "100", "retry_after": "3600"}, 2),
        ({"retry_after": "+1"}, 1),
        ({"retry_after": "1e-1"}, 1),
        ({"retry_after": "3"}, 1),
        ({"retry_after": "1000000000"}, 1),
        ({"retry_after": "9" * 400}, 1),
        ({"retry_after": "-1"}, 1),
        ({"retry_after": "soon"}, 1),
        ({"retry_after": ""}, 1),
        ({"retry_after": in_seconds(3600)}, 1),
        ({"retry_after": in_seconds(-3600)}, 1),
        ({"retry_after": "Wed, 99 Foo 2026 07:28:00 GMT"}, 1),
        ({}, 1),
    ],
)
def test_retry_after_is_understood_in_every_form(
    app_for: AppFor, upstream: Upstream, headers: dict[str, str], requests: int
) -> None:
    upstream.plays(refusal(429, **headers), GOOD)

    posted(app_for(groups(upstream, "a", num_retries=1)), asks(model="a"))

    assert len(upstream.requests) == requests


@pytest.mark.parametrize("ending", [CUT, HANG])
def test_nothing_is_sent_twice_after_bytes_went_out(
    app_for: AppFor, upstream: Upstream, ending: Any
) -> None:
    said = chat_chunks("a")
    asked = playing(upstream, a=sse([said[0], ending]))
    config = groups(upstream, "a", "b", num_retries=3, fallbacks=[{"a": ["b"]}], stream_timeout=0.2)

    got = posted(app_for(config), asks(model="a", stream=True))

    assert "error" in chunks(got)[-1]
    assert asked == ["a"]


# -- tags


def tagged(upstream: Upstream, **router: Any) -> dict[str, Any]:
    tags: dict[str, list[str] | None] = {
        "free": ["free"],
        "paid": ["paid", "eu"],
        "default": ["default"],
        "plain": None,
    }
    listed = [
        deployment("m", f"{upstream.url}/{name}", "openai/m", tags=said)
        for name, said in tags.items()
    ]
    rest = {"num_retries": 0, "enable_tag_filtering": True, **router}
    return {"model_list": listed, "router_settings": rest}


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        ({"tags": ["free"]}, {}, "free"),
        ({"metadata": {"tags": ["paid"]}}, {}, "paid"),
        ({}, {"x_litellm_tags": "other, free"}, "free"),
        ({"tags": ["free"]}, {"x_litellm_tags": "paid"}, "free"),
        ({"tags": ["none"]}, {}, "default"),
        ({}, {}, "default"),
    ],
)
def test_tags_choose_the_deployment(
    app_for: AppFor, upstream: Upstream, body: Any, headers: dict[str, str], wanted: str
) -> None:
    asked = playing(upstream)

    posted(app_for(tagged(upstream)), asks(model="m", **body), **headers)

    assert asked == [wanted]


def test_all_tags_must_fit_if_the_configuration_says_so(
    app_for: AppFor, upstream: Upstream
) -> None:
    asked = playing(upstream)
    client = app_for(tagged(upstream, tag_filtering_match_any=False))

    posted(client, asks(model="m", tags=["eu", "paid"]))
    posted(client, asks(model="m", tags=["eu", "free"]))

    assert asked == ["paid", "default"]


def test_tags_that_fit_nothing_are_refused(app_for: AppFor, upstream: Upstream) -> None:
    config = groups(upstream, "a", enable_tag_filtering=True)

    got = posted(app_for(config), asks(model="a", tags=["zz"]))

    assert failed(got) == (401, "authentication_error", "tags_not_allowed", "tags")


def test_without_tag_filtering_tags_are_only_noted(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    playing(upstream)

    got = posted(app_for(groups(upstream, "a")), asks(model="a", tags=["zz"]))

    assert got.status_code == 200
    assert lines[0]["tags"] == ["zz"]


def test_tags_of_clients_can_be_refused(app_for: AppFor, upstream: Upstream) -> None:
    config = groups(upstream, "a") | {"general_settings": {"reject_clientside_metadata_tags": True}}

    got = posted(app_for(config), asks(model="a", metadata={"tags": ["zz"]}))

    assert failed(got)[::3] == (400, "tags")


# -- order, cooldowns and limits


def several(upstream: Upstream, *params: dict[str, Any], **router: Any) -> dict[str, Any]:
    listed = [
        deployment("m", f"{upstream.url}/{'abc'[at]}", "openai/m", **more)
        for at, more in enumerate(params)
    ]
    return {"model_list": listed, "router_settings": {"num_retries": 0, **router}}


def test_lower_orders_are_asked_first(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, b=refusal(500))
    client = app_for(several(upstream, {"order": 2}, {"order": 1}, {}))

    posted(client, asks(model="m"))

    assert asked == ["b", "a"]


def test_what_fails_too_often_rests(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(500))
    client = app_for(several(upstream, {"order": 1}, {"order": 2}, allowed_fails=1))

    for _ in range(4):
        assert posted(client, asks(model="m")).status_code == 200

    assert asked == ["a", "b", "a", "b", "b", "b"]


def test_a_deployment_that_asks_to_wait_is_left_alone(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(429, retry_after="60"), b=refusal(429, retry_after="90"))
    client = app_for(several(upstream, {"order": 1}, {"order": 2}))

    posted(client, asks(model="m"))
    got = posted(client, asks(model="m"))

    assert failed(got) == (429, "rate_limit_error", "no_deployment_available", None)
    assert 55 <= int(got.headers["Retry-After"]) <= 62
    assert asked == ["a", "b"]


def test_the_only_deployment_does_not_rest(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(429, retry_after="60"))
    client = app_for(several(upstream, {}, allowed_fails=0))

    for _ in range(3):
        posted(client, asks(model="m"))

    assert asked == ["a"] * 3


def test_a_clients_own_key_lets_nothing_rest(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(401), b=refusal(401))
    client = app_for(several(upstream, {"order": 1}, {"order": 2}, allowed_fails=0))

    for _ in range(3):
        posted(client, asks(model="m", api_key="sk-bad"))

    assert asked == ["a", "b"] * 3


def test_requests_in_a_minute_hold(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream)
    client = app_for(several(upstream, {"rpm": 3}, {"rpm": 2}))

    statuses = [posted(client, asks(model="m")).status_code for _ in range(7)]

    assert statuses == [200] * 5 + [429] * 2
    assert sorted(asked) == ["a", "a", "a", "b", "b"]


def test_tokens_in_a_minute_hold(app_for: AppFor, upstream: Upstream) -> None:
    playing(upstream)  # each uses 21
    client = app_for(several(upstream, {"tpm": 50}))

    statuses = [posted(client, asks(model="m", max_tokens=10)).status_code for _ in range(4)]

    assert statuses == [200, 200, 429, 429]


def test_aliases_and_their_fallbacks(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(500))
    config = groups(
        upstream, "a", "b", model_group_alias={"nick": "a"}, fallbacks=[{"nick": ["b"]}]
    )

    posted(app_for(config), asks(model="nick"))

    assert asked == ["a", "b"]


def test_an_alias_has_the_fallbacks_of_its_group(app_for: AppFor, upstream: Upstream) -> None:
    asked = playing(upstream, a=refusal(500))
    config = groups(upstream, "a", "b", model_group_alias={"nick": "a"}, fallbacks=[{"a": ["b"]}])

    posted(app_for(config), asks(model="nick"))

    assert asked == ["a", "b"]
