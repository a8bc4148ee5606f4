"""Anthropic's stream of events as OpenAI's stream of chunks.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Events
from llmgate.dialects.anthropic import answers
from llmgate.dialects.anthropic import errors as anthropic_errors
from llmgate.dialects.anthropic import reply as anthropic_reply
from llmgate.dialects.anthropic import usage as anthropic_usage
from llmgate.dialects.openai import chat as openai_chat

Delta: TypeAlias = dict[str, Any]
"""What a chunk adds to the message."""


def chunks(pieces: Iterable[bytes]) -> Events:
    """Yield the chunks of the stream in *pieces*; raises UpstreamError and CutShort."""
    return chunks_from_events(decoded(pieces))


_read_json = json.JSONDecoder().raw_decode  # half the time of json.loads


def decoded(pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield Anthropic's events in *pieces*, whatever they are."""
    for _, data in sse.events(pieces):
        yield _read_json(data.decode().strip())[0] if data else PAUSE


def whole(events: Iterable[dict[str, Any]]) -> Events:
    """Yield *events*, pauses among them, up to `message_stop`, less pings.

    Raises UpstreamError for an error among them, CutShort if there is no `message_stop`.
    """
    for event in events:
        kind = event["type"] if event else ""
        if kind == "error":
            raise anthropic_errors.stream_error(event)
        if kind != "ping":
            yield event
        if kind == "message_stop":
            return
    raise errors.CutShort("The upstream ended its stream before it was complete.")


def chunks_from_events(events: Iterable[dict[str, Any]]) -> Events:
    """Yield the chunks that Anthropic's *events* stand for: the role first, usage last.

    Thinking comes as `reasoning_content` while it is thought, and each block of it once whole,
    with its signature, in `thinking_blocks`. Raises UpstreamError and CutShort.
    """
    stream = _Stream()
    for event in whole(events):
        if not event:
            yield PAUSE
            continue
        read = _READERS.get(event["type"])
        delta = read(stream, event) if read else None
        if delta is not None:
            yield openai_chat.chunk(stream.head, delta)
    yield openai_chat.chunk(stream.head, stream.ending, stream.finish)
    yield openai_chat.usage_chunk(stream.head, anthropic_usage.chat_usage(stream.usage))


class _Stream:
    """The state of one stream."""

    def __init__(self) -> None:
        self.head: dict[str, Any] = {}
        self.usage: dict[str, Any] = {}
        self.ending: Delta = {}
        self.finish = "stop"
        self.calls: dict[int, int] = {}  # index of the block -> index of the call
        self.answers: set[int] = set()  # blocks whose input is the answer
        self.unsaid: set[int] = set()  # calls that have no arguments yet, by index of the block
        self.thinking: dict[int, dict[str, Any]] = {}  # open blocks, by index
        self.thoughts: list[str] = []  # the text of the open block
        self.thought = 0  # how many blocks of thinking are over


def _started(stream: _Stream, event: Mapping[str, Any]) -> Delta:
    """Return the delta that names the role."""
    message = event["message"]
    stream.head = openai_chat.head(message["id"], 0, message["model"])
    stream.usage = dict(message["usage"])
    return {"role": "assistant", "content": ""}


def _opened(stream: _Stream, event: Mapping[str, Any]) -> Delta | None:
    """Return the delta for a new block: a tool's name, or the first text."""
    index, block = event["index"], event["content_block"]
    kind = block["type"]
    if kind == "tool_use" and block["name"] == answers.TOOL:
        stream.answers.add(index)
        return None
    if kind == "tool_use":
        at = stream.calls[index] = len(stream.calls)
        given = anthropic_reply.arguments(block["input"]) if block.get("input") else ""
        if not given:
            stream.unsaid.add(index)
        function = {"name": block["name"], "arguments": given}
        call = {"index": at, "id": block["id"], "type": "function", "function": function}
        return {"tool_calls": [call]}
    if kind in ("thinking", "redacted_thinking"):
        stream.thinking[index] = dict(block)
        stream.thoughts = [block.get("thinking", "")]
        return {"reasoning_content": block["thinking"]} if block.get("thinking") else None
    return {"content": block["text"]} if kind == "text" and block["text"] else None


def _grown(stream: _Stream, event: Mapping[str, Any]) -> Delta | None:
    """Return the delta for a block's next piece; citations and server tools are omitted."""
    delta = event["delta"]
    kind = delta["type"]
    if kind == "text_delta":
        return {"content": delta["text"]}
    if kind == "input_json_delta":
        return _argued(stream, event["index"], delta["partial_json"])
    if kind == "thinking_delta":
        stream.thoughts.append(delta["thinking"])
        return {"reasoning_content": delta["thinking"]}
    if kind == "signature_delta":
        stream.thinking[event["index"]]["signature"] = delta["signature"]
    return None


def _argued(stream: _Stream, index: int, text: str) -> Delta | None:
    """Return the delta that adds *text* to the arguments of the call in block *index*."""
    at = stream.calls.get(index)
    if index in stream.answers:
        return {"content": text} if text else None
    if at is None or not text:
        return None
    stream.unsaid.discard(index)
    return {"tool_calls": [{"index": at, "function": {"arguments": text}}]}


def _closed(stream: _Stream, event: Mapping[str, Any]) -> Delta | None:
    """Return the delta that completes a block: its signed thinking, or empty arguments."""
    index = event["index"]
    if index in stream.unsaid:  # OpenAI's clients parse the arguments, and "" is not JSON
        return _argued(stream, index, "{}")
    block = stream.thinking.pop(index, None)
    if block is None:
        return None
    if block["type"] == "thinking":
        block["thinking"] = "".join(stream.thoughts)
    stream.thought += 1
    return openai_chat.thoughts([block], stream.thought - 1)


def _ended(stream: _Stream, event: Mapping[str, Any]) -> None:
    """Note why the message ended and what was used."""
    ending, usage = event["delta"], event.get("usage") or {}
    stream.usage.update((key, value) for key, value in usage.items() if value)  # some send zeros
    if ending.get("stop_reason"):
        stream.finish = anthropic_reply.finish_reason(ending["stop_reason"])
        if stream.finish == "tool_calls" and stream.answers and not stream.calls:
            stream.finish = "stop"
    explanation = anthropic_reply.refusal(ending)
    if explanation:
        stream.ending = {"refusal": explanation}


_READERS: Mapping[str, Callable[[_Stream, Mapping[str, Any]], Delta | None]] = {
    "content_block_delta": _grown,
    "content_block_start": _opened,
    "content_block_stop": _closed,
    "message_start": _started,
    "message_delta": _ended,
}
