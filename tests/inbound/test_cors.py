from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.inprocess import client_of

from llmgate.inbound import cors

ECHO = {"model_list": [{"model_name": "e", "litellm_params": {"model": "echo/echo"}}]}
CHAT = {"model": "e", "messages": [{"role": "user", "content": "hi"}]}


def with_cors(origins: list[str], **more: Any) -> dict[str, Any]:
    return {**ECHO, "llmgate_settings": {"cors": {"origins": origins, **more}}}


def preflight(client: FlaskClient, origin: str, headers: str = "") -> dict[str, str]:
    """Return the CORS headers of the response to a preflight, less the prefix."""
    got = client.options(
        "/v1/chat/completions",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": headers,
        },
    )
    assert (got.status_code, got.data) == (204, b"")
    prefix = "Access-Control-"
    return {k.removeprefix(prefix): v for k, v in got.headers if k.startswith(prefix)}


def test_without_the_setting_no_other_origin_may_read(app_for: Callable[..., FlaskClient]) -> None:
    client = app_for(ECHO)

    assert preflight(client, "https://app.example") == {}
    got = client.post("/v1/chat/completions", json=CHAT, headers={"Origin": "https://app.example"})
    assert "Access-Control-Allow-Origin" not in got.headers


def test_a_preflight_allows_what_sdks_send_and_may_be_kept(
    app_for: Callable[..., FlaskClient],
) -> None:
    client = app_for(with_cors(["https://app.example"], headers=["x-mine"]), LLMGATE_MASTER_KEY="k")
    asked = "authorization,content-type,x-stainless-lang,anthropic-version,x-mine,x-other"

    assert preflight(client, "https://app.example", asked) == {
        "Allow-Origin": "https://app.example",
        "Expose-Headers": "*",
        "Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "Allow-Headers": "authorization, content-type, x-stainless-lang, anthropic-version, x-mine",
        "Max-Age": "7200",
    }


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (["*"], "https://any.example", "*"),
        (["*"], "null", "*"),
        (["https://a.example"], "https://b.example", None),
        (["https://a.example"], "https://a.example.evil.org", None),
        (["https://axexample"], "https://a.example", None),
        (["https://*.a.example"], "https://x.a.example", "https://x.a.example"),
        (["https://*.a.example"], "https://evil.org/.a.example", None),
        (["http://localhost:*"], "http://localhost:3000", "http://localhost:3000"),
    ],
)
def test_only_listed_origins_may_read(origins: list[str], origin: str, allowed: str | None) -> None:
    sent: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("A", "b")])
        return [b"x"]

    wrapped = cors.Cors(app, cors.Rules(tuple(origins)))
    environ = {"REQUEST_METHOD": "POST", "HTTP_ORIGIN": origin}
    got = wrapped(environ, lambda status, headers, exc_info=None: sent.append(dict(headers)))

    assert got == [b"x"]
    assert sent[0]["A"] == "b"
    assert sent[0].get("Access-Control-Allow-Origin") == allowed
    assert (sent[0].get("Vary") == "Origin") == (origins != ["*"])


def test_errors_and_streams_are_readable_too(app_for: Callable[..., FlaskClient]) -> None:
    client = app_for(with_cors(["*"], max_age="60"), LLMGATE_MASTER_KEY="k")
    own = {"Origin": "https://a.example"}

    refused = client.post("/v1/chat/completions", json=CHAT, headers=own)
    own["Authorization"] = "Bearer k"
    stream = client.post("/v1/chat/completions", json={**CHAT, "stream": True}, headers=own)

    assert (refused.status_code, stream.status_code) == (401, 200)
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert stream.headers["Access-Control-Allow-Origin"] == "*"
    assert preflight(client, "https://a.example")["Max-Age"] == "60"


def test_an_origin_that_is_none_stops_the_start(tmp_path: Any) -> None:
    from llmgate.errors import ConfigError

    with pytest.raises(ConfigError, match=r"cors.origins\[0\]: 'app.example' is not an origin"):
        client_of(tmp_path, with_cors(["app.example"]), {})
