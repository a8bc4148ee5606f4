from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers.azure import AZURE
from llmgate.providers.azure import VERSION

RESOURCE = "https://res.openai.azure.com"
DEPLOYMENT = Deployment("g", "azure", "gpt-4o-eu", RESOURCE, api_key="k")


def built(name: str = "chat", body: Any = None, **over: Any) -> Call:
    return AZURE.operations[name].build(body or {"model": "g"}, DEPLOYMENT._replace(**over))


RESPONSES = {"responses", "stored_responses"}


def sent(call: Call) -> Any:
    assert isinstance(call.data, bytes)
    return json.loads(call.data)


@pytest.mark.parametrize("name", sorted(AZURE.operations.keys() - RESPONSES))
def test_an_operation_is_below_its_deployment(name: str) -> None:
    call = built(name)

    assert call.method == "POST"
    assert call.url == (
        f"{RESOURCE}/openai/deployments/gpt-4o-eu{openai_wire.PATHS[name]}?api-version=2024-10-21"
    )


def test_azure_has_what_openai_has_but_moderations() -> None:
    assert set(AZURE.operations) == {*openai_wire.PATHS, *RESPONSES} - {"moderations"}


@pytest.mark.parametrize(
    "base", [RESOURCE, f"{RESOURCE}/openai/deployments/own", f"{RESOURCE}/openai/v1"]
)
def test_responses_are_in_the_api_without_versions(base: str) -> None:
    call = built("responses", {"model": "g", "input": "Hi"}, api_base=base)
    stored = built("stored_responses", {"method": "DELETE", "path": "resp_1"}, api_base=base)

    assert call.url == f"{RESOURCE}/openai/v1/responses"
    assert sent(call) == {"model": "gpt-4o-eu", "input": "Hi"}
    assert (stored.method, stored.url) == ("DELETE", f"{RESOURCE}/openai/v1/responses/resp_1")


@pytest.mark.parametrize(
    ("over", "url"),
    [
        (
            {"api_version": "2025-04-01-preview"},
            f"{RESOURCE}/openai/deployments/gpt-4o-eu/chat/completions"
            "?api-version=2025-04-01-preview",
        ),
        (
            {"model": "my model/ü"},
            f"{RESOURCE}/openai/deployments/my%20model%2F%C3%BC/chat/completions"
            f"?api-version={VERSION}",
        ),
        (
            {"api_base": f"{RESOURCE}/openai/deployments/own"},
            f"{RESOURCE}/openai/deployments/own/chat/completions?api-version={VERSION}",
        ),
        ({"api_base": f"{RESOURCE}/openai/v1"}, f"{RESOURCE}/openai/v1/chat/completions"),
        (
            {"api_base": f"{RESOURCE}/openai/v1", "api_version": "preview"},
            f"{RESOURCE}/openai/v1/chat/completions?api-version=preview",
        ),
        (
            {"api_base": "https://apim.example/team", "api_version": "a&b"},
            "https://apim.example/team/openai/deployments/gpt-4o-eu/chat/completions"
            "?api-version=a%26b",
        ),
    ],
)
def test_the_forms_of_azures_addresses(over: Any, url: str) -> None:
    assert built(**over).url == url


def test_the_body_is_openais_with_the_deployment_as_its_model() -> None:
    body = {"messages": [], "model": "g", "x": 1}

    assert sent(built(body=body)) == {"messages": [], "model": "gpt-4o-eu", "x": 1}
    assert body["model"] == "g"


@pytest.mark.parametrize(
    ("over", "asked"),
    [
        ({}, True),
        ({"api_version": "2024-09-01-preview"}, True),
        ({"api_version": "2024-10-01-preview"}, True),
        ({"api_version": "2024-08-01-preview"}, False),
        ({"api_version": "2023-07-01-preview"}, False),
        ({"api_version": "2023-05-15"}, False),
        ({"api_version": "2023-05-15", "api_base": f"{RESOURCE}/openai/v1"}, True),
        ({"api_version": "preview", "api_base": f"{RESOURCE}/openai/v1"}, True),
    ],
)
def test_usage_is_asked_for_where_the_version_knows_how(over: Any, asked: bool) -> None:
    got = sent(built(body={"model": "g", "stream": True}, **over))

    assert ("stream_options" in got) is asked


@pytest.mark.parametrize(
    ("key", "settings", "wanted"),
    [
        ("k", {}, {"api-key": "k"}),
        ("k", {"azure_ad_token": "t"}, {"api-key": "k"}),
        (None, {"azure_ad_token": "t"}, {"Authorization": "Bearer t"}),
        ("", {"azure_ad_token": "t"}, {"Authorization": "Bearer t"}),
    ],
)
def test_a_call_has_the_key_or_the_token(key: Any, settings: Any, wanted: Any) -> None:
    deployment = DEPLOYMENT._replace(api_key=key, settings=settings)

    got = AZURE.authorize(Call("POST", "https://x", {"A": "b"}), deployment)

    assert got.headers == {"A": "b", **wanted}


def test_missing_credentials_are_named_with_their_variables() -> None:
    with pytest.raises(errors.Unauthorized) as caught:
        AZURE.authorize(Call("POST", "https://x", {}), DEPLOYMENT._replace(api_key=None))

    assert "AZURE_API_KEY or AZURE_OPENAI_API_KEY or AZURE_AD_TOKEN" in caught.value.message


@pytest.mark.parametrize(
    ("settings", "wanted"), [({}, ""), ({"api_base": None}, ""), ({"api_base": "x"}, "x")]
)
def test_every_resource_has_its_own_address(settings: Any, wanted: str) -> None:
    assert AZURE.base_url(settings) == wanted
