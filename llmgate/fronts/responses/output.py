"""The parts of a Response of OpenAI's Responses API: its items, its usage, the whole.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.fronts import signatures
from llmgate.fronts.responses import calls as front_calls
from llmgate.fronts.responses.tools import Tools

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "tool_search_call": "tsc",
    "shell_call": "sh",
    "local_shell_call": "lsh",
    "apply_patch_call": "apc",
}
_CALL = frozenset({"id", "type", "index", "function"})
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_FUNCTION: Mapping[str, Any] = {"description": None, "parameters": {}, "strict": False}
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


def is_summarized(request: Body) -> bool:
    """Return whether *request* asks for a summary of the reasoning instead of its text."""
    return bool((request.get("reasoning") or {}).get("summary"))


def reasoning(thought: str, summary: bool, signed: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reasoning item, without id and status; *signed* are members to be carried."""
    kind, place = ("summary_text", "summary") if summary else ("reasoning_text", "content")
    item: dict[str, Any] = {"type": "reasoning", "summary": []}
    if thought:
        item[place] = [{"type": kind, "text": thought}]
    return {**item, **seal(signed)}


def seal(signed: Mapping[str, Any]) -> dict[str, str]:
    """Return the member of a reasoning item that carries *signed*; clients return it unchanged."""
    return {"encrypted_content": signatures.sealed(signed)} if signed else {}


def call_id(call: Mapping[str, Any], response_id: str, at: int) -> str:
    """Return the id of chat's tool *call*; one without an id is named after its place."""
    return call.get("id") or f"call_{response_id.removeprefix('resp_')}_{at}"


def call_item(call: Mapping[str, Any], tools: Tools, id: str) -> dict[str, Any]:
    """Return the item for chat's tool *call*, called *id*, without item id and status.

    Further members of a function's call (Google's signatures) are kept.
    """
    function = call.get("function") or {}
    tool = tools.find(function.get("name") or "")
    item = front_calls.call_item(tool, id, function.get("arguments") or "")
    if tool.kind != "function":
        return item
    return {**{key: value for key, value in call.items() if key not in _CALL}, **item}


def begun(request: Body, response_id: str, created_at: int, model: str) -> dict[str, Any]:
    """Return the Response of *model* to *request* at its beginning."""
    wanted = request.get("reasoning") or {}
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
        "previous_response_id": request.get("previous_response_id"),
        "reasoning": {"effort": wanted.get("effort"), "summary": wanted.get("summary")},
        "store": request.get("store") is True,
        "text": {"format": {"type": "text"}, **(request.get("text") or {})},
        "tools": [{**_FUNCTION, **it} if it.get("type") == "function" else it for it in tools],
        "usage": None,
        "metadata": request.get("metadata") or {},
        **{key: default if request.get(key) is None else request[key] for key, default in _ECHOED},
    }


def ended(
    started: Mapping[str, Any], items: list[dict[str, Any]], finish: Any, used: Any
) -> dict[str, Any]:
    """Return the Response *started*, with its *items*, as ended by chat's reason *finish*.

    It has a usage even if the upstream reported none: the AI SDK takes a Response without one for
    unfinished, and opencode then asks again without end.
    """
    reason = _INCOMPLETE.get(finish)
    return {
        **started,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": items,
        "usage": usage(used or {"prompt_tokens": 0}),
    }


def usage(used: Any) -> dict[str, Any] | None:
    """Return chat's usage as that of a Response; None if there is none."""
    if not used:
        return None
    read = used.get("prompt_tokens_details") or {}
    made = used.get("completion_tokens_details") or {}
    written = read.get("cache_write_tokens") or read.get("cache_creation_tokens")
    prompt, completion = used.get("prompt_tokens") or 0, used.get("completion_tokens") or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": read.get("cached_tokens") or 0,
            "cache_write_tokens": written or 0,
        },
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": made.get("reasoning_tokens") or 0},
        "total_tokens": used.get("total_tokens") or prompt + completion,
    }
