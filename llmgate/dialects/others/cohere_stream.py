"""Cohere's chat stream as OpenAI's chunks.

Source: https://docs.cohere.com/v2/docs/streaming
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Events
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.others import cohere


def chunks(pieces: Iterator[bytes], model: str) -> Events:
    """Yield Cohere's stream as chunks, the last one with the usage.

    Raises UpstreamError and CutShort.
    """
    head = openai_chat.head("", 0, model)
    calls: dict[Any, int] = {}
    for _, data in sse.events(pieces):
        if not data:
            yield PAUSE
            continue
        if data == b"[DONE]":
            break
        event = json.loads(data)
        kind = event.get("type")
        if kind == "message-end":
            end = event["delta"]
            reason = cohere.finish(end.get("finish_reason") or "ERROR", end.get("error"))
            yield openai_chat.chunk(head, {}, reason)
            yield openai_chat.usage_chunk(head, cohere.counts(end.get("usage")))
            return
        if kind == "message-start":
            head["id"] = event.get("id") or ""
        delta = _DELTAS.get(kind, _unknown)(event, calls)
        if delta:
            yield openai_chat.chunk(head, delta, None, _logprobs(event))
    raise errors.CutShort("Cohere's stream ended before the message was complete.")


def _logprobs(event: Mapping[str, Any]) -> Any:
    """Return the logprobs of one event."""
    item = event.get("logprobs")
    return cohere.logprobs([item]) if item else None


def _start(event: Mapping[str, Any], calls: dict[Any, int]) -> dict[str, Any]:
    """Return the delta that begins a message."""
    return {"role": "assistant", "content": ""}


def _content(event: Mapping[str, Any], calls: dict[Any, int]) -> dict[str, Any]:
    """Return the delta of text or thought."""
    content = event["delta"]["message"]["content"]
    if content.get("thinking"):
        return {"reasoning_content": content["thinking"]}
    return {"content": content["text"]} if content.get("text") else {}


def _plan(event: Mapping[str, Any], calls: dict[Any, int]) -> dict[str, Any]:
    """Return the delta of the text before tool calls."""
    return {"content": event["delta"]["message"]["tool_plan"]}


def _call_start(event: Mapping[str, Any], calls: dict[Any, int]) -> dict[str, Any]:
    """Return the delta that begins a tool call, counted in *calls*."""
    calls[event.get("index")] = len(calls)
    call = event["delta"]["message"]["tool_calls"]
    return {"tool_calls": [{"index": len(calls) - 1, **call}]}


def _call_delta(event: Mapping[str, Any], calls: dict[Any, int]) -> dict[str, Any]:
    """Return the delta of a tool call's arguments."""
    call = event["delta"]["message"]["tool_calls"]
    return {"tool_calls": [{"index": calls[event.get("index")], **call}]}


def _citation(event: Mapping[str, Any], calls: dict[Any, int]) -> dict[str, Any]:
    """Return the delta of a citation, in Cohere's own shape."""
    return {"citations": [event["delta"]["message"]["citations"]]}


def _unknown(event: Mapping[str, Any], calls: dict[Any, int]) -> dict[str, Any]:
    """Return nothing for an unknown event; raises UpstreamError for an error."""
    if event.get("type") and event["type"] != "error":
        return {}
    found = cohere.failure(event)
    raise errors.UpstreamError(
        found.message, status=found.status or 502, type=found.type, code=found.code
    )


_DELTAS: Mapping[Any, Callable[[Mapping[str, Any], dict[Any, int]], dict[str, Any]]] = {
    "message-start": _start,
    "content-start": _content,
    "content-delta": _content,
    "tool-plan-delta": _plan,
    "tool-call-start": _call_start,
    "tool-call-delta": _call_delta,
    "citation-start": _citation,
}
