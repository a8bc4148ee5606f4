"""What Claude models support, by the version in their names.

Sources: https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting
https://platform.claude.com/docs/en/build-with-claude/effort
https://platform.claude.com/docs/en/build-with-claude/structured-outputs
https://platform.claude.com/docs/en/models
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llmgate.contract import Body
from llmgate.dialects.effort import Effort

_VERSION = re.compile(r"claude-(?:[a-z]+-)?v?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_FAMILY = re.compile(r"opus|sonnet|haiku|fable|mythos")
_NEWEST = (99, 0)


class Model(NamedTuple):
    """A Claude model; a name without a version is taken for one of the newest."""

    family: str
    version: tuple[int, int]


def model_of(name: str) -> Model:
    """Return the model that *name* means: Anthropic's, Bedrock's, Vertex's or a short form."""
    family, version = _FAMILY.search(name), _VERSION.search(name)
    number = (int(version[1]), int(version[2] or 0)) if version else _NEWEST
    return Model(family[0] if family else "", number)


def samples(model: Model) -> bool:
    """Return whether *model* supports a temperature and top_p other than 1."""
    return model.version < (4, 7)


def has_structured_output(model: Model) -> bool:
    """Return whether *model* supports `output_config.format`."""
    return model.version >= (4, 5)


_LIMITS = (((4, 5), 64_000), ((3, 7), 16_384), ((3, 5), 8_192), ((0, 0), 4_096))


def default_limit(model: Model) -> int:
    """Return the default `max_tokens`: Anthropic requires it, OpenAI does not.

    Up to 4.1, prompt and `max_tokens` together must fit the context, so the default is modest.
    """
    return next(limit for version, limit in _LIMITS if model.version >= version)


_LEVELS = {"minimal": "low"}
_BUDGETS = {"low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16_384}
_SMALLEST_BUDGET = 1024
_ADAPTIVE = (4, 6)  # the first version with adaptive thinking, and with an effort
_NO_BUDGETS = (4, 7)  # the first version that refuses budgets


def reasoning(model: Model, effort: Effort, limit: int) -> Body:
    """Return the parameters that make *model* think with *effort*; empty if it is open.

    *limit* is `max_tokens`: a budget must be below it, and there is no thinking if none fits.
    """
    if effort.is_off:
        return _unthinking(model)
    level = effort.word
    if model.version >= _NO_BUDGETS or (model.version >= _ADAPTIVE and effort.budget is None):
        return _adaptive(model, level) if effort.mode or level else {}
    if effort.mode != "enabled" and level is None:
        return {}
    budget = effort.budget or _BUDGETS.get(level or "medium", _SMALLEST_BUDGET)
    budget = min(budget, limit - 1)
    if budget < _SMALLEST_BUDGET:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _adaptive(model: Model, level: str | None) -> Body:
    """Return the parameters for a model that decides itself how long to think."""
    thinking = {"type": "adaptive"}
    if model.version >= _NO_BUDGETS:
        thinking["display"] = "summarized"  # else its thinking comes back without text
    if level is None:
        return {"thinking": thinking}
    level = _LEVELS.get(level, level)
    if level == "xhigh" and model.version < _NO_BUDGETS:
        level = "high"
    return {"thinking": thinking, "output_config": {"effort": level}}


def _unthinking(model: Model) -> Body:
    """Return the parameters that make *model* think as little as it can."""
    if model.version < (5, 0):
        return {}
    if model.family == "sonnet" and model.version >= (5, 5):
        return {"thinking": {"type": "between_tools"}}
    if model.family in ("sonnet", "haiku") or (model.family == "opus" and model.version < (5, 5)):
        return {"thinking": {"type": "disabled"}}
    return {"output_config": {"effort": "low"}}
