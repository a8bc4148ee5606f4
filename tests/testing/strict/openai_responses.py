"""OpenAI's Responses API as gpt-5 accepts it: a client's request reaches it as it is.

Rules: https://platform.openai.com/docs/api-reference/responses. Types are not checked: the
gateway passes requests through, and clients send items that no SDK has a type for yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from testing.answers import Answer
from testing.answers import answer
from testing.answers import event
from testing.answers import json_answer
from testing.peer import Seen
from testing.strict import openai_chat
from testing.strict.errand import Asked
from testing.strict.errand import Turn
from testing.strict.errand import Wire
from testing.strict.errand import pieces
from testing.strict.errand import require

_UNSUPPORTED = ("max_tokens", "messages", "stop", "reasoning_effort", "response_format")
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")


def read(seen: Seen) -> Asked:
    """Return a request to gpt-5, or refuse it."""
    body = seen.json
    for name in _UNSUPPORTED:
        require(name not in body, f"Unsupported parameter: '{name}'.")
    for name in ("temperature", "top_p"):
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        require(body.get(name) in (None, 1), message)
    items = body["input"] if isinstance(body["input"], list) else []
    calls = {item["call_id"] for item in items if item.get("type", "").endswith("_call")}
    results = [item for item in items if item.get("type") in _OUTPUTS]
    for result in results:
        id = result["call_id"]
        require(id in calls, f"No tool call found for function call output with call_id {id}.")
    missing = calls - {result["call_id"] for result in results}
    require(not missing, f"No tool output found for function call {missing}.")
    tools = body.get("tools") or []
    names = frozenset(tool["name"] for tool in tools if "name" in tool)
    return Asked(body, names, bool(body.get("stream")), json.dumps(results))


def _items_of(turn: Turn) -> list[dict[str, Any]]:
    text = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}
    message = {"type": "message", "id": f"msg_{turn.number}", "role": "assistant"}
    found = [{**message, "status": "completed", "content": [text]}]
    if turn.call:
        call = {"name": turn.call.name, "arguments": turn.call.json, "status": "completed"}
        ids = {"id": f"fc_{turn.number}", "call_id": openai_chat.call_id(turn)}
        found.append({"type": "function_call", **ids, **call})
    return found


def _response(turn: Turn, items: list[dict[str, Any]], status: str) -> dict[str, Any]:
    details = {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    usage = {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30, **details}
    usage["output_tokens_details"] = {"reasoning_tokens": 0}
    return {
        "id": f"resp_{turn.number}",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": "scripted",
        "status": status,
        "output": items,
        "usage": usage if status == "completed" else None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }


def _events_of(turn: Turn) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": _response(turn, [], "in_progress")}
    items = _items_of(turn)
    for index, item in enumerate(items):
        here = {"output_index": index, "item_id": item["id"]}
        empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
        begun = {**item, **empty, "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
        if item["type"] == "message":
            yield from _text_events(here, item["content"][0])
        else:
            kind = "response.function_call_arguments"
            for piece in pieces(item["arguments"]):
                yield {"type": f"{kind}.delta", **here, "delta": piece}
            whole = {"arguments": item["arguments"], "name": item["name"]}
            yield {"type": f"{kind}.done", **here, **whole}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": _response(turn, items, "completed")}


def _text_events(here: dict[str, Any], part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    here = {**here, "content_index": 0}
    yield {"type": "response.content_part.added", **here, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **here, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **here, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **here, "part": part}


def _written(asked: Asked, turn: Turn) -> Answer:
    if not asked.stream:
        return json_answer(_response(turn, _items_of(turn), "completed"))
    events = [
        event({**told, "sequence_number": number}, told["type"])
        for number, told in enumerate(_events_of(turn))
    ]
    return answer(events, headers={"content-type": "text/event-stream"}, framing="chunked")


WIRE = Wire(read, _written, openai_chat.refuse)
