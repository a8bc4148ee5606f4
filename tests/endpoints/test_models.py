"""Which models there are, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import API_KEY
from testing.gateway import MODELS
from testing.gateway import deployment
from testing.inprocess import failed
from testing.upstream import Upstream
from testing.upstream import json_answer
from testing.upstream import model_list

AppFor = Callable[..., FlaskClient]


def described(name: str, owner: str = "openai") -> dict[str, Any]:
    """Return OpenAI's object for a model, without what the price list knows of it."""
    return {"id": name, "object": "model", "created": 1677610602, "owned_by": owner}


def less(model: dict[str, Any]) -> dict[str, Any]:
    """Return the members of *model* that OpenAI has."""
    return {name: model[name] for name in ("id", "object", "created", "owned_by")}


@pytest.mark.parametrize(
    "path", ["/models", "/v1/models", "/openai/v1/models", "/v1/chat/completions/models"]
)
def test_the_models_are_the_groups_of_the_configuration(client: FlaskClient, path: str) -> None:
    got = client.get(path)

    assert got.json["object"] == "list"
    assert list(map(less, got.json["data"])) == [described(name) for name in MODELS]


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai/v1"])
def test_a_model_can_be_asked_for(client: FlaskClient, prefix: str) -> None:
    assert less(client.get(f"{prefix}/models/gpt-4o").json) == described("gpt-4o")


def test_a_model_may_have_slashes_in_its_name(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for({"model_list": [deployment("groq/llama/3", upstream.url, "groq/llama-3")]})

    assert client.get("/v1/models/groq/llama/3").get_json() == described("groq/llama/3", "groq")


def test_a_model_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    got = client.get("/v1/models/gpt-99")

    assert failed(got) == (404, "invalid_request_error", "model_not_found", "model")


def test_a_wildcard_is_shown_as_the_models_behind_it(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for({"model_list": [deployment("openai/*", upstream.url, "openai/*")]})

    names = [model["id"] for model in client.get("/v1/models").get_json()["data"]]

    assert "openai/gpt-4o" in names
    assert not [name for name in names if "*" in name]
    assert client.get("/v1/models/openai/gpt-4o").get_json()["id"] == "openai/gpt-4o"


def test_aliases_are_models_too(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for(
        {
            "model_list": [deployment("gpt-4o", upstream.url)],
            "router_settings": {"model_group_alias": {"best": "gpt-4o"}},
        }
    )

    names = {model["id"] for model in client.get("/v1/models").get_json()["data"]}

    assert names == {"best", "gpt-4o"}


@pytest.mark.parametrize("path", ["/model/info", "/v1/model/info"])
def test_the_deployments_are_described_without_their_secrets(
    app_for: AppFor, upstream: Upstream, path: str
) -> None:
    secret = "canary-0123456789"
    entry = deployment(
        "gpt-4o",
        upstream.url,
        api_base=f"https://user:{secret}@host.example/v1",
        extra_headers={"X-Secret": secret},
        extra_body={"secret": secret},
        organization=secret,
        input_cost_per_token=1e-6,
        output_cost_per_token=2e-6,
    )
    entry["model_info"] = {"id": "one", "note": "mine"}

    got = app_for({"model_list": [entry]}).get(path)

    (shown,) = got.get_json()["data"]
    assert shown == {
        "model_name": "gpt-4o",
        "litellm_params": {"model": "openai/gpt-4o", "api_base": "https://host.example/v1"},
        "model_info": {
            "id": "one",
            "litellm_provider": "openai",
            "mode": "chat",
            "max_input_tokens": 128000,
            "max_output_tokens": 16384,
            "input_cost_per_token": 1e-6,
            "output_cost_per_token": 2e-6,
            "supports_vision": True,
            "supports_function_calling": True,
            "note": "mine",
        },
    }
    assert secret not in json.dumps(shown)
    assert API_KEY not in got.text


def test_no_upstream_is_asked(client: FlaskClient, upstream: Upstream) -> None:
    for path in ("/v1/models", "/v1/models/gpt-4o", "/model/info"):
        assert client.get(path).status_code == 200

    assert upstream.requests == []


VERSION = {"anthropic-version": "2023-06-01"}


def test_anthropics_clients_get_their_shape_and_pages(client: FlaskClient) -> None:
    first = client.get("/v1/models?limit=2", headers=VERSION).get_json()
    second = client.get(f"/v1/models?after_id={first['last_id']}", headers=VERSION).get_json()
    before = f"/v1/models?limit=1&before_id={list(MODELS)[2]}"
    back = client.get(before, headers=VERSION).get_json()

    names = list(MODELS)
    assert [model["id"] for model in first["data"]] == names[:2]
    assert (first["has_more"], first["first_id"]) == (True, names[0])
    assert [model["id"] for model in second["data"]] == names[2:]
    assert second["has_more"] is False
    assert [model["id"] for model in back["data"]] == [names[1]]
    assert back["has_more"] is True
    assert client.get("/v1/models?after_id=gone", headers=VERSION).get_json()["data"]


def test_anthropics_clients_get_one_model_in_their_shape(client: FlaskClient) -> None:
    assert client.get("/v1/models/gpt-4o", headers=VERSION).get_json() == {
        "type": "model",
        "id": "gpt-4o",
        "display_name": "gpt-4o",
        "created_at": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1"])
def test_a_page_has_a_size(client: FlaskClient, limit: str) -> None:
    got = client.get(f"/v1/models?limit={limit}", headers=VERSION)

    assert failed(got) == (400, "invalid_request_error", "invalid_value", "limit")


# -- what is known of a model


def test_a_model_has_sizes_and_abilities(app_for: AppFor, upstream: Upstream) -> None:
    mine = deployment("mine", upstream.url, "custom_openai/x")
    mine["model_info"] = {"mode": "embedding", "max_input_tokens": 512}
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url), mine]})

    assert client.get("/v1/models").json["data"] == [
        {
            **described("gpt-4o"),
            "mode": "chat",
            "context_length": 128000,
            "max_output_tokens": 16384,
            "supports_vision": True,
            "supports_function_calling": True,
        },
        {**described("mine", "custom_openai"), "mode": "embedding", "context_length": 512},
    ]


def test_prices_are_shown_if_the_operator_says_so(app_for: AppFor, upstream: Upstream) -> None:
    given = {"model_list": [deployment("gpt-4o", upstream.url)]}
    given["llmgate_settings"] = {"show_prices": True}

    assert app_for(given).get("/v1/models/gpt-4o").json["pricing"] == {
        "prompt": "2.5e-06",
        "completion": "1e-05",
        "input_cache_read": "1.25e-06",
    }


def test_a_wildcard_may_be_what_the_upstream_lists(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(json_answer(model_list("gpt-4o", "new-model")))
    given = {
        "model_list": [deployment("mine/*", upstream.url, "openai/*", api_key="sk-only-here")],
        "litellm_settings": {"check_provider_endpoint": True},
    }
    client = app_for(given)

    for _ in range(2):
        names = [model["id"] for model in client.get("/v1/models").json["data"]]
        assert "mine/new-model" in names
    assert names.count("mine/gpt-4o") == 1
    (seen,) = upstream.requests
    assert (seen.method, seen.path) == ("GET", "/v1/models")


def test_an_upstream_that_does_not_answer_adds_nothing(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(json_answer({}, 500))
    given = {
        "model_list": [deployment("own/*", upstream.url, "openai/*", api_key="sk-failing")],
        "litellm_settings": {"check_provider_endpoint": True},
    }

    names = [model["id"] for model in app_for(given).get("/v1/models").json["data"]]

    assert "own/gpt-4o" in names  # the price list's
