from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.accounting import pricing

PATH = Path(pricing.__file__).parents[1] / "prices.json"
TABLE: dict[str, dict[str, Any]] = json.loads(PATH.read_text())

PRICES = {
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "cache_read_input_token_cost",
    "input_cost_per_audio_token",
    "input_cost_per_character",
    "input_cost_per_request",
    "input_cost_per_second",
    "input_cost_per_token",
    "output_cost_per_audio_token",
    "output_cost_per_image",
    "output_cost_per_reasoning_token",
    "output_cost_per_token",
}
MODES = {
    "audio_speech",
    "audio_transcription",
    "completion",
    "embedding",
    "image_generation",
    "moderation",
    "realtime",
    "responses",
}
ABILITIES = {"supports_vision", "supports_function_calling", "supports_reasoning"}
SIZES = ("max_input_tokens", "max_output_tokens")
COUNTS = st.integers(0, 2_000_000)
USAGES = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": COUNTS,
        "cached_tokens": COUNTS,
        "cache_creation_tokens": COUNTS,
        "audio_prompt_tokens": COUNTS,
        "completion_tokens": COUNTS,
        "audio_completion_tokens": COUNTS,
        "reasoning_tokens": COUNTS,
        "characters": COUNTS,
        "seconds": st.floats(0, 1e5),
        "images": st.integers(0, 10),
    },
)
ROWS = st.sampled_from(sorted(TABLE)).map(lambda name: pricing.prices(*name.split("/", 1)))
WHOLES = st.sampled_from(["prompt_tokens", "completion_tokens", "characters", "seconds", "images"])

PLAIN = {"input_cost_per_token": 1.0, "output_cost_per_token": 10.0}


def without_tier(name: str) -> str:
    """Return the price that *name* is a tier of, *name* itself if it is none."""
    head, _, limit = name.removesuffix("_tokens").rpartition("_above_")
    return head if head and limit != "1hr" else name


# ---- the arithmetic


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, 23.0),
        ({"prompt_tokens": 3}, 3.0),
        ({"completion_tokens": 2}, 20.0),
        ({"prompt_tokens": 0, "completion_tokens": 0}, 0.0),
        ({"prompt_tokens": 9, "cached_tokens": 4, "completion_tokens": 3}, 39.0),
        ({"prompt_tokens": 9, "cache_creation_tokens": 4}, 9.0),
        ({"prompt_tokens": 9, "audio_prompt_tokens": 4}, 9.0),
        ({"completion_tokens": 9, "audio_completion_tokens": 4, "reasoning_tokens": 5}, 90.0),
        ({"prompt_tokens": 3, "total_tokens": 3, "characters": 12}, 3.0),
    ],
)
def test_tokens_without_a_price_of_their_own_cost_the_plain_one(
    usage: dict[str, float], wanted: float
) -> None:
    assert pricing.cost(usage, PLAIN) == wanted


def test_each_part_costs_its_own_price() -> None:
    usage = {
        "prompt_tokens": 100,
        "cached_tokens": 40,
        "cache_creation_tokens": 30,
        "cache_creation_1h_tokens": 10,
        "audio_prompt_tokens": 20,
        "completion_tokens": 50,
        "reasoning_tokens": 15,
        "audio_completion_tokens": 5,
    }
    prices = PLAIN | {
        "cache_read_input_token_cost": 0.5,
        "cache_creation_input_token_cost": 2.0,
        "cache_creation_input_token_cost_above_1hr": 3.0,
        "input_cost_per_audio_token": 4.0,
        "output_cost_per_reasoning_token": 20.0,
        "output_cost_per_audio_token": 30.0,
    }

    got = pricing.cost(usage, prices)

    assert got == (10 + 40 * 0.5 + 20 * 2 + 10 * 3 + 20 * 4) + (30 * 10 + 15 * 20 + 5 * 30)


def test_parts_that_exceed_their_whole_are_charged_and_nothing_is_given_back() -> None:
    prices = PLAIN | {"cache_read_input_token_cost": 0.5}

    assert pricing.cost({"prompt_tokens": 5, "cached_tokens": 20}, prices) == 10.0


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [(100, 102.0), (101, 206.0), (5_000, 5_002 * 2), (5_001, 5_003 * 3), (300_000, 300_002 * 3)],
)
def test_above_a_limit_its_price_holds_for_all_tokens(prompt: int, wanted: float) -> None:
    prices = {
        "input_cost_per_token": 1.0,
        "input_cost_per_token_above_5k_tokens": 3.0,
        "input_cost_per_token_above_100_tokens": 2.0,
        "output_cost_per_token": 1.0,
        "output_cost_per_token_above_5k_tokens": 3.0,
        "output_cost_per_token_above_100_tokens": 2.0,
        "output_cost_per_token_above_many_tokens": 99.0,
    }

    assert pricing.cost({"prompt_tokens": prompt, "completion_tokens": 2}, prices) == wanted


def test_only_the_prices_with_a_tier_change_above_its_limit() -> None:
    prices = PLAIN | {"cache_read_input_token_cost_above_100_tokens": 0.25}
    usage = {"prompt_tokens": 200, "cached_tokens": 100, "completion_tokens": 1}

    assert pricing.cost(usage, prices) == 100 + 25 + 10


@pytest.mark.parametrize(
    ("usage", "prices", "wanted"),
    [
        ({"characters": 12}, {"input_cost_per_character": 0.5}, 6.0),
        ({"seconds": 1.5}, {"input_cost_per_second": 2.0}, 3.0),
        ({"images": 2}, {"output_cost_per_image": 0.04}, 0.08),
        ({"seconds": 2, "completion_tokens": 9}, {"input_cost_per_second": 2.0}, 4.0),
        ({"seconds": 2, "prompt_tokens": 9}, PLAIN | {"input_cost_per_second": 2.0}, 13.0),
        ({"images": 1, "prompt_tokens": 9}, PLAIN | {"output_cost_per_image": 2.0}, 11.0),
        ({"images": 1, "prompt_tokens": 9}, {"output_cost_per_image": 2.0}, 2.0),
        ({"images": 1, "completion_tokens": 9}, PLAIN, 90.0),
        ({"prompt_tokens": 1}, PLAIN | {"input_cost_per_request": 0.5}, 1.5),
    ],
)
def test_other_units_are_charged_at_their_price_and_tokens_need_none_then(
    usage: dict[str, float], prices: dict[str, float], wanted: float
) -> None:
    assert pricing.cost(usage, prices) == wanted


@pytest.mark.parametrize(
    ("usage", "prices"),
    [
        ({"prompt_tokens": 1}, {}),
        ({}, {}),
        ({}, PLAIN),
        ({"prompt_tokens": 1, "completion_tokens": 1}, {"input_cost_per_token": 1.0}),
        ({"prompt_tokens": 1, "completion_tokens": 1}, {"output_cost_per_token": 1.0}),
        ({"prompt_tokens": 2, "cached_tokens": 1}, {"cache_read_input_token_cost": 1.0}),
        ({"completion_tokens": 2, "reasoning_tokens": 2}, {"input_cost_per_token": 1.0}),
        ({"characters": 1}, PLAIN),
        ({"seconds": 1}, PLAIN),
        ({"images": 1}, PLAIN),
        ({"images": 1, "prompt_tokens": 4}, PLAIN),
    ],
)
def test_a_cost_is_unknown_where_a_price_that_it_needs_is(
    usage: dict[str, float], prices: dict[str, float]
) -> None:
    assert pricing.cost(usage, prices) is None


@pytest.mark.parametrize(
    ("usage", "prices"),
    [
        ({}, {"input_cost_per_token": 0}),
        ({"prompt_tokens": 5}, {"input_cost_per_token": 0}),
        (
            {"prompt_tokens": 5, "completion_tokens": 5},
            {"input_cost_per_token": 0, "output_cost_per_token": 0.0},
        ),
        ({"seconds": 5}, {"input_cost_per_second": 0}),
    ],
)
def test_what_is_free_costs_zero(usage: dict[str, float], prices: dict[str, float]) -> None:
    assert pricing.cost(usage, prices) == 0.0


def test_the_sample_of_llmstudio_costs_what_it_says() -> None:
    prices = {"input_cost_per_token": 1.5e-6, "output_cost_per_token": 2e-6}

    got = pricing.cost({"prompt_tokens": 6, "completion_tokens": 26}, prices)

    assert got == pytest.approx(0.000061, rel=1e-12)


def test_cached_tokens_of_a_model_without_a_cache_price_are_not_free() -> None:
    usage = {"prompt_tokens": 9, "cached_tokens": 4, "completion_tokens": 3}

    got = pricing.cost(usage, pricing.prices("openai", "gpt-3.5-turbo"))

    assert got == pytest.approx(9 * 5e-7 + 3 * 1.5e-6, rel=1e-12)


@given(USAGES, ROWS)
def test_a_cost_is_never_negative(usage: dict[str, float], prices: dict[str, float]) -> None:
    got = pricing.cost(usage, prices)

    assert got is None or (got >= 0 and math.isfinite(got))


@given(USAGES, ROWS, WHOLES, COUNTS)
def test_more_usage_never_costs_less(
    usage: dict[str, float], prices: dict[str, float], unit: str, more: int
) -> None:
    less = pricing.cost(usage, prices)

    got = pricing.cost(usage | {unit: usage.get(unit, 0) + more}, prices)

    assert less is None or got is None or got >= less * (1 - 1e-12)


# ---- the table


def test_the_table_has_one_sorted_model_a_line() -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(TABLE[name])}" for name in sorted(TABLE)]

    assert PATH.read_text() == "{\n" + ",\n".join(lines) + "\n}\n"


def test_the_table_has_the_models_that_people_use() -> None:
    assert 600 <= len(TABLE) <= 1000
    assert PATH.stat().st_size < 250_000


def has_known_fields(row: dict[str, Any]) -> bool:
    sizes = [row.get(name, 1) for name in SIZES]
    prices = {
        name: price for name, price in row.items() if name not in {"mode", *SIZES, *ABILITIES}
    }
    return (
        row.get("mode") in MODES | {None}
        and all(row.get(name, True) is True for name in ABILITIES)
        and all(isinstance(size, int) and size > 0 for size in sizes)
        and prices != {}
        and {without_tier(name) for name in prices} <= PRICES
        and all(isinstance(price, int | float) and 0 <= price < 1 for price in prices.values())
    )


def makes_sense(row: dict[str, Any]) -> bool:
    """Return whether the cache of *row* is no dearer than its input, and no tier cheaper."""
    plain = row.get("input_cost_per_token", math.inf)
    tiers_are_dearer = all(row[without_tier(name)] <= row[name] for name in row)
    return tiers_are_dearer and row.get("cache_read_input_token_cost", 0) <= plain


def test_rows_have_known_fields_and_no_negative_numbers() -> None:
    assert [name for name, row in TABLE.items() if not has_known_fields(row)] == []


def test_rows_make_sense() -> None:
    assert [name for name, row in TABLE.items() if not makes_sense(row)] == []


def test_each_row_is_found_by_its_name() -> None:
    names = [name.split("/", 1) for name in TABLE]

    got = {"/".join(name): {**pricing.about(*name), **pricing.prices(*name)} for name in names}

    assert got == {name: {"mode": "chat", **row} for name, row in TABLE.items()}


@pytest.mark.parametrize(
    ("provider", "model", "wanted"),
    [
        ("openai", "gpt-4o", (2.5e-6, 1e-5, 1.25e-6, None)),
        ("openai", "gpt-4o-mini", (1.5e-7, 6e-7, 7.5e-8, None)),
        ("openai", "gpt-3.5-turbo", (5e-7, 1.5e-6, None, None)),
        ("openai", "gpt-5", (1.25e-6, 1e-5, 1.25e-7, None)),
        ("anthropic", "claude-sonnet-4-5", (3e-6, 1.5e-5, 3e-7, 3.75e-6)),
        ("gemini", "gemini-2.5-flash", (3e-7, 2.5e-6, 3e-8, None)),
        ("openai", "text-embedding-ada-002", (1e-7, None, None, None)),
    ],
)
def test_the_samples_of_litellm_have_its_prices(
    provider: str, model: str, wanted: tuple[float | None, ...]
) -> None:
    row = pricing.prices(provider, model)

    got = (
        row.get("input_cost_per_token"),
        row.get("output_cost_per_token"),
        row.get("cache_read_input_token_cost"),
        row.get("cache_creation_input_token_cost"),
    )
    assert got == wanted


@pytest.mark.parametrize(
    ("model", "usage", "wanted"),
    [
        ("whisper-1", {"seconds": 60}, 0.006),
        ("tts-1", {"characters": 1000}, 0.015),
        ("dall-e-3", {"images": 2}, 0.08),
        ("gpt-image-1", {"prompt_tokens": 10, "completion_tokens": 1000, "images": 1}, 0.04005),
        ("gpt-4o-transcribe", {"prompt_tokens": 9, "audio_prompt_tokens": 9}, 9 * 6e-6),
        ("text-embedding-3-small", {"prompt_tokens": 1_000_000}, 0.02),
        ("omni-moderation-latest", {}, 0.0),
    ],
)
def test_models_that_do_not_chat_have_a_price(
    model: str, usage: dict[str, float], wanted: float
) -> None:
    got = pricing.cost(usage, pricing.prices("openai", model))

    assert got == pytest.approx(wanted, rel=1e-12)


# ---- finding a model


@pytest.mark.parametrize(
    ("provider", "model", "wanted"),
    [
        ("openai", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
        ("openai", "gpt-3.5-turbo-0125", "openai/gpt-3.5-turbo"),
        ("openai", "GPT-4o", "openai/gpt-4o"),
        ("OpenAI", "gpt-4o", "openai/gpt-4o"),
        ("openai", "ft:gpt-4o-2024-08-06:org:name:id", "openai/ft:gpt-4o"),
        ("openai", "omni-moderation-2024-09-26", "openai/omni-moderation-latest"),
        ("azure", "gpt-4o", "openai/gpt-4o"),
        ("azure", "gpt-35-turbo", "openai/gpt-3.5-turbo"),
        ("azure", "gpt-35-turbo-16k-0613", "openai/gpt-3.5-turbo-16k"),
        ("azure_ai", "Phi-4", "azure_ai/phi-4"),
        ("azure_ai", "claude-opus-4-5", "anthropic/claude-opus-4-5"),
        ("text-completion-openai", "gpt-3.5-turbo-instruct", "openai/gpt-3.5-turbo-instruct"),
        ("anthropic", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("anthropic", "claude-3-5-sonnet-latest", "anthropic/claude-3-5-sonnet"),
        ("vertex_ai", "claude-sonnet-4@20250514", "vertex_ai/claude-sonnet-4"),
        ("vertex_ai", "claude-3-5-sonnet-v2@20241022", "vertex_ai/claude-3-5-sonnet"),
        ("vertex_ai", "gemini-2.5-flash", "gemini/gemini-2.5-flash"),
        ("gemini", "gemini-2.5-pro-preview-05-06", "gemini/gemini-2.5-pro"),
        ("gemini", "gemini-2.5-flash-lite-preview-09-2025", "gemini/gemini-2.5-flash-lite-preview"),
        ("bedrock", "us.amazon.nova-lite-v1:0", "bedrock/amazon.nova-lite-v1:0"),
        ("bedrock", "amazon.nova-lite", "bedrock/amazon.nova-lite-v1:0"),
        (
            "bedrock",
            "anthropic.claude-opus-4-5-20251101-v1:0",
            "bedrock/anthropic.claude-opus-4-5-v1:0",
        ),
        (
            "bedrock",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "bedrock",
            "arn:aws:bedrock:eu-west-1:123:inference-profile/eu.anthropic.claude-sonnet-4-6",
            "bedrock/anthropic.claude-sonnet-4-6-v1:0",
        ),
        (
            "together_ai",
            "meta-llama/llama-3.3-70b-instruct-turbo",
            "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        ),
        ("fireworks_ai", "accounts/fireworks/models/glm-5p3", "fireworks_ai/glm-5p3"),
        ("openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("litellm_proxy", "gpt-4o", "openai/gpt-4o"),
        ("litellm_proxy", "gemini/gemini-2.5-flash", "gemini/gemini-2.5-flash"),
    ],
)
def test_a_model_is_found_however_it_is_written(provider: str, model: str, wanted: str) -> None:
    assert pricing.prices(provider, model) == pricing.prices(*wanted.split("/", 1)) != {}


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99"),
        ("openai", ""),
        ("", ""),
        ("mistral", "mistral-large-9912"),
        ("ollama", "llama3"),
        ("hosted_vllm", "openai/gpt-oss-120b"),
        ("openrouter", "deepseek/deepseek-r1:free"),
    ],
)
def test_of_an_unknown_model_nothing_is_known(provider: str, model: str) -> None:
    assert (pricing.prices(provider, model), pricing.about(provider, model)) == ({}, {})


@pytest.mark.parametrize(
    ("provider", "model", "wanted"),
    [
        ("openai", "gpt-4o", ("chat", 128_000, 16_384)),
        ("openai", "text-embedding-3-small", ("embedding", 8191, None)),
        ("azure", "whisper-1", ("audio_transcription", None, None)),
        ("anthropic", "claude-sonnet-4-5-20250929", ("chat", 200_000, 64_000)),
    ],
)
def test_about_says_mode_and_sizes(
    provider: str, model: str, wanted: tuple[str, int | None, int | None]
) -> None:
    about = pricing.about(provider, model)

    got = (about["mode"], about.get("max_input_tokens"), about.get("max_output_tokens"))
    assert got == wanted


def test_models_lists_a_providers_models_sorted() -> None:
    wanted = sorted(name.removeprefix("groq/") for name in TABLE if name.startswith("groq/"))

    assert pricing.models("groq") == wanted
    assert "openai/gpt-oss-120b" in wanted


def test_models_lists_those_of_a_mode() -> None:
    assert pricing.models("openai", "embedding") == [
        "text-embedding-3-large",
        "text-embedding-3-small",
        "text-embedding-ada-002",
    ]
    assert "gpt-4o" in pricing.models("openai", "chat")


def test_models_of_a_provider_that_charges_as_another_are_that_ones() -> None:
    assert pricing.models("azure") == pricing.models("openai")
    assert "claude-sonnet-4-5" in pricing.models("vertex_ai")
    assert "gemini-2.5-flash" in pricing.models("vertex_ai")


def test_what_stands_for_many_is_no_model() -> None:
    assert "openai/ft:gpt-4o" in TABLE
    assert not [name for name in pricing.models("openai") if "ft:" in name]


def test_an_unknown_provider_has_no_models() -> None:
    assert pricing.models("nobody") == []
