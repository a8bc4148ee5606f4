"""Tokens of Entra by the real azure-identity, from fakes of its services."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testing.inprocess import client_of
from testing.upstream import Answer
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

from llmgate import config
from llmgate import errors
from llmgate.contract import Deployment
from llmgate.errors import ConfigError
from llmgate.logins import azure
from llmgate.providers import PROVIDERS

SECRET = {"tenant_id": "t", "client_id": "c", "client_secret": "very-secret"}


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """Entra's authority."""
    with Upstream(tls="self-signed") as up:

        def answers(seen: Seen) -> Answer:
            if seen.method == "POST":
                return json_answer(
                    {"token_type": "Bearer", "expires_in": 3600, "access_token": "at"}
                )
            base = f"{up.url}/t/oauth2/v2.0"
            return json_answer(
                {
                    "token_endpoint": f"{base}/token",
                    "authorization_endpoint": f"{base}/authorize",
                    "issuer": f"{up.url}/t/v2.0",
                }
            )

        up.answers = answers
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", up.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(up.ca))
        yield up


def deployment(**settings: Any) -> Deployment:
    return Deployment("g", "azure", "m", "http://x", settings=settings)


def form(up: Upstream) -> str:
    return up.requests[-1].body.decode()


def test_an_application_logs_in_with_its_secret(entra: Upstream) -> None:
    found = azure.log_in(deployment(**SECRET))

    assert found.settings == {"azure_ad_token": "at"}
    assert 3500 < found.seconds <= 3600
    assert "client_secret=very-secret" in form(entra)
    assert "scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default" in form(entra)


def test_a_workload_logs_in_with_its_federated_token(entra: Upstream, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("federated")
    file = str(tmp_path / "token")

    found = azure.log_in(
        deployment(tenant_id="t", client_id="c", azure_federated_token_file=file, azure_scope="s/x")
    )

    assert found.settings == {"azure_ad_token": "at"}
    assert "client_assertion=federated" in form(entra)
    assert "scope=s%2Fx" in form(entra)


def test_a_machine_logs_in(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    end = str(int(time.time()) + 3600)
    upstream.plays(
        json_answer({"access_token": "mi", "expires_on": end, "resource": "r", "token_type": "B"})
    )
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{upstream.url}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "h")

    assert azure.log_in(deployment(azure_managed_identity=True)).settings["azure_ad_token"] == "mi"
    assert upstream.requests[0].headers["x-identity-header"] == "h"


def test_a_refusal_is_the_operators_fault_and_shows_no_secret(entra: Upstream) -> None:
    answers = entra.answers
    refused = json_answer({"error": "invalid_client", "error_description": "AADSTS7000215"}, 401)
    entra.answers = lambda seen: refused if seen.method == "POST" else answers(seen)

    with pytest.raises(errors.UpstreamError) as caught:
        azure.log_in(deployment(**SECRET))

    assert (caught.value.status, caught.value.code) == (401, "login_failed")
    assert "very-secret" not in caught.value.message


def test_a_chat_has_the_token(entra: Upstream, upstream: Upstream, tmp_path: Path) -> None:
    own = {"model": "azure/d", "api_base": upstream.url, **SECRET}
    client = client_of(tmp_path, {"model_list": [{"model_name": "g", "litellm_params": own}]}, {})
    upstream.plays(json_answer(chat_completion()))
    body = {"model": "g", "messages": [{"role": "user", "content": "Hi"}]}

    for _ in range(2):
        assert client.post("/v1/chat/completions", json=body).status_code == 200

    assert [seen.headers["authorization"] for seen in upstream.requests] == ["Bearer at"] * 2
    assert [seen.method for seen in entra.requests].count("POST") == 1
    assert b"very-secret" not in b"".join(seen.body for seen in upstream.requests)


def configured(tmp_path: Path, environ: dict[str, str], **params: Any) -> Deployment:
    own = {"model": "azure/d", "api_base": "https://x.openai.azure.com", **params}
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"model_list": [{"model_name": "g", "litellm_params": own}]}))
    (made,) = config.load(str(path), environ).routes.groups["g"]
    return made


AKS = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/f"}


def test_an_identity_is_used_where_there_is_no_key(tmp_path: Path) -> None:
    login = PROVIDERS["azure"].login
    assert login

    pod = configured(tmp_path, AKS)
    assert login.needed(pod)
    assert pod.has_key
    assert not login.needed(configured(tmp_path, {**AKS, "AZURE_API_KEY": "k"}))
    assert not login.needed(configured(tmp_path, {}))
    assert not configured(tmp_path, {}).has_key
    assert login.needed(configured(tmp_path, {"AZURE_API_KEY": "k"}, **SECRET))
    assert not login.needed(pod._replace(has_client_key=True))
    assert not login.needed(pod._replace(origin="client"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"client_secret": "s"}, "client_secret: needs tenant_id and client_id beside it"),
        ({**SECRET, "tenant_id": None}, "client_secret: needs tenant_id beside it"),
        ({"azure_username": "u", "azure_password": "p"}, "azure_password: .*client_secret"),
    ],
)
def test_what_cannot_log_in_stops_the_start(given: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        configured(tmp_path, {}, **given)


def test_without_the_extra_it_is_named_unless_there_is_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r"pip install 'llmgate\[azure\]'"):
        configured(tmp_path, {}, **SECRET)
    assert configured(tmp_path, {**AKS, "AZURE_API_KEY": "k"}).api_key == "k"
