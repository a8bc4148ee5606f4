"""Chat's stream of chunks as Anthropic's stream of events.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
import re
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
from llmgate.fronts import signatures

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
    """Return the field with the reason why a filter ended a message; empty if there is none."""
    if finish_reason != "content_filter" or not refusal:
        return {}
    return {"stop_details": {"type": "refusal", "category": None, "explanation": refusal}}


_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


def call_id(call: Mapping[str, Any], message_id: str, at: int) -> str:
    """Return the id of a *call*; one without an id is named after its message and its place."""
    return call.get("id") or _NOT_IN_IDS.sub("_", f"call_{message_id}_{at}")


def message_events(chunks: Iterable[Event], model: str) -> Generator[MessageEvent, None, None]:
    """Yield the events for *chunks*, `message_start` to `message_stop`.

    Usage is known at the end only and is in `message_delta`. Raises CutShort if no chunk ends the
    message, BadUpstream for arguments of a tool call after its end.
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
    """A tool call as it grows."""

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
    """A message as it grows: one content block is open at a time, and closed before the next."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.id = ""
        self.finish: str | None = None
        self.details: dict[str, Any] = {}
        self.usage: Mapping[str, Any] | None = None
        self.index = -1  # of the newest block
        self.open = ""  # the type of the open block
        self.key: Any = None  # of the call that was begun last
        self.calls: dict[Any, _Call] = {}
        self.nameless: dict[Any, dict[str, Any]] = {}  # calls whose name has not arrived
        self.held: list[tuple[str, str]] = []  # texts that arrived within a call
        self.carrier = signatures.Carrier()

    def grown(self, chunk: Event, choice: Mapping[str, Any]) -> Iterator[MessageEvent]:
        """Yield the events for the first *choice* of a *chunk*."""
        if not self.id:
            self.id = chunk.get("id") or "msg_0"
            yield self._start()
        delta, finish = choice.get("delta") or {}, choice.get("finish_reason")
        details = stop_details(finish, delta.get("refusal"))
        text = delta.get("content") or (None if details else delta.get("refusal"))
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            yield from self._text_events("thinking", thought)
        if delta.get("reasoning_details"):
            self.carrier.add({"reasoning_details": delta["reasoning_details"]})
        for block in delta.get("thinking_blocks") or ():
            yield from self._thought(openai_chat.unnumbered(block))
        if text:
            yield from self._text_events("text", openai_chat.text(text))
        for call in delta.get("tool_calls") or ():
            yield from self._called(call)
        self.finish, self.details = finish or self.finish, details or self.details

    def ended(self) -> Iterator[MessageEvent]:
        """Yield the last events."""
        for key, held in self.nameless.items():
            yield from self._begin_call(key, held)
        yield from self._release()
        yield from self._sign()
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

    def _start(self) -> MessageEvent:
        """Return the first event."""
        message: dict[str, Any] = {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": anthropic_usage.message_usage(None),
        }
        return {"type": "message_start", "message": message}

    def _text_events(self, kind: str, text: str) -> Iterator[MessageEvent]:
        """Yield the events of a *text*; within a call it waits until the call is complete."""
        if self.open == "tool_use" and not self.calls[self.key].complete():
            self.held.append((kind, text))
            return
        yield from self._begin(kind)
        yield self._delta(f"{kind}_delta", kind, text)

    def _release(self) -> Iterator[MessageEvent]:
        """Yield the events of the texts that waited."""
        held, self.held = self.held, []
        for kind, text in held:
            yield from self._begin(kind)
            yield self._delta(f"{kind}_delta", kind, text)

    def _begin(self, kind: str) -> Iterator[MessageEvent]:
        """Yield the events that open a block of type *kind*, unless one is open."""
        if self.open != kind:
            yield from self._close()
            yield self._open({"type": kind, kind: "", **_SIGNED.get(kind, {})})

    def _sign(self) -> Iterator[MessageEvent]:
        """Yield the events of a block of thinking that carries signatures, if there are any."""
        signed = self.carrier.take()
        if signed:
            yield from self._begin("thinking")
            yield self._delta("signature_delta", "signature", signatures.sealed(signed))

    def _thought(self, block: Mapping[str, Any]) -> Iterator[MessageEvent]:
        """Yield the events for a *block* of thinking, of which the text may have come already."""
        if block.get("type") == "redacted_thinking":
            yield from self._close()
            yield self._open(block)
        elif block.get("signature"):
            was_thinking = self.open == "thinking"
            yield from self._begin("thinking")
            if block.get("thinking") and not was_thinking:
                yield self._delta("thinking_delta", "thinking", block["thinking"])
            yield self._delta("signature_delta", "signature", block["signature"])
        else:
            return
        yield from self._close()

    def _called(self, piece: Mapping[str, Any]) -> Iterator[MessageEvent]:
        """Yield the events for a *piece* of a tool call."""
        key = piece.get("index", piece.get("id", self.key))
        function = piece.get("function") or {}
        text = function.get("arguments") or ""
        if key not in self.calls:
            held = self.nameless.pop(key, {})
            whole = {**held, **piece, "text": held.get("text", "") + text}
            if not function.get("name"):
                self.nameless[key] = whole
                return
            yield from self._begin_call(key, whole)
        else:
            yield from self._argued(key, text)
        if self.held and self.open == "tool_use" and self.calls[self.key].complete():
            yield from self._release()

    def _begin_call(self, key: Any, piece: Mapping[str, Any]) -> Iterator[MessageEvent]:
        """Yield the events that begin a call; its signature is in a block before it."""
        id = call_id(piece, self.id, len(self.calls))
        self.carrier.add_call(id, piece)
        name = (piece.get("function") or {}).get("name") or ""
        call = _Call(id, name, self._busy())
        if not call.waits:
            yield from self._release()
            yield from self._sign()
            yield from self._close()
            yield self._open(_tool_use(call))
            self.key = key
        self.calls[key] = call
        yield from self._argued(key, piece["text"])

    def _argued(self, key: Any, text: str) -> Iterator[MessageEvent]:
        """Yield the event for a piece of a call's arguments."""
        call = self.calls[key]
        call.arguments.append(text)
        if not text or call.waits:
            return
        if self.open != "tool_use" or key != self.key:
            if not text.strip():
                return
            raise errors.BadUpstream("The upstream sent arguments of a tool call after its end.")
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
        """Yield the event that ends the open block, if one is open; thinking is signed first."""
        if not self.open:
            return
        signed = self.carrier.take() if self.open == "thinking" else {}
        if signed:
            yield self._delta("signature_delta", "signature", signatures.sealed(signed))
        self.open = ""
        yield {"type": "content_block_stop", "index": self.index}


_SIGNED: Mapping[str, Mapping[str, str]] = {"thinking": {"signature": ""}}


def _tool_use(call: _Call) -> dict[str, Any]:
    """Return the block that begins *call*."""
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
