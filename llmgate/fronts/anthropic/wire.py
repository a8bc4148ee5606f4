"""Anthropic's Messages API over chat: what the endpoint /v1/messages needs.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Reply
from llmgate.dialects import leniency
from llmgate.dialects.anthropic import usage as anthropic_usage
from llmgate.dialects.anthropic.errors import error_body
from llmgate.dialects.openai import chat as openai_chat
from llmgate.fronts import signatures
from llmgate.fronts.anthropic.request import chat_from_messages
from llmgate.fronts.anthropic.stream import call_id
from llmgate.fronts.anthropic.stream import message_events
from llmgate.fronts.anthropic.stream import stop_details
from llmgate.fronts.anthropic.stream import stop_reason

__all__ = [
    "chat_from_messages",
    "error_body",
    "message_events",
    "message_from_chat",
]


def message_from_chat(reply: Reply, model: str) -> dict[str, Any]:
    """Return the first choice of *reply* as Anthropic's message of *model*."""
    choice = reply["choices"][0]
    message = choice["message"]
    head = reply.get("id") or "msg_0"
    calls = [
        {**call, "id": call_id(call, head, at)}
        for at, call in enumerate(message.get("tool_calls") or ())
    ]
    finish, refusal = choice.get("finish_reason"), message.get("refusal")
    details = stop_details(finish, refusal)
    text = openai_chat.text(message.get("content")) or (None if details else refusal)
    words = [{"type": "text", "text": text}] if text else []
    return {
        "id": head,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [*_thinking(message, calls), *words, *map(_tool_use, calls)],
        "stop_reason": stop_reason(finish, bool(calls)),
        "stop_sequence": None,
        **details,
        "usage": anthropic_usage.message_usage(reply.get("usage")),
    }


def _thinking(message: Mapping[str, Any], calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks of a *message*'s reasoning: Claude's own, or one that carries others'."""
    carrier = signatures.Carrier()
    carrier.add(message)
    for call in calls:
        carrier.add_call(call["id"], call)
    signed = carrier.take()
    blocks: list[dict[str, Any]] = signed.pop("thinking_blocks", [])
    text = message.get("reasoning_content") or message.get("reasoning") or ""
    if blocks or not (text or signed.keys() - {"extra_content"}):
        return blocks
    signature = signatures.sealed(signed) if signed else ""
    return [{"type": "thinking", "thinking": text, "signature": signature}]


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the block of a tool *call*."""
    function = call.get("function") or {}
    found = leniency.arguments(function.get("arguments"))
    return {
        "type": "tool_use",
        "id": call["id"],
        "name": function.get("name") or "",
        "input": found,
    }
