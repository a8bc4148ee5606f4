from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment
from testing.inprocess import failed
from testing.inprocess import posted

from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.schema import parameters

PARAMS = "/utils/supported_openai_params"


@pytest.fixture
def client(app_for: Callable[..., FlaskClient]) -> FlaskClient:
    url = "http://127.0.0.1:1"
    models = {"gpt": "openai/gpt-4o", "claude": "anthropic/claude-opus-4-1"}
    models |= {"jina": "jina_ai/jina-embeddings-v3", "any/*": "openai/*"}
    return app_for({"model_list": [deployment(name, url, models[name]) for name in models]})


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("gpt", parameters.OPENAI["chat"]),
        ("any/gpt-4o", parameters.OPENAI["chat"]),
        ("claude", anthropic_wire.PARAMS),
        ("jina", parameters.OPENAI["embeddings"]),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_the_parameters_that_a_model_takes_are_listed(
    client: FlaskClient, prefix: str, model: str, wanted: Any
) -> None:
    got = client.get(f"{prefix}{PARAMS}?model={model}")

    assert got.get_json() == {"supported_openai_params": sorted(wanted)}


def test_a_model_has_to_be_named(client: FlaskClient) -> None:
    assert failed(client.get(PARAMS))[:3] == (
        400,
        "invalid_request_error",
        "missing_required_parameter",
    )
    assert failed(client.get(f"{PARAMS}?model=nope"))[2] == "model_not_found"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"prompt": "a" * 40}, 10),
        ({"messages": [{"role": "user", "content": "a" * 40}]}, 14),
        ({"contents": [{"parts": [{"text": "a" * 40}]}]}, 10),
    ],
)
def test_tokens_are_estimated_and_called_so(client: FlaskClient, body: Any, wanted: int) -> None:
    got = posted(client, {"model": "claude", **body}, "/utils/token_counter")

    assert got.get_json() == {
        "total_tokens": wanted,
        "request_model": "claude",
        "model_used": "claude-opus-4-1",
        "tokenizer_type": "estimate",
    }


def test_nothing_is_counted_for_a_model_that_is_not_there(client: FlaskClient) -> None:
    got = posted(client, {"model": "nope", "prompt": "x"}, "/utils/token_counter")

    assert failed(got)[2] == "model_not_found"
