"""What a provider signs of a model's reasoning, carried through the wires of other APIs.

Providers want their signatures back with the next request: Claude's `thinking_blocks`, OpenRouter's
`reasoning_details`, Google's `extra_content` of messages and calls. Clients of the Messages and the
Responses API return one opaque text per block of reasoning: here it holds these members.
Sources: https://openrouter.ai/docs/use-cases/reasoning-tokens
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate.dialects.anthropic import native
from llmgate.dialects.openai import chat as openai_chat

PREFIX = native.FOREIGN
"""How the text begins: no provider's own signature does."""

_CALLS = "calls"
_JOINED = ("text", "summary")  # what the pieces of a streamed detail add to


def sealed(members: Any) -> str:
    """Return *members* of a chat's message as one text."""
    data = json.dumps(members, separators=(",", ":")).encode()
    return PREFIX + base64.b64encode(data).decode()


def unsealed(text: Any) -> dict[str, Any]:
    """Return the members in a *text* that `sealed` made; empty for any other."""
    if not isinstance(text, str) or not text.startswith(PREFIX):
        return {}
    try:
        found = json.loads(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    if isinstance(found, list):  # as 0.1 sealed Claude's blocks
        found = {"thinking_blocks": found}
    known = _object(found)
    return {key: _READERS[key](known[key]) for key in _READERS if key in known}


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; empty if it is not one."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


_READERS = {
    "thinking_blocks": _objects,
    "reasoning_details": _objects,
    "extra_content": _object,
    _CALLS: _object,
}


class Carrier:
    """The signatures of one message, collected from it or from the deltas of its stream."""

    def __init__(self) -> None:
        self._members: dict[str, Any] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        """Collect what *delta*, or a whole message, has beside its calls."""
        for block in delta.get("thinking_blocks") or ():
            self._list("thinking_blocks").append(openai_chat.unnumbered(block))
        for detail in delta.get("reasoning_details") or ():
            _append(self._list("reasoning_details"), detail)
        signature = _google(delta)
        if signature:
            self._members["extra_content"] = {"google": {"thought_signature": signature}}

    def add_call(self, id: str, call: Mapping[str, Any]) -> None:
        """Collect what a *call* has, which the client knows by this *id*."""
        if call.get("extra_content"):
            self._members.setdefault(_CALLS, {})[id] = call["extra_content"]

    def take(self) -> dict[str, Any]:
        """Return what was collected since the last time."""
        found, self._members = self._members, {}
        return found

    def _list(self, name: str) -> list[Any]:
        found: list[Any] = self._members.setdefault(name, [])
        return found


def _append(details: list[Any], detail: Mapping[str, Any]) -> None:
    """Add *detail* to *details*; a piece of the last one's text is joined with it."""
    last = details[-1] if details else {}
    same = all(last.get(key) == detail.get(key) for key in ("type", "index"))
    if not last or not same or "data" in detail:
        details.append(dict(detail))
        return
    added = {key: it for key, it in detail.items() if it is not None and key not in _JOINED}
    texts = {key: (last.get(key) or "") + detail[key] for key in _JOINED if detail.get(key)}
    details[-1] = {**last, **added, **texts}


def _google(message: Mapping[str, Any]) -> Any:
    """Return the thought signature where Google's OpenAI-compatible API has it, else None."""
    value: Any = message.get("extra_content")
    for key in ("google", "thought_signature"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def restore(message: dict[str, Any], members: Mapping[str, Any]) -> None:
    """Give *message*, an assistant's, back the *members* that were carried for it."""
    for key in ("thinking_blocks", "reasoning_details"):
        if members.get(key):
            message[key] = [*message.get(key, ()), *members[key]]
    if members.get("extra_content"):
        message["extra_content"] = members["extra_content"]


def restore_calls(calls: Iterable[dict[str, Any]], members: Mapping[str, Any]) -> None:
    """Give *calls* back what was carried for them, by their ids."""
    known = members.get(_CALLS) or {}
    for call in calls:
        if call.get("id") in known:
            call["extra_content"] = known[call["id"]]
