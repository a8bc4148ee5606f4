"""LLMstudio's engine in front of a chat: what its clients ask, its errors, its exports.

There are two wires: that of the 0.x engines, and that of 1.x, whose parameters are anything.
Source: https://github.com/TensorOpsAI/LLMstudio (llmstudio/engine, 0.3.7; llmstudio_core, 1.0.4)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.llmstudio import parameters as engine_parameters
from llmgate.llmstudio.parameters import Invalid
from llmgate.llmstudio.parameters import wrong

NAMES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("anthropic",),
    "bedrock": ("bedrock",),
    "ollama": ("ollama", "ollama_chat"),
    "openai": ("openai",),
    "azure": ("azure",),
    "vertexai": ("vertex_ai", "gemini"),
}
"""LLMstudio's providers, and which of the gate's serve in their names."""

_TITLES = {
    "anthropic": "Anthropic",
    "azure": "Azure",
    "bedrock": "Bedrock",
    "ollama": "Ollama",
    "openai": "OpenAI",
    "vertexai": "VertexAI",
}
_TRUE = frozenset({True, "true", "1", "yes", "on"})
_OF_CHAT = ("tools", "tool_choice", "response_format")
_OF_CLIENT = {
    "api_key": "api_key",
    "api_endpoint": "api_base",
    "base_url": "base_url",
    "api_version": "api_version",
}
"""What a client may bring along, and the chat's name for it."""

_OF_ENGINE = frozenset(
    """model chat_input is_stream has_end_token retries parameters session_id functions n stream
    stream_options messages metadata""".split()
)
"""What is no parameter of a chat on the wire of 1.x, or is not left to the client."""

_THINKS = re.compile(r"(.*/)?(o\d|gpt-[5-9])")  # OpenAI's models that refuse max_tokens
_MOST_RETRIES = 10


class Asked(NamedTuple):
    """What a client of the engine asks for."""

    provider: str
    model: str
    chat_input: Any  # the text, or the content of the last message
    context: list[dict[str, Any]]
    parameters: dict[str, Any]
    session_id: str | None
    is_stream: bool
    has_end_token: bool
    retries: int
    chat: Body  # the same as a chat; its model is still the client's name for it


def title(provider: str) -> str:
    """Return what LLMstudio calls *provider* in print."""
    return _TITLES.get(provider, provider)


def checked(body: Body, violations: Iterable[tuple[str, str]]) -> None:
    """Raise Invalid if there are *violations* of a schema, each a path and what is wrong there."""
    found = [
        wrong(
            message, *path.split("."), kind="missing" if _is_missing(body, path) else "value_error"
        )
        for path, message in violations
    ]
    if found:
        raise Invalid(found)


def _is_missing(body: Body, path: str) -> bool:
    """Return whether *path* is the name of a field that *body* lacks."""
    return path in ("model", "chat_input") and path not in body


def asked(body: Body, provider: str) -> Asked:
    """Return what *body* asks of *provider* on the wire of 0.x; raises Invalid."""
    given = body.get("parameters") or {}
    complete, sent = engine_parameters.settled(provider, body["model"], given)
    chat = {**sent, **{key: body[key] for key in _OF_CHAT if body.get(key)}}
    if body.get("functions"):
        chat |= {"functions": body["functions"], "function_call": "auto"}
    return _asked(body, provider, complete, chat)


def asked_v1(body: Body, provider: str) -> Asked:
    """Return what *body* asks of *provider* on the wire of 1.x: unknown keys are parameters."""
    every = {**(body.get("parameters") or {}), **body}
    kept = {
        key: value
        for key, value in every.items()
        if key not in _OF_ENGINE and key not in _OF_CLIENT and value is not None
    }
    chat = dict(kept)
    if every.get("functions"):
        chat |= {"functions": every["functions"], "function_call": "auto"}
    brought = {key: every[key] for key in _OF_CLIENT if key in every}
    return _asked({**body, **brought}, provider, kept, chat)


def _asked(body: Body, provider: str, parameters: dict[str, Any], chat: Body) -> Asked:
    """Return what *body* asks for, with these *parameters* and with *chat* completed."""
    said = body["chat_input"]
    context = [{"role": "user", "content": said}] if isinstance(said, str) else said
    session_id = body.get("session_id")
    brought = {
        name: body[key] for key, name in _OF_CLIENT.items() if body.get(key) not in (None, "")
    }
    whole = {"model": body["model"], "messages": context, **chat, "stream": True, **brought}
    if session_id is not None:
        whole["metadata"] = {"session_id": session_id}
    if _THINKS.match(body["model"]) and "max_tokens" in whole:
        whole["max_completion_tokens"] = whole.pop("max_tokens")
    return Asked(
        provider=provider,
        model=body["model"],
        chat_input=said if isinstance(said, str) else context[-1].get("content"),
        context=context,
        parameters=parameters,
        session_id=session_id,
        is_stream=_flag(body.get("is_stream")),
        has_end_token=_flag(body.get("has_end_token")),
        retries=min(int(body.get("retries") or 0), _MOST_RETRIES),
        chat=whole,
    )


def _flag(value: Any) -> bool:
    """Return whether *value*, which the schema knows to be one, says yes."""
    return (value.lower() if isinstance(value, str) else value) in _TRUE


def detail(error: errors.GateError) -> dict[str, Any]:
    """Return *error* as LLMstudio tells of it: an upstream's as its body, ours in words."""
    if isinstance(error, Invalid):
        return {"detail": error.details}
    if isinstance(error, errors.UpstreamError):
        return {"detail": error.body()}
    return {"detail": error.message}


def csv(rows: Any) -> Iterator[str]:
    """Yield the lines of *rows* as LLMstudio exports them: `;` between JSON values.

    The columns are the keys of the first row. Raises Invalid if *rows* is no list of objects.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid([wrong("the body must be a list of objects", kind="list_type")])
    columns = list(rows[0]) if rows else []
    if columns:
        yield ";".join(columns) + "\n"
    for row in rows:
        yield ";".join(json.dumps(row[key]) if key in row else "" for key in columns) + "\n"
