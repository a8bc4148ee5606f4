"""The effort that a request contains, whatever API it is written for."""

from __future__ import annotations

from typing import Any

import pytest

from llmgate import errors
from llmgate.dialects import effort
from llmgate.dialects.effort import Effort


@pytest.mark.parametrize(
    ("body", "wanted", "word", "is_off"),
    [
        ({}, Effort(), None, False),
        ({"thinking": None, "output_config": None}, Effort(), None, False),
        ({"reasoning_effort": "low"}, Effort("low"), "low", False),
        ({"reasoning_effort": "none"}, Effort("none"), "none", True),
        ({"output_config": {"effort": "max"}}, Effort("max"), "max", False),
        ({"output_config": {}, "reasoning_effort": "low"}, Effort("low"), "low", False),
        (
            {"output_config": {"effort": "max"}, "reasoning_effort": "low"},
            Effort("max"),
            "max",
            False,
        ),
        ({"thinking": {"type": "adaptive"}}, Effort(mode="adaptive"), None, False),
        ({"thinking": {"type": "disabled"}}, Effort(mode="disabled"), "none", True),
        (
            {"thinking": {"type": "disabled"}, "reasoning_effort": "low"},
            Effort("low", mode="disabled"),
            "none",
            True,
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2047}},
            Effort(None, 2047, "enabled"),
            "low",
            False,
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 8191}},
            Effort(None, 8191, "enabled"),
            "medium",
            False,
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 31_999}},
            Effort(None, 31_999, "enabled"),
            "high",
            False,
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 0}},
            Effort(mode="enabled"),
            None,
            False,
        ),
    ],
)
def test_what_a_request_contains(
    body: dict[str, Any], wanted: Effort, word: str | None, is_off: bool
) -> None:
    got = effort.requested(body)

    assert (got, got.word, got.is_off) == (wanted, word, is_off)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"reasoning_effort": "heroic"}, "reasoning_effort"),
        ({"output_config": {"effort": "heroic"}}, "output_config.effort"),
    ],
)
def test_an_unknown_level_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        effort.requested(body)

    assert caught.value.param == param
