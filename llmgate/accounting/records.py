"""Who a request is for, and the record of each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Protocol

from llmgate.accounting import tags as request_tags
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Usage


class Headers(Protocol):
    """A request's headers, found by their names in any case."""

    def get(self, name: str, /) -> str | None:
        """Return the header called *name*."""


class Caller(NamedTuple):
    """Who sends a request, with the tags and metadata in it."""

    key: str = ""  # which key of ours, never the key itself; empty: none was needed
    user: str | None = None
    tags: tuple[str, ...] = ()  # that choose deployments
    metadata: Any = None
    more_tags: tuple[str, ...] = ()  # given where others go first: for the log alone
    chat: str | None = None  # the chat or session that the request is part of


class Request(NamedTuple):
    """One client request, as policies see it; a part of `model: "a,b"` is one of its own."""

    id: str  # that of the response header x-request-id, the log line and every Entry
    parent: str | None  # the id of the whole request, for a part of it
    caller: Caller
    endpoint: str  # the route, "/v1/chat/completions"
    operation: str  # "chat", "messages", "embeddings", ... or "passthrough"
    model: str  # the model group that the client named
    body: Body | None  # the valid body; None: it is passed through unread
    internal: bool = False  # warm-up and health probes: no policy sees them


class Entry(NamedTuple):
    """One attempt, or the end of a request; `final` ends the request.

    Every attempt is recorded once, with its deployment. A final entry whose deployment is None
    closes no attempt: none was made, or the last one has been recorded before.
    """

    request_id: str
    endpoint: str
    caller: Caller
    group: str | None
    deployment: Deployment | None
    attempt: int  # 1 is the first; 0: none was made
    final: bool
    status: int
    error: str | None
    error_code: str | None
    cause: str | None  # what the operator should know of the error, and the client should not
    stream: bool
    aborted: bool  # the client disconnected before the end
    usage: Usage
    usage_estimated: bool  # the upstream did not say
    cost: float | None  # US dollars; None: unknown
    started: float  # seconds since the epoch
    latency: float  # seconds
    ttft: float | None  # seconds to the first token of a stream
    body: Body | None  # the request, for sinks that may log prompts
    failures: tuple[str, ...] = ()  # the attempts before this one: where they went, what came
    took: float = 0.0  # seconds of this attempt, to the first token if it is a stream
    retry_after: float | None = None  # seconds that its upstream asks to wait
    upstream: Mapping[str, Any] = {}  # where it went, and what came that is an error
    parent: str | None = None  # the id of the whole request, for a part of `model: "a,b"`


def caller(key: str, body: Mapping[str, Any], headers: Headers) -> Caller:
    """Return who asks by *key*, from what *body* and *headers* say."""
    user = body.get("user")
    tags, others = request_tags.tags(body, headers.get("x-litellm-tags"))
    metadata = request_tags.metadata(body, headers.get("x-litellm-spend-logs-metadata"))
    return Caller(key, user if isinstance(user, str) else None, tags, metadata, others)
