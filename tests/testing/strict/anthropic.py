"""Anthropic's Messages API: types, signed thinking, pairs of calls and results, betas.

Rules: https://platform.claude.com/docs/en/api/messages and the pages on extended thinking, tool
use and beta headers below it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from anthropic.types import message_create_params as plain
from anthropic.types.beta import message_create_params as beta

from testing import anthropic_samples
from testing import sdk_types
from testing.answers import Answer
from testing.answers import answer
from testing.answers import json_answer
from testing.peer import Seen
from testing.strict.errand import Asked
from testing.strict.errand import Refused
from testing.strict.errand import Turn
from testing.strict.errand import Wire
from testing.strict.errand import pieces
from testing.strict.errand import require

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_BETA_OF = {
    "context_management": "context-management-2025-06-27",
    "mcp_servers": "mcp-client-",
}
"""Members that are unknown without their beta header."""

_SAMPLING = ("temperature", "top_p", "top_k")
"""Parameters of models before Claude 5; the SDK's types do not have them any more."""


def read(seen: Seen) -> Asked:
    """Return a request, or refuse it."""
    body = seen.json
    require(seen.headers.get("anthropic-version"), "anthropic-version: header is required")
    require(seen.headers.get("x-api-key"), "x-api-key header is required", 401)
    betas = seen.headers.get("anthropic-beta", "")
    for name, needed in _BETA_OF.items():
        known = name not in body or needed in betas
        require(known, f"{name}: Extra inputs are not permitted")
    typed = {name: value for name, value in body.items() if name not in _SAMPLING}
    found = sdk_types.faults(typed, _kind(body, bool(betas)))
    require(not found, f"{'; '.join(found)}: Extra inputs are not permitted, or a wrong type")
    _check_parameters(body)
    _check_tools(body.get("tools") or [])
    _check_messages(body["messages"])
    marks = json.dumps([body.get("system"), body.get("tools"), body["messages"]])
    marked = marks.count('"cache_control": {')
    require(
        marked <= 4, f"A maximum of 4 blocks with cache_control may be provided. Found {marked}"
    )
    results = [block for block in _blocks(body) if block["type"] == "tool_result"]
    names = frozenset(tool.get("name", "") for tool in body.get("tools") or [])
    return Asked(body, names, bool(body.get("stream")), json.dumps(results))


def _kind(body: Mapping[str, Any], has_betas: bool) -> Any:
    module: Any = beta if has_betas else plain
    if body.get("stream"):
        return module.MessageCreateParamsStreaming
    return module.MessageCreateParamsNonStreaming


def _blocks(body: Mapping[str, Any]) -> Iterator[Any]:
    for message in body["messages"]:
        if isinstance(message["content"], list):
            yield from message["content"]


def _check_parameters(body: Mapping[str, Any]) -> None:
    thinking = body.get("thinking") or {}
    budget = thinking.get("budget_tokens")
    if budget is not None:
        require(budget >= 1024, "thinking.budget_tokens: Input should be greater than 1023")
        fits = budget < body["max_tokens"] or "interleaved" in str(body.get("tools"))
        require(fits, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    if thinking.get("type") in ("enabled", "adaptive"):
        default = body.get("temperature", 1) == 1
        require(default, "`temperature` may only be set to 1 when thinking is enabled.")
        forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
        require(not forced, "Thinking may not be enabled when tool_choice forces tool use.")
    both = body.get("temperature") is not None and body.get("top_p") is not None
    require(not both, "`temperature` and `top_p` cannot both be specified for this model.")


def _check_tools(tools: list[Any]) -> None:
    names = [tool["name"] for tool in tools if "name" in tool]
    require(len(names) == len(set(names)), "tools: Tool names must be unique.")
    for index, tool in enumerate(tools):
        if tool.get("type", "custom") != "custom":
            continue
        path = f"tools.{index}.custom"
        pattern = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
        require(_NAME.fullmatch(tool["name"]), f"{path}.name: {pattern}")
        schema = tool["input_schema"]
        require(schema.get("type") == "object", f"{path}.input_schema.type: Field required")
        for word in ("oneOf", "allOf", "anyOf"):
            found = f"{path}.input_schema: input_schema does not support {word} at the top level"
            require(word not in schema, found)


def _check_messages(messages: list[Any]) -> None:
    require(messages, "messages: at least one message is required")
    require(messages[0]["role"] == "user", "messages.0.role: first message must use the user role")
    waiting: set[str] = set()
    before = ""
    for index, message in enumerate(messages):
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        path = f"messages.{index}"
        is_last = index == len(messages) - 1
        empty_end = is_last and message["role"] == "assistant"
        require(blocks or empty_end, f"{path}: all messages must have non-empty content")
        _check_blocks(path, blocks)
        if before == "assistant" and message["role"] == "assistant":
            require(not waiting, f"{path}: `tool_use` ids were found without `tool_result`")
        if message["role"] != "system":
            waiting = _check_pairs(path, message["role"], blocks, waiting)
        before = message["role"]
    require(not waiting, f"`tool_use` ids were found without `tool_result` blocks: {waiting}")
    last = messages[-1]
    if last["role"] == "assistant" and last["content"]:
        text = last["content"] if isinstance(last["content"], str) else last["content"][-1]
        text = text if isinstance(text, str) else text.get("text", "")
        trailing = "messages: final assistant content cannot end with trailing whitespace"
        require(text == text.rstrip(), trailing)


def _check_blocks(path: str, blocks: list[Any]) -> None:
    for index, block in enumerate(blocks):
        place = f"{path}.content.{index}"
        if block["type"] == "text":
            require(block["text"], "messages: text content blocks must be non-empty")
            require(block["text"].strip(), "text content blocks must contain non-whitespace text")
        if block["type"] == "thinking":
            signed = block["signature"] == signature(block["thinking"])
            require(signed, f"{place}: Invalid `signature` in `thinking` block")


def _check_pairs(path: str, role: str, blocks: list[Any], waiting: set[str]) -> set[str]:
    """Refuse results without calls and calls without results; return the ids of new calls."""
    results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
    if role == "user":
        unknown = results - waiting
        require(not unknown, f"{path}: unexpected `tool_use_id` found in `tool_result`: {unknown}")
        missing = waiting - results
        require(not missing, f"{path}: `tool_use` ids without `tool_result` blocks: {missing}")
        kinds = [block["type"] == "tool_result" for block in blocks]
        require(kinds == sorted(kinds, reverse=True), f"{path}: `tool_result` must come first")
        return set()
    calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    require(len(calls) == len(set(calls)), f"{path}: `tool_use` ids must be unique")
    for id in calls:
        require(_ID.fullmatch(id), f"{path}: tool_use.id: String should match pattern")
    return set(calls)


# -- what it answers


def signature(thinking: str) -> str:
    """Return what proves that the model wrote *thinking*."""
    return base64.b64encode(f"signed:{thinking}".encode()).decode()


def _blocks_of(asked: Asked, turn: Turn) -> list[dict[str, Any]]:
    """Return the content of the answer."""
    found: list[dict[str, Any]] = []
    kind = (asked.body.get("thinking") or {}).get("type")
    if turn.thinking and kind in ("enabled", "adaptive"):
        proof = signature(turn.thinking)
        found.append({"type": "thinking", "thinking": turn.thinking, "signature": proof})
    found.append({"type": "text", "text": turn.text})
    if turn.call:
        id = f"toolu_01{turn.number}abcdefghijklmnopqr"
        call = {"name": turn.call.name, "input": dict(turn.call.arguments)}
        found.append({"type": "tool_use", "id": id, **call})
    return found


def _written(asked: Asked, turn: Turn) -> Answer:
    end = "tool_use" if turn.call else "end_turn"
    usage = {"input_tokens": 20, "output_tokens": 10}
    message: dict[str, Any] = {"id": f"msg_{turn.number}", "type": "message"}
    message["role"] = "assistant"
    message |= {"model": "scripted", "stop_reason": None, "stop_sequence": None, "usage": usage}
    blocks = _blocks_of(asked, turn)
    if not asked.stream:
        return json_answer({**message, "content": blocks, "stop_reason": end})
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": []}}
    ]
    events.append({"type": "ping"})
    for index, block in enumerate(blocks):
        events += _events_of(index, block)
    delta = {"stop_reason": end, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": usage})
    events.append({"type": "message_stop"})
    streamed = [anthropic_samples.stream([event]) for event in events]
    return answer(streamed, headers={"content-type": "text/event-stream"}, framing="chunked")


_EMPTY: Mapping[str, Mapping[str, Any]] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}
_DELTAS = {"thinking": ("thinking_delta", "thinking"), "text": ("text_delta", "text")}


def _events_of(index: int, block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events of one content block."""
    kind = block["type"]
    start = {**block, **_EMPTY[kind]}
    yield {"type": "content_block_start", "index": index, "content_block": start}
    delta, member = _DELTAS.get(kind, ("input_json_delta", "partial_json"))
    text = json.dumps(block["input"]) if kind == "tool_use" else block[member]
    for piece in pieces(text):
        told = {"type": delta, member: piece}
        yield {"type": "content_block_delta", "index": index, "delta": told}
    if kind == "thinking":
        proof = {"type": "signature_delta", "signature": block["signature"]}
        yield {"type": "content_block_delta", "index": index, "delta": proof}
    yield {"type": "content_block_stop", "index": index}


def refuse(refused: Refused) -> Answer:
    """Return Anthropic's error."""
    error = {"type": "invalid_request_error", "message": str(refused)}
    return json_answer({"type": "error", "error": error}, refused.status)


WIRE = Wire(read, _written, refuse)
