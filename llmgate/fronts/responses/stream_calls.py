"""Calls of tools in a Response's stream, with their events.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Event
from llmgate.fronts.responses import output as front_output
from llmgate.fronts.responses.custom_input import Decoder
from llmgate.fronts.responses.stream_text import Write
from llmgate.fronts.responses.tools import Tools

_FUNCTION = "response.function_call_arguments"
_CUSTOM = "response.custom_tool_call_input"


class CallItem:
    """A call of a tool as it grows."""

    def __init__(
        self, call: Mapping[str, Any], tools: Tools, identity: Mapping[str, Any], write: Write
    ) -> None:
        self._tools = tools
        self._call = call
        self._write = write
        self._identity = identity  # item_id, call_id and output_index
        self._arguments: list[str] = []
        self._decoder = Decoder()
        self.item = {**self._made(""), "status": "in_progress"}

    def _made(self, arguments: str) -> dict[str, Any]:
        """Return the item with these *arguments*."""
        function = {**(self._call.get("function") or {}), "arguments": arguments}
        call = {**self._call, "function": function}
        item = front_output.call_item(call, self._tools, self._identity["call_id"])
        return {"id": self._identity["item_id"], **item}

    def begin(self) -> Event:
        """Return the event that adds the item."""
        return self._write("response.output_item.added", {**self._place(), "item": self.item})

    def _place(self) -> dict[str, Any]:
        return {"output_index": self._identity["output_index"]}

    def _source(self) -> dict[str, Any]:
        return {"item_id": self._identity["item_id"], **self._place()}

    def add(self, arguments: str) -> Iterator[Event]:
        """Yield the events of a piece of the arguments."""
        self._arguments.append(arguments)
        if self.item["type"] == "function_call":
            yield self._write(f"{_FUNCTION}.delta", {**self._source(), "delta": arguments})
        elif self.item["type"] == "custom_tool_call":
            text = self._decoder.feed(arguments)
            if text:
                yield self._write(f"{_CUSTOM}.delta", {**self._source(), "delta": text})

    def end(self, status: str) -> Iterator[Event]:
        """Yield the events that end the call."""
        arguments = "".join(self._arguments)
        self.item = {**self._made(arguments), "status": status}
        if self.item["type"] == "function_call":
            fields = {**self._source(), "name": self.item["name"], "arguments": arguments}
            yield self._write(f"{_FUNCTION}.done", fields)
        elif self.item["type"] == "custom_tool_call":
            fields = {**self._source(), "input": self.item["input"]}
            yield self._write(f"{_CUSTOM}.done", fields)
        yield self._write("response.output_item.done", {**self._place(), "item": self.item})
