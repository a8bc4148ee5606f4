"""Chat requests made of Anthropic's, less what upstreams on OpenAI's wire refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.dialects.openai import chat as openai_chat

_ANTHROPICS = frozenset(
    """thinking output_config cache_control container context_management mcp_servers diagnostics
    inference_geo speed betas fallbacks user_profile_id""".split()
)
_MESSAGE = frozenset("role content name tool_calls tool_call_id refusal reasoning_content".split())
_TOOL = frozenset(("type", "function"))
_CALL = frozenset(("id", "type", "function"))
_JOINTS = {"system": "\n\n", "developer": "\n\n", "tool": "\n", "assistant": ""}
_LONGEST_USER = 64


def plain(body: Body) -> Body:
    """Return the chat *body*, made by `chat_from_messages`, in nothing but OpenAI's words.

    Cache marks, signed thinking and Anthropic's own parameters are left out. Texts are joined
    where many upstreams take only a string. A user longer than OpenAI takes becomes its hash.
    """
    found = {key: value for key, value in body.items() if key not in _ANTHROPICS}
    found["messages"] = [_message(message) for message in body["messages"]]
    if "tools" in body:
        found["tools"] = [_tool(tool) for tool in body["tools"]]
    if len(body.get("user") or "") > _LONGEST_USER:
        found["user"] = hashlib.sha256(body["user"].encode("utf-8", "replace")).hexdigest()
    return found


def _message(message: Mapping[str, Any]) -> Body:
    """Return *message* as OpenAI knows it."""
    found = {key: value for key, value in message.items() if key in _MESSAGE}
    content = message.get("content")
    if isinstance(content, list):
        found["content"] = _content(content, _JOINTS.get(message["role"]))
    if message.get("tool_calls"):
        found["tool_calls"] = [_only(call, _CALL) for call in message["tool_calls"]]
    return found


def _content(parts: list[Any], joint: str | None) -> Any:
    """Return *parts* less their marks; joined by *joint*, if there is one and they are all text."""
    if joint is not None and all(part.get("type") == "text" for part in parts):
        return joint.join(map(openai_chat.text, ([part] for part in parts)))
    return [_only(part, frozenset(("type", part.get("type")))) for part in parts]


def _tool(tool: Mapping[str, Any]) -> Body:
    """Return a *tool* as OpenAI knows it; one that Anthropic runs goes on, to be refused."""
    return _only(tool, _TOOL) if "function" in tool else dict(tool)


def _only(known: Mapping[str, Any], names: frozenset[Any]) -> Body:
    """Return what of *known* is called one of *names*."""
    return {key: value for key, value in known.items() if key in names}
