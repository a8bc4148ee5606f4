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


_EFFORTS = {"minimal": "low"}
_BUDGETS = {"low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16_384}
_SMALLEST_BUDGET = 1024


def reasoning(model: Model, effort: str, limit: int) -> Body:
    """Return the parameters that make *model* think with OpenAI's *effort*, "none" to "max".

    *limit* is `max_tokens`: where thinking has a budget it must be below that, and there is no
    thinking if no budget fits.
    """
    if effort == "none":
        return _unthinking(model)
    if model.version >= (4, 6):
        return _adaptive(model, effort)
    budget = min(_BUDGETS.get(effort, _SMALLEST_BUDGET), limit - 1)
    if budget < _SMALLEST_BUDGET:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _adaptive(model: Model, effort: str) -> Body:
    """Return the parameters for a model that decides itself how long to think."""
    level = _EFFORTS.get(effort, effort)
    thinking = {"type": "adaptive"}
    if model.version >= (4, 7):
        thinking["display"] = "summarized"  # else its thinking comes back without text
    elif level == "xhigh":
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
