"""Usage as OpenAI-compatible upstreams report it: where it stands, and how it adds up.

Source: https://platform.openai.com/docs/api-reference/chat/object, and for other places:
https://docs.x.ai/docs/guides/reasoning (reasoning tokens beside the completion's),
https://platform.moonshot.ai/docs/api/chat (in the last choice, `cached_tokens`),
https://api-docs.deepseek.com/guides/kv_cache (`prompt_cache_hit_tokens`),
https://console.groq.com/docs/api-reference (`x_groq` in streams).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Usage

_COUNTS = (
    ("prompt_tokens", "prompt_tokens"),
    ("input_tokens", "prompt_tokens"),
    ("completion_tokens", "completion_tokens"),
    ("output_tokens", "completion_tokens"),
    ("prompt_cache_hit_tokens", "cached_tokens"),
    ("cached_tokens", "cached_tokens"),
    ("cache_creation_input_tokens", "cache_creation_tokens"),
    ("seconds", "seconds"),
)
_DETAILS = (
    ("prompt_tokens_details", "cached_tokens", "cached_tokens"),
    ("prompt_tokens_details", "audio_tokens", "audio_prompt_tokens"),
    ("input_tokens_details", "cached_tokens", "cached_tokens"),
    ("input_token_details", "audio_tokens", "audio_prompt_tokens"),
    ("completion_tokens_details", "reasoning_tokens", "reasoning_tokens"),
    ("completion_tokens_details", "audio_tokens", "audio_completion_tokens"),
    ("output_tokens_details", "reasoning_tokens", "reasoning_tokens"),
)


def usage(report: Mapping[str, Any]) -> Usage:
    """Return the counts of the usage in a reply or event, by the names of `contract.Usage`."""
    given = reported(report)
    if given is None:
        return {}
    found = {ours: given[name] for name, ours in _COUNTS if _is_count(given.get(name))}
    if "prompt_tokens" in given and _is_count(given.get("cache_read_input_tokens")):
        found["cached_tokens"] = given["cache_read_input_tokens"]  # Databricks: within the prompt
    for group, name, ours in _DETAILS:
        details = given.get(group)
        if isinstance(details, dict) and _is_count(details.get(name)):
            found[ours] = details[name]
    if _is_reasoning_apart(found, given.get("total_tokens")):
        found["completion_tokens"] += found["reasoning_tokens"]
    return found


def reported(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage object of a reply or event, wherever it stands; None if there is none."""
    groq = report.get("x_groq")
    places = [report, groq, *(report.get("choices") or ())]
    for place in places:
        given = place.get("usage") if isinstance(place, dict) else None
        if isinstance(given, dict) and given:
            return given
    return None


def normal(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage of a chat reply or chunk with its sums and details.

    None if it has none, or no valid count.
    """
    given = reported(report)
    if given is None:
        return None
    counts = usage(report)
    if "prompt_tokens" not in counts and "completion_tokens" not in counts:
        return None
    prompt, completion = counts.get("prompt_tokens", 0), counts.get("completion_tokens", 0)
    total = given.get("total_tokens")
    total = total if _is_count(total) else prompt + completion
    sums = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    found = {**given, **sums}
    if counts.get("cached_tokens"):
        details = given.get("prompt_tokens_details") or {}
        cached = {"cached_tokens": counts["cached_tokens"]}
        found["prompt_tokens_details"] = {**details, **cached}
    return found


def _is_reasoning_apart(counts: Mapping[str, float], total: Any) -> bool:
    """Return whether the reasoning tokens are not among the completion's, as the *total* shows."""
    names = ("prompt_tokens", "completion_tokens", "reasoning_tokens")
    if not counts.get("reasoning_tokens") or not all(name in counts for name in names):
        return False
    return bool(total == sum(counts[name] for name in names))


def _is_count(value: Any) -> bool:
    """Return whether *value* is a count, not null or text."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
