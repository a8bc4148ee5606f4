"""How deployments are chosen and tried again: `router_settings` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.retry_policy import RetryPolicy


class RouterSettings(NamedTuple):
    """How requests are sent on: `router_settings`, an operator's or a client's."""

    policy: RetryPolicy = RetryPolicy()
    policies: Mapping[str, RetryPolicy] = {}  # by model group
    fallbacks: Fallbacks = Fallbacks()
    timeout: float = 600.0  # seconds for a request, all attempts taken together
    stream_timeout: float | None = None  # the longest silence of a stream, in seconds
    strategy: str = "simple-shuffle"
    strategy_args: Mapping[str, Any] = {}
    allowed_fails: int = 3  # in a minute; one more and a deployment is left in peace
    allowed_fails_by_kind: Mapping[str, int] = {}  # of retries.kind_of
    cooldown_time: float = 5.0  # seconds
    cooldowns: bool = True
    tag_filtering: bool = False
    match_any_tag: bool = True
    parallel: int | None = None  # requests at once on a deployment that does not say
