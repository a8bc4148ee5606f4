"""The cost of a usage and the prices of models, from the bundled table prices.json.

The table's fields and names are LiteLLM's; .ci/update_prices.py generates it and names the source.
It is read on first use, in 6 ms for 0.5 MB, so that importing this costs nothing.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import TypeAlias

from llmgate.contract import Usage

Row: TypeAlias = dict[str, Any]
"""One line of prices.json: dollars per unit (fields with `cost` in them), mode and sizes."""

_TABLE = Path(__file__).parents[1] / "prices.json"

_SHARED = {
    "azure": ("azure", "openai"),
    "azure_ai": ("azure_ai", "openai", "anthropic", "deepseek", "xai", "moonshot", "cohere"),
    "azure_text": ("azure", "openai"),
    "bedrock_converse": ("bedrock",),
    "codestral": ("codestral", "mistral"),
    "cohere_chat": ("cohere",),
    "text-completion-codestral": ("codestral", "mistral"),
    "text-completion-openai": ("openai",),
    "vertex_ai": ("vertex_ai", "gemini"),
    "vertex_ai_beta": ("vertex_ai", "gemini"),
}
"""Whose rows count for a provider, the first that has the model; for all others their own."""

_MAKERS = ("openai", "anthropic")
"""Providers whose models are known by bare names, with every provider."""

_ENDING = re.compile(
    r"([-@](latest|default)|-preview|-v\d+:\d+|(-v\d+)?@\d{8}|[-@]20\d\d-?\d\d-?\d\d"
    r"|-\d\d-(20)?\d\d|-(0[1-9]|1[0-2])[0-3]\d)$"
)
"""A version or date, as it ends names of OpenAI, Anthropic, Google and Bedrock. Not Mistral's year
and month: mistral-large-2512 and mistral-large-2411 differ in price."""

_REGION = re.compile(r"^(global|us(-gov)?|eu|apac|au|ca|in|jp|sa)\.")
"""Where Bedrock routes a request to."""

_PARTS = {
    "prompt_tokens": ("cached_tokens", "cache_creation_tokens", "audio_prompt_tokens"),
    "cache_creation_tokens": ("cache_creation_1h_tokens",),
    "completion_tokens": ("audio_completion_tokens", "reasoning_tokens"),
}
"""What of a kind of tokens may have its own price."""

_PRICES = {
    "prompt_tokens": "input_cost_per_token",
    "cached_tokens": "cache_read_input_token_cost",
    "cache_creation_tokens": "cache_creation_input_token_cost",
    "cache_creation_1h_tokens": "cache_creation_input_token_cost_above_1hr",
    "audio_prompt_tokens": "input_cost_per_audio_token",
    "completion_tokens": "output_cost_per_token",
    "audio_completion_tokens": "output_cost_per_audio_token",
    "reasoning_tokens": "output_cost_per_reasoning_token",
    "characters": "input_cost_per_character",
    "seconds": "input_cost_per_second",
    "images": "output_cost_per_image",
}
"""The price of each kind of usage."""

_SIDES = (("prompt_tokens", ("characters", "seconds")), ("completion_tokens", ("images",)))
"""The two sides of a bill: the tokens of each, and the other units that may count it."""

_TIER = re.compile(r"(.+)_above_(\d+)(k?)_tokens")


def cost(usage: Usage, prices: Mapping[str, float]) -> float | None:
    """Return US dollars for *usage* at *prices*, in dollars per unit; None if one is missing.

    `prompt_tokens` include cached and cache-creating ones. A kind of tokens without a price of its
    own costs what the whole it belongs to costs: cached ones the full input price. Prices
    `..._above_200k_tokens` hold for all tokens once `prompt_tokens` exceed that. Tokens need no
    price where characters, seconds or images have one. An empty *usage* is an unknown one: it
    costs 0 only where all is free.
    """
    if not prices:
        return None
    if not usage:
        return None if any(prices.values()) else 0.0
    current = _current(prices, usage.get("prompt_tokens", 0))
    units = [usage[unit] * current[_PRICES[unit]] for unit in _priced_units(usage, current)]
    tokens = [_side(usage, current, *side) for side in _SIDES]
    if not units and None in tokens:
        return None
    fee = current.get("input_cost_per_request", 0.0)
    return fee + sum(units) + sum(side or 0.0 for side in tokens)


def _current(prices: Mapping[str, float], prompt_tokens: float) -> Mapping[str, float]:
    """Return *prices* with those of the highest tier that *prompt_tokens* exceed in force."""
    tiers = []
    for name, price in prices.items():
        tier = _TIER.fullmatch(name) if name.endswith("_tokens") else None
        if tier and prompt_tokens > (limit := int(tier[2]) * (1000 if tier[3] else 1)):
            tiers.append((limit, tier[1], price))
    return {**prices, **{name: price for _, name, price in sorted(tiers)}} if tiers else prices


def _priced_units(usage: Usage, prices: Mapping[str, float]) -> list[str]:
    """Return the units other than tokens that were used and have a price."""
    units = [unit for _, side in _SIDES for unit in side]
    return [unit for unit in units if usage.get(unit) and _PRICES[unit] in prices]


def _side(
    usage: Usage, prices: Mapping[str, float], tokens: str, units: tuple[str, ...]
) -> float | None:
    """Return what *tokens* cost; None if a price is missing, or if but *units* were counted."""
    if not usage.get(tokens) and any(usage.get(unit) for unit in units):
        return None
    return _tokens(usage, prices, tokens, None)


def _tokens(
    usage: Usage, prices: Mapping[str, float], kind: str, default: float | None
) -> float | None:
    """Return what the tokens of *kind* cost, each part at its price, else at that of its whole."""
    price = prices.get(_PRICES[kind], default)
    rest = usage.get(kind, 0)
    total = 0.0
    for part in _PARTS.get(kind, ()):
        if usage.get(part):
            found = _tokens(usage, prices, part, price)
            if found is None:
                return None
            total += found
            rest -= usage[part]
    if rest <= 0:
        return total
    return None if price is None else total + rest * price


def prices(provider: str, model: str) -> Mapping[str, float]:
    """Return what *model* costs at *provider* (LiteLLM's name), in dollars; empty if unknown.

    The model may be written with its provider, in any case, with a date or version of which only
    the base is known, or by its bare name where someone else serves OpenAI's or Anthropic's.
    """
    return {name: price for name, price in _row(provider, model).items() if "cost" in name}


def about(provider: str, model: str) -> Mapping[str, Any]:
    """Return `mode`, `max_input_tokens` and `max_output_tokens` of *model*, those known."""
    row = _row(provider, model)
    known = {name: value for name, value in row.items() if "cost" not in name}
    return {"mode": "chat", **known} if row else {}


def models(provider: str, mode: str | None = None) -> list[str]:
    """Return the names of *provider*'s models in the table, sorted; those of *mode* alone.

    Rows for the price of all fine-tuned models of a kind are left out.
    """
    providers = _SHARED.get(provider, (provider,))
    found = set()
    for name, row in _rows().items():
        maker, _, model = name.partition("/")
        if maker in providers and mode in (None, row.get("mode", "chat")):
            found.add(model)
    return sorted(model for model in found if not model.startswith("ft:"))


def _row(provider: str, model: str) -> Row:
    """Return the row for *model* at *provider*, empty if there is none."""
    index = _index()
    for name in _names(provider.lower(), model.lower()):
        for shorter in _shortened(name):
            if shorter in index:
                return index[shorter]
    return {}


def _names(provider: str, model: str) -> Iterator[str]:
    """Yield what the table may call *model*, the likeliest first."""
    if model.startswith("ft:"):  # ft:gpt-4o-2024-08-06:organization:name:id
        model = ":".join(model.split(":")[:2])
    model = model.replace("gpt-35-", "gpt-3.5-")  # Azure's spelling
    unrouted = _REGION.sub("", model)
    last = _REGION.sub("", model.rpartition("/")[2])  # of a path: accounts/fireworks/models/...
    for each in _SHARED.get(provider, (provider,)):
        for spelling in (model, unrouted, model.rpartition("/")[2], last):
            yield f"{each}/{spelling}"
    yield model
    for maker in _MAKERS:
        yield f"{maker}/{model}"


def _shortened(name: str) -> Iterator[str]:
    """Yield *name*, then the same without its version, its date and so on."""
    yield name
    while (shorter := _ENDING.sub("", name)) != name:
        yield shorter
        name = shorter


@functools.cache
def _rows() -> dict[str, Row]:
    """Return the table, each row by its provider and name."""
    rows: dict[str, Row] = json.loads(_TABLE.read_bytes())
    return rows


@functools.cache
def _index() -> dict[str, Row]:
    """Return each row by its name in lower case, and the newest also by the name without date."""
    index = {name.lower(): row for name, row in _rows().items()}
    for name in sorted(index, reverse=True):
        for shorter in _shortened(name):
            index.setdefault(shorter, index[name])
    return index
