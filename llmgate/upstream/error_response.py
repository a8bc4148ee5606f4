"""Turn an upstream's error response into an error for the client."""

from __future__ import annotations

import json
import math
import re

from llmgate import errors
from llmgate.contract import Answer
from llmgate.contract import Failure
from llmgate.contract import Provider
from llmgate.upstream import session as http_session

_LARGEST_ERROR = 1024 * 1024
_NUMBER = r"\d{1,12}(\.\d{1,9})?"
_FORWARDED = {
    "retry-after": re.compile(
        rf"{_NUMBER}|[A-Z][a-z]{{2}}, \d\d [A-Z][a-z]{{2}} \d{{4}} \d\d:\d\d:\d\d GMT"
    ),
    "retry-after-ms": re.compile(_NUMBER),
    "x-should-retry": re.compile(r"true|false"),
}
"""Headers that are forwarded to the client, each with the values it may have."""

_LIMIT = re.compile(r"[\w.,:; -]{1,64}")
_NO_VALUE = re.compile(r"(?!)")


def error(answer: Answer, provider: Provider) -> errors.GateError:
    """Return the error for *answer*, whose status is not a success."""
    if not 400 <= answer.status < 600:
        answer.close()
        return _bad_status(answer.status, provider)
    found = _failure(answer, provider)
    status = found.status or answer.status
    headers = {
        name: value for name, value in answer.headers.items() if _allowed(name).fullmatch(value)
    }
    if found.retry_after is not None:
        headers.setdefault("retry-after", str(math.ceil(found.retry_after)))
    kind = errors.UpstreamError if found.message else errors.UnexplainedError
    refusal = kind(
        found.message
        or f"{provider.name} returned status {answer.status} without an error message.",
        status=status,
        type=found.type,
        param=found.param,
        code=found.code,
        headers=headers,
    )
    refusal.members = found.members
    refusal.details = found.details
    return refusal


def _allowed(name: str) -> re.Pattern[str]:
    """Return the values with which the header *name* is forwarded."""
    return _LIMIT if name.startswith("x-ratelimit-") else _FORWARDED.get(name, _NO_VALUE)


def _bad_status(status: int, provider: Provider) -> errors.BadUpstream:
    """Return the error for a *status* that is neither a success nor a failure."""
    if 300 <= status < 400:
        return errors.BadUpstream(
            f"{provider.name} returned a redirect ({status}), which llmgate does not follow."
            " Check the deployment's api_base.",
            code="upstream_redirect_refused",
        )
    return errors.BadUpstream(f"{provider.name} returned unexpected status {status}.")


def _failure(answer: Answer, provider: Provider) -> Failure:
    """Return the failure in the body of *answer*; an empty one if it cannot be read."""
    try:
        return provider.failure(json.loads(http_session.body(answer, _LARGEST_ERROR)))
    except (ValueError, RecursionError, errors.GateError):
        return Failure("")
