"""The policies that every app has: the load balancer's feedback, the request log, tags."""

from __future__ import annotations

from collections.abc import Callable

from llmgate import errors
from llmgate.accounting.records import Entry
from llmgate.accounting.records import Request
from llmgate.pipeline.policy import BasePolicy
from llmgate.routing.load_balancer import LoadBalancer


class Feedback(BasePolicy):
    """Lets the load balancer learn from each attempt: slots, limits, cooldowns, latencies."""

    def __init__(self, load_balancer: LoadBalancer) -> None:
        self._load_balancer = load_balancer

    def record(self, entry: Entry) -> None:
        """Give *entry* to the load balancer."""
        self._load_balancer.record(entry)


class RequestLog(BasePolicy):
    """Writes a line for each request."""

    def __init__(self, write: Callable[[Entry], None]) -> None:
        self._write = write

    def record(self, entry: Entry) -> None:
        """Write the line of *entry*."""
        self._write(entry)


class RejectTags(BasePolicy):
    """Refuses requests with tags: `reject_clientside_metadata_tags`."""

    def admit(self, request: Request) -> None:
        """Raise InvalidRequest if *request* has tags."""
        if request.caller.tags:
            raise errors.InvalidRequest(
                "This gateway does not accept tags from clients (reject_clientside_metadata_tags)."
                " Remove them.",
                param="tags",
                code="tags_not_allowed",
            )
