"""Items of text in a Response's stream: messages and reasoning, with their events.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import TypeAlias

from llmgate.contract import Event
from llmgate.fronts.responses import output as front_output


class Kind(NamedTuple):
    """How one kind of text is written."""

    item: str  # the type of the item that holds it
    content: str  # where the item has its parts
    part: str  # the type of such a part
    key: str  # where a part has its text
    place: str  # what an event calls the place of its part
    frame: str  # the events around a part
    event: str  # the events of the text


TEXT = Kind(
    "message",
    "content",
    "output_text",
    "text",
    "content_index",
    "response.content_part",
    "response.output_text",
)
REFUSAL = TEXT._replace(part="refusal", key="refusal", event="response.refusal")
REASONING = TEXT._replace(item="reasoning", part="reasoning_text", event="response.reasoning_text")
SUMMARY = Kind(
    "reasoning",
    "summary",
    "summary_text",
    "text",
    "summary_index",
    "response.reasoning_summary_part",
    "response.reasoning_summary_text",
)

BLANK = {
    "message": front_output.message([]),
    "reasoning": front_output.reasoning("", False, {}),
}

Write: TypeAlias = Callable[[str, Mapping[str, Any]], Event]
"""Makes an event of a type and its fields, with the next sequence number."""


class TextItem:
    """An item of text as it grows: a message, or the model's reasoning."""

    def __init__(self, item: dict[str, Any], at: int, write: Write) -> None:
        self.type = item["type"]
        self.signed: dict[str, Any] = {}  # what the item carries for the provider
        self.kind: Kind | None = None  # of the part under way
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

    def turn(self, kind: Kind) -> Iterator[Event]:
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
        if self.kind is TEXT:
            self._logprobs += logprobs
            fields["logprobs"] = logprobs
        return self._write(f"{self.kind.event}.delta", fields)

    def _part(self, text: str, logprobs: list[Any]) -> dict[str, Any]:
        """Return a part of the kind under way."""
        assert self.kind is not None
        if self.kind is TEXT:
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
        if kind is TEXT:
            fields["logprobs"] = self._logprobs
        yield self._write(f"{kind.event}.done", fields)
        yield self._write(f"{kind.frame}.done", {**self._place, "part": part})
        self._parts.append(part)
        self._texts, self._logprobs, self.kind = [], [], None

    def end(self, status: str, items: list[dict[str, Any]]) -> Iterator[Event]:
        """Yield the events that end the item, which takes its place in *items*."""
        parts = "summary" if self.kind is SUMMARY else "content"
        yield from self._end_part()
        item = {**self._item, "status": status}
        if self._parts:
            item[parts] = self._parts
        item.update(front_output.seal(self.signed))
        at = self._place["output_index"]
        items[at] = item
        yield self._write("response.output_item.done", {"output_index": at, "item": item})
