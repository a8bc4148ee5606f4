"""How much a model is requested to think, in one form for all dialects.

OpenAI has `reasoning_effort`, Anthropic `thinking` and `output_config.effort`. They are
preferences: each dialect sends what its model supports and leaves the rest out.
Sources: https://platform.openai.com/docs/guides/reasoning
https://platform.claude.com/docs/en/build-with-claude/effort
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body

LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The levels of any provider, from the least to the most."""

_BUDGETS = (("low", 2048), ("medium", 8192))
"""Levels for budgets below a number of tokens; "high" above."""


class Effort(NamedTuple):
    """What a request contains of it; all None: nothing."""

    level: str | None = None  # one of LEVELS
    budget: int | None = None  # tokens
    mode: str | None = None  # Anthropic's: enabled, disabled, adaptive, ...

    @property
    def is_off(self) -> bool:
        """Return whether the request forbids thinking."""
        return self.mode == "disabled" or (self.mode is None and self.level == "none")

    @property
    def word(self) -> str | None:
        """Return the level, that of the budget where there is none, None if both are open."""
        if self.is_off:
            return "none"
        if self.level is None and self.budget is not None:
            return level_of(self.budget)
        return self.level


def requested(body: Body) -> Effort:
    """Return the effort that *body* requests; raises InvalidRequest for an unknown level."""
    thinking, config = body.get("thinking"), body.get("output_config")
    name, level = "reasoning_effort", body.get("reasoning_effort")
    if isinstance(config, Mapping) and config.get("effort") is not None:
        name, level = "output_config.effort", config["effort"]
    if level is not None and level not in LEVELS:
        raise errors.InvalidRequest(f"{name} must be one of {', '.join(LEVELS)}.", param=name)
    if not isinstance(thinking, Mapping):
        return Effort(level)
    return Effort(level, _number(thinking.get("budget_tokens")), str(thinking.get("type")))


def _number(value: Any) -> int | None:
    """Return *value* if it is a positive number of tokens."""
    return value if isinstance(value, int) and value > 0 else None


def level_of(budget: int) -> str:
    """Return the level for a *budget* of tokens."""
    return next((level for level, below in _BUDGETS if budget < below), "high")
