from __future__ import annotations

from typing import Any

import pytest

from llmgate.dialects.anthropic import models
from llmgate.dialects.effort import Effort


@pytest.mark.parametrize(
    ("name", "family", "version"),
    [
        ("claude-opus-4-20250514", "opus", (4, 0)),
        ("claude-opus-4-1-20250805", "opus", (4, 1)),
        ("claude-opus-4-1@20250805", "opus", (4, 1)),
        ("claude-sonnet-4.5", "sonnet", (4, 5)),
        ("claude-4-opus-20250514", "opus", (4, 0)),
        ("claude-3-opus-20240229", "opus", (3, 0)),
        ("claude-3-7-sonnet-20250219", "sonnet", (3, 7)),
        ("claude-3-5-sonnet-v2@20241022", "sonnet", (3, 5)),
        ("us.anthropic.claude-opus-4-6-v1", "opus", (4, 6)),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "haiku", (3, 5)),
        ("claude-fable-5", "fable", (5, 0)),
        ("claude-2.1", "", (2, 1)),
        ("anthropic.claude-v2:1", "", (2, 0)),
        ("claude-instant-1.2", "", (1, 2)),
        ("claude-opus-latest", "opus", (99, 0)),
        ("our-own-name", "", (99, 0)),
    ],
)
def test_names(name: str, family: str, version: tuple[int, int]) -> None:
    assert models.model_of(name) == models.Model(family, version)


@pytest.mark.parametrize(
    ("name", "samples", "structured", "limit"),
    [
        ("claude-3-opus-20240229", True, False, 4_096),
        ("claude-3-5-haiku-20241022", True, False, 8_192),
        ("claude-3-7-sonnet-20250219", True, False, 16_384),
        ("claude-opus-4-1", True, False, 16_384),
        ("claude-haiku-4-5", True, True, 64_000),
        ("claude-sonnet-4-6", True, True, 64_000),
        ("claude-opus-4-7", False, True, 64_000),
        ("claude-opus-5-5", False, True, 64_000),
    ],
)
def test_what_models_take(name: str, samples: bool, structured: bool, limit: int) -> None:
    model = models.model_of(name)

    got = (models.samples(model), models.has_structured_output(model), models.default_limit(model))

    assert got == (samples, structured, limit)


def adaptive(effort: str, **more: str) -> dict[str, Any]:
    return {"thinking": {"type": "adaptive", **more}, "output_config": {"effort": effort}}


def budget(tokens: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


@pytest.mark.parametrize(
    ("name", "effort", "wanted"),
    [
        ("claude-sonnet-4-5", "minimal", budget(1024)),
        ("claude-sonnet-4-5", "low", budget(1024)),
        ("claude-sonnet-4-5", "medium", budget(2048)),
        ("claude-sonnet-4-5", "high", budget(4096)),
        ("claude-sonnet-4-5", "max", budget(9999)),
        ("claude-sonnet-4-5", "none", {}),
        ("claude-opus-4-6", "high", adaptive("high")),
        ("claude-opus-4-6", "xhigh", adaptive("high")),
        ("claude-opus-4-6", "max", adaptive("max")),
        ("claude-opus-4-8", "minimal", adaptive("low", display="summarized")),
        ("claude-opus-4-8", "xhigh", adaptive("xhigh", display="summarized")),
        ("claude-opus-4-8", "none", {}),
        ("claude-opus-5", "none", {"thinking": {"type": "disabled"}}),
        ("claude-sonnet-5", "none", {"thinking": {"type": "disabled"}}),
        ("claude-haiku-5-5", "none", {"thinking": {"type": "disabled"}}),
        ("claude-sonnet-5-5", "none", {"thinking": {"type": "between_tools"}}),
        ("claude-opus-5-5", "none", {"output_config": {"effort": "low"}}),
        ("claude-fable-5", "none", {"output_config": {"effort": "low"}}),
        ("our-own-name", "none", {"output_config": {"effort": "low"}}),
    ],
)
def test_efforts(name: str, effort: str, wanted: dict[str, Any]) -> None:
    assert models.reasoning(models.model_of(name), Effort(effort), 10_000) == wanted


@pytest.mark.parametrize(("limit", "wanted"), [(1024, {}), (1025, budget(1024)), (1, {})])
def test_a_budget_stays_below_the_limit(limit: int, wanted: dict[str, Any]) -> None:
    assert models.reasoning(models.model_of("claude-haiku-4-5"), Effort("high"), limit) == wanted
