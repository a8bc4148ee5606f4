"""The rules of routing out of what is written: `router_settings`, or a client's `user_config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.errors import ConfigError
from llmgate.routing import fallbacks
from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.retry_policy import RetryPolicy
from llmgate.routing.router_settings import RouterSettings

_RETRIES, _FAILS = "Retries", "AllowedFails"  # how LiteLLM's names for kinds of errors end


def parse(*sections: Mapping[str, Any]) -> RouterSettings:
    """Return the settings in *sections*; earlier sections take precedence.

    Their shape is that of `router_settings` in schemas/config.json. Raises InvalidRequest.
    """
    given = _Given(sections)
    policy = RetryPolicy(
        int(given.number("num_retries", 2)),
        _by_kind(given.get("retry_policy"), _RETRIES),
        given.number("retry_after", 0.0),
    )
    timeout = given.get("timeout") or given.get("request_timeout")
    return RouterSettings(
        policy=policy,
        policies={
            group: policy._replace(by_kind=_by_kind(kinds, _RETRIES))
            for group, kinds in (given.get("model_group_retry_policy") or {}).items()
        },
        fallbacks=_fallbacks(given),
        timeout=float(timeout or 600.0),
        stream_timeout=given.get("stream_timeout"),
        strategy=str(given.get("routing_strategy") or "simple-shuffle"),
        strategy_args=given.get("routing_strategy_args") or {},
        allowed_fails=int(given.number("allowed_fails", 3)),
        allowed_fails_by_kind=_by_kind(given.get("allowed_fails_policy"), _FAILS),
        cooldown_time=given.number("cooldown_time", 5.0),
        cooldowns=not given.get("disable_cooldowns"),
        tag_filtering=bool(given.get("enable_tag_filtering")),
        match_any_tag=given.get("tag_filtering_match_any") is not False,
        parallel=given.get("default_max_parallel_requests"),
    )


_STREAM_LIMIT = "LLMGATE_STREAM_MAX_SECONDS"


def stream_limit(own: Mapping[str, Any], environ: Mapping[str, str]) -> float | None:
    """Return the most seconds of a stream in llmgate_settings or the environment, None: no limit.

    Raises ConfigError.
    """
    own_seconds = own.get("stream_max_seconds") or environ.get(_STREAM_LIMIT) or None
    try:
        seconds = None if own_seconds is None else float(own_seconds)
    except ValueError:
        seconds = -1.0
    if seconds is not None and not 0 < seconds < float("inf"):
        raise ConfigError(
            f"the environment variable {_STREAM_LIMIT} is not a number of seconds; set it to one,"
            " such as 3600, or unset it"
        )
    return seconds


class _Given:
    """Sections, looked through in turn."""

    def __init__(self, sections: tuple[Mapping[str, Any], ...]) -> None:
        self._sections = sections

    def get(self, name: str) -> Any:
        """Return the value of *name*, None if it is not set."""
        found = (section.get(name) for section in self._sections)
        return next((value for value in found if value is not None), None)

    def number(self, name: str, default: float) -> float:
        """Return the number at *name*."""
        value = self.get(name)
        return default if value is None else float(value)


def _fallbacks(given: _Given) -> Fallbacks:
    """Return who stands in for whom."""
    found = {
        name: fallbacks.lists(given.get(name) or [], name)
        for name in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
    }
    return Fallbacks(
        found["fallbacks"],
        found["context_window_fallbacks"],
        found["content_policy_fallbacks"],
        tuple(given.get("default_fallbacks") or ()),
        int(given.number("max_fallbacks", fallbacks.DEEPEST)),
        given.get("retry_unsafe"),
    )


def retries_by_kind(policy: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Return the retries in a `retry_policy` by kind of error, None if there is none."""
    return None if policy is None else _by_kind(policy, _RETRIES)


def _by_kind(given: Mapping[str, Any] | None, end: str) -> dict[str, int]:
    """Return the numbers in *given* by the kind of error, their names less *end*."""
    return {
        name.removesuffix(end): int(number)
        for name, number in (given or {}).items()
        if number is not None
    }


def hidden_aliases(given: Mapping[str, Any]) -> frozenset[str]:
    """Return the aliases that model lists do not show."""
    return frozenset(
        alias
        for alias, group in given.items()
        if isinstance(group, Mapping) and group.get("hidden")
    )


def aliases(given: Mapping[str, Any]) -> dict[str, str]:
    """Return alias -> group; LiteLLM writes the group bare or as {model: group, hidden: ...}."""
    return {
        alias: str(group["model"] if isinstance(group, Mapping) else group)
        for alias, group in given.items()
    }
