"""LLMstudio's engine over chat: its requests, its errors, its exports.

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
"""LLMstudio's names of providers, and the gate's names for each."""

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
"""The upstream settings a client may send, and the chat's name for each."""

_OF_ENGINE = frozenset(
    """model chat_input is_stream has_end_token retries parameters session_id functions n stream
    stream_options messages metadata""".split()
)
"""Members of a 1.x body that are not chat parameters, or that clients must not set."""

_THINKS = re.compile(r"(.*/)?(o\d|gpt-[5-9])")  # OpenAI's models that refuse max_tokens
_MOST_RETRIES = 10


class EngineRequest(NamedTuple):
    """A request to the engine."""

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


def check(body: Body, violations: Iterable[tuple[str, str]]) -> None:
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


def engine_request(body: Body, provider: str) -> EngineRequest:
    """Return *body*, on the wire of 0.x, as a request to *provider*; raises Invalid."""
    given = body.get("parameters") or {}
    complete, sent = engine_parameters.with_defaults(provider, body["model"], given)
    chat = {**sent, **{key: body[key] for key in _OF_CHAT if body.get(key)}}
    if body.get("functions"):
        chat |= {"functions": body["functions"], "function_call": "auto"}
    return _engine_request(body, provider, complete, chat)


def engine_request_v1(body: Body, provider: str) -> EngineRequest:
    """Return *body*, on the wire of 1.x, as an engine request: unknown keys are parameters."""
    every = {**(body.get("parameters") or {}), **body}
    kept = {
        key: value
        for key, value in every.items()
        if key not in _OF_ENGINE and key not in _OF_CLIENT and value is not None
    }
    chat = dict(kept)
    if every.get("functions"):
        chat |= {"functions": every["functions"], "function_call": "auto"}
    client = {key: every[key] for key in _OF_CLIENT if key in every}
    return _engine_request({**body, **client}, provider, kept, chat)


def _engine_request(
    body: Body, provider: str, parameters: dict[str, Any], chat: Body
) -> EngineRequest:
    """Return *body* as a request with these *parameters*, its *chat* completed."""
    chat_input = body["chat_input"]
    context = (
        [{"role": "user", "content": chat_input}] if isinstance(chat_input, str) else chat_input
    )
    session_id = body.get("session_id")
    client = {
        name: body[key] for key, name in _OF_CLIENT.items() if body.get(key) not in (None, "")
    }
    whole = {"model": body["model"], "messages": context, **chat, "stream": True, **client}
    if session_id is not None:
        whole["metadata"] = {"session_id": session_id}
    if _THINKS.match(body["model"]) and "max_tokens" in whole:
        whole["max_completion_tokens"] = whole.pop("max_tokens")
    return EngineRequest(
        provider=provider,
        model=body["model"],
        chat_input=chat_input if isinstance(chat_input, str) else context[-1].get("content"),
        context=context,
        parameters=parameters,
        session_id=session_id,
        is_stream=_flag(body.get("is_stream")),
        has_end_token=_flag(body.get("has_end_token")),
        retries=min(int(body.get("retries") or 0), _MOST_RETRIES),
        chat=whole,
    )


def _flag(value: Any) -> bool:
    """Return whether *value*, valid by the schema, is true."""
    return (value.lower() if isinstance(value, str) else value) in _TRUE


def detail(error: errors.GateError) -> dict[str, Any]:
    """Return *error* in LLMstudio's shape: an upstream's as its body, ours as a message."""
    if isinstance(error, Invalid):
        return {"detail": error.details}
    if isinstance(error, errors.UpstreamError):
        return {"detail": error.body()}
    return {"detail": error.message}


def csv(rows: Any) -> Iterator[str]:
    """Yield the lines of *rows* as LLMstudio exports them: `;` between JSON values.

    The columns are the keys of the first row. Raises Invalid unless *rows* is a list of objects.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid([wrong("the body must be a list of objects", kind="list_type")])
    columns = list(rows[0]) if rows else []
    if columns:
        yield ";".join(columns) + "\n"
    for row in rows:
        yield ";".join(json.dumps(row[key]) if key in row else "" for key in columns) + "\n"
