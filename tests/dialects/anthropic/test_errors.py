from __future__ import annotations

from typing import Any

import pytest
from anthropic import types
from testing import anthropic_samples as samples

from llmgate import errors
from llmgate.contract import Failure
from llmgate.dialects.anthropic import wire as anthropic_wire


@pytest.mark.parametrize(
    "sample", samples.failures(), ids=lambda s: s["body"]["error"]["message"][:30]
)
def test_failures_are_in_openais_words(sample: dict[str, Any]) -> None:
    wanted = Failure(
        sample["body"]["error"]["message"],
        sample["type"],
        sample["code"],
        status=sample["told_status"],
    )

    assert anthropic_wire.failure(sample["body"]) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (None, Failure("")),
        ("Bad gateway", Failure("Bad gateway")),
        ([1], Failure("")),
        ({}, Failure("")),
        ({"error": "no"}, Failure("no")),
        ({"error": {}}, Failure("", "server_error")),
        ({"error": {"type": "new_error", "message": 7}}, Failure("7", "server_error")),
        (
            {"error": {"type": "api_error", "message": "x", "details": {"error_code": 1}}},
            Failure("x", "server_error"),
        ),
    ],
)
def test_odd_bodies(body: Any, wanted: Failure) -> None:
    assert anthropic_wire.failure(body) == wanted


@pytest.mark.parametrize(
    ("error", "type"),
    [
        (errors.InvalidRequest("x"), "invalid_request_error"),
        (errors.Unauthorized("x"), "authentication_error"),
        (errors.UpstreamError("x", status=402), "billing_error"),
        (errors.Forbidden("x"), "permission_error"),
        (errors.ModelNotFound("x"), "not_found_error"),
        (errors.TooLarge("x"), "request_too_large"),
        (errors.RateLimited("x"), "rate_limit_error"),
        (errors.UpstreamError("x", status=422), "invalid_request_error"),
        (errors.UpstreamError("x", status=500), "api_error"),
        (errors.CutShort("x"), "api_error"),
        (errors.Unreachable("x"), "overloaded_error"),
        (errors.UpstreamTimeout("x"), "timeout_error"),
        (errors.UpstreamError("x", status=529), "overloaded_error"),
    ],
)
def test_errors_as_anthropic_writes_them(error: errors.GateError, type: str) -> None:
    body = anthropic_wire.error_body(error)

    assert body == {"type": "error", "error": {"type": type, "message": "x"}}
    if type != "request_too_large":
        types.ErrorResponse.model_validate(body)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "This model's maximum context length is 4 tokens.",
            "prompt is too long: This model's maximum context length is 4 tokens.",
        ),
        ("Prompt is too long: 5 tokens > 4 maximum", "Prompt is too long: 5 tokens > 4 maximum"),
    ],
)
def test_a_prompt_that_is_too_long_is_told_in_the_words_that_clients_look_for(
    said: str, told: str
) -> None:
    error = errors.InvalidRequest(said, code="context_length_exceeded")

    assert anthropic_wire.error_body(error)["error"]["message"] == told
