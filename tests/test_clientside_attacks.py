"""What clients bring, and what they try with it, from end to end."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import API_KEY
from testing.gateway import deployment
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Answer
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_completion
from testing.upstream import json_answer

AppFor = Callable[..., FlaskClient]
GOOD = json_answer(chat_completion())
SECRETS = (API_KEY, "env-secret", "azure-ad-ours", "org-ours", "header-ours", "body-ours")


def config(url: str, private: bool = True, **general: Any) -> dict[str, Any]:
    """Return a configuration full of secrets, whose every upstream is at *url*."""
    ours = {
        "organization": "org-ours",
        "extra_headers": {"X-Ours": "header-ours"},
        "extra_body": {"ours": "body-ours"},
    }
    listed = [
        deployment("gpt-4o", url, **ours),
        deployment("open", url, "openai/x", configurable_clientside_auth_params=["api_base"]),
        deployment("azure", url, "azure/x", api_key=None, azure_ad_token="azure-ad-ours"),
    ]
    return {
        "model_list": listed,
        "router_settings": {"num_retries": 0, "default_fallbacks": ["gpt-4o"]},
        "general_settings": general,
        "llmgate_settings": {"allow_private_addresses": private},
    }


@pytest.fixture
def ours() -> Any:
    """The operator's own upstream."""
    with Upstream() as up:
        up.plays(GOOD)
        yield up


def router(url: str, **params: Any) -> dict[str, Any]:
    """Return a user_config of one deployment at *url*."""
    own = {"model": "openai/gpt-4o", "api_key": "sk-theirs", "api_base": f"{url}/v1", **params}
    return {"model_list": [{"model_name": "mine", "litellm_params": own}]}


def shapes(trap: str) -> list[dict[str, Any]]:
    """Return bodies that try to have a key of ours sent to *trap*."""
    base = f"{trap}/v1"
    named = [{"api_base": base}, {"base_url": base}]
    keys: list[dict[str, Any]] = [
        {},
        {"api_key": ""},
        {"api_key": None},
        {"api_key": "os.environ/OPENAI_API_KEY"},
        {"api_key": "oidc/google"},
        {"api_key": "sk-theirs"},
        {"api_key": "sk-theirs", "api_version": "os.environ/OPENAI_API_KEY"},
        {"api_key": "sk-theirs", "extra_headers": {"X": "os.environ/OPENAI_API_KEY"}},
    ]
    found = [asks(**name, **key) for name in named for key in keys]
    found += [asks(model=m, **named[0], **key) for m in ("open", "azure") for key in keys[:6]]
    found += [
        asks(model="mine", user_config=router(trap)),
        asks(model="mine", user_config=router(trap, api_key=None)),
        asks(model="mine", user_config=router(trap, api_key="os.environ/OPENAI_API_KEY")),
        asks(model="gpt-4o", user_config=router(trap)),
        asks(model="mine", user_config=router(trap, model="azure/x", api_key=None)),
        asks(model="mine", user_config=router(trap, model="vertex_ai/x", api_key=None)),
        asks(model="mine", user_config=router(trap, vertex_credentials="/etc/passwd")),
        asks(model="mine", user_config=router(trap, aws_sts_endpoint=trap)),
        asks(model="mine", user_config=router(trap) | {"default_fallbacks": ["gpt-4o"]}),
        asks(fallbacks=[{"model": "open", "api_base": base}]),
        asks(model="nope", fallbacks=[{"model": "open", "api_base": base}]),
        asks(model_list=router(trap)["model_list"]),
        asks(extra_body={"api_base": base}),
        asks(metadata={"api_base": base, "user_config": router(trap)}),
        asks(model="gpt-4o,open", api_base=base),
        asks(model="open", api_base=base, fastest_response=True),
        asks(api_key="sk-theirs", api_base=base, tenant_id="t"),
        asks(api_key="sk-theirs", api_base=base, aws_bedrock_runtime_endpoint=trap),
    ]
    return found


@pytest.mark.fault("S5")
@pytest.mark.parametrize("everything", [False, True])
def test_no_key_of_ours_is_sent_to_a_clients_address(
    app_for: AppFor, ours: Upstream, upstream: Upstream, everything: bool
) -> None:
    upstream.plays(GOOD)
    given = config(ours.url, allow_client_side_credentials=everything)
    client = app_for(given, OPENAI_API_KEY="env-secret", AZURE_API_KEY="env-secret")

    bodies = shapes(upstream.url)
    for body in bodies:
        posted(client, body)

    assert len(bodies) >= 30
    assert len(upstream.requests) >= (7 if everything else 1)
    for seen in upstream.requests:
        told = f"{seen.path} {seen.headers} {seen.body!r}"
        assert not [secret for secret in SECRETS if secret in told]
        assert seen.headers.get("authorization", "Bearer sk-theirs") == "Bearer sk-theirs"


def test_a_key_alone_goes_to_our_upstream_without_our_organization(
    app_for: AppFor, ours: Upstream
) -> None:
    client = app_for(config(ours.url))

    posted(client, asks(api_key="sk-theirs"))

    (seen,) = ours.requests
    assert seen.headers["authorization"] == "Bearer sk-theirs"
    assert "openai-organization" not in seen.headers
    assert "api_key" not in seen.json


@pytest.mark.parametrize("name", ["api_base", "base_url"])
def test_an_address_needs_a_key_of_its_own(
    app_for: AppFor, ours: Upstream, upstream: Upstream, name: str
) -> None:
    client = app_for(config(ours.url))

    got = posted(client, asks(model="open", **{name: f"{upstream.url}/v1"}))

    assert failed(got) == (400, "invalid_request_error", "missing_api_key", "api_key")


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-4o", "api_base": "https://x.example/v1", "api_key": "k"},
        {"model": "gpt-4o", "vertex_project": "p", "api_key": "k"},
        {"model": "gpt-4o", "aws_region_name": "eu-west-1"},
        {"model": "mine", "user_config": router("https://x.example")},
    ],
)
def test_what_is_not_allowed_says_how_to_allow_it(
    app_for: AppFor, ours: Upstream, body: dict[str, Any]
) -> None:
    got = posted(app_for(config(ours.url)), asks(**body))

    assert failed(got)[2] == "client_address_not_allowed"
    assert "allow_client_side_credentials" in got.get_json()["error"]["message"]


@pytest.mark.fault("S4")
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "2130706433"]
)
def test_private_addresses_are_refused(app_for: AppFor, ours: Upstream, host: str) -> None:
    client = app_for(config(ours.url, private=False, allow_client_side_credentials=True))

    got = posted(client, asks(api_key="k", api_base=f"https://{host}:8443/v1"))
    routed = posted(client, asks(model="mine", user_config=router(f"https://{host}:8443")))

    assert failed(got) == (403, "permission_error", "client_address_not_allowed", "api_base")
    assert failed(routed) == (403, "permission_error", "client_address_not_allowed", "api_base")


@pytest.mark.fault("S4")
def test_a_name_that_changes_its_mind_is_of_no_use(
    app_for: AppFor, ours: Upstream, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.plays(GOOD)
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host != "rebind.example":
            return real(host, port, *more, **named)
        asked.append(host)
        text = "127.0.0.1" if len(asked) == 1 else "10.9.9.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    client = app_for(config(ours.url, allow_client_side_credentials=True))

    base = f"http://rebind.example:{upstream.port}/v1"
    got = posted(client, asks(api_key="sk-theirs", api_base=base))

    assert got.status_code == 200
    assert asked == ["rebind.example"]
    assert upstream.requests[0].headers["host"] == f"rebind.example:{upstream.port}"


@pytest.mark.fault("S6")
def test_redirects_are_not_followed(app_for: AppFor, ours: Upstream, upstream: Upstream) -> None:
    upstream.plays(answer([], status=307, headers={"location": f"{ours.url}/v1/chat"}))
    client = app_for(config(ours.url, allow_client_side_credentials=True))

    got = posted(client, asks(api_key="sk-theirs", api_base=f"{upstream.url}/v1"))

    assert failed(got)[2] == "upstream_redirect_refused"
    assert ours.requests == []


@pytest.mark.fault("S5")
@pytest.mark.parametrize(
    "where",
    [
        {"user": "os.environ/HOME"},
        {"metadata": {"a": ["oidc/x"]}},
        {"metadata": {"os.environ/HOME": 1}},
        {"extra_body": {"deep": [{"er": " os.environ/HOME"}]}},
        {"extra_headers": {"X-A": "OS.ENVIRON/HOME"}},
        {"tools": [{"type": "function", "function": {"name": "oidc/f"}}]},
        {"fallbacks": [{"model": "gpt-4o", "api_key": "os.environ/HOME"}]},
        {"user_config": router("https://x", organization="os.environ/HOME")},
        {"anything": "os.environ/HOME"},
    ],
)
def test_references_are_refused_wherever_they_are(
    app_for: AppFor, ours: Upstream, where: dict[str, Any]
) -> None:
    got = posted(app_for(config(ours.url, allow_client_side_credentials=True)), asks(**where))

    assert (got.status_code, failed(got)[3]) == (400, next(iter(where)))
    assert ours.requests == []


def test_what_is_said_to_the_model_is_no_reference(app_for: AppFor, ours: Upstream) -> None:
    said = [{"role": "user", "content": "os.environ/HOME is what?"}]

    posted(app_for(config(ours.url)), asks(messages=said))

    assert ours.requests[0].json["messages"] == said


def test_a_clients_key_is_in_no_other_request(app_for: AppFor, ours: Upstream) -> None:
    seen: Counter[tuple[str, str]] = Counter()

    def played(asked: Seen) -> Answer:
        seen[asked.json["user"], asked.headers["authorization"]] += 1
        return GOOD

    ours.answers = played
    client = app_for(config(ours.url, allow_client_side_credentials=True))
    app = client.application

    def ask(at: int) -> None:
        kind = at % 4
        body = asks(user=f"u{at % 7 if kind else 'none'}")
        if kind == 1:
            body["api_key"] = f"sk-{at % 7}"
        elif kind:
            own = router(ours.url, api_key=f"sk-{at % 7}")
            body |= {"model": "mine", "user_config": own} if kind == 2 else {}
            body |= {"api_key": f"sk-{at % 7}", "api_base": f"{ours.url}/v1"} if kind == 3 else {}
        assert posted(app.test_client(), body).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(560)))

    wanted = {("unone", f"Bearer {API_KEY}")} | {(f"u{n}", f"Bearer sk-{n}") for n in range(7)}
    assert set(seen) == wanted
    assert seen.total() == 560


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "user_config.model_list"),
        ({"model_list": []}, "user_config.model_list"),
        ({"model_list": [{}]}, "user_config.model_list[0].model_name"),
        (router("https://x") | {"bogus": 1}, "user_config.bogus"),
        (router("https://x") | {"num_retries": "2"}, "user_config.num_retries"),
        (router("https://x", model="nobody/x"), "user_config.model_list"),
        (router("https://x", model="openai/*"), "user_config.model_list[0].litellm_params.model"),
    ],
)
def test_a_router_that_makes_no_sense_is_refused(
    app_for: AppFor, ours: Upstream, given: Any, param: str
) -> None:
    client = app_for(config(ours.url, allow_client_side_credentials=True))

    got = posted(client, asks(model="mine", user_config=given))

    assert failed(got) == (400, "invalid_request_error", "invalid_user_config", param)


def test_nothing_of_a_router_is_logged(
    app_for: AppFor, ours: Upstream, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(GOOD)
    given = config(ours.url, allow_client_side_credentials=True)
    given["llmgate_settings"]["log_prompts"] = True

    posted(app_for(given), asks(model="mine", user_config=router(upstream.url)))

    assert lines[0]["status"] == 200
    assert "sk-theirs" not in str(lines)
    assert "user_config" not in lines[0]["request"]


@pytest.mark.parametrize(
    "entry", [{"api_key": "x.*"}, {"api_base": "fireworks"}, "aws_role_name", "nonsense"]
)
def test_a_permission_that_cannot_be_kept_is_refused_at_start(
    app_for: AppFor, ours: Upstream, entry: Any
) -> None:
    given = config(ours.url)
    params = given["model_list"][0]["litellm_params"]
    params["configurable_clientside_auth_params"] = [entry]

    with pytest.raises(Exception, match=r"model_list\[0\]"):
        app_for(given)
