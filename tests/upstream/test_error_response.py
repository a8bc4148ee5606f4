from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment as entry
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import Answer as Planned
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import answer as planned

from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.upstream import error_response

KEY = "canary-key-0123456789"
OWN = "canary-own-0123456789"


def cleaned(
    body: bytes, call: Call, status: int = 400, headers: dict[str, str] | None = None, **over: Any
) -> tuple[dict[str, str], bytes]:
    given = Answer(status, headers or {}, iter([body[:5], body[5:]]), lambda: None)
    got = error_response.without_secrets(given, call, Deployment("g", "p", "m", "", **over))
    return dict(got.headers), b"".join(got.pieces)


@pytest.mark.parametrize(
    ("url", "headers", "over"),
    [
        ("https://a/", {"Authorization": f"Bearer {KEY}"}, {}),
        ("https://a/", {"x-api-key": KEY}, {}),
        ("https://a/", {"X-Subscription-Key": KEY}, {}),
        (f"https://a/?alt=sse&key={KEY}", {}, {}),
        ("https://a/", {}, {"api_key": KEY}),
        ("https://a/", {}, {"settings": {"azure_ad_token": KEY}}),
    ],
)
def test_a_secret_is_removed_from_errors_and_headers(
    url: str, headers: dict[str, str], over: Any
) -> None:
    call = Call("GET", url, headers)

    shown, body = cleaned(f"no {KEY}!\xff".encode("latin-1"), call, 400, {"x-a": KEY}, **over)

    assert (shown, body) == ({"x-a": "***"}, b"no ***!\xff")


@pytest.mark.parametrize(
    ("secret", "written"),
    [
        ('a"b\\c-012', json.dumps('a"b\\c-012')[1:-1]),
        ("a+b/c=d-012", "a%2Bb%2Fc%3Dd-012"),
        ("a<b>&c-012", "a&lt;b&gt;&amp;c-012"),
        ("a b-0123456", "a b-0123456"),
    ],
)
def test_a_secret_is_removed_as_texts_write_it(secret: str, written: str) -> None:
    call = Call("GET", "https://a/", {"x-api-key": secret, "Authorization": f"Bearer {secret}"})

    assert secret.split(" ")[-1].encode() not in cleaned(f"<{written}>".encode(), call)[1]


def test_what_is_no_error_and_no_secret_stays() -> None:
    call = Call("GET", "https://a/", {"Authorization": f"Bearer {KEY}", "x-api-key": "abc"})

    assert cleaned(KEY.encode(), call, 200, {"x-a": "y"}) == ({"x-a": "y"}, KEY.encode())
    assert cleaned(b"abc", call) == ({}, b"abc")


def echoed(seen: Seen) -> Planned:
    """Return an error that repeats the request's headers, as debug pages do."""
    text = json.dumps({"error": {"message": json.dumps(seen.headers), "debug": seen.path}})
    headers = {"content-type": "application/json", "x-ratelimit-debug": str(seen.headers)}
    return planned([text.encode()], status=400, headers=headers, framing="length")


@pytest.mark.fault("F14")
@pytest.mark.parametrize(
    "path",
    ["/openai/v1/files", "/v1/files", "/own", "/gemini/v1beta/models", "/cohere/v1/connectors"],
)
def test_no_route_tells_clients_a_secret_that_the_upstream_repeats(
    app_for: Any, upstream: Upstream, path: str
) -> None:
    upstream.answers = echoed
    models = [entry("gpt-4o", upstream.url, api_key=KEY)]
    for model in ("gemini/g", "cohere/c"):
        models.append(entry(model, upstream.url, model, api_key=KEY))
    own = {"path": "/own", "target": upstream.url, "headers": {"X-Own-Token": OWN}}
    general = {"pass_through_endpoints": [own]}
    client: FlaskClient = app_for({"model_list": models, "general_settings": general})

    got = client.get(path, buffered=True)

    assert upstream.requests
    assert got.status_code == 400
    text = f"{got.data!r} {list(got.headers)}"
    assert KEY not in text
    assert OWN not in text
    assert int(got.headers.get("content-length", len(got.data))) == len(got.data)


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_tells_clients_no_secret_that_the_upstream_repeats(
    app_for: Any, upstream: Upstream, stream: bool
) -> None:
    upstream.answers = echoed
    client = app_for({"model_list": [entry("gpt-4o", upstream.url, api_key=KEY)]})

    got = posted(client, asks(stream=stream))

    assert (got.status_code, KEY in f"{got.data!r} {list(got.headers)}") == (400, False)
