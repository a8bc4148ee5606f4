"""Write llmgate/prices.json: what models cost, and how much they take.

    python .ci/update_prices.py            # for today
    python .ci/update_prices.py --differ   # and say where the two sources disagree

Sources, facts only, both MIT: prices from the data of `genai-prices`
(https://github.com/pydantic/genai-prices), modes and sizes from the map in `litellm`. Both come
from PyPI into a temporary directory. What they lack or have wrong is in EXTRA, with its source.
To update: raise the two versions, run it, read the difference line by line, run the tests.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

PRICES = "genai-prices==0.2.3"
SIZES = "litellm==1.109.1"
SIZES_FILE = "litellm/model_prices_and_context_window_backup.json"
TARGET = Path(__file__).parent.parent / "llmgate" / "prices.json"

PROVIDERS = {
    "anthropic": "anthropic",
    "aws": "bedrock",
    "azure": "azure_ai",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "moonshotai": "moonshot",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together_ai",
    "x-ai": "xai",
}
"""The source's provider -> LiteLLM's prefix, by which we call it: those that llmgate has."""

FIELDS = {
    "input_mtok": ("input_cost_per_token", 1_000_000),
    "output_mtok": ("output_cost_per_token", 1_000_000),
    "output_image_mtok": ("output_cost_per_token", 1_000_000),  # no usage report distinguishes it
    "cache_read_mtok": ("cache_read_input_token_cost", 1_000_000),
    "cache_write_mtok": ("cache_creation_input_token_cost", 1_000_000),
    "cache_write_1h_mtok": ("cache_creation_input_token_cost_above_1hr", 1_000_000),
    "input_audio_mtok": ("input_cost_per_audio_token", 1_000_000),
    "output_audio_mtok": ("output_cost_per_audio_token", 1_000_000),
    "output_reasoning_mtok": ("output_cost_per_reasoning_token", 1_000_000),
    "input_mchars": ("input_cost_per_character", 1_000_000),
    "input_audio_hours": ("input_cost_per_second", 3600),
}
"""The source's price -> LiteLLM's, and how many units the source's is for."""

LEFT_OUT = {
    "anthropic": r"claude-(2|v1|[4-9])|.*\.",  # claude-4-opus is not one of their names
    "azure": r"o\d|text-|(ada|babbage|curie|davinci|wizard)|.*:free",  # the former are OpenAI's
    "cerebras": r"cerebras[/:]",
    "google": r"gemma|gemini-(1|pro$|pro-1|flash-1)|.*(live|native-audio|omni|robotics|:thinking)"
    r"|anthropic/|claude-([4-9]|.*\.)",
    "groq": r"gemma|mixtral|llama(2|3)-|llama-guard-3|llama-3\.(2|1-[47])|.*specdec|deepseek",
    "mistral": r".*:free|mistral-(7b|tiny|medium-2312)|mixtral|open-|.*ocr",
    "openai": r"(text-)?(ada|babbage|curie|davinci)|text-embedding-ada(-002-v2)?$"
    r"|gpt-(oss|3\.5-0|3\.5-turbo-0[36]|35|4-32k|4-0314|4-vision|4-turbo-0|4-1106-v|4\.5|5.*image)"
    r"|ft:gpt-4-0|computer-use|chat-latest$|.*(:extended|\.ft$|moderation|realtime|live|-high$|mini-audio$)",
    "openrouter": r"(?!(amazon|anthropic|cohere|deepseek|google|meta-llama|minimax|mistralai"
    r"|moonshotai|nvidia|openai|perplexity|qwen|x-ai|z-ai)/)|.*(:|-beta$|codellama|palm|lyria"
    r"|llama-[23](\.[012])?-|-instruct-v0|claude-[23]|sonar-(large|small)|pplx|command$|embed"
    r"|gemini-(flash-1|pro)|gemma-[23]-|gemma-3n|wizardlm|distill|qwen-?2|qwq|qwen-(vl|turbo)"
    r"|gpt-(3\.5-turbo-|4-|4\.5)|grok-(2|vision)|mi[xn]i?stral-(tiny|7b|8x|medium$|\db$)|r1-1776)",
    "perplexity": r"perplexity/|llama|pplx-dec|r1",
    "together": r"(?!.*(Turbo|/Qwen3|Llama-4|MiniMax|DeepSeek-V|Kimi|GLM|gpt-oss|Muse|Inkling))",
    "x-ai": r"x-ai/|grok-(2|voice)|.*-beta",
}
"""Names that do not become rows: retired ones, and spellings that the provider does not take."""

ONLY_LATEST = {"mistral", "openai"}  # providers that do not take the name without -latest
SPELL_MORE = {"aws", "fireworks", "openrouter"}  # regions, paths, makers: the id is enough

SIZE_FIELDS = (
    "mode",
    "max_input_tokens",
    "max_output_tokens",
    "supports_vision",
    "supports_function_calling",
    "supports_reasoning",
)
"""What the second source knows of a model besides its price."""

MODES = {
    "embedding": r".*embed",
    "audio_transcription": r".*(whisper|transcribe|voxtral-mini)",
    "audio_speech": r".*(tts|orpheus)",
    "image_generation": r".*(image|nano-banana|dall-e)",
}
"""Modes by name, for models of which the second source knows nothing; all others chat."""

_DEEPSEEK = {"input_cost_per_token": 2.8e-07, "output_cost_per_token": 4.2e-07}
_DEEPSEEK |= {"cache_read_input_token_cost": 2.8e-08}

EXTRA: dict[str, dict[str, Any]] = {
    # https://api-docs.deepseek.com/quick_start/pricing, the last before the names were retired
    "deepseek/deepseek-chat": _DEEPSEEK,
    "deepseek/deepseek-reasoner": _DEEPSEEK,
    # https://docs.mistral.ai/models/mistral-large-3-25-12; the first source has the one before
    "mistral/mistral-large-latest": {
        "cache_read_input_token_cost": 5e-08,
        "input_cost_per_token": 5e-07,
        "output_cost_per_token": 1.5e-06,
    },
    # https://api.together.ai/v1/models
    "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo": {
        "input_cost_per_token": 1.04e-06,
        "output_cost_per_token": 1.04e-06,
    },
    # https://platform.openai.com/docs/guides/moderation: free
    "openai/omni-moderation-latest": {"mode": "moderation", "input_cost_per_token": 0},
    # https://platform.openai.com/docs/pricing, 1024x1024 of standard quality
    "openai/dall-e-2": {"mode": "image_generation", "output_cost_per_image": 0.02},
    "openai/dall-e-3": {"mode": "image_generation", "output_cost_per_image": 0.04},
    # https://cohere.com/pricing
    "cohere/embed-english-v3.0": {"mode": "embedding", "input_cost_per_token": 1e-07},
    "cohere/embed-multilingual-v3.0": {"mode": "embedding", "input_cost_per_token": 1e-07},
    # https://aws.amazon.com/bedrock/pricing
    "bedrock/cohere.embed-english-v3": {"mode": "embedding", "input_cost_per_token": 1e-07},
    "bedrock/cohere.embed-multilingual-v3": {"mode": "embedding", "input_cost_per_token": 1e-07},
    # https://docs.perplexity.ai/getting-started/pricing: low context, the default
    "perplexity/sonar": {"input_cost_per_request": 0.005},
    "perplexity/sonar-pro": {"input_cost_per_request": 0.006},
    "perplexity/sonar-reasoning": {"input_cost_per_request": 0.005},
    "perplexity/sonar-reasoning-pro": {"input_cost_per_request": 0.006},
}
"""Rows, or fields of rows, that the sources lack or have wrong."""

ENDING = re.compile(r"-latest$|[-@]20\d\d-?\d\d-?\d\d$|-\d\d-(20)?\d\d$|-(0[1-9]|1[0-2])[0-3]\d$")
"""What `pricing` takes off a name by itself, so that names with it need no row of their own."""

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--date", type=datetime.date.fromisoformat, default=datetime.date.today())
    parser.add_argument("--differ", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        providers = _priced(directory)
        sizes = _sizes(directory)
    rows = _table(providers, options.date, sizes)
    if options.differ:
        print(*_differences(rows, sizes), sep="\n")
    lines = (f"{json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(rows.items()))
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(rows)} rows, {TARGET.stat().st_size} bytes")


def _pip(*arguments: str) -> None:
    options = ("--quiet", "--only-binary", ":all:", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", *arguments, *options], check=True)


def _priced(directory: str) -> list[Any]:
    """Return the providers of the first source; its data is Python and has to be imported."""
    _pip("install", "--target", directory, PRICES)
    sys.path.insert(0, directory)
    providers: list[Any] = importlib.import_module("genai_prices.data").providers
    return [provider for provider in providers if provider.id in PROVIDERS]


def _sizes(directory: str) -> dict[str, Row]:
    """Return the map of the second source by lower-case name; its wheel is only unpacked."""
    _pip("download", "--no-deps", "--dest", directory, SIZES)
    wheel = next(Path(directory).glob("litellm-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        return {name.lower(): row for name, row in json.loads(archive.read(SIZES_FILE)).items()}


def _table(providers: Iterable[Any], date: datetime.date, sizes: dict[str, Row]) -> dict[str, Row]:
    """Return the rows by name; names that differ in case alone are one."""
    rows: dict[str, Row] = {}
    seen = set()
    for provider in providers:
        for name, row in _rows(provider, date):
            if name.lower() not in seen:
                rows[name] = {**row, **_size(name, sizes)}
                seen.add(name.lower())
    for name, row in EXTRA.items():
        rows[name] = {**_size(name, sizes), **rows.get(name, {}), **row}
    return {name: _tidy(row) for name, row in rows.items()}


def _rows(provider: Any, date: datetime.date) -> Iterator[tuple[str, Row]]:
    """Yield the name and the row of each model of *provider*, once for each of its names."""
    left_out = re.compile(LEFT_OUT.get(provider.id, "$"), re.IGNORECASE)
    for model in provider.models:
        costs = _costs(_in_force(model, date))
        for name in _names(model, provider.id):
            if costs and not left_out.match(name):
                mode = next((mode for mode, like in MODES.items() if re.match(like, name)), "chat")
                row = {"mode": mode, "max_input_tokens": model.context_window, **costs}
                yield f"{_prefix(provider.id, name)}/{name}", row


def _prefix(provider: str, name: str) -> str:
    return "vertex_ai" if provider == "google" and "claude" in name else PROVIDERS[provider]


def _names(model: Any, provider: str) -> list[str]:
    """Return what *model* is called: its id, and the names that do not lead back to those."""
    names: list[str] = [model.id.removeprefix("regional.").removesuffix("-")]
    if provider in SPELL_MORE:
        return names
    for name in _matched(model.match, _prefix(provider, model.id) == "vertex_ai"):
        dashed = {known.removesuffix("-latest").replace(".", "-") for known in names}
        short = ENDING.sub("", name)
        if name.endswith("-latest") and short in names and provider in ONLY_LATEST:
            names[names.index(short)] = name
        elif not dashed & {name.replace(".", "-"), short.replace(".", "-")}:
            names.append(name)
    return names


def _matched(clause: Any, contained: bool) -> Iterator[str]:
    """Yield the names that *clause* spells out, those that names contain too if *contained*."""
    for each in getattr(clause, "or_", ()) or getattr(clause, "and_", ()):
        yield from _matched(each, contained)
    kinds = ("equals", "starts_with", "contains") if contained else ("equals", "starts_with")
    for kind in kinds:
        name = getattr(clause, kind, "").removesuffix("@")
        if name and not name.endswith(("-", "-2025")):
            yield name


def _in_force(model: Any, date: datetime.date) -> list[Any]:
    """Return the prices of *model* on *date*; more than one if they change with the hour."""
    if not isinstance(model.prices, list):
        return [model.prices]
    found: list[Any] = []
    for each in model.prices:
        start = getattr(each.constraint, "start_date", None)
        if hasattr(each.constraint, "start_time"):
            found.append(each.prices)
        elif start is None or start <= date:
            found = [each.prices]
    return found


def _costs(prices: Iterable[Any]) -> Row:
    """Return *prices* by LiteLLM's names, in dollars per unit; the dearest where they differ."""
    costs: Row = {}
    for each in prices:
        for key, value in vars(each).items():
            if key not in FIELDS or value is None:
                continue
            name, units = FIELDS[key]
            for suffix, price in _tiers(value):
                cost = float(f"{price / units:.10g}")
                costs[name + suffix] = max(cost, costs.get(name + suffix, 0.0))
    return costs


def _tiers(value: Any) -> Iterator[tuple[str, Decimal]]:
    if isinstance(value, Decimal):
        yield "", value
        return
    yield "", value.base
    for tier in value.tiers:
        limit = f"{tier.start // 1000}k" if tier.start % 1000 == 0 else str(tier.start)
        yield f"_above_{limit}_tokens", tier.price


def _size(name: str, sizes: dict[str, Row]) -> Row:
    """Return mode and sizes of the model *name*, as far as the second source knows them."""
    model = name.partition("/")[2]
    known = sizes.get(name.lower()) or sizes.get(model.lower()) or {}
    return {field: known[field] for field in SIZE_FIELDS if known.get(field)}


def _tidy(row: Row) -> Row:
    """Return *row* in the order of its fields' names, without what is unknown and without chat."""
    return {key: row[key] for key in sorted(row) if row[key] is not None and row[key] != "chat"}


def _differences(rows: dict[str, Row], sizes: dict[str, Row]) -> Iterator[str]:
    """Yield a line for each price on which the sources differ by more than a hundredth."""
    for name, row in sorted(rows.items()):
        other = sizes.get(name.lower()) or sizes.get(name.partition("/")[2].lower()) or {}
        for field in sorted(field for field in row.keys() & other.keys() if "cost" in field):
            if abs(row[field] - other[field]) > 0.01 * max(row[field], other[field]):
                yield f"{name} {field}: {row[field]} or {other[field]}"


if __name__ == "__main__":
    main()
