"""Providers' own APIs below their prefixes: bytes as they are, keys swapped, paths kept in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from flask.testing import FlaskClient
from testing.upstream import CUT
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import json_answer
from testing.upstream import refused_url

from llmgate.providers import vertex_login

AppFor = Callable[..., FlaskClient]
KEY = "sk-master-0123456789"
MASTER = {"general_settings": {"master_key": KEY}}
BEARER = {"Authorization": f"Bearer {KEY}"}
AWS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "aws-secret"}


def entry(model: str, url: str, **params: Any) -> dict[str, Any]:
    """Return an entry of model_list."""
    own = {"model": model, "api_base": url, "api_key": f"{model.split('/')[0]}-secret"}
    own = {name: value for name, value in (own | params).items() if value is not None}
    return {"model_name": model, "litellm_params": own}


def config_of(url: str) -> dict[str, Any]:
    """Return a configuration that has every provider with a prefix at *url*."""
    listed = [
        entry("openai/gpt-4o", f"{url}/v1", organization="org-ours"),
        entry("azure/gpt-eu", url, api_version="2024-10-21"),
        entry("anthropic/claude-sonnet-4-5", url),
        entry("gemini/gemini-2.5-flash", f"{url}/v1beta"),
        entry("vertex_ai/gemini-2.5-pro", f"{url}/v1", vertex_project="ours"),
        entry("bedrock/anthropic.claude-v2", url, api_key=None, **AWS, aws_region_name="eu-west-1"),
        entry("cohere/command-r", url),
        entry("mistral/mistral-small", f"{url}/v1"),
        entry("hosted_vllm/llama", f"{url}/v1"),
    ]
    return {"model_list": listed, "router_settings": {"disable_cooldowns": True}, **MASTER}


@pytest.fixture
def native(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway with a key, which has every provider at `upstream`."""
    upstream.plays(json_answer({"ok": True}))
    return shared_app_for(config_of(upstream.url))


def asked(client: FlaskClient, path: str, method: str = "GET", **over: Any) -> Any:
    """Return the answer to a request with the key, read to its end."""
    headers = BEARER | over.pop("headers", {})
    return client.open(path, method=method, headers=headers, buffered=True, **over)


# Where it goes


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/openai/v1/files/file-1/x", "/v1/files/file-1/x"),
        ("/openai/v1/new/thing?after=a&limit=2", "/v1/new/thing?after=a&limit=2"),
        ("/openai/new/thing", "/v1/new/thing"),
        ("/azure/openai/deployments/d/new?api-version=2025-01-01", None),
        ("/azure/openai/v1/new", "/openai/v1/new"),
        ("/anthropic/v1/messages/batches", "/v1/messages/batches"),
        ("/anthropic/v1/models?limit=1", "/v1/models?limit=1"),
        ("/anthropic/models", "/v1/models"),
        ("/gemini/v1beta/models", "/v1beta/models"),
        ("/gemini/v1/models/gemini-2.5-flash:countTokens", None),
        ("/gemini/v1alpha/auth_tokens", "/v1alpha/auth_tokens"),
        ("/gemini/upload/v1beta/files", "/upload/v1beta/files"),
        ("/gemini/models", "/v1beta/models"),
        ("/vertex_ai/v1/projects/ours/locations/us-east5/endpoints/1:predict", None),
        ("/vertex-ai/v1beta1/projects/ours/locations/eu/endpoints/1:predict", None),
        (
            "/vertex_ai/v1/publishers/google/models/gemini-2.5-pro:generateContent",
            "/v1/projects/ours/locations/us-central1/publishers/google/models/"
            "gemini-2.5-pro:generateContent",
        ),
        ("/bedrock/model/anthropic.claude-v2/invoke", "/model/anthropic.claude-v2/invoke"),
        (
            "/bedrock/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse",
            "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse",
        ),
        (
            "/bedrock/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123%3Ainference-profile%2Feu.a.b/converse",
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123%3Ainference-profile%2Feu.a.b/converse",
        ),
        ("/cohere/v1/connectors", "/v1/connectors"),
        ("/cohere/v2/chat", "/v2/chat"),
        ("/mistral/v1/ocr", "/v1/ocr"),
        ("/mistral/agents/completions", "/v1/agents/completions"),
        ("/vllm/v1/score", "/v1/score"),
        ("/vllm/tokenize", "/tokenize"),
    ],
)
def test_a_path_below_a_prefix_is_one_of_the_providers(
    native: FlaskClient, upstream: Upstream, path: str, wanted: str | None
) -> None:
    got = asked(native, path)

    prefix = path.split("/")[1]
    assert (got.status_code, got.json) == (200, {"ok": True})
    assert [seen.path for seen in upstream.requests] == [wanted or path.removeprefix(f"/{prefix}")]


@pytest.mark.fault("C19", "C20")
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        # what leads out of the prefix, written in every way
        ("/openai/v1/../admin", 400),
        ("/openai/v1/..", 400),
        ("/openai/v1/./files/x", 400),
        ("/openai/v1/%2e%2e/admin", 400),
        ("/openai/v1/%2E%2e/admin", 400),
        ("/openai/v1/.%2e/admin", 400),
        ("/openai/v1/%252e%252e/admin", 400),
        ("/openai/v1/..%2fadmin", 400),
        ("/openai/v1/x%2f..%2f..%2fadmin", 400),
        ("/openai/v1/..%5cadmin", 400),
        ("/openai/v1/..\\admin", 400),
        ("/openai/v1/x%5c..%5cadmin", 400),
        ("/openai/v1/..;/admin", 400),
        ("/openai/v1/x;y=1/admin", 400),
        ("/openai/v1/.../admin", 400),
        # another host
        ("/openai/https://evil.example/v1", "/v1/https:/evil.example/v1"),
        ("/openai//evil.example/v1", "/v1/evil.example/v1"),
        ("/openai/%2f%2fevil.example/v1", "/v1/evil.example/v1"),
        ("/openai/@evil.example/v1", "/v1/@evil.example/v1"),
        ("/openai/v1/:80@evil.example", "/v1/:80@evil.example"),
        ("/openai/%5c%5cevil.example", 400),
        # what ends a path, or a line
        ("/openai/v1/x%3fkey=1", 400),
        ("/openai/v1/x%23y", 400),
        ("/openai/v1/x%0d%0aHost:%20evil", 404),
        ("/openai/v1/x%00", 400),
        ("/openai/v1/x%09y", 400),
        ("/openai/v1/x%20y", 400),
        ("/openai/v1/x%7fy", 400),
        # what is read one way here and another there
        ("/openai/v1/%c0%ae%c0%ae/admin", 400),
        ("/openai/v1/\u2025/admin", 400),
        ("/openai/v1/%ef%bc%8e%ef%bc%8e/admin", 400),
        ("/openai/v1/%ff", 400),
        ("/openai/v1/%25%32%65", 400),
        ("/openai/v1/x%22y", 400),
        ("/openai/v1/x%3cy", 400),
        ("/openai/v1/" + "x" * 3000, 400),
        # slashes more than there need be
        ("/openai///v1///x//y/", "/v1/x/y"),
        ("//openai/v1/x/y", "/v1/x/y"),
        # escapes that mean nothing
        ("/openai/v1/%78/%7ey", "/v1/x/~y"),
        # what a location or a project becomes part of
        ("/vertex_ai/v1/projects/theirs/locations/eu/endpoints/1:predict", 403),
        ("/vertex_ai/v1/projects/ours/locations/evil.example/endpoints/1:predict", 400),
        ("/vertex_ai/v1/projects/ours/locations/eu:80/endpoints/1:predict", 400),
        # the query
        ("/openai/v1/x?a=%0d%0aHost:%20evil", "/v1/x?a=%0d%0aHost:%20evil"),
        ("/openai/v1/x?a=/../..", "/v1/x?a=/../.."),
        ("/openai/v1/x?key=a&k%65y=b&KEY=c&b=1", "/v1/x?b=1"),
        ("/openai/v1/x?b=%ff&c=\u00e9", "/v1/x?b=%ff&c=%C3%A9"),
    ],
)
def test_a_path_reaches_nothing_but_what_is_below_the_providers_address(
    native: FlaskClient, upstream: Upstream, path: str, wanted: str | int
) -> None:
    # given a path as it is on the line, which the client's own library would tidy up
    raw, _, query = path.partition("?")
    decoded = unquote_to_bytes(raw.encode()).decode("latin-1")
    environ = {"PATH_INFO": decoded, "QUERY_STRING": query.encode().decode("latin-1")}

    got = native.open("/", headers=BEARER, environ_overrides=environ, buffered=True)

    seen = [seen.path for seen in upstream.requests]
    if isinstance(wanted, int):
        assert (got.status_code, seen) == (wanted, [])
    else:
        assert seen == [wanted]


@pytest.mark.parametrize("script", ["/anthropic", "/openai/v1/..", "//evil.example"])
def test_a_script_name_moves_nothing(native: FlaskClient, upstream: Upstream, script: str) -> None:
    asked(native, "/openai/v1/x", environ_overrides={"SCRIPT_NAME": script})

    assert [seen.path for seen in upstream.requests] == ["/v1/x"]


# Keys


@pytest.mark.parametrize(
    ("path", "header", "wanted"),
    [
        ("/openai/v1/x", "authorization", "Bearer openai-secret"),
        ("/azure/openai/x", "api-key", "azure-secret"),
        ("/anthropic/v1/x", "x-api-key", "anthropic-secret"),
        ("/gemini/v1beta/x", "x-goog-api-key", "gemini-secret"),
        ("/vertex_ai/v1/x", "authorization", "Bearer vertex_ai-secret"),
        ("/cohere/v1/x", "authorization", "Bearer cohere-secret"),
        ("/mistral/v1/x", "authorization", "Bearer mistral-secret"),
        ("/vllm/x", "authorization", "Bearer hosted_vllm-secret"),
    ],
)
@pytest.mark.parametrize("shown", ["Authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_the_clients_key_is_swapped_for_the_providers(
    native: FlaskClient, upstream: Upstream, path: str, header: str, wanted: str, shown: str
) -> None:
    key = f"Bearer {KEY}" if shown == "Authorization" else KEY

    got = native.get(path, headers={shown: key}, buffered=True)

    assert got.status_code == 200
    (seen,) = upstream.requests
    keys = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
    assert {name: seen.headers[name] for name in keys if name in seen.headers} == {header: wanted}
    assert KEY not in str(seen.headers)


def test_a_request_to_bedrock_is_signed_again(native: FlaskClient, upstream: Upstream) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=theirs/20250101/us-east-1/bedrock/aws4_request"
    theirs = {
        "X-Amz-Date": "20250101T000000Z",
        "X-Amz-Security-Token": "theirs",
        "X-Amzn-Bedrock-Trace": "ENABLED",
        "Authorization": signed,
        "x-api-key": KEY,
    }

    got = native.post("/bedrock/model/m/converse", json={"a": 1}, headers=theirs, buffered=True)

    (seen,) = upstream.requests
    assert (got.status_code, seen.body) == (200, b'{"a": 1}')
    assert seen.headers["x-amzn-bedrock-trace"] == "ENABLED"
    assert "Credential=AKIAIOSFODNN7EXAMPLE/" in seen.headers["authorization"]
    assert "/eu-west-1/bedrock/aws4_request" in seen.headers["authorization"]
    assert "theirs" not in str(seen.headers)


@pytest.mark.parametrize("prefix", ["openai", "anthropic", "gemini", "vertex-ai", "bedrock"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_key_nothing_is_passed_on(
    native: FlaskClient, upstream: Upstream, prefix: str, headers: dict[str, str]
) -> None:
    got = native.get(f"/{prefix}/v1/x", headers=headers, buffered=True)

    assert (got.status_code, upstream.requests) == (401, [])


@pytest.mark.fault("S7")
def test_headers_go_upstream_by_a_list(native: FlaskClient, upstream: Upstream) -> None:
    passed = {
        "accept": "application/json",
        "anthropic-beta": "files-api-2025-04-14",
        "anthropic-version": "2023-01-01",
        "idempotency-key": "i-1",
        "openai-beta": "assistants=v2",
        "x-goog-upload-protocol": "resumable",
    }
    kept = {
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=1.2.3.4",
        "X-Real-Ip": "1.2.3.4",
        "X-Llmgate-Heartbeat": "off",
        "X-Goog-User-Project": "theirs",
        "X-Amz-Target": "x",
        "Proxy-Authorization": "Basic x",
        "Referer": "http://x",
        "Origin": "http://x",
    }

    asked(native, "/anthropic/v1/x", headers=passed | kept)

    (seen,) = upstream.requests
    assert {name: seen.headers.get(name) for name in passed} == passed
    assert {name.lower() for name in kept} & seen.headers.keys() == set()


def test_the_operators_organization_goes_before_the_clients(
    native: FlaskClient, upstream: Upstream
) -> None:
    asked(native, "/openai/v1/x", headers={"openai-organization": "org-theirs"})

    assert upstream.requests[0].headers["openai-organization"] == "org-ours"


# What goes and comes


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_a_method_stays_what_it_is(native: FlaskClient, upstream: Upstream, method: str) -> None:
    if method == "HEAD":
        upstream.plays(answer([], headers={"content-length": "7"}))

    got = asked(native, "/mistral/v1/x", method)

    assert got.status_code == 200
    assert [seen.method for seen in upstream.requests] == [method]


@pytest.mark.parametrize("size", [0, 1, 300_000, 3_000_000])
def test_a_body_goes_as_it_is(native: FlaskClient, upstream: Upstream, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]

    got = asked(native, "/cohere/v1/x", "POST", data=data, content_type="multipart/x; boundary=b")

    (seen,) = upstream.requests
    assert (got.status_code, seen.body) == (200, data)
    assert seen.headers["content-type"] == "multipart/x; boundary=b"


def test_json_is_not_written_anew(native: FlaskClient, upstream: Upstream) -> None:
    data = b'{ "model":"x", "a":1.0,"b":"\\u00e9", "a":2}'

    asked(native, "/anthropic/v1/x", "POST", data=data, content_type="application/json")

    assert upstream.requests[0].body == data


def test_a_broken_body_is_for_the_provider_to_judge(
    native: FlaskClient, upstream: Upstream
) -> None:
    got = asked(native, "/openai/v1/x", "POST", data=b"{", content_type="application/json")

    assert (got.status_code, upstream.requests[0].body) == (200, b"{")


def test_a_body_that_is_too_large_is_refused(app_for: AppFor, upstream: Upstream) -> None:
    limits = {"llmgate_settings": {"max_body_mb": 0.001, "max_upload_mb": 0.002}}
    client = app_for(config_of(upstream.url) | limits)

    got = [
        asked(client, "/openai/v1/x", "POST", data=b"x" * size, content_type=kind).status_code
        for size, kind in (
            (1049, "application/json"),
            (1049, "audio/mpeg"),
            (2098, "audio/mpeg"),
        )
    ]

    assert got == [413, 500, 413]  # the second came to the upstream, which plans nothing


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'),
        (401, b'{"error":{"message":"bad key"}}'),
        (404, b"<html>not here</html>"),
        (429, b'{"message": "slow down"}'),
        (500, b""),
        (529, b'{"type":"error","error":{"type":"overloaded_error","message":"later"}}'),
    ],
)
def test_errors_of_the_provider_are_untouched(
    native: FlaskClient, upstream: Upstream, lines: list[Any], status: int, body: bytes
) -> None:
    headers = {"content-type": "application/x-own", "retry-after": "7", "request-id": "req_1"}
    upstream.plays(answer([body] if body else [], status=status, headers=headers))

    got = asked(native, "/anthropic/v1/x")

    assert (got.status_code, got.data) == (status, body)
    assert got.content_type == "application/x-own"
    assert (got.headers["retry-after"], got.headers["request-id"]) == ("7", "req_1")
    assert len(upstream.requests) == 1  # the client tries again, as it likes
    assert [line["status"] for line in lines] == [status]
    assert lines[0]["error"]


def test_an_upstream_that_is_not_there_is_told_in_the_clients_words(
    app_for: AppFor, upstream: Upstream
) -> None:
    client = app_for(config_of(refused_url()) | {"litellm_settings": {"num_retries": 0}})

    got = {p: asked(client, f"/{p}/v1/x") for p in ("openai", "anthropic", "gemini", "bedrock")}

    assert {p: one.status_code for p, one in got.items()} == dict.fromkeys(got, 503)
    assert got["openai"].json["error"]["code"] == "upstream_unavailable"
    assert got["anthropic"].json["type"] == "error"
    assert got["gemini"].json["error"]["status"] == "UNAVAILABLE"
    assert list(got["bedrock"].json) == ["message"]


@pytest.mark.parametrize("status", [301, 302, 307, 304])
def test_a_redirect_is_not_followed(native: FlaskClient, upstream: Upstream, status: int) -> None:
    upstream.plays(answer([], status=status, headers={"location": "http://127.0.0.1:1/"}))

    got = asked(native, "/openai/v1/x")

    assert got.status_code == 502
    assert "location" not in got.headers


@pytest.mark.fault("S7")
def test_headers_come_back_by_a_list(native: FlaskClient, upstream: Upstream) -> None:
    shown = {
        "content-type": "audio/mpeg",
        "content-disposition": 'attachment; filename="a.mp3"',
        "anthropic-ratelimit-requests-remaining": "7",
        "x-amzn-requestid": "r-1",
        "x-goog-upload-status": "active",
    }
    kept = {"set-cookie": "a=b", "server": "x", "x-internal": "y", "openai-organization": "org-o"}
    upstream.plays(answer([b"abc"], headers=shown | kept))

    got = asked(native, "/openai/v1/x")

    assert got.data == b"abc"
    assert {name: got.headers.get(name) for name in shown} == shown
    assert got.headers["content-length"] == "3"
    assert {*kept} & {name.lower() for name in dict(got.headers)} == set()
    assert got.headers["x-llmgate-provider"] == "openai"


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        ("text/event-stream", [b"event: a\ndata: 1\n\nda", b"ta: 2\r\n\r\n", b"data: no end"]),
        ("application/vnd.amazon.eventstream", [b"\x00\x00", b"\x01\xff", b"\n\n\x00"]),
        ("application/x-ndjson", [b'{"a":', b"1}\n{", b"}\n"]),
        ("application/json", [b"[{", b"}", b"]"]),
        ("audio/mpeg", [bytes(range(256))] * 3),
    ],
)
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_a_stream_comes_as_it_is(
    native: FlaskClient, upstream: Upstream, kind: str, pieces: list[bytes], framing: Any
) -> None:
    upstream.plays(answer(pieces, headers={"content-type": kind}, framing=framing))

    got = asked(native, "/cohere/v2/x", "POST", json={"stream": True})

    assert (got.status_code, got.data, got.content_type) == (200, b"".join(pieces), kind)


def test_what_is_cut_short_does_not_look_whole(native: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(answer([b"abc", CUT], headers={"content-type": "audio/mpeg"}, framing="chunked"))

    with pytest.raises(ConnectionResetError):
        asked(native, "/cohere/v2/x")


# Switches


@pytest.mark.parametrize(
    ("off", "wanted"),
    [
        (True, [404, 404, 404]),
        (["openai"], [404, 200, 200]),
        (["vertex_ai", "bedrock"], [200, 200, 404]),
        ([], [200, 200, 200]),
        (False, [200, 200, 200]),
    ],
)
def test_a_prefix_can_be_switched_off(
    app_for: AppFor, upstream: Upstream, off: Any, wanted: list[int]
) -> None:
    upstream.plays(json_answer({}))
    general = {"general_settings": {"disable_pass_through": off, "master_key": KEY}}
    client = app_for(config_of(upstream.url) | general)

    paths = ("/openai/v1/x", "/anthropic/v1/x", "/vertex-ai/v1/x")
    got = [asked(client, path).status_code for path in paths]

    assert got == wanted


def test_a_provider_that_is_not_configured_is_named(app_for: AppFor) -> None:
    client = app_for({"model_list": [entry("openai/gpt-4o", "http://127.0.0.1:1/v1")]})

    got = client.get("/mistral/v1/x", buffered=True)

    assert (got.status_code, got.json["error"]["code"]) == (404, "provider_not_configured")
    assert "MISTRAL_API_KEY" in got.json["error"]["message"]


def test_the_environment_serves_beside_a_configuration(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(json_answer({}))
    one = {"model_list": [entry("openai/gpt-4o", "http://127.0.0.1:1/v1")]}
    client = app_for(one, ANTHROPIC_API_KEY="sk-env", ANTHROPIC_API_BASE=upstream.url)

    got = client.get("/anthropic/v1/models", buffered=True)

    assert got.status_code == 200
    assert upstream.requests[0].headers["x-api-key"] == "sk-env"


def test_the_deployment_that_serves_the_model_is_asked(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(json_answer({}))
    listed = [
        entry("anthropic/claude-a", "http://127.0.0.1:1"),
        entry("anthropic/claude-b", upstream.url, api_key="sk-b"),
    ]
    client = app_for({"model_list": listed})

    got = client.post("/anthropic/v1/x", json={"model": "claude-b"}, buffered=True)

    assert got.status_code == 200
    assert upstream.requests[0].headers["x-api-key"] == "sk-b"


# What it is worth


def counted(client: FlaskClient, lines: list[Any], path: str) -> Any:
    """Return the log's model, usage and cost of one request."""
    asked(client, path, "POST", json={"model": "gpt-4o"})
    return [(line["model"], line["usage"], line["cost"] is not None) for line in lines]


def test_what_was_used_is_read_in_passing(
    native: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
    upstream.plays(json_answer({"model": "gpt-4o-2024-08-06", "usage": usage}))

    got = counted(native, lines, "/openai/v1/x")

    assert got == [("gpt-4o", {"prompt_tokens": 1000, "completion_tokens": 10}, True)]


def test_a_prompt_is_logged_only_if_wanted(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer({}))
    client = app_for(config_of(upstream.url) | {"llmgate_settings": {"log_prompts": True}})

    asked(client, "/openai/v1/x", "POST", json={"input": "Hi"})

    assert [line["request"] for line in lines] == [{"input": "Hi"}]


def test_limits_hold(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(json_answer({}))
    listed = [entry("mistral/x", f"{upstream.url}/v1", rpm=1)]
    client = app_for({"model_list": listed})

    got = [client.get("/mistral/v1/x", buffered=True).status_code for _ in range(2)]

    assert got == [200, 429]
    assert len(upstream.requests) == 1


def test_google_is_logged_in_at_first(
    app_for: AppFor, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vertex_login, "TOKEN_URL", f"{upstream.url}/token")
    upstream.plays(json_answer({"access_token": "ya29.x", "expires_in": 3600}), json_answer({}))
    user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    given = entry(
        "vertex_ai/m",
        f"{upstream.url}/v1",
        api_key=None,
        vertex_project="ours",
        vertex_credentials=json.dumps(user),
    )
    client = app_for({"model_list": [given]})

    got = [client.get("/vertex_ai/v1/x", buffered=True).status_code for _ in range(2)]

    assert got == [200, 200]
    assert [seen.path for seen in upstream.requests] == ["/token", "/v1/x", "/v1/x"]
    assert upstream.requests[2].headers["authorization"] == "Bearer ya29.x"


# The operator's own


def targets(upstream: Upstream, **over: Any) -> dict[str, Any]:
    """Return a configuration with one pass-through."""
    one = {
        "path": "/search",
        "target": f"{upstream.url}/api/search",
        "headers": {"Authorization": "Bearer os.environ/TAVILY", "X-Own": "yes"},
    }
    return {
        "model_list": [entry("openai/gpt-4o", "http://127.0.0.1:1/v1")],
        "general_settings": {"master_key": KEY, "pass_through_endpoints": [one | over]},
    }


def test_an_operators_path_goes_to_the_operators_address(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer({"results": []}, 201))
    client = app_for(targets(upstream), TAVILY="tv-secret")

    got = asked(client, "/search?q=a", "POST", json={"query": "x"}, headers={"X-Own": "no"})

    assert (got.status_code, got.json) == (201, {"results": []})
    (seen,) = upstream.requests
    assert (seen.method, seen.path, seen.json) == ("POST", "/api/search?q=a", {"query": "x"})
    assert (seen.headers["authorization"], seen.headers["x-own"]) == ("Bearer tv-secret", "yes")
    assert "tv-secret" not in json.dumps(lines)


def test_an_operators_path_needs_the_key(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for(targets(upstream, auth=False), TAVILY="tv-secret")

    assert client.post("/search", json={}, buffered=True).status_code == 401


@pytest.mark.parametrize(("below", "wanted"), [(True, [200, 200, 400]), (False, [200, 404, 404])])
def test_what_is_below_an_operators_path_goes_there_if_it_is_wanted(
    app_for: AppFor, upstream: Upstream, below: bool, wanted: list[int]
) -> None:
    upstream.plays(json_answer({}))
    client = app_for(targets(upstream, include_subpath=below), TAVILY="x")

    got = [asked(client, p).status_code for p in ("/search", "/search/a/b", "/search/a/%2e%2e/b")]

    assert got == wanted
    paths = ["/api/search", "/api/search/a/b"] if below else ["/api/search"]
    assert [seen.path for seen in upstream.requests] == paths


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/embeddings"])
def test_an_operators_path_goes_before_ours(app_for: AppFor, upstream: Upstream, path: str) -> None:
    upstream.plays(json_answer({"theirs": True}))
    client = app_for(targets(upstream, path=path), TAVILY="x")

    assert asked(client, path, "POST", json={}).json == {"theirs": True}
