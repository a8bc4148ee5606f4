"""Prices as lines for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

_MILLION = 1_000_000
_TOKENS, _CHARACTERS = "$ per 1M tokens", "$ per 1M characters"
_WORDS = {
    "input_cost_per_token": ("input", _TOKENS),
    "cache_read_input_token_cost": ("cached input", _TOKENS),
    "cache_creation_input_token_cost": ("cache write, 5 minutes", _TOKENS),
    "cache_creation_input_token_cost_above_1hr": ("cache write, 1 hour", _TOKENS),
    "input_cost_per_audio_token": ("audio input", _TOKENS),
    "output_cost_per_token": ("output", _TOKENS),
    "output_cost_per_audio_token": ("audio output", _TOKENS),
    "output_cost_per_reasoning_token": ("reasoning", _TOKENS),
    "input_cost_per_character": ("input", _CHARACTERS),
    "input_cost_per_second": ("audio input", "$ per second"),
    "output_cost_per_image": ("image", "$ each"),
    "input_cost_per_request": ("request", "$ each"),
    "search_cost_per_call": ("web search", "$ each"),
}
"""What each price is for, and its unit."""

_ENDING = re.compile(r"(_above_(\d+k?)_tokens)?(_(flex|priority|batches))?$")
_SIZES = (("max_input_tokens", "context"), ("max_output_tokens", "output"))


def lines(name: str, prices: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is known of the model called *name*: its sizes, then a line for each price."""
    sizes = [f"{word} {about[key]}" for key, word in _SIZES if about.get(key)]
    note = ", ".join([str(about["mode"]), *sizes]) if about else "not in the price list"
    yield f"{name} ({note})"
    known = sorted(prices, key=_rank)
    for each in known:
        what, price, unit = _line(each, float(prices[each]))
        yield f"  {what:<48} {price:>12} {unit}"
    if not known:
        yield (
            "  no price is known, and its cost is not computed; set model_info.base_model, or"
            " input_cost_per_token and output_cost_per_token"
        )


def _split(name: str) -> tuple[str, str, str]:
    """Return *name* without its ending, the tier and the service tier in it."""
    ending = _ENDING.search(name)
    assert ending is not None  # every part of it is optional
    return name[: ending.start()], ending[2] or "", ending[4] or ""


def _rank(name: str) -> tuple[str, int, int, str]:
    """Return where the price called *name* stands: by service tier, kind, tier."""
    base, tier, service = _split(name)
    kinds = list(_WORDS)
    at = kinds.index(base) if base in _WORDS else len(kinds)
    return service, at, int(tier.replace("k", "000") or 0), name


def _line(name: str, price: float) -> tuple[str, str, str]:
    """Return what the price called *name* is for, the amount, and its unit."""
    base, tier, service = _split(name)
    what, unit = _WORDS.get(base, (base, "$"))
    above = f", prompts above {tier} tokens" if tier else ""
    amount = price * _MILLION if "1M" in unit else price
    return f"{what}{above}{f' ({service})' if service else ''}", f"{amount:.10g}", unit
