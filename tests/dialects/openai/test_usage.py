from __future__ import annotations

from typing import Any

import pytest

from llmgate.dialects.openai import usage as openai_usage

XAI = {
    "prompt_tokens": 10,
    "completion_tokens": 1000,
    "total_tokens": 1410,
    "completion_tokens_details": {"reasoning_tokens": 400},
}


def test_reasoning_beside_the_completion_is_part_of_it() -> None:
    assert openai_usage.usage({"usage": XAI})["completion_tokens"] == 1400


@pytest.mark.parametrize("total", [1010, None, 9])
def test_reasoning_within_the_completion_counts_once(total: Any) -> None:
    used = {**XAI, "total_tokens": total}

    assert openai_usage.usage({"usage": used})["completion_tokens"] == 1000


def test_reasoning_without_a_completion_is_no_sum() -> None:
    used = {"completion_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 4}

    assert openai_usage.usage({"usage": used}) == {"reasoning_tokens": 4}


@pytest.mark.parametrize(
    ("report", "wanted"),
    [
        ({"usage": {"prompt_tokens": 3}}, 3),
        ({"usage": None, "x_groq": {"usage": {"prompt_tokens": 3}}}, 3),
        ({"choices": [{"delta": {}}, {"usage": {"prompt_tokens": 3}}]}, 3),  # Moonshot
        ({"choices": None, "usage": {}}, None),
        ({"choices": [None], "usage": "x"}, None),
    ],
)
def test_usage_is_found_where_it_stands(report: Any, wanted: Any) -> None:
    assert openai_usage.usage(report).get("prompt_tokens") == wanted
    assert (openai_usage.reported(report) is None) == (wanted is None)


@pytest.mark.parametrize(
    ("given", "cached"),
    [
        ({"cache_read_input_tokens": 4}, 4),  # Databricks
        ({"cached_tokens": 4}, 4),  # Moonshot
        ({"prompt_cache_hit_tokens": 4}, 4),  # DeepSeek
        ({"prompt_tokens_details": {"cached_tokens": 4, "x": 1}}, 4),
        ({}, None),
    ],
)
def test_cached_tokens_have_one_place(given: Any, cached: Any) -> None:
    report = {"usage": {"prompt_tokens": 9, **given}}

    found = openai_usage.normal(report)

    assert found is not None
    assert (found.get("prompt_tokens_details") or {}).get("cached_tokens") == cached
    assert openai_usage.usage(report).get("cached_tokens") == cached


def test_a_normal_usage_has_its_sums() -> None:
    sums = openai_usage.normal({"usage": {"prompt_tokens": 5, "completion_tokens": 7}})

    assert sums == {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    assert openai_usage.normal({"usage": {"prompt_tokens": None, "completion_tokens": 3}}) == {
        "prompt_tokens": 0,
        "completion_tokens": 3,
        "total_tokens": 3,
    }
    assert openai_usage.normal({"usage": {"prompt_tokens": None, "total_tokens": 3}}) is None
    assert openai_usage.normal({}) is None
