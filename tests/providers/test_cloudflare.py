"""Cloudflare Workers AI as a provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.providers.cloudflare import CLOUDFLARE

ROOT = "https://api.cloudflare.com/client/v4"
MODELS = f"{ROOT}/accounts/acc-1/ai/v1"
LLAMA = "@cf/meta/llama-3.1-8b-instruct"


def deployment(**over: Any) -> Deployment:
    made = Deployment("g", "cloudflare", LLAMA, ROOT, api_key="k-1")
    return made._replace(**{"settings": {"account_id": "acc-1"}, **over})


def built(name: str, body: dict[str, Any], **over: Any) -> Call:
    return CLOUDFLARE.operations[name].build(body, deployment(**over))


def test_a_chat_is_posted_below_the_account() -> None:
    call = built("chat", {"model": "g", "messages": [], "stream": True})
    signed = CLOUDFLARE.authorize(call, deployment())

    assert (call.method, call.url) == ("POST", f"{MODELS}/chat/completions")
    assert json.loads(bytes(call.data)) == {
        "model": LLAMA,
        "messages": [],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert signed.headers == {"Content-Type": "application/json", "Authorization": "Bearer k-1"}


def test_token_ids_are_embedded_as_text() -> None:
    call = built("embeddings", {"model": "g", "input": [[9906, 1917]]})

    assert call.url == f"{MODELS}/embeddings"
    assert json.loads(bytes(call.data)) == {"model": LLAMA, "input": ["Hello world"]}


@pytest.mark.parametrize(
    ("given", "base", "wanted"),
    [
        (None, ROOT, MODELS),
        (f"{ROOT}/", ROOT, MODELS),
        ("https://own.example/client/v4", "https://own.example/client/v4", None),
        (f"{ROOT}/accounts/a/ai/run/", f"{ROOT}/accounts/a/ai/v1", None),
        (f"{ROOT}/accounts/a/ai/v1", f"{ROOT}/accounts/a/ai/v1", None),
        ("https://gateway.example/v1/a/g/workers-ai/v1", None, None),
    ],
)
def test_an_address_is_the_apis_or_whole(given: Any, base: str | None, wanted: str | None) -> None:
    base = base or given

    assert CLOUDFLARE.base_url({"api_base": given}) == base
    url = built("chat", {"model": "g"}, api_base=base).url
    if base.endswith("/client/v4"):
        wanted = f"{base}/accounts/acc-1/ai/v1"
    assert url == f"{wanted or base}/chat/completions"


def test_an_account_stays_one_step_of_the_path() -> None:
    call = built("chat", {"model": "g"}, settings={"account_id": "a/../b?c"})

    assert call.url == f"{ROOT}/accounts/a%2F..%2Fb%3Fc/ai/v1/chat/completions"


def test_a_missing_account_is_named() -> None:
    with pytest.raises(errors.GateError, match="CLOUDFLARE_ACCOUNT_ID") as caught:
        built("chat", {"model": "g"}, settings={})

    assert caught.value.code == "missing_provider_setting"


def told(code: int, message: str) -> dict[str, Any]:
    return {"result": None, "success": False, "errors": [{"code": code, "message": message}]}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            told(10000, "Authentication error"),
            Failure("Authentication error", "authentication_error", "invalid_api_key"),
        ),
        (
            told(5007, "AiError: No such model @cf/x/y or task"),
            Failure(
                "AiError: No such model @cf/x/y or task",
                "invalid_request_error",
                "model_not_found",
                "model",
                404,
            ),
        ),
        (
            told(3042, "The model name is invalid"),
            Failure(
                "The model name is invalid",
                "invalid_request_error",
                "model_not_found",
                "model",
                404,
            ),
        ),
        (
            told(3036, "you have used up your daily free allocation of 10,000 neurons"),
            Failure(
                "you have used up your daily free allocation of 10,000 neurons",
                "insufficient_quota",
                "insufficient_quota",
            ),
        ),
        (
            told(3040, "No more data centers to forward the request to"),
            Failure(
                "No more data centers to forward the request to", "rate_limit_error", "overloaded"
            ),
        ),
        (
            told(
                5021,
                "AiError: The estimated number of input and maximum output tokens (9000)"
                " exceeded this model context window limit (8192).",
            ),
            Failure(
                "AiError: The estimated number of input and maximum output tokens (9000)"
                " exceeded this model context window limit (8192).",
                None,
                "context_length_exceeded",
                status=400,
            ),
        ),
        (
            told(7009, "Upstream service unavailable"),
            Failure("Upstream service unavailable"),
        ),
        ({"error": {"message": "no", "type": "bad"}}, Failure("no", "bad")),
        ({"errors": []}, Failure("")),
        ({"errors": ["x"]}, Failure("")),
        (["x"], Failure("x")),
    ],
)
def test_an_error_is_told_in_openais_words(body: Any, wanted: Failure) -> None:
    assert CLOUDFLARE.failure(body) == wanted
