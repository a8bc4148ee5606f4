"""Cohere's chat API v2: requests, replies, errors; `cohere_stream` has its events.

Source: https://docs.cohere.com/reference/chat
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Failure
from llmgate.contract import Reply
from llmgate.contract import Usage
from llmgate.dialects import effort as efforts
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import wire as openai_wire

_RENAMED = {"top_p": "p", "top_k": "k"}
_TRANSLATED = frozenset(
    """messages tools tool_choice response_format reasoning_effort thinking output_config stop
    max_tokens max_completion_tokens stream_options""".split()
)
EXTENSIONS = frozenset({"thinking", "output_config"})
"""Anthropic's members that are translated."""

_THINKING: Mapping[str, Mapping[str, Any]] = {
    "none": {"type": "disabled"},
    "minimal": {"type": "enabled", "token_budget": 128},
    "low": {"type": "enabled", "token_budget": 1024},
    "medium": {"type": "enabled", "token_budget": 2048},
}
"""What a `reasoning_effort` becomes; above medium Cohere advises against a budget."""

_FINISH = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_FAILED = {"ERROR": 500, "ERROR_LIMIT": 500, "TIMEOUT": 504}


def chat_body(body: Body) -> Body:
    """Return Cohere's request for a chat *body*; raises InvalidRequest."""
    sent = {
        _RENAMED.get(key, key): value
        for key, value in body.items()
        if key not in _TRANSLATED and value is not None
    }
    repaired = leniency.repaired(body["messages"], leniency.Rules())
    sent["messages"] = [_message(message) for _, message in repaired]
    added = {
        "max_tokens": openai_chat.limit(body),
        "stop_sequences": openai_chat.stops(body),
        "response_format": _response_format(body.get("response_format")),
        "thinking": _thinking(body),
        **_tools(body),
    }
    return {**sent, **{key: value for key, value in added.items() if value is not None}}


def _response_format(wanted: Any) -> Any:
    """Return Cohere's response_format: a schema is one more field of a JSON object."""
    if not wanted or wanted.get("type") != "json_schema":
        return wanted
    return {"type": "json_object", "json_schema": (wanted.get("json_schema") or {}).get("schema")}


def _thinking(body: Body) -> Any:
    """Return Cohere's `thinking`; its own and Anthropic's are demands, an effort is a hint."""
    effort, given = efforts.requested(body), body.get("thinking")
    if given is None or effort.mode == "adaptive":
        reasons = _REASONS.search(str(body["model"]))
        return dict(_THINKING.get(effort.level, _ENABLED)) if effort.level and reasons else None
    thinking = {key: value for key, value in given.items() if key != "budget_tokens"}
    if effort.budget is not None:
        thinking["token_budget"] = effort.budget
    return thinking


_REASONS = re.compile(r"reasoning|command-a-(plus|\d{2}-2[6-9])|command-[b-z]")
_ENABLED = {"type": "enabled"}


def _tools(body: Body) -> dict[str, Any]:
    """Return the tools and whether one must or must not be called."""
    tools, choice = openai_chat.offered(body)
    if not tools:
        return {}
    strict = all((tool.get("function") or {}).get("strict") for tool in tools)
    return {
        "tools": [_tool(tool) for tool in tools],
        "strict_tools": True if strict else None,
        "tool_choice": {"none": "NONE", "required": "REQUIRED"}.get(choice),
    }


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return one tool; Cohere requires `parameters`."""
    function = tool.get("function")
    if not function:
        raise errors.InvalidRequest(
            f"Cohere does not support tools of type '{tool.get('type')}': use a function.",
            param="tools",
        )
    kept = {key: value for key, value in function.items() if key != "strict" and value is not None}
    kept.setdefault("parameters", {"type": "object", "properties": {}})
    return {"type": "function", "function": kept}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return one message in Cohere's shape; it refuses unknown members."""
    role = message["role"]
    if role not in _MESSAGES:
        raise errors.InvalidRequest(
            f"Cohere does not support the role '{role}': use system, user, assistant or tool.",
            param="messages",
        )
    return {**{key: message[key] for key in _KEPT if key in message}, **_MESSAGES[role](message)}


_KEPT = ("role", "tool_call_id", "citations", "tool_plan")


def _system(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a system or developer message."""
    return {"role": "system", **_content(message)}


def _content(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a message: text, or parts that Cohere reads."""
    content = message.get("content")
    if not isinstance(content, list):
        return {"content": content or ""}
    return {"content": [_part(part) for part in content]}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return one part of a message; raises InvalidRequest for sound and files."""
    if part.get("type") in ("input_audio", "file"):
        raise errors.InvalidRequest(
            f"Cohere does not support content of type '{part['type']}'.",
            param="messages",
        )
    kind = part.get("type")
    return {key: value for key, value in part.items() if key in ("type", kind)}


def _assistant(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return an assistant message: thinking, text (`tool_plan` before tool calls), calls."""
    raw = openai_chat.text(message.get("content")) or message.get("refusal") or ""
    calls = message.get("tool_calls")
    thought = message.get("reasoning_content")
    sent: dict[str, Any] = {}
    blocks = [{"type": "thinking", "thinking": thought}] if thought else []
    if calls:
        sent["tool_calls"] = [_call(call) for call in calls]
        if raw:
            sent["tool_plan"] = raw
    elif thought:
        blocks.append({"type": "text", "text": raw})
    else:
        sent["content"] = raw
    return {**sent, "content": blocks} if blocks else sent


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return one call of a function; without arguments it still has an object."""
    function = call.get("function")
    if not function:
        raise errors.InvalidRequest("Cohere supports function calls only.", param="messages")
    called = {
        "name": function["name"],
        "arguments": leniency.arguments_text(function.get("arguments")),
    }
    return {"id": call.get("id"), "type": "function", "function": called}


_MESSAGES: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "system": _system,
    "developer": _system,
    "user": _content,
    "assistant": _assistant,
    "tool": _content,
}


def chat_reply(reply: Mapping[str, Any], model: str) -> Reply:
    """Return Cohere's *reply* as a chat completion of *model*, which Cohere does not name.

    Raises UpstreamError if the generation failed.
    """
    raw = reply["message"]
    reason = finish(reply["finish_reason"], None)
    blocks = raw.get("content") or []
    texts = [block["text"] for block in blocks if block.get("type") == "text"]
    thoughts = [block["thinking"] for block in blocks if block.get("type") == "thinking"]
    calls = raw.get("tool_calls")
    content = (raw.get("tool_plan") or "") + "".join(texts)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": content or (None if calls else ""),
        "refusal": None,
    }
    found = {
        "reasoning_content": "".join(thoughts),
        "tool_calls": calls,
        "citations": raw.get("citations"),
    }
    message.update({key: value for key, value in found.items() if value})
    head = openai_chat.head(reply["id"], 0, model)
    return openai_chat.completion(
        head, message, reason, counts(reply.get("usage")), logprobs(reply.get("logprobs"))
    )


def finish(reason: str, error: str | None) -> str:
    """Return OpenAI's finish reason; raises UpstreamError if *reason* is a failure."""
    if error or reason in _FAILED:
        raise errors.UpstreamError(
            error or f"Cohere ended the generation with {reason}.",
            status=_FAILED.get(reason, 500),
        )
    return _FINISH.get(reason, reason.lower())


def logprobs(items: Any) -> Any:
    """Return OpenAI's logprobs: one entry for each piece of text, of the joint probability."""
    if not items:
        return None
    content = [
        {
            "token": item.get("text") or "",
            "logprob": sum(item.get("logprobs") or ()),
            "bytes": list((item.get("text") or "").encode()),
            "top_logprobs": [],
        }
        for item in items
    ]
    return {"content": content, "refusal": None}


def counts(raw: Any) -> dict[str, Any]:
    """Return OpenAI's usage: all tokens, with what of them Cohere bills beside."""
    raw = raw or {}
    tokens = raw.get("tokens") or raw.get("billed_units") or {}
    found = openai_chat.usage(
        int(tokens.get("input_tokens") or 0),
        int(tokens.get("output_tokens") or 0),
        int(raw.get("cached_tokens") or 0),
    )
    if raw.get("billed_units"):
        found["billed_units"] = raw["billed_units"]
    return found


def usage(report: Mapping[str, Any]) -> Usage:
    """Return what is to be paid for: of a chat's tokens Cohere bills some, all at one price."""
    found = dict(openai_wire.usage(report))
    billed = (report.get("usage") or {}).get("billed_units") or {}
    for ours, name in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")):
        if name in billed:
            found[ours] = billed[name]
            found.pop("cached_tokens", None)
    return found


_FAILURES = (
    ("invalid api token", Failure("", "authentication_error", "invalid_api_key", status=401)),
    ("no api key supplied", Failure("", "authentication_error", "invalid_api_key", status=401)),
    ("too many tokens: max tokens", Failure("", param="max_tokens")),
    ("too many tokens", Failure("", "invalid_request_error", "context_length_exceeded")),
)


def failure(body: Any) -> Failure:
    """Return the failure for an error *body* of Cohere."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body.get("error") or ""
    message = body if isinstance(body, str) else json.dumps(body)
    lowered = message.lower()
    if lowered.startswith("model '") and "not found" in lowered:
        return Failure(message, "invalid_request_error", "model_not_found", "model")
    for words, found in _FAILURES:
        if words in lowered:
            return found._replace(message=message)
    return Failure(message)
