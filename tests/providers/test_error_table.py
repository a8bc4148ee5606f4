"""What each provider's refusals become: its own body and status, ours with type and code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Answer
from llmgate.providers import PROVIDERS
from llmgate.providers.rows import ROWS
from llmgate.upstream import error_response

INVALID, LOGIN, RATE = "invalid_request_error", "authentication_error", "rate_limit_error"
NO_MODEL = (404, INVALID, "model_not_found")
TOO_LONG = (400, INVALID, "context_length_exceeded")
WRONG_KEY = (401, LOGIN, "invalid_api_key")
SLOW_DOWN = (429, RATE, "rate_limit_exceeded")


def openais(message: str, type: str | None, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def anthropics(type: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_1"}


def googles(code: int, status: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status}}


def cloudflares(code: int, message: str) -> dict[str, Any]:
    return {"result": None, "success": False, "errors": [{"code": code, "message": message}]}


def ibms(code: str, message: str, status: int) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}], "trace": "1", "status_code": status}


BAD_KEY = googles(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
BAD_KEY["error"]["details"] = [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
GOOGLE = [
    (
        400,
        BAD_KEY,
        WRONG_KEY,
    ),
    (404, googles(404, "NOT_FOUND", "models/x is not found for API version v1"), NO_MODEL),
    (429, googles(429, "RESOURCE_EXHAUSTED", "Resource exhausted."), SLOW_DOWN),
    (
        503,
        googles(503, "UNAVAILABLE", "The model is overloaded."),
        (503, "server_error", "UNAVAILABLE"),
    ),
]
CLAUDE = [
    (401, anthropics("authentication_error", "invalid x-api-key"), WRONG_KEY),
    (404, anthropics("not_found_error", "model: x"), NO_MODEL),
    (400, anthropics(INVALID, "prompt is too long: 210000 tokens > 200000"), TOO_LONG),
    (429, anthropics(RATE, "Number of tokens has exceeded"), SLOW_DOWN),
]
AWS = [
    (403, {"message": "The security token included in the request is invalid."}, WRONG_KEY),
    (400, {"message": "The provided model identifier is invalid."}, NO_MODEL),
    (400, {"message": "Input is too long for requested model."}, TOO_LONG),
    (429, {"message": "Too many requests, please wait before trying again."}, SLOW_DOWN),
]
VLLM = [
    (
        404,
        openais("The model `x` does not exist.", "NotFoundError", 404),
        (404, "NotFoundError", None),
    ),
    (
        400,
        openais("This model's maximum context length is 4096 tokens.", "BadRequestError", 400),
        (400, "BadRequestError", "context_length_exceeded"),
    ),
]
TABLE: dict[str, list[tuple[int, Any, tuple[int, str, str | None]]]] = {
    "openai": [
        (
            401,
            openais("Incorrect API key provided", INVALID, "invalid_api_key"),
            (401, INVALID, "invalid_api_key"),
        ),
        (404, openais("The model `x` does not exist", INVALID, "model_not_found"), NO_MODEL),
        (
            429,
            openais("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
            (429, "insufficient_quota", "insufficient_quota"),
        ),
        (500, openais("The server had an error", "server_error"), (500, "server_error", None)),
    ],
    "azure_ai": [
        (
            401,
            {"error": {"code": "401", "message": "Access denied due to invalid subscription key"}},
            (401, LOGIN, "401"),
        ),
    ],
    "azure": [
        (
            401,
            {"error": {"code": "401", "message": "Access denied due to invalid subscription key"}},
            (401, LOGIN, "401"),
        ),
        (
            404,
            {
                "error": {
                    "code": "DeploymentNotFound",
                    "message": "The API deployment does not exist.",
                }
            },
            (404, INVALID, "DeploymentNotFound"),
        ),
        (
            400,
            {
                "error": {
                    "code": "content_filter",
                    "message": "triggering Azure OpenAI's content management policy",
                    "status": 400,
                }
            },
            (400, INVALID, "content_policy_violation"),
        ),
    ],
    "anthropic": [
        *CLAUDE,
        (
            529,
            anthropics("overloaded_error", "Overloaded"),
            (529, "server_error", "overloaded_error"),
        ),
    ],
    "gemini": GOOGLE,
    "vertex_ai": GOOGLE[1:],
    "bedrock": AWS,
    "sagemaker": AWS,
    "sagemaker_chat": AWS,
    "cohere": [
        (401, {"id": "1", "message": "invalid api token"}, WRONG_KEY),
        (
            404,
            {"message": "model 'x' not found, make sure the correct model ID was used"},
            NO_MODEL,
        ),
        (
            429,
            {"message": "You are using a Trial key, which is limited to 10 API calls / minute."},
            (429, RATE, None),
        ),
    ],
    "ollama_chat": [(404, {"error": 'model "x" not found, try pulling it first'}, NO_MODEL)],
    "cloudflare": [
        (401, cloudflares(10000, "Authentication error"), WRONG_KEY),
        (400, cloudflares(5007, "No such model @cf/x or task"), NO_MODEL),
        (
            429,
            cloudflares(3036, "You have used up your daily free allocation"),
            (429, "insufficient_quota", "insufficient_quota"),
        ),
    ],
    "databricks": [
        (403, {"error_code": 403, "message": "Invalid access token."}, WRONG_KEY),
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such endpoint."}, NO_MODEL),
        (429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "Exceeded."}, SLOW_DOWN),
        (
            400,
            {"error_code": "BAD_REQUEST", "message": "unknown field"},
            (400, INVALID, "BAD_REQUEST"),
        ),
    ],
    "watsonx": [
        (401, ibms("authentication_token_expired", "Failed to authenticate", 401), WRONG_KEY),
        (404, ibms("model_not_supported", "Model 'x' is not supported", 404), NO_MODEL),
        (
            403,
            ibms("token_quota_reached", "Token quota has been reached", 403),
            (429, "insufficient_quota", "insufficient_quota"),
        ),
    ],
    "cerebras": [
        (
            401,
            {
                "message": "Wrong API Key",
                "type": INVALID,
                "param": "api_key",
                "code": "wrong_api_key",
            },
            (401, INVALID, "wrong_api_key"),
        )
    ],
    "deepinfra": [
        (404, {"detail": {"error": "The model x is not available"}}, (404, INVALID, None))
    ],
    "deepseek": [
        (
            402,
            openais("Insufficient Balance", "unknown_error", INVALID),
            (402, "unknown_error", INVALID),
        )
    ],
    "fireworks_ai": [
        (
            404,
            {
                "error": {
                    "object": "error",
                    "type": INVALID,
                    "code": "NOT_FOUND",
                    "message": "Model not found",
                }
            },
            (404, INVALID, "NOT_FOUND"),
        )
    ],
    "github": [
        (
            401,
            {"error": {"code": "unauthorized", "message": "Bad credentials", "details": "x"}},
            (401, LOGIN, "unauthorized"),
        )
    ],
    "groq": [
        (
            413,
            openais("Request too large for model", "tokens", "rate_limit_exceeded"),
            (413, "tokens", "rate_limit_exceeded"),
        )
    ],
    "hosted_vllm": VLLM,
    "huggingface": [
        (
            503,
            {"error": "Model x is currently loading", "estimated_time": 20.0},
            (503, "server_error", None),
        )
    ],
    "jina_ai": [(401, {"detail": "Invalid API key."}, (401, LOGIN, None))],
    "mistral": [
        (401, {"message": "Unauthorized", "request_id": "1"}, (401, LOGIN, None)),
        (422, {"detail": [{"loc": ["body", "n"]}]}, (422, INVALID, None)),
    ],
    "nvidia_nim": [
        (
            404,
            {"status": 404, "title": "Not Found", "detail": "Function 'x': Not found"},
            (404, INVALID, None),
        )
    ],
    "openrouter": [
        (
            402,
            {"error": {"message": "Insufficient credits", "code": 402, "metadata": {}}},
            (402, INVALID, None),
        )
    ],
    "perplexity": [
        (
            400,
            {"error": {"message": "Invalid model 'x'", "type": "invalid_model", "code": 400}},
            (400, "invalid_model", None),
        )
    ],
    "together_ai": [
        (
            404,
            {
                "id": "1",
                "error": {
                    "message": "Unable to access model x",
                    "type": INVALID,
                    "param": None,
                    "code": "model_not_available",
                },
            },
            (404, INVALID, "model_not_available"),
        )
    ],
    "xai": [
        (
            400,
            {"code": "Client specified an invalid argument", "error": "Incorrect API key"},
            (400, INVALID, None),
        )
    ],
}
CASES = [(name, *case) for name, cases in TABLE.items() for case in cases]


@pytest.mark.parametrize(("name", "status", "body", "wanted"), CASES)
def test_a_refusal_is_told_with_openais_status_type_and_code(
    name: str, status: int, body: Any, wanted: tuple[int, str, str | None]
) -> None:
    headers = {"content-type": "application/json"}
    answer = Answer(status, headers, iter([json.dumps(body).encode()]), lambda: None)

    got = error_response.error(answer, PROVIDERS[name])

    assert isinstance(got, errors.UpstreamError)
    assert (got.status, got.type, got.code) == wanted
    assert got.message and "{" not in got.message.removeprefix('[{"loc"')


def test_each_provider_with_errors_of_its_own_is_in_the_table() -> None:
    own = {name for name, each in PROVIDERS.items() if name not in ROWS and not each.local_handler}

    assert own <= TABLE.keys()
