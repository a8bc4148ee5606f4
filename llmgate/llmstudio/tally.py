"""The chunks of a chat, added up: text, tool calls, the number of chunks and their times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Event

_HALF = re.compile(r"[\ud800-\udbff]\Z")  # of a character that the next chunk completes


class Tally:
    """The contents of one stream so far, and their times."""

    def __init__(self) -> None:
        self.count = 0  # chunks that have a choice
        self.first = 0.0
        self.last = 0.0
        self.finish: str | None = None
        self.created = 0
        self.model: str | None = None  # the upstream's name
        self._texts: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
        self._calls: dict[int, dict[str, Any]] = {}
        self._function: dict[str, str] | None = None
        self._held = ""

    def add(self, chunk: Event, at: float) -> str:
        """Return what *chunk*, which came *at* this time, adds to the output's text."""
        self.created = chunk.get("created") or self.created
        self.model = chunk.get("model") or self.model
        if not chunk.get("choices"):
            return ""
        self.first = self.first if self.count else at
        self.last = at
        self.count += 1
        choices = [one for one in chunk["choices"] if not one.get("index")]
        return self._whole("".join(self._add(choice) for choice in choices))

    def _add(self, choice: Mapping[str, Any]) -> str:
        """Return what *choice* adds to the output's text."""
        delta = choice.get("delta") or {}
        self.finish = choice.get("finish_reason") or self.finish
        for name, pieces in self._texts.items():
            pieces.append(delta.get(name) or "")
        added = [delta.get("content") or delta.get("refusal") or ""]
        added += [self._call(call) for call in delta.get("tool_calls") or ()]
        function = delta.get("function_call")
        if function:
            self._function = self._function or {"arguments": "", "name": ""}
            added.append(_extended(self._function, function))
        return "".join(added)

    def _call(self, delta: Mapping[str, Any]) -> str:
        """Return what *delta* adds to the arguments of its tool call."""
        new = {"id": None, "function": {"arguments": "", "name": ""}, "type": "function"}
        call = self._calls.setdefault(delta.get("index") or 0, new)
        call["id"] = call["id"] or delta.get("id")
        return _extended(call["function"], delta.get("function") or {})

    def _whole(self, text: str) -> str:
        """Return *text* in whole characters; half of one is held back."""
        text = self._held + text
        self._held = text[-1:] if _HALF.search(text) else ""
        return _sound(text.removesuffix(self._held) if self._held else text)

    def rest(self) -> str:
        """Return the half character that was held back at the end."""
        return _sound(self._held)

    def output(self) -> str:
        """Return the text, or the arguments of the calls."""
        arguments = [call["function"]["arguments"] for call in self._calls.values()]
        if self._function:
            arguments.append(self._function["arguments"])
        return self._text("content") or self._text("refusal") or "\n".join(arguments)

    def _text(self, name: str) -> str:
        return _sound("".join(self._texts[name]))

    def message(self) -> dict[str, Any]:
        """Return the whole message, LLMstudio's keys first."""
        called = self._function or self._calls
        message: dict[str, Any] = {
            "content": self._text("content") or (None if called else ""),
            "role": "assistant",
            "function_call": self._function,
            "tool_calls": list(self._calls.values()) or None,
        }
        more = {name: self._text(name) for name in ("refusal", "reasoning_content")}
        return message | {name: text for name, text in more.items() if text}


def _extended(function: dict[str, str], delta: Mapping[str, Any]) -> str:
    """Return the arguments in *delta*, which is added to *function*."""
    function["name"] += delta.get("name") or ""
    added = delta.get("arguments") or ""
    function["arguments"] += added
    return str(added)


def _sound(text: str) -> str:
    """Return *text* with the halves of characters put together, lone ones replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
