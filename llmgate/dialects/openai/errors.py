"""Errors of OpenAI and of servers that imitate it: their shapes, and what they stand for.

Sources: https://platform.openai.com/docs/guides/error-codes,
https://openrouter.ai/docs/api-reference/errors (errors in mid-stream),
https://fastapi.tiangolo.com/tutorial/handling-errors (`detail`), and for the words of context
overflows the servers' own: llama.cpp tools/server (`exceed_context_size_error`), vLLM and SGLang
(entrypoints' input checks), TGI router/src/validation.rs, Ollama's runner, and reports for
LM Studio (lmstudio-bug-tracker #237, #546) and MLX servers (omlx #3442, mlx-serve #66).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Failure

_TOO_LONG = (
    r"context (length|limit|window|size)|context_length_exceeded|exceed_context_size",
    r"maximum (prompt|model) length|max_model_len|max seq len|too long to fit into the model",
    r"exceeds? the maximum number of tokens|input tokens exceed|exceeded model token limit",
    r"prompt[_ ](is )?too[_ ]long|input is too long|is too long and exceeds limit",
    r"max_new_tokens`? must be <=|`?inputs`? must have less than|context the overflows",
    r"reduce the length of the (messages|input|prompt)",
)
_CODES = (
    ("context_length_exceeded", 400, re.compile("|".join(_TOO_LONG), re.I)),
    (
        "content_policy_violation",
        None,
        re.compile(r"content_policy|content management policy|safety system", re.I),
    ),
    (
        "unsupported_content",
        400,
        re.compile(
            r"(image|audio|video) input is not supported|(does not|doesn't) support (image|vision"
            r"|audio|multimodal)|unsupported content part type|not a multimodal model",
            re.I,
        ),
    ),
)
"""OpenAI's code and status for errors that only their text identifies."""

_STATUSES = {
    "rate_limit": 429,
    "insufficient_quota": 429,
    "invalid_request": 400,
    "context_length": 400,
    "unsupported_content": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "overloaded": 503,
    "unavailable": 503,
}
_FAILED = re.compile(
    r"error|fail|abort|cancel|interrupt|malformed|insufficient_system_resource|timeout", re.I
)
"""Finish reasons of answers that failed: OpenRouter, vLLM, DeepSeek, Z.ai and others have them."""


def failure(body: Any) -> Failure:
    """Return the failure in an error *body*: OpenAI's shape, or one of its imitators'."""
    error = _error(body)
    if not isinstance(error, dict):
        return _classified(Failure(str(error) if isinstance(error, str) else ""))
    detail = error.get("message") or error.get("detail") or error.get("error") or ""
    code, param = error.get("code"), error.get("param")
    return _classified(
        Failure(
            _sentence(detail),
            _text(error.get("type")),
            code if isinstance(code, str) and code else None,
            _text(param) or _place(detail),
            members=_numbers(error) if error is not body else {},
        )
    )


def _error(body: Any) -> Any:
    """Return the part of an error *body* that describes the error: an object, or a text."""
    if isinstance(body, list):  # Google sends one error in a list
        return _error(body[0]) if body else None
    if not isinstance(body, dict):
        return body
    inner = body.get("error") or _of_choice(body)
    if isinstance(inner, list):
        return _error(inner)
    if not inner and isinstance(body.get("detail"), dict):
        return _error(body["detail"])
    return inner if inner and isinstance(inner, str | dict) else body


def _of_choice(event: Mapping[str, Any]) -> Any:
    """Return the error in one of the choices of *event*, None if there is none."""
    choices = event.get("choices")
    found = (it.get("error") for it in choices if isinstance(it, dict)) if choices else ()
    return next(filter(None, found), None)


def _sentence(detail: Any) -> str:
    """Return a message as one text; FastAPI lists places and messages."""
    if isinstance(detail, str):
        return detail
    if isinstance(detail, dict):
        inner = detail.get("detail") or detail.get("message")
        return _sentence(inner) if inner else json.dumps(detail)
    if isinstance(detail, list) and all(isinstance(it, dict) and it.get("msg") for it in detail):
        return "; ".join(": ".join(filter(None, (_loc(it), str(it["msg"])))) for it in detail)
    return json.dumps(detail)


def _loc(item: Mapping[str, Any]) -> str:
    """Return the place of one of FastAPI's messages."""
    loc = item.get("loc")
    return ".".join(map(str, loc)) if isinstance(loc, list) else ""


def _place(detail: Any) -> str | None:
    """Return the field that the first of FastAPI's messages is about, None if there is none."""
    if isinstance(detail, dict):
        return _place(detail.get("detail"))
    first = detail[0] if isinstance(detail, list) and detail else None
    if not isinstance(first, dict):
        return None
    return _loc(first).removeprefix("body").lstrip(".") or None


def _text(value: Any) -> str | None:
    """Return *value* as text if it is text or a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _numbers(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other members of an *error* that are numbers: llama.cpp's `n_ctx`, say."""
    own = ("message", "code", "type", "param")
    return {
        name: it
        for name, it in error.items()
        if name not in own and isinstance(it, int | float) and not isinstance(it, bool)
    }


def _classified(found: Failure) -> Failure:
    """Return *found* with OpenAI's code and status where its text identifies the kind."""
    text = f"{found.code} {found.type} {found.message}"
    for code, status, pattern in _CODES:
        if pattern.search(text):
            return found._replace(code=code, status=status)
    return found


def stream_error(event: Any) -> errors.UpstreamError:
    """Return the error that an event of a stream, or a whole reply, reports, with its status."""
    found = failure(event)
    kind = f"{found.type} {found.code}".lower()
    status = next((status for word, status in _STATUSES.items() if word in kind), 502)
    error = errors.UpstreamError(
        (found.message if event is not None else "")
        or "The upstream reported an error in its stream.",
        status=_numeric(_error(event)) or status,
        type=found.type,
        param=found.param,
        code=found.code,
    )
    error.members = found.members
    return error


def _numeric(error: Any) -> int | None:
    """Return the HTTP status that an *error* has as its code, None if it has none."""
    code = error.get("code") if isinstance(error, dict) else None
    text = _text(code) or ""
    return int(text) if text.isdigit() and len(text) == 3 and 400 <= int(text) <= 599 else None


def is_error(event: Any) -> bool:
    """Return whether *event*, or a whole reply, reports an error, whatever stands beside it."""
    if not isinstance(event, dict):  # Google sends one error in a list
        return isinstance(event, list) and bool(event) and is_error(event[0])
    if event.get("error") or event.get("object") == "error":  # the latter is older vLLM's
        return True
    choices = event.get("choices")
    return isinstance(choices, list) and any(map(_is_failed, choices))


def _is_failed(choice: Any) -> bool:
    """Return whether a *choice* ended in an error."""
    if not isinstance(choice, dict):
        return False
    finish = choice.get("finish_reason")
    return bool(choice.get("error")) or bool(finish and _FAILED.search(str(finish)))
