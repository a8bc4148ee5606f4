from __future__ import annotations

from typing import Any

import pytest

from llmgate import errors
from llmgate.dialects.gemini import errors as gemini_errors
from llmgate.fronts.gemini import errors as front_errors

TYPE = "type.googleapis.com/google.rpc."


def test_an_error_is_in_googles_shape() -> None:
    error = errors.InvalidRequest("Say more", param="contents", code="too_short")

    assert front_errors.error_body(error) == {
        "error": {
            "code": 400,
            "message": "Say more",
            "status": "INVALID_ARGUMENT",
            "details": [
                {"@type": f"{TYPE}ErrorInfo", "reason": "TOO_SHORT", "domain": "llmgate"},
                {
                    "@type": f"{TYPE}BadRequest",
                    "fieldViolations": [{"field": "contents", "description": "Say more"}],
                },
            ],
        }
    }


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (413, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (502, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (529, "UNAVAILABLE"),
    ],
)
def test_a_status_has_googles_name(status: int, named: str) -> None:
    error: Any = errors.UpstreamError("Not now", status=status)

    got = front_errors.error_body(error)

    assert got == {"error": {"code": status, "message": "Not now", "status": named}}
    assert gemini_errors.stream_error(got).status == status


def test_in_a_stream_an_error_is_an_event() -> None:
    error = errors.UpstreamError("Not now", status=500)

    assert front_errors.written(error) == (
        b'data: {"error":{"code":500,"message":"Not now","status":"INTERNAL"}}\n\n'
    )


def test_details_of_googles_own_are_kept() -> None:
    error = errors.UpstreamError("m", status=429, code="rate_limit_exceeded", param="x")
    error.details = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "A"},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": []},
    ]

    assert front_errors.error_body(error)["error"]["details"] == list(error.details)
