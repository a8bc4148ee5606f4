"""OpenAI's messages in the format of Ollama's own API.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat

_KEPT = ("images", "tool_name", "tool_call_id", "thinking")
_ROLES = {"developer": "system", "function": "tool"}


def sent(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return OpenAI's messages as Ollama's; an answer of a tool learns the tool's name."""
    names: dict[Any, str] = {}
    messages = []
    for _, message in leniency.repaired(given, leniency.Rules()):
        calls = [_call(call) for call in message.get("tool_calls") or ()]
        names.update({call["id"]: call["function"]["name"] for call in calls if "id" in call})
        messages.append({**_message(message, names), **({"tool_calls": calls} if calls else {})})
    return messages


def _message(message: Mapping[str, Any], names: Mapping[Any, str]) -> dict[str, Any]:
    """Return one message but for its tool calls."""
    content = message.get("content")
    turn: dict[str, Any] = {
        **{key: message[key] for key in _KEPT if key in message},
        "role": _ROLES.get(message["role"], message["role"]),
        "content": openai_chat.text(content),
    }
    images = [_image(part) for part in openai_chat.parts(content) if part.get("type") in _MEDIA]
    if images:
        turn["images"] = [*(turn.get("images") or ()), *images]
    if message.get("reasoning_content"):
        turn["thinking"] = message["reasoning_content"]
    if turn["role"] == "tool":
        name = message.get("name") or names.get(message.get("tool_call_id"))
        turn.update({"tool_name": name} if name else {})
    return turn


_MEDIA = frozenset({"image_url", "input_audio", "file"})


def _image(part: Mapping[str, Any]) -> str:
    """Return the base64 of an image or sound; raises InvalidRequest for addresses and files."""
    if part["type"] == "input_audio":
        return str(part["input_audio"]["data"])
    address = part.get("image_url")
    url = address if isinstance(address, str) else (address or {}).get("url", "")
    found = re.match(r"data:[^,]*;base64,", url)
    if not found:
        raise errors.InvalidRequest(
            "Ollama supports images as data:…;base64 URLs only, no web addresses and no files.",
            param="messages",
        )
    return str(url[found.end() :])


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return one tool call of an earlier answer, its arguments as an object."""
    function = call.get("function") or {}
    if "name" not in function:
        raise errors.InvalidRequest("Ollama supports function calls only.", param="messages")
    arguments = leniency.arguments(function.get("arguments"))
    called = {"function": {"name": function["name"], "arguments": arguments}}
    return {"id": call["id"], **called} if call.get("id") else called
