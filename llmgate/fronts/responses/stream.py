"""The events of OpenAI's Responses API, out of the chunks of a chat.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import TypeAlias

from llmgate import errors
from llmgate.contract import PAUSE
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.contract import Events
from llmgate.dialects.openai import chat as openai_chat
from llmgate.fronts.responses import output as front_output


class _Kind(NamedTuple):
    """How one kind of text is written."""

    item: str  # the type of the item that holds it
    content: str  # where the item has its parts
    part: str  # the type of such a part
    key: str  # where a part has its text
    place: str  # what an event calls the place of its part
    frame: str  # the events around a part
    event: str  # the events of the text


_TEXT = _Kind(
    "message",
    "content",
    "output_text",
    "text",
    "content_index",
    "response.content_part",
    "response.output_text",
)
_REFUSAL = _TEXT._replace(part="refusal", key="refusal", event="response.refusal")
_THOUGHT = _TEXT._replace(item="reasoning", part="reasoning_text", event="response.reasoning_text")
_SUMMARY = _Kind(
    "reasoning",
    "summary",
    "summary_text",
    "text",
    "summary_index",
    "response.reasoning_summary_part",
    "response.reasoning_summary_text",
)

_BLANK = {
    "message": front_output.message([]),
    "reasoning": front_output.reasoning("", False, None),
}

_Write: TypeAlias = Callable[[str, Mapping[str, Any]], Event]
"""Makes an event of a type and its fields, with the next sequence number."""


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
    writer = _Writer(started, _SUMMARY if front_output.summarized(request) else _THOUGHT)
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


class _Speech:
    """An item of text as it grows: a message, or the model's thoughts."""

    def __init__(self, item: dict[str, Any], at: int, write: _Write) -> None:
        self.type = item["type"]
        self.blocks: list[Any] = []  # of signed thinking
        self.kind: _Kind | None = None  # of the part under way
        self._item = item
        self._place: dict[str, Any] = {"item_id": item["id"], "output_index": at}
        self._parts: list[dict[str, Any]] = []
        self._texts: list[str] = []
        self._logprobs: list[Any] = []
        self._write = write

    def begin(self) -> Event:
        """Return the event that adds the item."""
        at = self._place["output_index"]
        return self._write("response.output_item.added", {"output_index": at, "item": self._item})

    def turn(self, kind: _Kind) -> Iterator[Event]:
        """Yield the events that end the part under way and begin one of *kind*."""
        yield from self._end_part()
        self.kind = kind
        self._place[kind.place] = len(self._parts)
        yield self._write(f"{kind.frame}.added", {**self._place, "part": self._part("", [])})

    def delta(self, text: str, logprobs: list[Any]) -> Event:
        """Return the event of a piece of text."""
        assert self.kind is not None
        self._texts.append(text)
        fields = {**self._place, "delta": text}
        if self.kind is _TEXT:
            self._logprobs += logprobs
            fields["logprobs"] = logprobs
        return self._write(f"{self.kind.event}.delta", fields)

    def _part(self, text: str, logprobs: list[Any]) -> dict[str, Any]:
        """Return a part of the kind under way."""
        assert self.kind is not None
        if self.kind is _TEXT:
            return front_output.text_part(text, logprobs)
        return {"type": self.kind.part, self.kind.key: text}

    def _end_part(self) -> Iterator[Event]:
        """Yield the events that end the part under way, if there is one."""
        kind = self.kind
        if kind is None:
            return
        text = "".join(self._texts)
        part = self._part(text, self._logprobs)
        fields = {**self._place, kind.key: text}
        if kind is _TEXT:
            fields["logprobs"] = self._logprobs
        yield self._write(f"{kind.event}.done", fields)
        yield self._write(f"{kind.frame}.done", {**self._place, "part": part})
        self._parts.append(part)
        self._texts, self._logprobs, self.kind = [], [], None

    def end(self, status: str, items: list[dict[str, Any]]) -> Iterator[Event]:
        """Yield the events that end the item, which takes its place in *items*."""
        parts = "summary" if self.kind is _SUMMARY else "content"
        yield from self._end_part()
        item = {**self._item, "status": status}
        if self._parts:
            item[parts] = self._parts
        item.update(front_output.seal(self.blocks))
        at = self._place["output_index"]
        items[at] = item
        yield self._write("response.output_item.done", {"output_index": at, "item": item})


class _Writer:
    """One Response as it grows: reads chunks, writes events."""

    def __init__(self, started: dict[str, Any], thought: _Kind) -> None:
        self._started = started
        self._thought = thought
        self._sequence = -1
        self._items: list[dict[str, Any]] = []  # as they were added, then as they ended
        self._speech: _Speech | None = None
        self._calls: dict[int, list[str]] = {}  # place in the output -> pieces of arguments
        self._places: dict[Any, int] = {}  # chat's index of a call -> place in the output
        self._finish: str | None = None
        self._usage: Any = None

    def _event(self, type: str, fields: Mapping[str, Any]) -> Event:
        """Return the event of this *type*, numbered."""
        self._sequence += 1
        return {"type": type, "sequence_number": self._sequence, **fields}

    def begin(self) -> Iterator[Event]:
        """Yield what comes before anything is said."""
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
            yield from self._said(self._thought, thought, [])
        if delta.get("thinking_blocks"):
            yield from self._speaking("reasoning")
            assert self._speech is not None
            self._speech.blocks += map(openai_chat.unnumbered, delta["thinking_blocks"])
        if delta.get("content"):
            tokens = (logprobs or {}).get("content") or ()
            listed = [front_output.token_logprob(token) for token in tokens]
            yield from self._said(_TEXT, delta["content"], listed)
        if delta.get("refusal"):
            yield from self._said(_REFUSAL, delta["refusal"], [])
        for call in delta.get("tool_calls") or ():
            yield from self._called(call)

    def _said(self, kind: _Kind, text: str, logprobs: list[Any]) -> Iterator[Event]:
        """Yield the events of a piece of text."""
        yield from self._speaking(kind.item)
        assert self._speech is not None
        if self._speech.kind is not kind:
            yield from self._speech.turn(kind)
        yield self._speech.delta(text, logprobs)

    def _speaking(self, type: str) -> Iterator[Event]:
        """Yield the events after which an item of *type* is under way."""
        if self._speech is not None and self._speech.type == type:
            return
        yield from self._silent("completed")
        item = self._added(_BLANK[type])
        self._speech = _Speech(item, len(self._items) - 1, self._event)
        yield self._speech.begin()

    def _added(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return *item* with an id made of its place, which is the last."""
        id = front_output.item_id(self._started["id"], item["type"], len(self._items))
        self._items.append({"id": id, "status": "in_progress", **item})
        return self._items[-1]

    def _silent(self, status: str) -> Iterator[Event]:
        """Yield the events that end the item of text under way, if there is one."""
        if self._speech is not None:
            yield from self._speech.end(status, self._items)
            self._speech = None

    def _called(self, call: Mapping[str, Any]) -> Iterator[Event]:
        """Yield the events of a piece of a tool call.

        Calls stay open until the end: upstreams may send the pieces of several in turns.
        """
        index = call.get("index", 0)
        arguments = (call.get("function") or {}).get("arguments") or ""
        if index not in self._places:
            yield from self._silent("completed")
            self._places[index] = len(self._items)
            item = front_output.function_call(call, self._started["id"], len(self._items))
            item = self._added({**item, "arguments": ""})
            self._calls[len(self._items) - 1] = []
            fields = {"output_index": len(self._items) - 1, "item": item}
            yield self._event("response.output_item.added", fields)
        at = self._places[index]
        if arguments:
            self._calls[at].append(arguments)
            fields = {"item_id": self._items[at]["id"], "output_index": at, "delta": arguments}
            yield self._event("response.function_call_arguments.delta", fields)

    def _end_call(self, at: int, status: str) -> Iterator[Event]:
        """Yield the events that end a tool call."""
        arguments = "".join(self._calls[at])
        item = {**self._items[at], "status": status, "arguments": arguments}
        self._items[at] = item
        named = {"item_id": item["id"], "name": item["name"]}
        fields = {"output_index": at, **named, "arguments": arguments}
        yield self._event("response.function_call_arguments.done", fields)
        yield self._event("response.output_item.done", {"output_index": at, "item": item})

    def end(self) -> Iterator[Event]:
        """Yield what comes after everything was said; raises CutShort if it was not."""
        if self._finish is None:
            raise _cut_short()
        yield from () if self._items else self._said(_TEXT, "", [])
        response = front_output.ended(self._started, self._items, self._finish, self._usage)
        status = response["status"]
        yield from self._silent(status)
        for at in self._calls:
            yield from self._end_call(at, status)
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
