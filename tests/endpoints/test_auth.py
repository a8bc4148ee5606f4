"""Who may ask: keys of ours, in whichever header, on every path that is not open to all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

AppFor = Callable[..., FlaskClient]
KEY = "sk-master-0123456789"
SCOPE = "20250101/us-east-1/bedrock/aws4_request"
MISSING = (401, "authentication_error", "missing_api_key", None)
WRONG = (401, "authentication_error", "invalid_api_key", None)


@pytest.fixture
def locked(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway with a master key."""
    upstream.plays(json_answer(chat_completion()))
    return shared_app_for(config_for(upstream) | {"general_settings": {"master_key": KEY}})


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"Authorization": f"Bearer   {KEY} "},
        {"api-key": KEY},
        {"x-api-key": KEY},
        {"x-goog-api-key": KEY},
        {"Authorization": "Basic dTpw", "api-key": KEY},
        {"Authorization": "Bearer of another layer", "api-key": KEY},
        {"x-litellm-api-key": KEY},
        {"x-litellm-api-key": f"Bearer {KEY}"},
        {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=a, ..."},
        {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/{SCOPE}", "x-api-key": KEY},
    ],
)
def test_the_key_is_taken_from_every_header_that_clients_use(
    locked: FlaskClient, upstream: Upstream, lines: list[Any], headers: dict[str, str]
) -> None:
    got = posted(locked, asks(), **headers)

    assert got.status_code == 200
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-upstream-secret"
    assert [line["caller"] for line in lines] == ["master"]


@pytest.mark.fault("S12")
@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, MISSING),
        ({"Authorization": ""}, MISSING),
        ({"Authorization": "Bearer"}, MISSING),
        ({"Authorization": "Bearer "}, MISSING),
        ({"Authorization": KEY}, MISSING),
        ({"Authorization": f"Basic {KEY}"}, MISSING),
        ({"api-key": ""}, MISSING),
        ({"Cookie": f"api-key={KEY}"}, MISSING),
        ({"Authorization": "Bearer sk-wrong"}, WRONG),
        ({"Authorization": f"Bearer {KEY}x"}, WRONG),
        ({"Authorization": f"Bearer {KEY[:-1]}"}, WRONG),
        ({"Authorization": f"Bearer {KEY.upper()}"}, WRONG),
        ({"Authorization": f"Bearer {KEY} {KEY}"}, WRONG),
        ({"Authorization": "Bearer \xe9\xff"}, WRONG),
        ({"Authorization": "Bearer wrong", "api-key": "sk-wrong"}, WRONG),
        ({"x-api-key": "wrong"}, WRONG),
        ({"Authorization": f"AWS4-HMAC-SHA256 Credential=wrong/{SCOPE}"}, WRONG),
        ({"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}"}, MISSING),
    ],
)
def test_without_the_key_nothing_is_done(
    locked: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    headers: dict[str, str],
    wanted: tuple[Any, ...],
) -> None:
    got = posted(locked, asks(), **headers)

    assert failed(got) == wanted
    assert upstream.requests == []
    assert [(line["status"], line["caller"], line["error_code"]) for line in lines] == [
        (401, None, wanted[2])
    ]


@pytest.mark.fault("S13")
def test_a_key_in_the_query_is_none(locked: FlaskClient) -> None:
    assert failed(posted(locked, asks(), f"{CHAT}?key={KEY}&api-key={KEY}")) == MISSING


def test_the_key_comes_from_the_environment_too(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    client = app_for(config_for(upstream), LLMGATE_MASTER_KEY=KEY)

    got = [posted(client, asks(), **{"api-key": key}).status_code for key in (KEY, "x")]

    assert got == [200, 401]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer anything"}])
def test_where_no_key_is_set_any_will_do(
    client: FlaskClient, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(json_answer(chat_completion()))

    got = posted(client, asks(), **headers)

    assert got.status_code == 200
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-upstream-secret"


# Which views are open


@pytest.mark.fault("S1")
def test_every_view_says_who_may_ask(client: FlaskClient) -> None:
    views = client.application.view_functions

    said = {
        name: getattr(views[name], "auth", None)
        for name in {rule.endpoint for rule in client.application.url_map.iter_rules()}
    }

    pages = {name for name in said if name.startswith("dashboard.")}
    assert {said[name] for name in pages} <= {"login", "metered_login"}
    assert [n for n, auth in said.items() if auth not in ("key", "public") and n not in pages] == []
    assert {name for name, auth in said.items() if auth == "public"} == {
        "engine.health",
        "health.health",
        "health.liveness",
        "health.readiness",
        "health.root",
        "ollama_models.version",
    }


@pytest.mark.fault("S1")
def test_no_path_answers_without_the_key_but_the_open_ones(
    locked: FlaskClient, upstream: Upstream
) -> None:
    views = locked.application.view_functions
    got = {}
    for rule in locked.application.url_map.iter_rules():
        if rule.rule.startswith("/ui"):  # tests/dashboard
            continue
        path = rule.rule.replace("<path:model>", "gpt-4o")
        for method in rule.methods or ():
            auth = getattr(views[rule.endpoint], "auth", None)
            answer = locked.open(path, method=method)
            if method != "OPTIONS" and (auth != "public" or method not in ("GET", "HEAD")):
                got[method, path] = answer.status_code

    assert {key for key, status in got.items() if status != 401} == set()
    assert len(got) > 100
    assert upstream.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1/nothing",
        "/v1/chat/completions/x",
        "/V1/CHAT/COMPLETIONS",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/./chat/completions",
        "/health/../v1/chat/completions",
        "/health/..%2fv1/chat/completions",
        "/health;/v1/chat/completions",
        "/%76%31/chat/completions",
        "/static/x",
        "/favicon.ico",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PROPFIND"])
def test_what_is_not_there_is_not_told_to_strangers(
    locked: FlaskClient, upstream: Upstream, path: str, method: str
) -> None:
    got = locked.open(path, method=method)

    assert failed(got) == MISSING
    assert upstream.requests == []


@pytest.mark.fault("S11")
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/health", "/nothing", "/v1//models"])
def test_a_preflight_needs_no_key_and_tells_nothing(
    locked: FlaskClient, upstream: Upstream, path: str
) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}

    got = locked.options(path, headers=asked)

    assert (got.status_code, got.data) == (204, b"")
    assert {name for name, _ in got.headers} == {"Content-Type", "x-request-id"}
    assert upstream.requests == []


@pytest.mark.fault("S1")
def test_a_header_does_not_move_the_path(locked: FlaskClient) -> None:
    headers = {"Script-Name": "/health", "X-Forwarded-Prefix": "/health", "Host": "health"}
    headers |= {"X-Original-Url": "/health", "X-Rewrite-Url": "/health"}

    assert failed(posted(locked, asks(), CHAT, **headers)) == MISSING


# Who the log names


def test_every_line_of_a_request_with_the_key_names_its_caller(
    locked: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    paths = [rule.rule for rule in locked.application.url_map.iter_rules()] + ["/nothing"]
    headers = {"Authorization": f"Bearer {KEY}", "X-Forwarded-For": "1.2.3.4"}

    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
            asked = path.replace("<path:model>", "gpt-4o")
            with locked.open(asked, method=method, headers=headers) as answer:
                answer.get_data()

    assert len(lines) > 300
    assert [line for line in lines if line["caller"] != "master"] == []
    assert KEY not in str(lines)


@pytest.mark.parametrize("key", ["", "wrong"])
def test_an_open_view_names_no_caller_that_is_none(
    locked: FlaskClient, lines: list[Any], key: str
) -> None:
    locked.post("/health", headers={"x-api-key": key}, buffered=True)
    locked.application.extensions["llmgate.admission"]._worker = Ended()
    locked.get("/health/readiness", headers={"x-api-key": key}, buffered=True)
    locked.get("/health/readiness", headers={"x-api-key": KEY}, buffered=True)
    locked.application.extensions["llmgate.admission"]._worker = None

    assert [(line["status"], line["caller"]) for line in lines] == [
        (401, None),
        (503, None),
        (503, "master"),
    ]


def test_what_there_is_no_room_for_names_its_caller_too(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    client = app_for(config_for(upstream) | {"general_settings": {"master_key": KEY}})
    client.application.extensions["llmgate.admission"]._limit = 1
    client.application.extensions["llmgate.admission"].acquire("another")

    got = posted(client, asks(), **{"api-key": KEY})

    assert failed(got) == (503, "server_error", "overloaded", None)
    assert [line["caller"] for line in lines] == ["master"]


class Ended:
    """A worker that was told to end."""

    alive = False
