"""Canaries: whatever an upstream or a client does, no secret leaves in an answer, header or log."""

from __future__ import annotations

import json
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
from testing.sockets import received
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse

AppFor = Callable[..., FlaskClient]
KEY = "canary-key-0123456789"
HEADER = "canary-header-0123456789"
BODY = 'canary-"body"\\\u00e9-0123456789'
ENTRA = "canary-entra-0123456789"
MASTER = "canary-master-0123456789"
CLIENT = "canary-client-0123456789"
CANARIES = (KEY, HEADER, BODY, ENTRA, MASTER, CLIENT)
TOLD = " ".join(CANARIES)


@pytest.fixture
def client(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway with a canary wherever a secret can be."""
    own = {"api_key": KEY, "extra_headers": {"X-Subscription-Key": HEADER}}
    own["extra_body"] = {"secret": BODY}
    entra = {"api_key": None, "azure_ad_token": ENTRA, "api_base": upstream.url}
    return shared_app_for(
        {
            "model_list": [
                deployment("gpt-4o", upstream.url, **own),
                deployment("entra", upstream.url, "azure/gpt-4o", **entra),
            ],
            "general_settings": {"master_key": MASTER},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "llmgate_settings": {"log_prompts": True},
        }
    )


def leaked(*texts: Any) -> list[str]:
    """Return the canaries that are somewhere in *texts*, as they are or as JSON writes them."""
    flat = "\n".join(text if isinstance(text, str) else json.dumps(text) for text in texts)
    return [c for c in CANARIES if c in flat or json.dumps(c)[1:-1] in flat]


def told_by(reply: Any) -> str:
    """Return all that an answer says."""
    return f"{reply.status}\n{reply.headers}\n{reply.get_data(as_text=True)}"


WORDED = error_body(f"Incorrect API key provided: {TOLD}", f"t {KEY}", f"p {KEY}", f"c {KEY}")


@pytest.mark.fault("S9", "F14")
@pytest.mark.parametrize(
    "planned",
    [
        *[json_answer(WORDED, status) for status in (400, 401, 403, 404, 429, 500, 503)],
        json_answer({"error": TOLD}, 400),
        json_answer({"detail": {"why": TOLD}}, 422),
        json_answer(WORDED),
        answer([TOLD.encode()], status=500, headers={"content-type": "text/html"}),
        json_answer(error_body(), 400, {"retry-after": KEY, "x-should-retry": "no"}),
        sse([WORDED]),
        sse([chat_chunks("Hi")[0], WORDED]),
        json_answer({"choices": 7, "x": TOLD}),
        raw(b"HTTP/1.1 2OO " + KEY.encode() + b"\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + KEY.encode() + b"\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("model", ["gpt-4o", "entra"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_an_upstream_says_of_our_secrets_is_not_repeated(
    client: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    capfd: pytest.CaptureFixture[str],
    planned: Answer,
    model: str,
    stream: bool,
) -> None:
    upstream.plays(planned)
    mine = {KEY, HEADER, BODY} if model == "gpt-4o" else {ENTRA}

    got = posted(client, asks(model=model, stream=stream), Authorization=f"Bearer {MASTER}")

    assert mine & {*leaked(told_by(got))} == set()
    assert {KEY, ENTRA, MASTER} & {*leaked(lines)} == set()
    assert leaked(*capfd.readouterr()) == []
    assert len(lines) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_an_upstream_says_of_the_clients_key_is_not_logged(
    client: FlaskClient, upstream: Upstream, lines: list[Any], stream: bool
) -> None:
    upstream.plays(json_answer(WORDED, 401))

    got = posted(client, asks(api_key=CLIENT, stream=stream), Authorization=f"Bearer {MASTER}")

    assert upstream.requests[0].headers["authorization"] == f"Bearer {CLIENT}"
    assert CLIENT not in leaked(lines)
    assert CLIENT not in leaked(told_by(got))


@pytest.mark.fault("S8")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", CHAT, asks(model=MASTER)),
        ("POST", CHAT, asks(user=MASTER, metadata={MASTER: [MASTER]}, tags=[MASTER])),
        ("POST", CHAT, asks(metadata=f'"{MASTER}"')),
        ("POST", CHAT, asks(messages=MASTER)),
        ("POST", f"/v1/{MASTER}", {}),
        ("GET", f"/v1/models/{MASTER}", None),
        ("GET", "/v1/models", None),
        ("GET", "/model/info", None),
        ("GET", "/health", None),
    ],
)
def test_the_master_key_is_not_logged_wherever_it_is_sent(
    client: FlaskClient, lines: list[Any], method: str, path: str, body: Any
) -> None:
    headers = {"Authorization": f"Bearer {MASTER}", "X-Request-Id": MASTER}

    client.open(path, method=method, json=body, headers=headers, buffered=True)

    assert leaked(lines) == []


def test_a_wrong_key_is_neither_repeated_nor_logged(
    client: FlaskClient, lines: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    got = posted(client, asks(), Authorization=f"Bearer {CLIENT}")

    assert got.status_code == 401
    assert leaked(told_by(got), lines, *capfd.readouterr()) == []


@pytest.mark.fault("S15")
@pytest.mark.parametrize("path", ["/v1/models", "/model/info", "/health", "/"])
def test_what_the_gate_tells_of_itself_holds_no_secret(client: FlaskClient, path: str) -> None:
    got = client.get(path, headers={"Authorization": f"Bearer {MASTER}"})

    assert got.status_code == 200
    assert leaked(told_by(got)) == []


def test_a_fault_of_ours_tells_the_client_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError(TOLD)

    monkeypatch.setattr("llmgate.upstream.session.Session.send", broken)

    got = posted(client, asks(), Authorization=f"Bearer {MASTER}")

    assert got.status_code == 500
    assert got.get_json()["error"]["code"] == "internal_error"
    assert leaked(told_by(got)) == []
    assert "Traceback" not in got.text


@pytest.mark.fault("S8")
def test_a_real_gateway_writes_no_secret_anywhere(upstream: Upstream) -> None:
    config = config_for(upstream) | {"general_settings": {"master_key": MASTER}}
    config["model_list"] = [deployment("gpt-4o", upstream.url, api_key="os.environ/CANARY")]
    upstream.plays(json_answer(error_body(f"{KEY} {MASTER}"), 401))

    with Gateway(config, env={"CANARY": KEY}) as gate:
        got = b""
        for key in (MASTER, CLIENT):
            headers = {"authorization": f"Bearer {key}", "connection": "close"}
            with asked(f"{gate.url}{CHAT}?key={key}", asks(), **headers) as sock:
                got += received(sock)
        gate.log(lambda line: isinstance(line, dict) and line["caller"] is None)

        assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert leaked(got.decode()) == [MASTER]  # the upstream's own words, told to its owner
        assert leaked(gate.logs(), gate.stderr()) == []
