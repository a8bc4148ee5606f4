"""OpenAI's messages as Converse's turns: system apart, tool results with the user, no twin roles.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.dialects import leniency
from llmgate.dialects.bedrock import content
from llmgate.dialects.bedrock.content import Block


class Rules(NamedTuple):
    """What a model supports in a conversation."""

    conversation: leniency.Rules = leniency.Rules(text_beside_files=True)
    cache_points: bool = False


_SYSTEM = ("system", "developer")
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NOTHING = "(empty)"


def turns(messages: Iterable[Mapping[str, Any]], rules: Rules) -> tuple[list[Block], list[Block]]:
    """Return the system content and the turns of user and assistant.

    Messages of one role in a row become one turn: AWS requires the roles to alternate.
    Raises InvalidRequest for what Converse does not support.
    """
    system: list[Block] = []
    conversation: list[Block] = []
    for _, message in leniency.repaired(messages, rules.conversation):
        role = message.get("role")
        if role in _SYSTEM:
            system += [*content.blocks(message.get("content")), *content.cache_points(message)]
            continue
        speaker, blocks = _turn(role, message)
        if not blocks:
            continue
        if conversation and conversation[-1]["role"] == speaker:
            conversation[-1]["content"] += blocks
        else:
            conversation.append({"role": speaker, "content": blocks})
    if not rules.cache_points:
        system, conversation = _unmarked(system), _unmarked_turns(conversation)
    return system, content.numbered(conversation)


def _unmarked(blocks: list[Block]) -> list[Block]:
    """Return *blocks* without cache points."""
    return [block for block in blocks if "cachePoint" not in block]


def _unmarked_turns(conversation: list[Block]) -> list[Block]:
    """Return *conversation* without cache points."""
    return [{**turn, "content": _unmarked(turn["content"])} for turn in conversation]


def _turn(role: Any, message: Mapping[str, Any]) -> tuple[str, list[Block]]:
    """Return who speaks and what in one *message*."""
    if role not in _TURNS:
        raise errors.InvalidRequest(
            f"Bedrock does not support the role '{role}'; it supports"
            f" {', '.join((*_SYSTEM, *_TURNS))}.",
            param="messages",
        )
    speaker, blocks = _TURNS[role]
    return speaker, blocks(message)


def _user(message: Mapping[str, Any]) -> list[Block]:
    """Return the content of the user's message."""
    blocks = content.blocks(message.get("content"))
    return [*blocks, *content.cache_points(message)] if blocks else []


def _assistant(message: Mapping[str, Any]) -> list[Block]:
    """Return the assistant's signed thinking, text and tool calls, in this order."""
    thoughts = [thought for thought in message.get("thinking_blocks") or () if _is_signed(thought)]
    blocks = [block for thought in thoughts for block in content.thoughts(thought)]
    blocks += content.blocks(message.get("content")) or content.text(message.get("refusal"))
    blocks += [_call(call) for call in message.get("tool_calls") or ()]
    return [*blocks, *content.cache_points(message)] if blocks else []


def _is_signed(thought: Any) -> bool:
    """Return whether a model made this *thought*: it takes no others back."""
    return isinstance(thought, dict) and bool(thought.get("signature") or thought.get("data"))


def _call(call: Mapping[str, Any]) -> Block:
    """Return one call of a tool."""
    function = call.get("function") or {}
    if not function.get("name"):
        raise errors.InvalidRequest("Bedrock supports function calls only.", param="messages")
    given = leniency.arguments(function.get("arguments"))
    used = {"toolUseId": _id(call.get("id")), "name": function["name"], "input": given}
    return {"toolUse": used}


def _result(message: Mapping[str, Any]) -> list[Block]:
    """Return what a tool answered; a cache point inside it comes after it."""
    blocks = content.blocks(message.get("content"))
    marks = [block for block in blocks if "cachePoint" in block]
    blocks = [block for block in blocks if "cachePoint" not in block]
    result = {
        "toolUseId": _id(message.get("tool_call_id")),
        "content": blocks or content.text(_NOTHING),
        **({"status": "error"} if message.get("is_error") else {}),
    }
    return [{"toolResult": result}, *(marks[-1:] or content.cache_points(message))]


def _id(given: Any) -> str:
    """Return the id *given* to a call, or one made of it if AWS would refuse that."""
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    return "call_" + hashlib.sha256(json.dumps(given).encode()).hexdigest()[:32]


_TURNS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], list[Block]]]] = {
    "user": ("user", _user),
    "assistant": ("assistant", _assistant),
    "tool": ("user", _result),
}
