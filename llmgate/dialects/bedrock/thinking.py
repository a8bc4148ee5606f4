"""The fields that make a model at Bedrock think, by what it supports.

Source: https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
"""

from __future__ import annotations

import re

from llmgate.contract import Body
from llmgate.dialects import effort as efforts
from llmgate.dialects.anthropic import models as claudes
from llmgate.dialects.bedrock.content import Block
from llmgate.dialects.bedrock.models import Model
from llmgate.dialects.openai import chat as openai_chat

_NOVA_EFFORTS = {"minimal": "low", "xhigh": "high", "max": "high"}


def fields(body: Body, model: Model, turns: list[Block]) -> Body:
    """Return the fields that make *model* think as *body* requests; empty if it cannot."""
    effort = efforts.requested(body)
    if model.claude:
        limit = openai_chat.limit(body)
        room = claudes.default_limit(model.claude) if limit is None else limit
        found = claudes.reasoning(model.claude, effort, room)
        return {} if _has_budget(found) and _forgot_thinking(turns) else found
    if "nova" in model.name and not _FIRST_NOVA.search(model.name):
        return _nova_thinking(effort)
    if "gpt-oss" in model.name and effort.word not in (None, "none"):
        return {"reasoning_effort": _OSS_EFFORTS.get(str(effort.word), effort.word)}
    return {}


_FIRST_NOVA = re.compile(r"nova-(micro|lite|pro|premier|canvas|reel|sonic)")  # they do not reason
_OSS_EFFORTS = {"minimal": "low", "xhigh": "high", "max": "high"}


def _nova_thinking(effort: efforts.Effort) -> Body:
    """Return the reasoningConfig of Nova 2."""
    if effort.is_off:
        return {"reasoningConfig": {"type": "disabled"}}
    if effort.word is None:
        return {}
    level = _NOVA_EFFORTS.get(effort.word, effort.word)
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}


def _has_budget(found: Body) -> bool:
    """Return whether the fields *found* give thinking a budget."""
    return bool(found.get("thinking", {}).get("type") == "enabled")


def _forgot_thinking(turns: list[Block]) -> bool:
    """Return whether tools are being used without the thinking that led to it.

    With a budget, Claude wants that thinking back, which OpenAI's clients do not keep.
    """
    answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    return bool(
        answers
        and any("toolResult" in block for block in turns[-1]["content"])
        and "reasoningContent" not in answers[-1][0]
    )
