"""What a Response of OpenAI's Responses API is made of: its items, its usage, the whole.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.fronts.responses import input as front_input

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
_CALL = frozenset({"id", "type", "index", "function"})
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: tuple[tuple[str, Any], ...] = (
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("prompt_cache_key", None),
    ("safety_identifier", None),
    ("service_tier", None),
    ("temperature", None),
    ("tool_choice", "auto"),
    ("top_logprobs", 0),
    ("top_p", None),
    ("truncation", "disabled"),
    ("user", None),
)


def item_id(response_id: str, type: str, at: int) -> str:
    """Return the id of the item of *type* at this place of a Response: always the same."""
    return f"{_PREFIXES[type]}_{response_id.removeprefix('resp_')}_{at}"


def message(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a message of *parts*, without id and status."""
    return {"type": "message", "role": "assistant", "content": parts}


def text_part(text: str, logprobs: list[Any] | None = None) -> dict[str, Any]:
    """Return a part of output text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs or []}


def token_logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return one token's log probability; the bytes must be there, as must the alternatives."""
    top = [
        {**other, "bytes": other.get("bytes") or []} for other in token.get("top_logprobs") or ()
    ]
    return {**token, "bytes": token.get("bytes") or [], "top_logprobs": top}


def summarized(request: Body) -> bool:
    """Return whether *request* wants thoughts as a summary, not as they are."""
    return bool((request.get("reasoning") or {}).get("summary"))


def reasoning(thought: str, summary: bool, blocks: Any) -> dict[str, Any]:
    """Return a reasoning item, without id and status; *blocks* of signed thinking go along."""
    kind, place = ("summary_text", "summary") if summary else ("reasoning_text", "content")
    item: dict[str, Any] = {"type": "reasoning", "summary": []}
    if thought:
        item[place] = [{"type": kind, "text": thought}]
    return {**item, **seal(blocks)}


def seal(blocks: Any) -> dict[str, str]:
    """Return what a reasoning item holds of *blocks*: the client gives it back as it is."""
    return {"encrypted_content": front_input.sealed(blocks)} if blocks else {}


def function_call(call: Mapping[str, Any], response_id: str, at: int) -> dict[str, Any]:
    """Return a function_call item for chat's tool *call*, without id and status.

    A call that has no id is named after its place. What else it has (Google's signatures) stays.
    """
    function = call.get("function") or {}
    return {
        **{key: value for key, value in call.items() if key not in _CALL},
        "type": "function_call",
        "call_id": call.get("id") or f"call_{response_id.removeprefix('resp_')}_{at}",
        "name": function.get("name") or "",
        "arguments": function.get("arguments") or "",
    }


def begun(request: Body, response_id: str, created_at: int, model: str) -> dict[str, Any]:
    """Return the Response that *model* has begun in answer to *request*."""
    asked = request.get("reasoning") or {}
    tools = request.get("tools") or ()
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": request.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": asked.get("effort"), "summary": asked.get("summary")},
        "store": False,
        "text": {"format": {"type": "text"}, **(request.get("text") or {})},
        "tools": [{"description": None, "parameters": {}, "strict": False, **it} for it in tools],
        "usage": None,
        "metadata": request.get("metadata") or {},
        **{key: default if request.get(key) is None else request[key] for key, default in _ECHOED},
    }


def ended(
    started: Mapping[str, Any], items: list[dict[str, Any]], finish: Any, used: Any
) -> dict[str, Any]:
    """Return the Response that *started*, with its *items*, ended for chat's reason *finish*."""
    reason = _INCOMPLETE.get(finish)
    return {
        **started,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": items,
        "usage": usage(used),
    }


def usage(used: Any) -> dict[str, Any] | None:
    """Return chat's usage in the words of Responses; None if there is none."""
    if not used:
        return None
    told = used.get("prompt_tokens_details") or {}
    made = used.get("completion_tokens_details") or {}
    written = told.get("cache_write_tokens") or told.get("cache_creation_tokens")
    return {
        "input_tokens": used["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": told.get("cached_tokens") or 0,
            "cache_write_tokens": written or 0,
        },
        "output_tokens": used["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": made.get("reasoning_tokens") or 0},
        "total_tokens": used["total_tokens"],
    }
