"""What one request asks for: retries, timeouts, fallbacks; it overrides the router settings.

The names are LiteLLM's; `endpoints.common` puts the headers x-litellm-* among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.accounting.records import Headers
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.routing import fallbacks
from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.retry_policy import RetryPolicy
from llmgate.routing.router_settings import RouterSettings
from llmgate.trust import client_credentials

HEADERS: Mapping[str, str] = {
    "x-litellm-timeout": "timeout",
    "x-litellm-stream-timeout": "stream_timeout",
    "x-litellm-num-retries": "num_retries",
}
"""Headers and the members of a body that they stand for."""

_MEMBERS = frozenset(
    """num_retries max_retries timeout request_timeout stream_timeout disable_fallbacks fallbacks
    context_window_fallback_dict context_window_fallbacks content_policy_fallbacks
    max_fallbacks""".split()
)
"""The members of a body that are options."""

_LONGEST = 3600.0  # seconds that a client may ask for
_MOST_RETRIES = 10
_TRUE = (True, "true", "True")


def from_headers(headers: Headers) -> dict[str, str]:
    """Return the options in *headers* as members of a body."""
    found = {name: headers.get(header) for header, name in HEADERS.items()}
    return {name: value for name, value in found.items() if value}


class RequestOptions(NamedTuple):
    """The options of one request."""

    settings: RouterSettings
    fallbacks: Fallbacks
    retries: int | None = None  # as the client wants
    timeout: float | None = None  # seconds, as the client wants
    stream_timeout: float | None = None

    def retry_policy(self, deployment: Deployment) -> RetryPolicy:
        """Return how often *deployment* may be retried."""
        policy = self.settings.policies.get(deployment.group, self.settings.policy)
        own, kinds = deployment.routing.retries, deployment.routing.retries_by_kind
        if self.retries is not None:
            return policy._replace(retries=self.retries, by_kind={})
        policy = policy if own is None else policy._replace(retries=own)
        return policy if kinds is None else policy._replace(by_kind=kinds)

    def total_seconds(self, found: Iterable[Deployment]) -> float:
        """Return the seconds for the whole request, at least the timeout of each of *found*."""
        longest = max((deployment.timeout for deployment in found), default=0.0)
        return self.timeout or max(self.settings.timeout, longest)

    def idle_seconds(self, deployment: Deployment, stream: bool) -> float:
        """Return the seconds that *deployment* may send no data."""
        if stream:
            own = deployment.routing.stream_timeout or self.settings.stream_timeout
            seconds = self.stream_timeout or self.timeout or own
        else:
            seconds = self.timeout
        return float(seconds or deployment.timeout)


def read(body: Body, model: str, settings: RouterSettings) -> RequestOptions:
    """Return the options of the request *body* for *model*; raises InvalidRequest."""
    if _MEMBERS.isdisjoint(body) and not client_credentials.has_credentials(body):
        return RequestOptions(settings, settings.fallbacks)
    retries = _number(body, ("num_retries", "max_retries"))
    return RequestOptions(
        settings,
        _fallbacks(body, model, settings.fallbacks),
        None if retries is None else min(int(retries), _MOST_RETRIES),
        _seconds(body, ("timeout", "request_timeout")),
        _seconds(body, ("stream_timeout",)),
    )


def _fallbacks(body: Body, model: str, ours: Fallbacks) -> Fallbacks:
    """Return the fallbacks that *body* asks for, else *ours*."""
    if body.get("disable_fallbacks") in _TRUE:
        return Fallbacks(retry_after_timeout=ours.retry_after_timeout)
    if client_credentials.has_credentials(
        body
    ):  # a client's key goes to no group that it did not name
        ours = Fallbacks(retry_after_timeout=ours.retry_after_timeout, most=ours.most)
    if body.get("fallbacks") is not None:
        ours = ours._replace(requested=fallbacks.targets(body["fallbacks"], model))
    too_long = body.get("context_window_fallback_dict")
    window = [too_long] if isinstance(too_long, Mapping) else body.get("context_window_fallbacks")
    if window is not None:
        found = fallbacks.lists(window, "context_window_fallbacks")
        ours = ours._replace(context_window=found, named_by_client=True)
    content = body.get("content_policy_fallbacks")
    if content is not None:
        found = fallbacks.lists(content, "content_policy_fallbacks")
        ours = ours._replace(content_policy=found, named_by_client=True)
    most = _number(body, ("max_fallbacks",))
    return ours if most is None else ours._replace(most=min(int(most), ours.most))


def _seconds(body: Body, names: tuple[str, ...]) -> float | None:
    """Return the seconds at the first of *names* in *body*, None if there are none."""
    seconds = _number(body, names)
    return None if not seconds else min(seconds, _LONGEST)


def _number(body: Body, names: tuple[str, ...]) -> float | None:
    """Return the number at the first of *names* in *body*; raises InvalidRequest for no number."""
    name = next((name for name in names if body.get(name) is not None), None)
    if name is None:
        return None
    number = _parsed(body[name])
    if number is None:
        raise errors.InvalidRequest(
            f"Invalid value for '{name}': expected a number of at least 0.",
            param=name,
            code="invalid_value",
        )
    return number


def _parsed(value: Any) -> float | None:
    """Return *value* as a number of at least 0, None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
