"""Takes secrets out of text that leaves the gate: errors and log lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from llmgate.contract import Deployment

_NAMES = re.compile(r"(?i)key|token|secret|password|credential|auth")  # of what is a secret
_PATTERNS = re.compile(
    r"""(?x)
    \b(?:sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|csk|fw)[-_][A-Za-z0-9_-]{12,}   # keys of providers
    | \bAIza[A-Za-z0-9_-]{30,}                                             # of Google
    | \bAKIA[A-Z0-9]{16}\b                                                 # of AWS
    | (?<=[Bb]earer\ )[A-Za-z0-9._~+/=-]{8,}
    | (?<=[?&]key=)[^&\s"]+
    | (?<=[?&]api-key=)[^&\s"]+
    """
)


def cleaner(secrets: Iterable[str | None]) -> Callable[[str], str]:
    """Return what returns a text without *secrets* and without what looks like one."""
    known = {secret for secret in secrets if secret and len(secret) >= 4}
    longest_first = sorted(known, key=len, reverse=True)  # one may be the beginning of another

    def cleaned(text: str) -> str:
        for secret in longest_first:
            text = text.replace(secret, "***")
        return _PATTERNS.sub("***", text)

    return cleaned


def clean(text: str, secrets: Iterable[str | None] = ()) -> str:
    """Return *text* without *secrets* and without what looks like one."""
    return cleaner(secrets)(text)


def without_login(base: str) -> str:
    """Return the address *base* without what may hold a secret: a login, a query, a fragment."""
    parts = urlsplit(base)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def secrets_of(deployment: Deployment) -> Iterator[str]:
    """Yield the secrets that *deployment* holds: its key, tokens, headers with either."""
    if deployment.api_key:
        yield deployment.api_key
    yield from _secrets(deployment.settings, named=False)


def _secrets(value: Any, named: bool) -> Iterator[str]:
    """Yield the texts in *value* that have a secret's name, or all of them if it is *named* so."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _secrets(item, named or bool(_NAMES.search(str(name))))
    elif named and isinstance(value, str):
        yield value
