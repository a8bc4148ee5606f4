"""AWS's errors as OpenAI's: of an error body, or inside an event stream.

The error's type is in a response header; without it, the message is matched.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Failure
from llmgate.dialects.openai import wire as openai_wire

_INVALID = "invalid_request_error"
_WRONG_KEY = Failure("", "authentication_error", "invalid_api_key", status=401)
_FORBIDDEN = Failure("", "permission_error", "permission_denied", status=403)
_NO_MODEL = Failure("", _INVALID, "model_not_found", status=404)
_SLOW_DOWN = Failure("", "rate_limit_error", "rate_limit_exceeded", status=429)
_TOO_LONG = Failure("", _INVALID, "context_length_exceeded", status=400)

_KINDS: Mapping[str, Failure] = {
    "validation": Failure("", _INVALID, status=400),
    "serialization": Failure("", _INVALID, status=400),
    "expiredtoken": _WRONG_KEY,
    "incompletesignature": _WRONG_KEY,
    "invalidclienttokenid": _WRONG_KEY,
    "invalidsignature": _WRONG_KEY,
    "missingauthenticationtoken": _WRONG_KEY,
    "unrecognizedclient": _WRONG_KEY,
    "accessdenied": _FORBIDDEN,
    "resourcenotfound": _NO_MODEL,
    "throttling": _SLOW_DOWN,
    "toomanyrequests": _SLOW_DOWN,
    "servicequotaexceeded": Failure("", "rate_limit_error", "insufficient_quota", status=429),
    "internalserver": Failure("", status=500),
    "internalfailure": Failure("", status=500),
    "internalstreamfailure": Failure("", status=500),
    # AWS uses 424 for an error of the model, 429 for one that is loading, 408 for one that timed
    # out: statuses that would blame the caller, or rule out another deployment.
    "model": Failure("", status=502),
    "modelstream": Failure("", status=502),
    "internaldependency": Failure("", status=502),
    "serviceunavailable": Failure("", status=503),
    "modelnotready": Failure("", status=503),
    "modeltimeout": Failure("", status=504),
}
"""What each exception means, by its name without `Exception` or `Error`, in lower case."""

# What follows repeats the signed request, session token and all.
_SECRETS = "The Canonical String"

_WORDS = (
    # before what is too long: "Too many tokens, please wait before trying again."
    (r"please wait|too many requests|too many tokens per|rate exceeded|throttl", _SLOW_DOWN),
    (
        r"input is too long|too many (input )?tokens|prompt is too long|expected maxlength"
        r"|exceed context limit|context (length|window)|maximum number of tokens"
        r"|must have less than \d+ tokens",
        _TOO_LONG,
    ),
    (
        r"security token|signature we calculated|signature expired|authentication token"
        r"|(api key|bearer token).*(valid|expired)",
        _WRONG_KEY,
    ),
    (r"model identifier is invalid|resolve the foundation model|end of its life", _NO_MODEL),
    (
        r"support counting tokens",
        Failure("", _INVALID, "counting_not_supported", "model", status=400),
    ),
    (r"^endpoint \S+ of account \d+ not found", _NO_MODEL),
    (
        r"content filter",
        Failure("", _INVALID, "content_policy_violation", status=400),
    ),
)
_PATTERNS = tuple((re.compile(pattern, re.I), found) for pattern, found in _WORDS)


def failure(body: Any) -> Failure:
    """Return the failure for an error *body*: its kind, if it names one, and its words."""
    error = body if isinstance(body, dict) else {"message": body}
    named = error.get("__type") or error.get("code") or error.get("Code") or ""
    return _failure(str(named).rpartition("#")[2], error)


def refusal(headers: Mapping[str, str], payload: bytes) -> errors.UpstreamError:
    """Return the error that a message of an event stream is; its status is that of its kind."""
    kind = headers.get(":exception-type", headers.get(":error-code", ""))
    error = {"message": headers.get(":error-message", "")}
    try:
        parsed = json.loads(payload)
    except ValueError:
        parsed = {"message": payload.decode("utf-8", "replace")} if payload else {}
    found = _failure(kind, {**error, **parsed} if isinstance(parsed, dict) else error)
    return errors.UpstreamError(
        found.message or f"The upstream reported an error in its stream: {kind or 'unnamed'}.",
        status=found.status or 502,
        type=found.type,
        code=found.code,
    )


def is_refusal(headers: Mapping[str, str]) -> bool:
    """Return whether the message with these *headers* is an exception or an error."""
    return headers.get(":message-type", "event") != "event"


def _failure(kind: str, error: Mapping[str, Any]) -> Failure:
    """Return the failure for an *error* body of *kind*."""
    name = kind.partition(":")[0].lower().removesuffix("exception").removesuffix("error")
    message = _text(error, "message", "Message").partition(_SECRETS)[0].strip()
    found = _KINDS.get(name, Failure(""))._replace(message=message)
    status = error.get("originalStatusCode", error.get("OriginalStatusCode"))
    if isinstance(status, int) and 400 <= status <= 599 and status != 424:
        found = found._replace(status=status)
    original = _text(error, "originalMessage", "OriginalMessage")
    return _worded(_inner(original, found) if original else found)


def _inner(original: str, found: Failure) -> Failure:
    """Return *found* with the error of the model's own server, usually JSON."""
    try:
        parsed = openai_wire.failure(json.loads(original))
    except ValueError:
        parsed = Failure(original)
    if not parsed.message:
        return found._replace(message=original)
    return parsed._replace(status=found.status)


def _worded(found: Failure) -> Failure:
    """Return *found*, or the failure that its message matches."""
    for pattern, better in _PATTERNS:
        if pattern.search(found.message):
            return better._replace(message=found.message)
    return found


def _text(error: Mapping[str, Any], *names: str) -> str:
    """Return the first text among those called *names* that is not empty, else an empty one."""
    found = (error.get(name) for name in names)
    return next((text for text in found if isinstance(text, str) and text), "")
