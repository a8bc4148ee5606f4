"""What an upstream's refusal means to the client."""

from __future__ import annotations

import json
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
"""Headers that go on to the client, each with what it may say."""

_LIMIT = re.compile(r"[\w.,:; -]{1,64}")
_NOTHING = re.compile(r"(?!)")


def error(answer: Answer, provider: Provider) -> errors.GateError:
    """Return the error that an upstream's refusal stands for."""
    if not 400 <= answer.status < 600:
        answer.close()
        return _of_no_use(answer.status, provider)
    found = _failure(answer, provider)
    status = found.status or answer.status
    refusal = errors.UpstreamError(
        found.message
        or f"{provider.name} answered with status {answer.status} and no error in JSON.",
        status=status,
        type=found.type,
        param=found.param,
        code=found.code,
        headers={
            name: value for name, value in answer.headers.items() if _form(name).fullmatch(value)
        },
    )
    refusal.understood = bool(found.message)
    return refusal


def _form(name: str) -> re.Pattern[str]:
    """Return what the header called *name* may say to be passed on."""
    return _LIMIT if name.startswith("x-ratelimit-") else _FORWARDED.get(name, _NOTHING)


def _of_no_use(status: int, provider: Provider) -> errors.BadUpstream:
    """Return the error for a *status* that is neither a success nor a failure."""
    if 300 <= status < 400:
        return errors.BadUpstream(
            f"{provider.name} answered with a redirect ({status}), which llmgate does not follow."
            " Check the deployment's api_base.",
            code="upstream_redirect_refused",
        )
    return errors.BadUpstream(f"{provider.name} answered with status {status}, which says nothing.")


def _failure(answer: Answer, provider: Provider) -> Failure:
    """Return what the error body of *answer* says; nothing if it cannot be read."""
    try:
        return provider.failure(json.loads(http_session.body(answer, _LARGEST_ERROR)))
    except (ValueError, RecursionError, errors.GateError):
        return Failure("")
