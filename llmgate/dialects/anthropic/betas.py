"""The betas of a request: a header at Anthropic and Google, a field at AWS.

Until it is known where a request goes they stand in its body, as `anthropic_beta`.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
"""

from __future__ import annotations

from typing import Any

from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.dialects.openai import wire as openai_wire

FIELD = "anthropic_beta"

_AT_BOTH = (
    "compact-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "interleaved-thinking-",
    "per-turn-control-",
    "thinking-binding-controls-",
    "thinking-display-updates-",
    "tool-search-tool-",
)
_AT_AWS = (
    *_AT_BOTH,
    "dev-full-thinking-",
    "effort-",
    "fine-grained-tool-streaming-",
    "mid-conversation-",
    "output-128k-",
    "token-efficient-tools-",
    "tool-examples-",
)
"""Prefixes of the betas that Bedrock supports; it refuses a request with any other."""

_AT_GOOGLE = (*_AT_BOTH, "web-search-")
"""Prefixes of the betas that Vertex AI supports; it refuses a request with any other."""

_RENAMED = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}
"""Anthropic's name of a beta -> that of both hosts."""


def listed(header: str | None) -> list[str]:
    """Return the betas that the *header* anthropic-beta names."""
    return [name.strip() for name in (header or "").split(",") if name.strip()]


def call(url: str, body: Body) -> Call:
    """Return the call that posts *body* to *url*, its betas in the header."""
    wanted = _wanted(body)
    found = openai_wire.json_call(url, {key: value for key, value in body.items() if key != FIELD})
    if not wanted:
        return found
    return found._replace(headers={**found.headers, "anthropic-beta": ",".join(wanted)})


def at_aws(body: Body) -> Body:
    """Return *body* with only those betas that Bedrock supports."""
    return _only(body, _AT_AWS)


def at_google(body: Body) -> Body:
    """Return *body* with only those betas that Vertex AI supports."""
    return _only(body, _AT_GOOGLE)


def _only(body: Body, prefixes: tuple[str, ...]) -> Body:
    """Return *body* with only those betas that begin with one of *prefixes*."""
    names = dict.fromkeys(_RENAMED.get(name, name) for name in _wanted(body))
    known = [name for name in names if name.startswith(prefixes)]
    rest = {key: value for key, value in body.items() if key != FIELD}
    return {**rest, FIELD: known} if known else rest


def _wanted(body: Body) -> list[str]:
    """Return the betas that *body* names."""
    named: Any = body.get(FIELD)
    return [str(name) for name in named] if isinstance(named, list) else []
