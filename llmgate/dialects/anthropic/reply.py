"""A message of Anthropic's as OpenAI's chat completion.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Reply
from llmgate.dialects.anthropic import answers
from llmgate.dialects.anthropic import usage as anthropic_usage
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import wire as openai_wire

_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def finish_reason(stop_reason: str | None) -> str:
    """Return OpenAI's word for Anthropic's *stop_reason*; new ones are an ordinary stop."""
    return _FINISHES.get(stop_reason or "", "stop")


def refusal(ending: Mapping[str, Any]) -> str | None:
    """Return why the model refused; *ending* is a message or the delta that ends one."""
    details = ending.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, Mapping) else None
    return explanation if isinstance(explanation, str) else None


def arguments(input: Any) -> str:
    """Return a tool's *input* as the JSON text that OpenAI's clients get."""
    return openai_wire.encoded(input).decode()


def chat_from_message(message: Mapping[str, Any]) -> Reply:
    """Return the chat completion that *message* stands for; when it was made is unknown (0)."""
    head = openai_chat.head(message["id"], 0, message["model"])
    finish = finish_reason(message["stop_reason"])
    usage = anthropic_usage.chat_usage(message["usage"])
    assistant = _assistant(message["content"]) | {"refusal": refusal(message)}
    if finish == "tool_calls" and "tool_calls" not in assistant:
        finish = "stop"  # the only call was the answer
    return openai_chat.completion(head, assistant, finish, usage)


def _assistant(blocks: list[Any]) -> dict[str, Any]:
    """Return the assistant's message that *blocks* stand for; what servers' tools did is left out.

    `reasoning_content` is for reading; `thinking_blocks` have the signatures without which
    Anthropic takes no thinking back.
    """
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    thinking = [block for block in blocks if block["type"] in ("thinking", "redacted_thinking")]
    used = [block for block in blocks if block["type"] == "tool_use"]
    texts += [arguments(block["input"]) for block in used if block["name"] == answers.TOOL]
    calls = [_call(block) for block in used if block["name"] != answers.TOOL]
    assistant: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None}
    if thinking:
        assistant["reasoning_content"] = "".join(block.get("thinking", "") for block in thinking)
        assistant["thinking_blocks"] = thinking
    if calls:
        assistant["tool_calls"] = calls
    return assistant


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tool call that *block* stands for."""
    function = {"name": block["name"], "arguments": arguments(block["input"])}
    return {"id": block["id"], "type": "function", "function": function}
