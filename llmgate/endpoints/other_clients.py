"""Clients of Anthropic's and Google's APIs on paths that OpenAI's API has as well, `/v1/files` say.

Sources: https://platform.claude.com/docs/en/api/versioning, https://ai.google.dev/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request

from llmgate import errors
from llmgate.fronts.anthropic import wire as anthropic_front
from llmgate.fronts.gemini import errors as gemini_errors

_SHAPES = {"anthropic": anthropic_front.error_body, "gemini": gemini_errors.error_body}


def api() -> str | None:
    """Return the prefix of the API that this request's client speaks, None for OpenAI's."""
    headers = request.headers
    if "anthropic-version" in headers:
        return "anthropic"
    return "gemini" if "x-goog-api-key" in headers or "x-goog-api-client" in headers else None


def error_body(error: errors.GateError) -> Mapping[str, Any]:
    """Return *error* as the client of this request reads it."""
    return _SHAPES.get(api() or "", errors.GateError.body)(error)
