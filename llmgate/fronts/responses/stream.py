"""The events of OpenAI's Responses API, made of the chunks of a chat.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import PAUSE
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.contract import Events
from llmgate.fronts import signatures
from llmgate.fronts.responses import output as front_output
from llmgate.fronts.responses import tools as front_tools
from llmgate.fronts.responses.stream_calls import CallItem
from llmgate.fronts.responses.stream_text import BLANK
from llmgate.fronts.responses.stream_text import REASONING
from llmgate.fronts.responses.stream_text import REFUSAL
from llmgate.fronts.responses.stream_text import SUMMARY
from llmgate.fronts.responses.stream_text import TEXT
from llmgate.fronts.responses.stream_text import Kind
from llmgate.fronts.responses.stream_text import TextItem
from llmgate.fronts.responses.tools import Tools


def response_events(
    chunks: Iterator[Event], request: Body, response_id: str, created_at: int
) -> Events:
    """Yield the events of the Response that *chunks* amount to, as an answer to *request*.

    *response_id* names it and its items; *created_at* is in epoch seconds. What fails before the
    first chunk is raised; what fails after it ends the events with response.failed.
    """
    first = next(filter(None, chunks), None)
    if first is None:
        raise _cut_short()
    started = front_output.begun(request, response_id, created_at, first.get("model") or "")
    kind = SUMMARY if front_output.is_summarized(request) else REASONING
    writer = _Writer(started, kind, front_tools.read(request))
    try:
        yield from writer.begin()
        yield from writer.read(first)
        for chunk in chunks:
            yield from writer.read(chunk) if chunk else (PAUSE,)
        yield from writer.end()
    except errors.GateError as error:
        yield writer.failed(error)
    finally:
        if isinstance(chunks, Generator):
            chunks.close()


def _cut_short() -> errors.CutShort:
    """Return the error for chunks that end before their choice does."""
    return errors.CutShort("The upstream ended its stream before it was complete.")


class _Writer:
    """One Response as it grows: reads chunks, writes events."""

    def __init__(self, started: dict[str, Any], reasoning: Kind, tools: Tools) -> None:
        self._started = started
        self._reasoning = reasoning
        self._tools = tools
        self._sequence = -1
        self._items: list[dict[str, Any]] = []  # as they were added, then as they ended
        self._text: TextItem | None = None  # under way
        self._carrier = signatures.Carrier()
        self._nameless: dict[Any, dict[str, Any]] = {}  # calls whose name has not arrived
        self._calls: dict[Any, CallItem] = {}  # by chat's index
        self._places: dict[Any, int] = {}  # chat's index of a call -> place in the output
        self._finish: str | None = None
        self._usage: Any = None

    def _event(self, type: str, fields: Mapping[str, Any]) -> Event:
        """Return the event of this *type*, numbered."""
        self._sequence += 1
        return {"type": type, "sequence_number": self._sequence, **fields}

    def begin(self) -> Iterator[Event]:
        """Yield the events before the first item."""
        yield self._event("response.created", {"response": self._started})
        yield self._event("response.in_progress", {"response": self._started})

    def read(self, chunk: Event) -> Iterator[Event]:
        """Yield the events of one chunk; all choices but the first are left out."""
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                yield from self._read(choice.get("delta") or {}, choice.get("logprobs"))
                self._finish = choice.get("finish_reason") or self._finish

    def _read(self, delta: Mapping[str, Any], logprobs: Any) -> Iterator[Event]:
        """Yield the events of one delta."""
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            yield from self._add_text(self._reasoning, thought, [])
        if delta.get("thinking_blocks") or delta.get("reasoning_details"):
            yield from self._open("reasoning")
        self._carrier.add(delta)
        if delta.get("content"):
            tokens = (logprobs or {}).get("content") or ()
            listed = [front_output.token_logprob(token) for token in tokens]
            yield from self._add_text(TEXT, delta["content"], listed)
        if delta.get("refusal"):
            yield from self._add_text(REFUSAL, delta["refusal"], [])
        for call in delta.get("tool_calls") or ():
            yield from self._add_call(call)

    def _add_text(self, kind: Kind, text: str, logprobs: list[Any]) -> Iterator[Event]:
        """Yield the events of a piece of text."""
        yield from self._open(kind.item)
        assert self._text is not None
        if self._text.kind is not kind:
            yield from self._text.turn(kind)
        yield self._text.delta(text, logprobs)

    def _open(self, type: str) -> Iterator[Event]:
        """Yield the events after which an item of text of this *type* is under way."""
        if self._text is not None and self._text.type == type:
            return
        yield from self._close("completed")
        item = {"id": self._item_id(type), "status": "in_progress", **BLANK[type]}
        self._items.append(item)
        self._text = TextItem(item, len(self._items) - 1, self._event)
        yield self._text.begin()

    def _item_id(self, type: str) -> str:
        """Return the id of the next item, made of its place."""
        return front_output.item_id(self._started["id"], type, len(self._items))

    def _close(self, status: str) -> Iterator[Event]:
        """Yield the events that end the item of text under way, if there is one."""
        if self._text is None:
            return
        if self._text.type == "reasoning":
            self._text.signed = self._carrier.take()
        yield from self._text.end(status, self._items)
        self._text = None

    def _add_call(self, piece: Mapping[str, Any]) -> Iterator[Event]:
        """Yield the events of a *piece* of a tool call.

        Calls stay open until the end: upstreams may send the pieces of several in turns.
        """
        index = piece.get("index", 0)
        function = piece.get("function") or {}
        arguments = function.get("arguments") or ""
        if index not in self._calls:
            held = self._nameless.pop(index, {})
            arguments = held.get("arguments", "") + arguments
            call = {**held.get("call", {}), **piece}
            if not function.get("name"):
                self._nameless[index] = {"call": call, "arguments": arguments}
                return
            yield from self._begin_call(index, call)
        if arguments:
            yield from self._calls[index].add(arguments)

    def _begin_call(self, index: Any, call: Mapping[str, Any]) -> Iterator[Event]:
        """Yield the events that begin *call*; its signature goes into an item before it."""
        if call.get("extra_content"):
            yield from self._open("reasoning")
        at, response_id = len(self._items), self._started["id"]
        id = front_output.call_id(call, response_id, at)
        self._carrier.add_call(id, call)
        yield from self._close("completed")
        type = front_output.call_item(call, self._tools, id)["type"]
        identity = {"item_id": self._item_id(type), "call_id": id, "output_index": at}
        item = CallItem(call, self._tools, identity, self._event)
        self._items.append(item.item)
        self._calls[index], self._places[index] = item, at
        yield item.begin()

    def end(self) -> Iterator[Event]:
        """Yield the events after the last chunk; raises CutShort if the choice has not ended."""
        if self._finish is None:
            raise _cut_short()
        for index, held in self._nameless.items():
            yield from self._begin_call(index, held["call"])
            yield from self._calls[index].add(held["arguments"])
        yield from () if self._items else self._add_text(TEXT, "", [])
        response = front_output.ended(self._started, self._items, self._finish, self._usage)
        status = response["status"]
        yield from self._close(status)
        for index, call in self._calls.items():
            yield from call.end(status)
            self._items[self._places[index]] = call.item
        yield self._event(f"response.{status}", {"response": response})

    def failed(self, error: errors.GateError) -> Event:
        """Return the event that ends a Response because of *error*, with the items that ended."""
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        ending = {
            "status": "failed",
            "error": {"code": code, "message": error.message},
            "output": [item for item in self._items if item["status"] != "in_progress"],
            "usage": front_output.usage(self._usage),
        }
        return self._event("response.failed", {"response": {**self._started, **ending}})
