"""The thinkingConfig of a Gemini model for the effort that a request contains.

Sources: https://ai.google.dev/gemini-api/docs/thinking
https://cloud.google.com/vertex-ai/generative-ai/docs/thinking
"""

from __future__ import annotations

import re
from typing import Any
from typing import NamedTuple

from llmgate.contract import Body
from llmgate.dialects import effort as efforts
from llmgate.dialects.effort import Effort

_VERSION = re.compile(r"gemini-(\d+(?:\.\d+)?)")
_NO_THOUGHTS = re.compile(r"gemini-(1|2\.0)|gemini-2\.5-.*(image|tts|live|audio)|gemma-[123]")

_TOKENS = {"minimal": 1024, "low": 1024, "medium": 8192}
_MOST_TOKENS = 24576
"""Tokens for a level, up to Gemini 2.5, as in Google's own OpenAI endpoint."""

_LEVELS = {"none": "MINIMAL", "minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM"}


class _Range(NamedTuple):
    """The budgets that a model accepts, in tokens."""

    least: int
    most: int
    off: bool  # 0 turns thinking off


def version(model: str) -> float:
    """Return the version of a *model*, 3 for a Gemini without one (the latest), 0 for others."""
    found = _VERSION.search(model)
    if found:
        return float(found[1])
    return 3.0 if "gemini" in model else 0.0


def config(body: Body, model: str) -> dict[str, Any]:
    """Return the thinkingConfig of *body* for *model*, by its name; empty without a request.

    Models that do not think refuse the member, so it is left out for them.
    """
    effort = efforts.requested(body)
    if (effort.mode is None and effort.level is None) or _NO_THOUGHTS.search(model):
        return {}
    degree = _level(effort, model) if version(model) >= 3 else _budget(effort, model)
    return {"thinkingConfig": {**degree, "includeThoughts": not effort.is_off}}


def _level(effort: Effort, model: str) -> dict[str, Any]:
    """Return the level of thinking; Pro models have no MINIMAL, the first of them no MEDIUM."""
    if effort.word is None:
        return {}
    level = _LEVELS.get(effort.word, "HIGH")
    if "-pro" in model and level == "MINIMAL":
        level = "LOW"
    if "gemini-3-pro" in model and level == "MEDIUM":
        level = "HIGH"
    return {"thinkingLevel": level}


def _budget(effort: Effort, model: str) -> dict[str, Any]:
    """Return the budget of tokens, within the model's range."""
    tokens = _range(model)
    if effort.is_off:
        return {"thinkingBudget": 0 if tokens.off else tokens.least}
    budget = effort.budget
    if budget is None and effort.level is not None:
        budget = _TOKENS.get(effort.level, _MOST_TOKENS)
    if budget is None:
        return {}
    return {"thinkingBudget": max(tokens.least, min(budget, tokens.most))}


def _range(model: str) -> _Range:
    """Return the budgets that *model* accepts."""
    if "-pro" in model:
        return _Range(128, 32768, off=False)
    return _Range(512 if "-lite" in model else 1, _MOST_TOKENS, off=True)
