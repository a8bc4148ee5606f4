"""How deployments are selected and retried: `router_settings` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.retry_policy import RetryPolicy


class RouterSettings(NamedTuple):
    """Routing options: `router_settings` of the operator or of a client."""

    policy: RetryPolicy = RetryPolicy()
    policies: Mapping[str, RetryPolicy] = {}  # by model group
    fallbacks: Fallbacks = Fallbacks()
    timeout: float = 600.0  # seconds for a request and all its attempts
    stream_timeout: float | None = None  # read (idle) timeout of a stream, in seconds
    stream_max_seconds: float | None = None  # for a whole stream; the operator's alone
    strategy: str = "simple-shuffle"
    strategy_args: Mapping[str, Any] = {}
    allowed_fails: int = 3  # in a minute; exceeding this starts a cooldown
    allowed_fails_by_kind: Mapping[str, int] = {}  # by retry_policy.kind_of
    cooldown_time: float = 5.0  # seconds
    cooldowns: bool = True
    tag_filtering: bool = False
    match_any_tag: bool = True
    parallel: int | None = None  # default limit of concurrent requests per deployment
