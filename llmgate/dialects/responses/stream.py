"""The events of a Response as chunks of a chat completion.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Deployment
from llmgate.contract import Events
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.responses import items
from llmgate.dialects.responses import reply

_ENDS = ("response.completed", "response.incomplete")


def chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield a Response's stream as chunks, the last one with the usage.

    Raises UpstreamError for a response that fails, CutShort for one that does not end.
    """
    head = openai_chat.head("", 0, deployment.model)
    reader = _Reader()
    for _, data in sse.events(pieces):
        if not data or data == b"[DONE]":
            yield PAUSE
            continue
        event = json.loads(data)
        kind = event.get("type")
        if kind in ("error", "response.failed"):
            raise reply.failed(_error(event))
        response = event.get("response")
        if kind == "response.created":
            head = _named(head, response)
            yield openai_chat.chunk(head, {"role": "assistant", "content": ""})
        elif kind in _ENDS:
            reason = reply.finish_reason(response, bool(reader.calls))
            yield openai_chat.chunk(head, {}, reason)
            yield openai_chat.usage_chunk(head, reply.usage(response))
            return
        elif kind in _DELTAS:
            delta = _DELTAS[kind](reader, event)
            if delta:
                yield openai_chat.chunk(head, dict(delta), None, _logprobs(event))
    raise errors.CutShort("The upstream ended its stream before the response was complete.")


def _named(head: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """Return *head* with what the beginning of a *response* contains."""
    return openai_chat.head(
        response.get("id") or "",
        int(response.get("created_at") or 0),
        response.get("model") or head["model"],
    )


def _error(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the error in an *event*, or in its response."""
    return (event.get("response") or {}).get("error") or event.get("error") or event


def _logprobs(event: Mapping[str, Any]) -> Any:
    """Return the log probabilities of a piece of text."""
    return {"content": event["logprobs"]} if event.get("logprobs") else None


class _Reader:
    """What the items so far were."""

    def __init__(self) -> None:
        self.calls: dict[Any, int] = {}  # place in the output -> chat's index
        self.sent: set[Any] = set()  # places of items of which a piece was sent
        self.summaries: set[Any] = set()  # places of reasoning with a part of its summary
        self.details = 0  # of reasoning, sent so far


Delta: TypeAlias = Mapping[str, Any] | None
"""What an event adds to the message; None: nothing."""


def _text(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return a piece of text."""
    reader.sent.add(event.get("output_index"))
    return {"content": event["delta"]}


def _refusal(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return a piece of a refusal."""
    reader.sent.add(event.get("output_index"))
    return {"refusal": event["delta"]}


def _thought(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return a piece of reasoning, or of its summary."""
    reader.sent.add(event.get("output_index"))
    return {"reasoning_content": event["delta"]}


def _summary(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return what separates a part of a summary from the one before, if there is one."""
    place = event.get("output_index")
    if place not in reader.summaries:
        reader.summaries.add(place)
        return None
    return {"reasoning_content": "\n\n"}


def _annotation(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return a citation."""
    found = reply.citations([event.get("annotation") or {}])
    return {"annotations": found} if found else None


def _added(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return the beginning of a call."""
    item = event["item"]
    if item.get("type") not in _CALLS:
        return None
    place = event.get("output_index")
    call = reply.call(item)
    if item.get(_CALLS[item["type"]]):
        reader.sent.add(place)  # the whole call is here
    at = reader.calls.setdefault(place, len(reader.calls))
    return {"tool_calls": [{"index": at, **call}]}


_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


def _arguments(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return a piece of the arguments of a call."""
    return _piece(reader, event, {"function": {"arguments": event["delta"]}})


def _input(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return a piece of the input of a custom tool."""
    return _piece(reader, event, {"custom": {"input": event["delta"]}})


def _piece(reader: _Reader, event: Mapping[str, Any], members: Mapping[str, Any]) -> Delta:
    """Return a piece of a call with these *members*."""
    place = event.get("output_index")
    reader.sent.add(place)
    return {"tool_calls": [{"index": reader.calls[place], **members}]}


def _done(reader: _Reader, event: Mapping[str, Any]) -> Delta:
    """Return what is known at the end of an item alone: all of it, if no piece was sent."""
    item, place = event["item"], event.get("output_index")
    kind = item.get("type")
    if kind == "reasoning":
        return _reasoned(reader, item, place)
    if place in reader.sent:
        return None
    if kind == "message":
        parts = item.get("content") or ()
        text = "".join(part.get("text") or part.get("refusal") or "" for part in parts)
        return {"content": text} if text else None
    if kind not in _CALLS:
        return None
    if place not in reader.calls:
        return _added(reader, event)
    name = _CALLS[kind]
    inner = "custom" if kind == "custom_tool_call" else "function"
    return _piece(reader, {"output_index": place}, {inner: {name: item.get(name) or ""}})


def _reasoned(reader: _Reader, item: Mapping[str, Any], place: Any) -> Delta:
    """Return what a reasoning *item* adds at its end: what must be sent back."""
    found: dict[str, Any] = {}
    if place not in reader.sent and reply.thoughts(item):
        found["reasoning_content"] = "\n\n".join(reply.thoughts(item))
    details = items.details(item, reader.details)
    if details:
        reader.details += len(details)
        found["reasoning_details"] = details
    return found or None


_DELTAS: Mapping[Any, Callable[[_Reader, Mapping[str, Any]], Delta]] = {
    "response.output_text.delta": _text,
    "response.refusal.delta": _refusal,
    "response.reasoning_text.delta": _thought,
    "response.reasoning_summary_text.delta": _thought,
    "response.reasoning_summary_part.added": _summary,
    "response.output_text.annotation.added": _annotation,
    "response.output_item.added": _added,
    "response.function_call_arguments.delta": _arguments,
    "response.custom_tool_call_input.delta": _input,
    "response.output_item.done": _done,
}
