"""OpenAI's stream of chunks as Anthropic's stream of events.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.contract import PAUSE
from llmgate.contract import Event
from llmgate.dialects.anthropic import usage as anthropic_usage
from llmgate.dialects.openai import chat as openai_chat

MessageEvent: TypeAlias = dict[str, Any]
"""One event of Anthropic's stream; its `type` is also the name of the server-sent event."""

_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def stop_reason(finish_reason: str | None, calls: bool) -> str:
    """Return Anthropic's word for OpenAI's *finish_reason*, of a message that *calls* tools or not.

    Some upstreams end a message that calls tools with an ordinary "stop".
    """
    found = _STOPS.get(finish_reason or "", "end_turn")
    return "tool_use" if calls and found == "end_turn" else found


def stop_details(finish_reason: str | None, refusal: str | None) -> dict[str, Any]:
    """Return the field that tells why a filter ended a message; empty if none did or told."""
    if finish_reason != "content_filter" or not refusal:
        return {}
    return {"stop_details": {"type": "refusal", "category": None, "explanation": refusal}}


def message_events(chunks: Iterable[Event], model: str) -> Generator[MessageEvent, None, None]:
    """Yield the events that *chunks* stand for, `message_start` to `message_stop`.

    Usage is known at the end only and stands in `message_delta`. Raises CutShort if no chunk ends
    the message, BadUpstream for chunks that mix a tool call with what follows it.
    """
    message = _Message(model)
    for chunk in chunks:
        if not chunk:
            yield PAUSE
            continue
        message.usage = chunk.get("usage") or message.usage
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                yield from message.grown(chunk, choice)
    if not message.finish:
        raise errors.CutShort("The upstream ended its stream before it was complete.")
    yield from message.ended()


class _Call:
    """A tool call on its way."""

    def __init__(self, id: str, name: str, waits: bool) -> None:
        self.id = id
        self.name = name
        self.waits = waits  # for another call to be complete
        self.arguments: list[str] = []

    def complete(self) -> bool:
        """Return whether its arguments are whole."""
        try:
            json.loads("".join(self.arguments))
        except ValueError:
            return False
        return True


class _Message:
    """A message on its way: one content block is open at a time, and closed before the next."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.started = False
        self.finish: str | None = None
        self.details: dict[str, Any] = {}
        self.usage: Mapping[str, Any] | None = None
        self.index = -1  # of the newest block
        self.open = ""  # the type of the open block
        self.key: Any = None  # of the call that was begun last
        self.calls: dict[Any, _Call] = {}

    def grown(self, chunk: Event, choice: Mapping[str, Any]) -> Iterator[MessageEvent]:
        """Yield the events for the first *choice* of a *chunk*."""
        if not self.started:
            self.started = True
            yield self._start(chunk)
        delta, finish = choice.get("delta") or {}, choice.get("finish_reason")
        details = stop_details(finish, delta.get("refusal"))
        text = delta.get("content") or (None if details else delta.get("refusal"))
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            yield from self._begin("thinking")
            yield self._delta("thinking_delta", "thinking", thought)
        for block in delta.get("thinking_blocks") or ():
            yield from self._thought(openai_chat.unnumbered(block))
        if text:
            yield from self._begin("text")
            yield self._delta("text_delta", "text", openai_chat.text(text))
        for call in delta.get("tool_calls") or ():
            yield from self._called(call)
        self.finish, self.details = finish or self.finish, details or self.details

    def ended(self) -> Iterator[MessageEvent]:
        """Yield the last events."""
        yield from self._close()
        for call in self.calls.values():
            if call.waits:
                yield self._open(_tool_use(call))
                yield self._delta("input_json_delta", "partial_json", "".join(call.arguments))
                yield from self._close()
        reason = stop_reason(self.finish, bool(self.calls))
        yield {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None, **self.details},
            "usage": anthropic_usage.message_usage(self.usage),
        }
        yield {"type": "message_stop"}

    def _start(self, chunk: Event) -> MessageEvent:
        """Return the first event."""
        message: dict[str, Any] = {
            "id": chunk.get("id") or "msg_0",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": anthropic_usage.message_usage(None),
        }
        return {"type": "message_start", "message": message}

    def _begin(self, kind: str) -> Iterator[MessageEvent]:
        """Yield the events that open a block of type *kind*, unless one is open."""
        if self.open != kind:
            yield from self._close()
            yield self._open({"type": kind, kind: "", **_SIGNED.get(kind, {})})

    def _thought(self, block: Mapping[str, Any]) -> Iterator[MessageEvent]:
        """Yield the events for a *block* of thinking, of which the text may have come already."""
        if block.get("type") == "redacted_thinking":
            yield from self._close()
            yield self._open(block)
        elif block.get("signature"):
            told = self.open == "thinking"
            yield from self._begin("thinking")
            if block.get("thinking") and not told:
                yield self._delta("thinking_delta", "thinking", block["thinking"])
            yield self._delta("signature_delta", "signature", block["signature"])
        else:
            return
        yield from self._close()

    def _called(self, said: Mapping[str, Any]) -> Iterator[MessageEvent]:
        """Yield the events for what is *said* of a tool call."""
        key = said.get("index", said.get("id", self.key))
        function = said.get("function") or {}
        text = function.get("arguments") or ""
        if key not in self.calls:
            name = function.get("name") or ""
            self.calls[key] = _Call(said.get("id") or f"call_{key}", name, self._busy())
            if not self.calls[key].waits:
                self.key = key
                yield from self._close()
                yield self._open(_tool_use(self.calls[key]))
        call = self.calls[key]
        call.arguments.append(text)
        if not text or call.waits:
            return
        if self.open != "tool_use" or key != self.key:
            raise errors.BadUpstream("The upstream went on with a tool call that was over.")
        yield self._delta("input_json_delta", "partial_json", text)

    def _busy(self) -> bool:
        """Return whether a new call has to wait: blocks come one after the other."""
        return any(call.waits for call in self.calls.values()) or (
            self.open == "tool_use" and not self.calls[self.key].complete()
        )

    def _open(self, block: Mapping[str, Any]) -> MessageEvent:
        """Return the event that begins *block*."""
        self.index += 1
        self.open = block["type"]
        return {"type": "content_block_start", "index": self.index, "content_block": block}

    def _delta(self, kind: str, name: str, value: str) -> MessageEvent:
        """Return the event that adds *value*, called *name*, to the open block."""
        delta = {"type": kind, name: value}
        return {"type": "content_block_delta", "index": self.index, "delta": delta}

    def _close(self) -> Iterator[MessageEvent]:
        """Yield the event that ends the open block, if one is open."""
        if self.open:
            self.open = ""
            yield {"type": "content_block_stop", "index": self.index}


_SIGNED: Mapping[str, Mapping[str, str]] = {"thinking": {"signature": ""}}


def _tool_use(call: _Call) -> dict[str, Any]:
    """Return the block that begins *call*."""
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
