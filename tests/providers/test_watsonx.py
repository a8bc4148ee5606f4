"""watsonx.ai as a provider."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from flask.testing import FlaskClient
from testing.answers import json_answer
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.samples import sample
from testing.upstream import Upstream

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers.watsonx import WATSONX

BASE = "https://us-south.ml.cloud.ibm.com"
MODEL = "ibm/granite-4-h-small"
USER = {"role": "user", "content": "Hi"}
DEPLOYMENT = Deployment("g", "watsonx", MODEL, BASE, api_key="k", settings={"project_id": "p"})


def built(name: str = "chat", body: Any = None, **over: Any) -> Call:
    body = body or {"model": "g", "messages": [USER]}
    return WATSONX.operations[name].build(body, DEPLOYMENT._replace(**over))


def test_a_chat_names_its_model_and_project() -> None:
    call = built()

    assert (call.method, call.url) == ("POST", f"{BASE}/ml/v1/text/chat?version=2025-02-06")
    assert json.loads(bytes(call.data)) == {
        "messages": [USER],
        "model_id": MODEL,
        "project_id": "p",
    }


def test_a_stream_has_an_address_of_its_own() -> None:
    call = built(body={"model": "g", "messages": [USER], "stream": True}, api_version="2024-10-10")

    assert call.url == f"{BASE}/ml/v1/text/chat_stream?version=2024-10-10"
    assert b"stream" not in bytes(call.data)


def test_a_space_may_stand_for_a_project() -> None:
    assert json.loads(bytes(built(settings={"space_id": "s"}).data))["space_id"] == "s"


def test_a_deployed_model_knows_what_it_runs() -> None:
    call = built(model="deployment/my dep/x", settings={})

    assert call.url == f"{BASE}/ml/v1/deployments/my%20dep%2Fx/text/chat?version=2025-02-06"
    assert json.loads(bytes(call.data)) == {"messages": [USER]}


def test_a_missing_project_is_named() -> None:
    with pytest.raises(errors.GateError, match="WATSONX_PROJECT_ID") as caught:
        built(settings={})

    assert caught.value.code == "missing_provider_setting"


def test_inputs_are_embedded() -> None:
    operation = WATSONX.operations["embeddings"]
    body = {"model": "g", "input": ["a"] * 1001}

    parts = operation.split(body, DEPLOYMENT)
    call = operation.build(parts[1], DEPLOYMENT)

    read = operation.parse(sample("watsonx", "embeddings")["reply"], DEPLOYMENT)
    assert (read["model"], len(read["data"])) == (MODEL, 2)
    assert [len(part["input"]) for part in parts] == [1000, 1]
    assert call.url == f"{BASE}/ml/v1/text/embeddings?version=2025-02-06"
    assert json.loads(bytes(call.data)) == {"inputs": ["a"], "model_id": MODEL, "project_id": "p"}


@pytest.mark.parametrize(
    ("over", "wanted"),
    [
        ({"api_key": "access"}, "Bearer access"),
        ({"api_key": None, "settings": {"token": "t"}}, "Bearer t"),
        ({"api_key": None, "settings": {"zen_api_key": "z"}}, "ZenApiKey z"),
    ],
)
def test_it_is_authorized_by_a_token_or_a_platforms_key(over: Any, wanted: str) -> None:
    deployment = DEPLOYMENT._replace(**over)

    assert WATSONX.authorize(built(), deployment).headers["Authorization"] == wanted
    assert WATSONX.login is not None
    assert WATSONX.login.needed(deployment) == ("api_key" in wanted or over["api_key"] is not None)


def test_missing_credentials_are_named() -> None:
    with pytest.raises(errors.Unauthorized, match="WATSONX_APIKEY or WATSONX_TOKEN or WATSONX_Z"):
        WATSONX.authorize(built(), DEPLOYMENT._replace(api_key=None))


def test_a_key_logs_in_to_ibm_cloud() -> None:
    assert WATSONX.login is not None

    call = WATSONX.login.call(DEPLOYMENT._replace(api_key="a&b"))

    assert (call.method, call.url) == ("POST", "https://iam.cloud.ibm.com/identity/token")
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(bytes(call.data).decode()) == {
        "grant_type": ["urn:ibm:params:oauth:grant-type:apikey"],
        "apikey": ["a&b"],
    }


TOKEN = {
    "access_token": "access-1",
    "refresh_token": "not_supported",
    "token_type": "Bearer",
    "expires_in": 3600,
    "expiration": 1473188353,
    "scope": "ibm openid",
}


def config(up: Upstream, *keys: str) -> dict[str, Any]:
    shared = {"model": f"watsonx/{MODEL}", "api_base": up.url, "project_id": "p"}
    shared["watsonx_iam_url"] = f"{up.url}/identity/token"
    models = [
        {"model_name": key, "litellm_params": {**shared, "api_key": f"ibm-{key}"}} for key in keys
    ]
    return {"model_list": models, "router_settings": {"num_retries": 0}}


def test_each_key_logs_in_once(upstream: Upstream, app_for: Callable[..., FlaskClient]) -> None:
    client = app_for(config(upstream, "one", "two"))
    reply = json_answer(sample("watsonx", "reply_text")["reply"])
    other = json_answer({**TOKEN, "access_token": "access-2"})
    upstream.plays(json_answer(TOKEN), reply, reply, other, reply)

    for model in ("one", "one", "two"):
        assert posted(client, asks(model=model)).status_code == 200

    seen = [
        (each.path.partition("?")[0], each.headers.get("authorization"))
        for each in upstream.requests
    ]
    assert seen == [
        ("/identity/token", None),
        ("/ml/v1/text/chat", "Bearer access-1"),
        ("/ml/v1/text/chat", "Bearer access-1"),
        ("/identity/token", None),
        ("/ml/v1/text/chat", "Bearer access-2"),
    ]


def test_a_key_that_is_refused_is_told_without_it(
    upstream: Upstream, app_for: Callable[..., FlaskClient]
) -> None:
    client = app_for(config(upstream, "one"))
    said = "Provided API key could not be found."
    upstream.plays(json_answer({"errorCode": "BXNIM0415E", "errorMessage": said}, 400))

    got = posted(client, asks(model="one"))

    assert failed(got) == (401, "authentication_error", "login_failed", None)
    assert b"ibm-one" not in got.data
