"""Google's errors in OpenAI's words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.contract import Failure
from llmgate.dialects.gemini import errors as gemini_errors


def error(status: str, message: str = "Sorry.", code: int = 400, *details: Any) -> dict[str, Any]:
    said = {"code": code, "message": message, "status": status}
    return {"error": {**said, "details": [*details]} if details else said}


INFO = "type.googleapis.com/google.rpc.ErrorInfo"
INVALID_KEY = error(
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    400,
    {"@type": INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
)
LONG = "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)."
LONG_AT_VERTEX = (
    "Unable to submit request because the input token count is 2000000 but model only supports"
    " up to 1048576. Reduce the input token count and try again."
)
LARGE = "Request payload size exceeds the limit: 20971520 bytes."


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            INVALID_KEY,
            Failure(
                "API key not valid. Please pass a valid API key.",
                "authentication_error",
                "invalid_api_key",
                status=401,
            ),
        ),
        (
            [error("RESOURCE_EXHAUSTED", "Quota.", 429)],
            Failure("Quota.", code="rate_limit_exceeded"),
        ),
        (error("NOT_FOUND", code=404), Failure("Sorry.", code="model_not_found")),
        (error("PERMISSION_DENIED", code=403), Failure("Sorry.", code="permission_denied")),
        (error("UNAUTHENTICATED", code=401), Failure("Sorry.", code="invalid_api_key")),
        (error("UNAVAILABLE", code=503), Failure("Sorry.", code="UNAVAILABLE")),
        (
            error("INVALID_ARGUMENT", LONG),
            Failure(
                LONG, "invalid_request_error", "context_length_exceeded", "messages", status=400
            ),
        ),
        (
            error("INVALID_ARGUMENT", LONG_AT_VERTEX),
            Failure(
                LONG_AT_VERTEX,
                "invalid_request_error",
                "context_length_exceeded",
                "messages",
                status=400,
            ),
        ),
        (
            error("INVALID_ARGUMENT", LARGE),
            Failure(LARGE, "invalid_request_error", "request_too_large", status=413),
        ),
        (
            error(
                "INVALID_ARGUMENT",
                "Bad.",
                400,
                {"fieldViolations": [{"description": "no field"}, "?"]},
                {"fieldViolations": [{"field": "generation_config.top_k"}]},
            ),
            Failure("Bad.", code="INVALID_ARGUMENT", param="generation_config.top_k"),
        ),
        (
            {"error": "invalid_grant", "error_description": "Bad Request"},
            Failure("Bad Request", code="invalid_grant"),
        ),
        ({"error": "down"}, Failure("down", code="down")),
        ({"message": "top"}, Failure("top")),
        ("plain", Failure("plain")),
        ([], Failure("")),
        (None, Failure("")),
    ],
)
def test_an_error_is_told_in_openais_words(body: Any, wanted: Failure) -> None:
    assert gemini_errors.failure(body)._replace(details=()) == wanted


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (error("UNAVAILABLE", code=503), (503, "server_error", "UNAVAILABLE")),
        (
            {"error": {"status": "RESOURCE_EXHAUSTED"}},
            (429, "rate_limit_error", "rate_limit_exceeded"),
        ),
        ({"error": {"code": 14, "status": "UNAVAILABLE"}}, (503, "server_error", "UNAVAILABLE")),
        (INVALID_KEY, (401, "authentication_error", "invalid_api_key")),
        ({"error": {}}, (502, "server_error", None)),
    ],
)
def test_an_error_in_a_stream_has_the_status_it_stands_for(event: Any, wanted: Any) -> None:
    got = gemini_errors.stream_error(event)

    assert (got.status, got.type, got.code) == wanted
    assert got.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from("error message status details code reason fieldViolations".split()),
            inner,
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_an_error_that_can_be_told(body: Any) -> None:
    found, raised = gemini_errors.failure(body), gemini_errors.stream_error(body)

    assert isinstance(found.message, str)
    assert 400 <= raised.status <= 599


@pytest.mark.parametrize(
    ("delay", "seconds", "header"),
    [
        ("37s", 37.0, "37"),
        ("1.5s", 1.5, "2"),
        ("0s", 0.0, "0"),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_delay_of_retry_info_is_when_to_retry(
    delay: Any, seconds: float | None, header: str | None
) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    body = {
        "error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m", "details": [info]}
    }

    got, raised = gemini_errors.failure(body), gemini_errors.stream_error(body)

    assert (got.retry_after, got.details) == (seconds, (info,))
    assert (raised.headers.get("retry-after"), raised.details) == (header, (info,))
