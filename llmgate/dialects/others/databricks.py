"""What sets the chat of Databricks' model serving apart from OpenAI's.

It refuses unknown members and reports the usage in every chunk.
Source: https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Event
from llmgate.contract import Events
from llmgate.contract import Failure
from llmgate.contract import Reply
from llmgate.dialects import effort as efforts
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import normalize
from llmgate.dialects.openai import wire as openai_wire

PARAMS = frozenset(
    """model messages stream temperature top_p stop n max_tokens max_completion_tokens
    response_format tools tool_choice logprobs top_logprobs reasoning_effort""".split()
)
"""OpenAI's parameters that it supports."""

EXTENSIONS = frozenset({"thinking", "output_config"})
"""Anthropic's members that are translated."""

_TRANSLATED = EXTENSIONS | {"max_completion_tokens", "reasoning_effort", "messages", "tools"}


def chat_body(body: Body, model: str) -> Body:
    """Return Databricks' request to *model* for a chat *body*.

    Its Claude models accept Anthropic's `thinking` and `cache_control`.
    """
    claude = "claude" in model
    also = frozenset({"cache_control"}) if claude else frozenset()
    sent = {key: value for key, value in body.items() if key not in _TRANSLATED}
    limit = openai_chat.limit(body)
    if limit is not None:
        sent["max_tokens"] = limit
    if body.get("tools"):
        sent["tools"] = [leniency.strict_tool(tool, also) for tool in body["tools"]]
    repaired = leniency.repaired(body["messages"], leniency.Rules())
    sent["messages"] = [_message(message, also) for _, message in repaired]
    return {**sent, **_thinking(body, model)}


def _message(message: Mapping[str, Any], also: frozenset[str]) -> dict[str, Any]:
    """Return *message* without the members that Databricks refuses."""
    found = leniency.strict(message, also)
    return {key: value for key, value in found.items() if key not in ("name", "refusal")}


def _thinking(body: Body, model: str) -> Body:
    """Return `thinking` for Claude, `reasoning_effort` for others.

    `adaptive` leaves it to the model. Effort of Anthropic's is for models that are known to reason.
    """
    effort, claude = efforts.requested(body), "claude" in model
    if claude and effort.mode in ("enabled", "disabled"):
        return {"thinking": body["thinking"]}
    level = body.get("reasoning_effort")
    if level is None and not claude and _REASONS.search(model):
        level = effort.word
    return {} if level is None else {"reasoning_effort": level}


_REASONS = re.compile(r"gpt-oss|gpt-5|gemini-[3-9]")


def chat_reply(reply: Any, deployment: Deployment) -> Reply:
    """Return Databricks' *reply* as OpenAI writes it; raises UpstreamError."""
    return {**normalize.reply(reply, deployment), "object": "chat.completion"}


def chat_chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream, the usage in one of its own at the end.

    Raises UpstreamError and CutShort.
    """
    last: Event = {}
    for event in openai_wire.chunks(pieces, deployment):
        if not event:
            yield event
            continue
        last = event
        if event["choices"]:
            yield {key: value for key, value in event.items() if key != "usage"}
    if last.get("usage"):
        yield openai_chat.usage_chunk(last, last["usage"])


_MISSING = Failure("", "invalid_request_error", "model_not_found", "model", 404)
_FAILURES: Mapping[Any, Failure] = {
    "ENDPOINT_NOT_FOUND": _MISSING,
    "RESOURCE_DOES_NOT_EXIST": _MISSING,
    "PERMISSION_DENIED": Failure("", "permission_error", "permission_denied"),
    "REQUEST_LIMIT_EXCEEDED": Failure("", "rate_limit_error", "rate_limit_exceeded"),
}


def failure(body: Any) -> Failure:
    """Return the failure for an error *body*: Databricks' own, or that of an external model."""
    if not isinstance(body, dict):
        return openai_wire.failure(body)
    inner = body.get("external_model_message")
    if isinstance(inner, dict):
        return openai_wire.failure(inner)
    code, message = body.get("error_code"), body.get("message")
    if not isinstance(message, str):
        return openai_wire.failure(body)
    if "invalid access token" in message.lower():  # a 403
        return Failure(message, "authentication_error", "invalid_api_key", status=401)
    known = _FAILURES.get(code)
    return known._replace(message=message) if known else openai_wire.failure({**body, "code": code})
