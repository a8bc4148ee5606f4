"""Requests to Ollama's /api/chat, /api/generate and /api/embed as OpenAI's.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.dialects.others import ollama
from llmgate.fronts import fields
from llmgate.fronts import strict_schema
from llmgate.fronts import upstream_chat

_OPTIONS = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("seed", "seed"),
    ("stop", "stop"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
)
"""Ollama's name in `options`, and OpenAI's."""

_READ = frozenset(
    """model messages stream options format think keep_alive tools prompt system images suffix
    template raw context logprobs top_logprobs name truncate input dimensions""".split()
)
"""The members that are translated, or that mean nothing to other servers."""

_SERVERS_OWN = ("options", "keep_alive")
_IMAGES = {"iVBOR": "png", "/9j/": "jpeg", "R0lGO": "gif", "UklGR": "webp"}
"""How the base64 of an image of each type begins."""


def chat_from_chat(body: Body) -> Body:
    """Return the chat body for the body of /api/chat; raises InvalidRequest."""
    messages = list(_messages(fields.objects(body["messages"], "messages")))
    tools = {"tools": body["tools"]} if body.get("tools") else {}
    return {**_common(body), **tools, "messages": messages}


def chat_from_generate(body: Body) -> Body:
    """Return the chat body for the body of /api/generate; raises InvalidRequest."""
    if body.get("suffix"):
        raise errors.InvalidRequest(
            "This model is reached through chat completions, which have no 'suffix': leave it out.",
            param="suffix",
            code="unsupported_parameter",
        )
    prompt = {"content": body.get("prompt") or "", "images": body.get("images")}
    system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
    return {**_common(body), "messages": [*system, {"role": "user", "content": _content(prompt)}]}


def _common(body: Body) -> Body:
    """Return the members that both requests have."""
    options = body.get("options") or {}
    found = {ours: options.get(theirs) for theirs, ours in _OPTIONS}
    limit = options.get("num_predict")
    if isinstance(limit, int) and limit > 0:  # -1: no limit; -2: what the context holds
        found["max_completion_tokens"] = limit
    for name in ("logprobs", "top_logprobs", "model", *_SERVERS_OWN):
        found[name] = body.get(name)
    found |= _format(body.get("format"))
    others = {name: value for name, value in body.items() if name not in _READ}
    given = {name: value for name, value in found.items() if value is not None}
    return {**others, **given, **_thinking(body.get("think")), "stream": wants_stream(body)}


def wants_stream(body: Body) -> bool:
    """Return whether *body* is to be answered by a stream, which is the default."""
    return body.get("stream") is not False


def _format(wanted: Any) -> Body:
    """Return the response format for "json" or a JSON schema."""
    if wanted in (None, ""):
        return {}
    if wanted == "json":
        return {"response_format": {"type": "json_object"}}
    if not isinstance(wanted, Mapping):
        raise fields.invalid("format", '"json" or a JSON schema')
    named = {"name": "response", "schema": wanted, "strict": strict_schema.is_strict(wanted)}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _thinking(think: Any) -> Body:
    """Return *think*, a flag or an effort, in Anthropic's words, which have both."""
    if isinstance(think, str):
        return {"output_config": {"effort": think}}
    if think is None:
        return {}
    return {"thinking": {"type": "enabled" if think else "disabled"}}


def _messages(given: list[Mapping[str, Any]]) -> Iterator[Body]:
    """Yield OpenAI's messages; a tool's result is for the oldest call without one."""
    open_calls: list[tuple[str, str]] = []  # id and name
    for at, message in enumerate(given):
        place = f"messages[{at}]"
        role = fields.field(message, "role", place)
        if role == "tool":
            id = message.get("tool_call_id") or _taken(open_calls, message.get("tool_name"))
            yield {"role": "tool", "tool_call_id": id, "content": message.get("content") or ""}
            continue
        found: Body = {"role": role, "content": _content(message)}
        if message.get("thinking"):
            found["reasoning_content"] = message["thinking"]
        calls = [
            _call(fields.member(call, "function", place), call.get("id") or f"call_{at}_{number}")
            for number, call in enumerate(fields.array(message, "tool_calls", place))
        ]
        if calls:
            found["tool_calls"] = calls
            open_calls = [(call["id"], call["function"]["name"]) for call in calls]
        yield found


def _taken(open_calls: list[tuple[str, str]], name: Any) -> str:
    """Return the id of the oldest of *open_calls*, that of *name* first; it is open no more."""
    found = next((call for call in open_calls if call[1] == name), None)
    found = found or next(iter(open_calls), None)
    if found is None:
        return "call_0"
    open_calls.remove(found)
    return found[0]


def _call(function: Mapping[str, Any], id: str) -> Body:
    """Return a call of *function*, whose arguments are an object."""
    arguments = function.get("arguments") or {}
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    called = {"name": fields.field(function, "name", "function"), "arguments": text}
    return {"id": id, "type": "function", "function": called}


def _content(message: Mapping[str, Any]) -> Any:
    """Return the content of *message*: its text, or parts with its images."""
    text, images = message.get("content") or "", message.get("images") or ()
    if not images:
        return text
    parts = [{"type": "text", "text": text}] if text else []
    return [*parts, *({"type": "image_url", "image_url": {"url": _url(i)}} for i in images)]


def _url(image: Any) -> str:
    """Return the data URL of an *image* in base64."""
    if not isinstance(image, str):
        raise fields.invalid("images", "an array of strings in base64")
    if image.startswith("data:"):
        return image
    return f"data:image/{_IMAGES.get(image[:5], _IMAGES.get(image[:4], 'png'))};base64,{image}"


def adapted(body: Body, operation: Operation, deployment: Deployment) -> Body:
    """Return the chat *body*, made here, for this *operation* of *deployment*.

    Ollama's own servers get all options; others those that they know.
    """
    if operation.extensions is not None and operation.extensions >= ollama.OWN:
        return body
    body = {name: value for name, value in body.items() if name not in _SERVERS_OWN}
    if operation.passthrough:
        body.pop("top_k", None)
    return upstream_chat.adapted(body, operation, deployment)


def embeddings(body: Body) -> Body:
    """Return the embeddings body for that of /api/embed or /api/embeddings."""
    found = {"model": body["model"], "input": body.get("input", body.get("prompt"))}
    if body.get("dimensions"):
        found["dimensions"] = body["dimensions"]
    others = {name: value for name, value in body.items() if name not in _READ}
    return {**others, **found, "encoding_format": "float"}
