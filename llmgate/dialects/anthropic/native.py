"""Requests in Anthropic's own shape, without what its models or hosts refuse.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.dialects.anthropic import betas as anthropic_betas

_THINKING = ("thinking", "redacted_thinking")
FOREIGN = "llmgate:"
"""How signatures begin that the gate made for thinking of other models: no signature of Claude's
does."""

_BILLING = "x-anthropic-billing-header:"
"""A line of Claude Code's for Anthropic alone: it differs in each request, and AWS refuses it."""

_BETA_OF = {"context_management": ("context-management-", "compact-"), "speed": ("fast-mode-",)}
"""Members that need a beta, each with prefixes of the betas that have it."""

_ANTHROPICS = frozenset({"diagnostics", "user_profile_id", "cache_control"})
"""Members that only Anthropic itself accepts; `cache_control` becomes a mark of the last block."""


def with_own_thinking(body: Body) -> Body:
    """Return *body* without thinking that Claude did not sign: Anthropic verifies signatures.

    Other models make such blocks, and clients send them back after a change of the model.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not any(map(_has_foreign, messages)):
        return body
    kept = [_own(turn) if _has_foreign(turn) else turn for turn in messages]
    return {**body, "messages": [turn for turn in kept if turn.get("content") != []]}


def _has_foreign(turn: Any) -> bool:
    """Return whether *turn* has thinking that Claude did not sign."""
    content = turn.get("content") if isinstance(turn, Mapping) else None
    return isinstance(content, list) and any(map(_is_foreign, content))


def _is_foreign(block: Any) -> bool:
    """Return whether *block* is thinking that Claude did not sign."""
    if not isinstance(block, Mapping) or block.get("type") not in _THINKING:
        return False
    proof = block.get("data" if block["type"] == "redacted_thinking" else "signature")
    return not proof or str(proof).startswith(FOREIGN)


def _own(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return *turn* without the thinking that Claude did not sign."""
    return {**turn, "content": [each for each in turn["content"] if not _is_foreign(each)]}


def for_aws(body: Body) -> Body:
    """Return *body* for Claude at Amazon Bedrock."""
    return _for_host(anthropic_betas.at_aws(body))


def for_google(body: Body) -> Body:
    """Return *body* for Claude at Vertex AI."""
    return _for_host(anthropic_betas.at_google(body))


def _for_host(body: Body) -> Body:
    """Return *body*, whose betas are those of the host, without what Anthropic alone accepts."""
    betas = body.get(anthropic_betas.FIELD) or ()
    found = {
        key: _unscoped(value) if key in ("system", "messages", "tools") else value
        for key, value in with_own_thinking(body).items()
        if key not in _ANTHROPICS and _is_enabled(key, betas)
    }
    if isinstance(found.get("system"), list):
        found["system"] = _without_billing(found["system"])
    mark = body.get("cache_control")
    return _marked(found, _unscoped({"cache_control": mark})) if mark else found


def _is_enabled(key: str, betas: Any) -> bool:
    """Return whether *betas* have the one that member *key* needs, if it needs one."""
    return key not in _BETA_OF or any(name.startswith(_BETA_OF[key]) for name in betas)


def _without_billing(system: list[Any]) -> list[Any]:
    """Return the *system* blocks without a leading one of billing."""
    first = system[0] if system else None
    is_billing = isinstance(first, Mapping) and str(first.get("text")).startswith(_BILLING)
    return system[1:] if is_billing else system


def _unscoped(value: Any) -> Any:
    """Return *value* with cache marks that have no scope, which needs a beta of Anthropic's."""
    if isinstance(value, list):
        return [_unscoped(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    found = {}
    for key, item in value.items():
        if key == "cache_control" and isinstance(item, Mapping):
            found[key] = {name: each for name, each in item.items() if name != "scope"}
        else:
            found[key] = _unscoped(item) if key == "content" else item
    return found


def _marked(body: Body, mark: Mapping[str, Any]) -> Body:
    """Return *body* with *mark* at the last block of its last message, as Anthropic places it."""
    *before, last = body.get("messages") or [{}]
    content = last.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not content or content[-1].get("type") in _THINKING:
        return body
    blocks = [*content[:-1], {**content[-1], **mark}]
    return {**body, "messages": [*before, {**last, "content": blocks}]}
