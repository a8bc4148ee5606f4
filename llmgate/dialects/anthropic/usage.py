"""Anthropic's usage and OpenAI's: Anthropic counts cached tokens apart, OpenAI counts them in.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Usage

_READ, _WRITTEN = "cache_read_input_tokens", "cache_creation_input_tokens"
_COUNTED = frozenset(("input_tokens", "output_tokens", "output_tokens_details"))


def chat_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return Anthropic's *usage* in OpenAI's shape; what OpenAI has no word for is kept."""
    read, written = usage.get(_READ) or 0, usage.get(_WRITTEN) or 0
    prompt = (usage.get("input_tokens") or 0) + read + written
    completion = usage.get("output_tokens") or 0
    found: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_creation_tokens": written},
    }
    details = usage.get("output_tokens_details")
    if details:
        found["completion_tokens_details"] = {"reasoning_tokens": details.get("thinking_tokens", 0)}
    kept = {key: value for key, value in usage.items() if key not in _COUNTED and value is not None}
    return found | kept


def message_usage(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return OpenAI's *usage* in Anthropic's shape; zeros if it is missing."""
    counts = usage or {}
    details = counts.get("prompt_tokens_details") or {}
    read = details.get("cached_tokens") or 0
    written = counts.get(_WRITTEN) or details.get("cache_creation_tokens") or 0
    prompt = counts.get("prompt_tokens") or 0
    return {
        "input_tokens": max(0, prompt - read - written),
        _WRITTEN: written,
        _READ: read,
        "output_tokens": counts.get("completion_tokens") or 0,
    }


def counted(report: Mapping[str, Any]) -> Usage:
    """Return the usage in a message or an event of Anthropic's."""
    message = report.get("message")
    usage = report.get("usage") or (message.get("usage") if isinstance(message, dict) else None)
    if not isinstance(usage, dict):
        return {}
    found: dict[str, float] = {}
    read, written = usage.get(_READ) or 0, usage.get(_WRITTEN) or 0
    prompt = (usage.get("input_tokens") or 0) + read + written
    if prompt:  # the end of a stream may omit it, or contain zeros
        found["prompt_tokens"] = prompt
        found["cached_tokens"] = read
        found["cache_creation_tokens"] = written
    if usage.get("output_tokens") is not None:
        found["completion_tokens"] = usage["output_tokens"]
    details = usage.get("output_tokens_details")
    if isinstance(details, dict) and details.get("thinking_tokens"):
        found["reasoning_tokens"] = details["thinking_tokens"]
    return found
