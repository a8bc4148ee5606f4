"""The thinkingConfig by what a model accepts."""

from __future__ import annotations

from typing import Any

import pytest

from llmgate.dialects.gemini import thinking


def enabled(tokens: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


@pytest.mark.parametrize(
    ("model", "body", "wanted"),
    [
        ("gemini-2.5-flash", enabled(31_999), {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-2.5-flash", enabled(2000), {"thinkingBudget": 2000, "includeThoughts": True}),
        ("gemini-2.5-flash-lite", enabled(1), {"thinkingBudget": 512, "includeThoughts": True}),
        ("gemini-2.5-pro", enabled(99_999), {"thinkingBudget": 32768, "includeThoughts": True}),
        ("gemini-2.5-pro", enabled(1), {"thinkingBudget": 128, "includeThoughts": True}),
        ("gemini-3-flash", enabled(1024), {"thinkingLevel": "LOW", "includeThoughts": True}),
        ("gemini-3-flash", enabled(4000), {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3-flash", enabled(31_999), {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-3-pro-preview", enabled(4000), {"thinkingLevel": "HIGH", "includeThoughts": True}),
    ],
)
def test_a_budget_is_in_the_range_of_the_model_or_a_level(
    model: str, body: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert thinking.config(body, model) == {"thinkingConfig": wanted}


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("gemini-2.5-flash", {"thinkingBudget": 0, "includeThoughts": False}),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 0, "includeThoughts": False}),
        ("gemini-2.5-pro", {"thinkingBudget": 128, "includeThoughts": False}),
        ("gemini-3-flash", {"thinkingLevel": "MINIMAL", "includeThoughts": False}),
        ("gemini-3-pro-preview", {"thinkingLevel": "LOW", "includeThoughts": False}),
    ],
)
def test_disabled_is_the_least_that_the_model_accepts(model: str, wanted: dict[str, Any]) -> None:
    body = {"thinking": {"type": "disabled"}}

    assert thinking.config(body, model) == {"thinkingConfig": wanted}


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro"])
def test_adaptive_leaves_the_degree_to_the_model(model: str) -> None:
    body = {"thinking": {"type": "adaptive"}}

    assert thinking.config(body, model) == {"thinkingConfig": {"includeThoughts": True}}


def test_the_effort_of_the_output_is_a_level() -> None:
    body = {"output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}

    assert thinking.config(body, "gemini-3-flash") == {
        "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}
    }


@pytest.mark.parametrize(
    "model", ["gemini-2.0-flash", "gemini-1.5-pro", "gemini-2.5-flash-image", "gemma-3-27b-it"]
)
@pytest.mark.parametrize("body", [enabled(2000), {"reasoning_effort": "high"}])
def test_a_model_without_thoughts_gets_no_config(model: str, body: dict[str, Any]) -> None:
    assert thinking.config(body, model) == {}


def test_without_a_request_there_is_no_config() -> None:
    assert thinking.config({"thinking": None, "output_config": {}}, "gemini-3-pro") == {}
