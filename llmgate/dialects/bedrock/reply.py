"""Converse's answers as OpenAI's: a whole reply, or the chunks of a binary event stream.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from llmgate import errors
from llmgate.codecs import aws_eventstream
from llmgate.contract import PAUSE
from llmgate.contract import Deployment
from llmgate.contract import Event
from llmgate.contract import Events
from llmgate.contract import Reply
from llmgate.dialects.bedrock import errors as bedrock_errors
from llmgate.dialects.bedrock.models import bare
from llmgate.dialects.bedrock.request import ANSWER
from llmgate.dialects.openai import chat as openai_chat

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_MALFORMED = ("malformed_model_output", "malformed_tool_use")
_EXTRAS = ("trace", "additionalModelResponseFields")


def reply(raw: Mapping[str, Any], deployment: Deployment) -> Reply:
    """Return the chat completion for Converse's response *raw*."""
    blocks = raw["output"]["message"]["content"]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    answers = [call for call in calls if call["name"] == ANSWER]
    calls = [call for call in calls if call["name"] != ANSWER]
    text = "".join(map(_text, blocks))
    if answers:
        text = json.dumps(answers[0]["input"], ensure_ascii=False)
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
    thoughts = [_thought(block["reasoningContent"]) for block in blocks if _is_thought(block)]
    message.update(_thinking(thoughts))
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    finish = _finish(raw["stopReason"], bool(calls), bool(answers))
    extras = {key: raw[key] for key in _EXTRAS if key in raw}
    made = openai_chat.completion(_head(deployment), message, finish, _usage(raw["usage"]))
    return {**made, **_tier(raw), **extras}


def _head(deployment: Deployment) -> dict[str, Any]:
    """Return the head of a response; Converse reports neither an id nor a time."""
    return openai_chat.head(f"chatcmpl-{uuid4().hex}", 0, bare(deployment.model))


def _text(block: Mapping[str, Any]) -> str:
    """Return the text of *block*, also if it comes with citations."""
    cited = block.get("citationsContent", {}).get("content", ())
    return str(block.get("text", "")) + "".join(part.get("text", "") for part in cited)


def _is_thought(block: Mapping[str, Any]) -> bool:
    """Return whether *block* is what the model thought."""
    return "reasoningContent" in block


def _thought(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block of thinking as Anthropic writes it, so that it can come back."""
    if "redactedContent" in raw:
        return {"type": "redacted_thinking", "data": raw["redactedContent"]}
    thought = raw["reasoningText"]
    signature = {"signature": thought["signature"]} if thought.get("signature") else {}
    return {"type": "thinking", "thinking": thought["text"], **signature}


def _thinking(thoughts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of a message that hold *thoughts*: as text, and as they must come back."""
    text = "".join(thought.get("thinking", "") for thought in thoughts)
    signed = [thought for thought in thoughts if "signature" in thought or "data" in thought]
    found = {"reasoning_content": text, "thinking_blocks": signed}
    return {key: value for key, value in found.items() if value}


def _call(used: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call of a tool."""
    arguments = json.dumps(used["input"], ensure_ascii=False)
    called = {"name": used["name"], "arguments": arguments}
    return {"id": used["toolUseId"], "type": "function", "function": called}


def _finish(reason: str, called: bool, answered: bool) -> str:
    """Return OpenAI's finish_reason; raises BadUpstream for malformed output.

    A reason that is not known yet is an end like any other.
    """
    if reason in _MALFORMED:
        raise errors.BadUpstream(f"The model returned malformed output ({reason}).")
    if reason == "tool_use" and answered and not called:
        return "stop"
    return _FINISH.get(reason, "stop")


def _usage(counted: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's usage; Converse counts what is cached apart."""
    read = counted.get("cacheReadInputTokens") or 0
    written = counted.get("cacheWriteInputTokens") or 0
    prompt = counted["inputTokens"] + read + written
    found = openai_chat.usage(prompt, counted["outputTokens"], read)
    return {**found, "cache_creation_input_tokens": written} if written else found


def _tier(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the service tier that was used, if reported."""
    tier = raw.get("serviceTier")
    return {"service_tier": tier["type"]} if tier else {}


def chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream, usage last; raises UpstreamError and CutShort."""
    state = _StreamState(_head(deployment))
    for headers, payload in aws_eventstream.messages(pieces):
        if bedrock_errors.is_refusal(headers):
            raise bedrock_errors.refusal(headers, payload)
        read = state.readers.get(headers.get(":event-type", ""))
        event = read(json.loads(payload)) if read else None
        if event or not headers:
            yield event or PAUSE
    if not state.stopped or not state.counted:
        raise errors.CutShort("The upstream ended its stream before it was complete.")


class _StreamState:
    """The state of one stream: open blocks and the tool calls in them."""

    def __init__(self, head: dict[str, Any]) -> None:
        self.head = head
        self.calls: dict[int, int] = {}  # block -> index of its call
        self.bare: set[int] = set()  # blocks of calls without arguments yet
        self.answers: set[int] = set()  # blocks that are the answer in a tool's clothes
        self.thoughts: dict[int, dict[str, Any]] = {}  # block -> what was thought in it
        self.blocks = 0  # of thinking that are over
        self.stopped = self.counted = False
        self.readers = {
            "messageStart": self.start,
            "contentBlockStart": self.open,
            "contentBlockDelta": self.delta,
            "contentBlockStop": self.close,
            "messageStop": self.stop,
            "metadata": self.count,
        }

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> Event:
        """Return the chunk that adds *delta*."""
        return openai_chat.chunk(self.head, delta, finish)

    def start(self, raw: Mapping[str, Any]) -> Event:
        """Return the chunk with the role."""
        return self.chunk({"role": "assistant", "content": "", "refusal": None})

    def open(self, raw: Mapping[str, Any]) -> Event | None:
        """Return the chunk that begins the call of a tool, if it is one that begins."""
        used = raw["start"].get("toolUse")
        at = raw["contentBlockIndex"]
        if not used:
            return None
        if used["name"] == ANSWER:
            self.answers.add(at)
            return None
        self.calls[at] = len(self.calls)
        self.bare.add(at)
        called = {"name": used["name"], "arguments": ""}
        return self.called(at, {"id": used["toolUseId"], "type": "function", "function": called})

    def called(self, at: int, call: dict[str, Any]) -> Event:
        """Return the chunk that adds to the call in block *at*."""
        return self.chunk({"tool_calls": [{"index": self.calls[at], **call}]})

    def delta(self, raw: Mapping[str, Any]) -> Event | None:
        """Return the chunk that adds to a block; blocks of text are not begun."""
        delta, at = raw["delta"], raw["contentBlockIndex"]
        if "text" in delta:
            return self.chunk({"content": delta["text"]})
        if "toolUse" in delta:
            return self.written(at, delta["toolUse"]["input"])
        if "reasoningContent" in delta:
            return self.thought(at, delta["reasoningContent"])
        return None

    def written(self, at: int, more: str) -> Event | None:
        """Return the chunk that adds to the arguments of a call, or to the answer."""
        if not more:
            return None
        if at in self.answers:
            return self.chunk({"content": more})
        self.bare.discard(at)
        return self.called(at, {"function": {"arguments": more}})

    def thought(self, at: int, raw: Mapping[str, Any]) -> Event | None:
        """Return the chunk that adds to what was thought; signatures wait for the block's end."""
        thought = self.thoughts.setdefault(at, {"text": ""})
        if "text" not in raw:
            thought.update(raw)
            return None
        thought["text"] += raw["text"]
        return self.chunk({"reasoning_content": raw["text"]}) if raw["text"] else None

    def close(self, raw: Mapping[str, Any]) -> Event | None:
        """Return the chunk that a block still lacks when it ends: arguments, or its signature."""
        at = raw["contentBlockIndex"]
        if at in self.bare:
            return self.called(at, {"function": {"arguments": "{}"}})
        thought = self.thoughts.pop(at, {})
        if "redactedContent" in thought:
            return self.signed(_thought(thought))
        if "signature" in thought:
            return self.signed(_thought({"reasoningText": thought}))
        return None

    def signed(self, block: Mapping[str, Any]) -> Event:
        """Return the chunk that adds a whole *block* of thinking."""
        self.blocks += 1
        return self.chunk(openai_chat.thoughts([block], self.blocks - 1))

    def stop(self, raw: Mapping[str, Any]) -> Event:
        """Return the chunk with the finish_reason."""
        finish = _finish(raw["stopReason"], bool(self.calls), bool(self.answers))
        self.stopped = True
        return self.chunk({}, finish)

    def count(self, raw: Mapping[str, Any]) -> Event:
        """Return the chunk with the usage."""
        self.counted = True
        extras = {key: raw[key] for key in _EXTRAS if key in raw}
        return {
            **openai_chat.usage_chunk(self.head, _usage(raw["usage"])),
            **_tier(raw),
            **extras,
        }
