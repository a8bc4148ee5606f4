"""Turn an upstream's error response into an error for the client, without our secrets."""

from __future__ import annotations

import functools
import html
import json
import math
import re
import urllib.parse
from collections.abc import Iterator

from llmgate import errors
from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.contract import Provider
from llmgate.trust import redaction
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


_SECRET_NAMES = re.compile(r"(?i)auth|key|token|secret|password|credential|cookie|signature")
_SHORTEST_SECRET = 4  # characters


def without_secrets(answer: Answer, call: Call, deployment: Deployment) -> Answer:
    """Return *answer* without the secrets of *call* and *deployment* that the upstream repeats.

    They are removed from the headers and from the body of an error.
    """
    found, shown = _secrets(call, deployment), "\n".join(answer.headers.values())
    is_shown = [secret for secret in found if secret in shown]
    if answer.status < 400 and not is_shown:
        return answer
    secrets = sorted(found, key=len, reverse=True)
    if is_shown:
        headers = {name: _replaced(value, secrets) for name, value in answer.headers.items()}
        answer = answer._replace(headers=headers)
    if answer.status >= 400 and secrets:
        answer = answer._replace(pieces=_clean_body(answer, secrets))
    return answer


def _secrets(call: Call, deployment: Deployment) -> set[str]:
    """Return the secrets that *call* carries and *deployment* holds, as they may be repeated."""
    found = [*redaction.secrets_of(deployment)]
    found += [value for name, value in call.headers.items() if _is_secret(name)]
    if "?" in call.url:
        query = urllib.parse.parse_qsl(urllib.parse.urlsplit(call.url).query)
        found += [value for name, value in query if _is_secret(name)]
    return {form for text in found for form in _forms(text)}


@functools.lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    """Return whether a header or parameter called *name* holds a secret."""
    return bool(_SECRET_NAMES.search(name))


@functools.lru_cache(maxsize=1024)
def _forms(text: str) -> tuple[str, ...]:
    """Return the secret in *text*, the value of a header for instance, as it may be written."""
    scheme, _, secret = text.partition(" ")
    secret = secret if secret and scheme.isalnum() else text
    if len(secret) < _SHORTEST_SECRET:
        return ()
    quoted = urllib.parse.quote(secret, safe="")
    return secret, json.dumps(secret)[1:-1], quoted, html.escape(secret)


def _clean_body(answer: Answer, secrets: list[str]) -> Iterator[bytes]:
    """Yield the body of an error at once, without *secrets*."""
    text = http_session.body(answer, _LARGEST_ERROR).decode("utf-8", "surrogateescape")
    yield _replaced(text, secrets).encode("utf-8", "surrogateescape")


def _replaced(text: str, secrets: list[str]) -> str:
    """Return *text* without *secrets*, the longest of which comes first."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


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
