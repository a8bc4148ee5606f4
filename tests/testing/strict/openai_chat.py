"""OpenAI's chat completions as gpt-5 accepts them, and the shared parts of its imitators.

Rules: https://platform.openai.com/docs/api-reference/chat/create and
https://platform.openai.com/docs/guides/latest-model (parameters that gpt-5 does not support).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from openai.types.chat import completion_create_params as params

from testing import sdk_types
from testing.answers import Answer
from testing.answers import json_answer
from testing.answers import sse
from testing.openai_bodies import error_body
from testing.peer import Seen
from testing.strict.errand import NAME
from testing.strict.errand import Asked
from testing.strict.errand import Refused
from testing.strict.errand import Turn
from testing.strict.errand import Wire
from testing.strict.errand import pieces
from testing.strict.errand import require

_UNSUPPORTED = ("logprobs", "top_logprobs", "logit_bias", "stop")
_DEFAULTS = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
_EFFORTS = (None, "minimal", "low", "medium", "high")
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}


def read(seen: Seen) -> Asked:
    """Return a request to gpt-5, or refuse it."""
    body = seen.json
    kind = params.CompletionCreateParamsNonStreaming
    if body.get("stream"):
        kind = params.CompletionCreateParamsStreaming  # type: ignore[assignment]
    found = sdk_types.faults(body, kind)
    require(not found, f"Unrecognized request argument or invalid type: {'; '.join(found)}")
    _check_parameters(body)
    check_pairs(body["messages"])
    check_tools(body)
    return asked(body)


def asked(body: Any) -> Asked:
    """Return what every wire reads of a chat request."""
    tools = body.get("tools") or []
    results = [message for message in body["messages"] if message["role"] == "tool"]
    return Asked(
        body,
        frozenset(tool["function"]["name"] for tool in tools if "function" in tool),
        bool(body.get("stream")),
        json.dumps(results),
    )


def _check_parameters(body: Mapping[str, Any]) -> None:
    require(
        "max_tokens" not in body,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
        " 'max_completion_tokens' instead.",
    )
    for name in _UNSUPPORTED:
        require(
            body.get(name) is None,
            f"Unsupported parameter: '{name}' is not supported with this model.",
        )
    for name, default in _DEFAULTS.items():
        require(
            body.get(name, default) in (default, None),
            f"Unsupported value: '{name}' does not support {body.get(name)} with this model."
            f" Only the default ({default}) value is supported.",
        )
    effort = body.get("reasoning_effort")
    require(effort in _EFFORTS, f"Unsupported value: 'reasoning_effort' does not support {effort}.")
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        require(len(body.get(name) or "") <= 64, f"Invalid '{name}': string too long.")
    if body.get("metadata"):
        require(body.get("store"), "The 'metadata' parameter is only allowed with 'store'.")
    if "stream_options" in body:
        require(body.get("stream"), "'stream_options' is only allowed when 'stream' is enabled.")


def check_tools(body: Mapping[str, Any]) -> None:
    """Refuse names and strict schemas that OpenAI refuses."""
    tools = body.get("tools")
    require(tools is None or tools, "[] is too short - 'tools'")
    if not tools:
        for name in ("tool_choice", "parallel_tool_calls"):
            require(name not in body, f"'{name}' is only allowed when 'tools' are specified.")
    for tool in tools or []:
        function = tool.get("function")
        if function is None:
            continue
        name, schema = function["name"], function.get("parameters")
        require(NAME.fullmatch(name), f"Invalid 'tools.function.name': {name!r}")
        if schema is not None:
            require(
                schema.get("type") == "object",
                f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type:"
                f" \"object\"', got 'type: {schema.get('type')}'.",
            )
        if function.get("strict"):
            _check_strict(schema or {}, name)


def _check_strict(schema: Any, name: str) -> None:
    """Refuse a strict *schema* with optional or unlisted properties, at any depth."""
    if isinstance(schema, list):
        for each in schema:
            _check_strict(each, name)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("properties"), dict):
        wrong = f"Invalid schema for function '{name}': "
        missing = set(schema["properties"]) - set(schema.get("required", ()))
        require(not missing, f"{wrong}'required' is required to include every key: {missing}")
        closed = schema.get("additionalProperties") is False
        require(closed, f"{wrong}'additionalProperties' is required to be false.")
    for each in schema.values():
        _check_strict(each, name)


def check_pairs(messages: list[Any]) -> None:
    """Refuse calls without results and results without calls."""
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            require(
                message["tool_call_id"] in waiting,
                f"Invalid parameter: messages[{index}] with role 'tool' must be a response to a"
                " preceding message with 'tool_calls'.",
            )
            waiting.discard(message["tool_call_id"])
            continue
        require(
            not waiting,
            "An assistant message with 'tool_calls' must be followed by tool messages responding"
            f" to each 'tool_call_id'. No response: {sorted(waiting)}",
        )
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
        if message["role"] == "assistant":
            said = message.get("content") is not None or waiting or message.get("refusal")
            require(said, f"Invalid value for 'messages[{index}].content': got null.")
    require(not waiting, f"No response to the tool calls {sorted(waiting)}")


# -- what it answers


def call_id(turn: Turn) -> str:
    """Return OpenAI's form of an id of a call."""
    return f"call_{turn.number}abcdefghijklmnopqrstuv"


def message(turn: Turn, id: str, thinking: str | None = None) -> dict[str, Any]:
    """Return the assistant's message; *thinking* names the member that has its reasoning."""
    found: dict[str, Any] = {"role": "assistant", "content": turn.text, "refusal": None}
    if thinking and turn.thinking:
        found[thinking] = turn.thinking
    if turn.call:
        function = {"name": turn.call.name, "arguments": turn.call.json}
        found["tool_calls"] = [{"id": id, "type": "function", "function": function}]
    return found


def deltas(turn: Turn, id: str, thinking: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the same as the deltas of a stream."""
    yield {"role": "assistant", "content": ""}
    for piece in pieces(turn.thinking if thinking else ""):
        yield {thinking or "": piece}
    for piece in pieces(turn.text):
        yield {"content": piece}
    if turn.call:
        function = {"name": turn.call.name, "arguments": ""}
        first = {"index": 0, "id": id, "type": "function", "function": function}
        yield {"tool_calls": [first]}
        for piece in pieces(turn.call.json):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def written(asked: Asked, turn: Turn, id: str, thinking: str | None = None) -> Answer:
    """Return *turn* as a completion, whole or streamed."""
    end = "tool_calls" if turn.call else "stop"
    shared = {"id": f"chatcmpl-{turn.number}", "created": 1_700_000_000, "model": "scripted"}
    if not asked.stream:
        said = message(turn, id, thinking)
        choice = {"index": 0, "message": said, "finish_reason": end, "logprobs": None}
        whole = {**shared, "object": "chat.completion", "choices": [choice], "usage": USAGE}
        return json_answer(whole)
    shared["object"] = "chat.completion.chunk"
    chunks = [
        {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas(turn, id, thinking)
    ]
    chunks.append({**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]})
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**shared, "choices": [], "usage": USAGE})
    return sse(chunks)


def refuse(refused: Refused) -> Answer:
    """Return OpenAI's error."""
    error = error_body(str(refused), "invalid_request_error", None, refused.code)
    return json_answer(error, refused.status)


WIRE = Wire(read, lambda asked, turn: written(asked, turn, call_id(turn)), refuse)
