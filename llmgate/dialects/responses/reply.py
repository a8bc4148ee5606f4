"""A Response of OpenAI's API as a chat completion.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.contract import Reply
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import errors as openai_errors
from llmgate.dialects.responses import items

_REASONS = {"max_output_tokens": "length", "max_tokens": "length"}  # others: content_filter
_OURS = ("server_error", "vector_store_timeout")  # no fault of the request
_DETAILS = (
    ("input_tokens_details", "prompt_tokens_details"),
    ("output_tokens_details", "completion_tokens_details"),
)


def chat_reply(response: Any, deployment: Deployment) -> Reply:
    """Return the chat completion that a whole *response* amounts to.

    Raises UpstreamError for one that failed or has not ended.
    """
    check(response)
    message = _Message()
    for item in response["output"]:
        _ITEMS.get(item.get("type"), _ignored)(message, item)
    made = message.made()
    head = openai_chat.head(
        response["id"],
        int(response.get("created_at") or 0),
        response.get("model") or deployment.model,
    )
    logprobs = {"content": message.logprobs} if message.logprobs else None
    finish = finish_reason(response, bool(made.get("tool_calls")))
    found = openai_chat.completion(head, made, finish, usage(response), logprobs)
    tier = response.get("service_tier")
    return {**found, "service_tier": tier} if tier else found


def check(response: Mapping[str, Any]) -> None:
    """Raise UpstreamError unless *response* has ended, completely or at a limit."""
    status = response.get("status")
    if response.get("error") or status == "failed":
        raise failed(response.get("error") or {})
    if status not in ("completed", "incomplete", None):
        raise errors.UpstreamError(f"The upstream's response is {status}.", status=502)


def failed(error: Mapping[str, Any]) -> errors.UpstreamError:
    """Return the error that a failed response or an event of a stream holds."""
    found = openai_errors.stream_error({"error": error})
    if found.status == 502 and error.get("code") and error["code"] not in _OURS:
        found.status = 400
    return found


def finish_reason(response: Mapping[str, Any], calls: bool) -> str:
    """Return why a *response*, which *calls* tools or not, ended, in chat's words."""
    if response.get("status") == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason")
        return _REASONS.get(str(reason), "content_filter")
    return "tool_calls" if calls else "stop"


def usage(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the usage of a *response* as chat has it."""
    used = response.get("usage") or {}
    found = openai_chat.usage(used.get("input_tokens") or 0, used.get("output_tokens") or 0)
    for name, ours in _DETAILS:
        if used.get(name):
            found[ours] = used[name]
    return found


class _Message:
    """The message that a response's items amount to."""

    def __init__(self) -> None:
        self.logprobs: list[Any] = []
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.thoughts: list[str] = []
        self.details: list[Any] = []
        self.calls: list[Any] = []
        self.annotations: list[Any] = []

    def made(self) -> dict[str, Any]:
        """Return the message."""
        text = "".join(self.texts)
        found = {
            "refusal": "".join(self.refusals) or None,
            "annotations": self.annotations,
            "reasoning_content": "\n\n".join(self.thoughts),
            "reasoning_details": self.details,
            "tool_calls": self.calls,
        }
        content = text or (None if self.calls or self.refusals else "")
        return {
            "role": "assistant",
            "content": content,
            **{key: value for key, value in found.items() if value},
        }


def _text_item(message: _Message, item: Mapping[str, Any]) -> None:
    """Add the text and the refusal of a message."""
    for part in item.get("content") or ():
        if part.get("type") == "refusal":
            message.refusals.append(part["refusal"])
            continue
        message.texts.append(part.get("text") or "")
        message.logprobs += part.get("logprobs") or ()
        message.annotations += citations(part.get("annotations") or ())


def citations(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return citations of web pages as chat has them; chat has no others."""
    return [
        {"type": each["type"], each["type"]: {key: it for key, it in each.items() if key != "type"}}
        for each in given
        if each.get("type") == "url_citation"
    ]


def _reasoning(message: _Message, item: Mapping[str, Any]) -> None:
    """Add reasoning: its text, and what must be sent back."""
    message.thoughts += thoughts(item)
    message.details += items.details(item, len(message.details))


def thoughts(item: Mapping[str, Any]) -> list[str]:
    """Return the texts of a reasoning *item*: of its summary, or its own."""
    parts = item.get("summary") or item.get("content") or ()
    return [part["text"] for part in parts if part.get("text")]


def _call(message: _Message, item: Mapping[str, Any]) -> None:
    """Add a call of a tool."""
    message.calls.append(call(item))


def call(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's *item* as chat's tool call."""
    id = item.get("call_id") or item.get("id")
    if item["type"] == "custom_tool_call":
        custom = {"name": item["name"], "input": item.get("input") or ""}
        return {"id": id, "type": "custom", "custom": custom}
    function = {"name": item["name"], "arguments": item.get("arguments") or ""}
    return {"id": id, "type": "function", "function": function}


def _ignored(message: _Message, item: Mapping[str, Any]) -> None:
    """Leave out what OpenAI's own tools did: their results are in the text."""


_ITEMS: Mapping[Any, Callable[[_Message, Mapping[str, Any]], None]] = {
    "message": _text_item,
    "reasoning": _reasoning,
    "function_call": _call,
    "custom_tool_call": _call,
}
