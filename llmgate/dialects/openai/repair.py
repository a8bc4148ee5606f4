"""The repairs without which clients of OpenAI misread a passed-through chat.

Only what breaks them is changed: tool calls that share an index or lack an id, arguments that are
not text, content that is a list. All else stays as the upstream wrote it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Event
from llmgate.contract import Reply
from llmgate.dialects.openai import reasoning
from llmgate.dialects.openai import tool_calls

_NOTABLE = re.compile(rb'"(?:content|tool_calls)"\s*:\s*\[')


class Repair:
    """The repair of the chunks of one stream."""

    def __init__(self) -> None:
        self.is_needed = False  # from now on all chunks with tool calls have to be read
        self._calls: dict[Any, tool_calls.Calls] = {}

    def event(self, event: Event) -> Event:
        """Return *event* repaired; itself if it needs none."""
        choices = event.get("choices")
        if not isinstance(choices, list):
            return event
        repaired = [self._choice(choice) for choice in choices]
        changed = any(new is not old for new, old in zip(repaired, choices, strict=True))
        return {**event, "choices": repaired} if changed else event

    def _choice(self, choice: Any) -> Any:
        """Return a *choice* repaired; itself if it needs none."""
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            return choice
        new = _texts(delta)
        given = delta.get("tool_calls")
        if given:
            pieces = self._calls.setdefault(choice.get("index"), tool_calls.Calls()).pieces(given)
            self.is_needed = self.is_needed or not _same(pieces, given)
            if self.is_needed:
                new = {**new, "tool_calls": pieces}
        return choice if new is delta else {**choice, "delta": new}


def _same(pieces: list[dict[str, Any]], given: list[Any]) -> bool:
    """Return whether *given* has the indices, ids and arguments of *pieces*."""
    return len(pieces) == len(given) and all(
        new["index"] == old.get("index")
        and new.get("id", old.get("id")) == old.get("id")
        and isinstance((old.get("function") or {}).get("arguments", ""), str | None)
        for new, old in zip(pieces, given, strict=True)
    )


def _texts(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message, or a delta, with text in place of a list of content."""
    if not reasoning.is_text(message.get("content")):
        return message
    thought, text = reasoning.texts(message)
    found = {**message, "content": text}
    return {**found, "reasoning_content": thought} if thought else found


def data(raw: bytes) -> bytes:
    """Return the bytes of a whole reply, repaired if need be; they were valid JSON."""
    if not _NOTABLE.search(raw):
        return raw
    given = json.loads(raw.decode("utf-8-sig", "replace"))
    repaired = reply(given)
    return raw if repaired is given else json.dumps(repaired, separators=(",", ":")).encode()


def reply(given: Reply) -> Reply:
    """Return a whole reply repaired; itself if it needs none."""
    choices = [_whole(choice) for choice in given["choices"]]
    changed = any(new is not old for new, old in zip(choices, given["choices"], strict=True))
    return {**given, "choices": choices} if changed else given


def _whole(choice: Any) -> Any:
    """Return a *choice* of a whole reply repaired; itself if it needs none."""
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return choice
    new, given = _texts(message), message.get("tool_calls")
    if given and all(isinstance(call, dict) and _is_named(call) for call in given):
        calls = tool_calls.whole(given)
        if any(not _same_whole(call, old) for call, old in zip(calls, given, strict=True)):
            new = {**new, "tool_calls": calls}
    return choice if new is message else {**choice, "message": new}


def _is_named(call: Mapping[str, Any]) -> bool:
    """Return whether *call* has a function with a name."""
    function = call.get("function")
    return isinstance(function, dict) and "name" in function


def _same_whole(call: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Return whether the *given* call has the id and the arguments of *call*."""
    arguments = (given.get("function") or {}).get("arguments", "")
    return call["id"] == given.get("id") and isinstance(arguments, str | None)
