"""IBM watsonx.ai's text chat and embeddings: nearly OpenAI's, under names of its own.

Source: https://cloud.ibm.com/apidocs/watsonx-ai
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Events
from llmgate.contract import Failure
from llmgate.contract import Reply
from llmgate.dialects import effort as efforts
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire

PARAMS = frozenset(
    """model messages stream temperature top_p n stop seed logit_bias presence_penalty
    frequency_penalty max_tokens max_completion_tokens response_format tools tool_choice logprobs
    top_logprobs reasoning_effort""".split()
)
"""OpenAI's parameters that its chat supports."""

EXTENSIONS = frozenset({"thinking", "output_config"})
"""Anthropic's members that are translated."""

_TRANSLATED = EXTENSIONS | frozenset(
    """model stream stop max_tokens max_completion_tokens tool_choice tools messages
    reasoning_effort""".split()
)


def chat_body(body: Body, model: str) -> Body:
    """Return watsonx.ai's request to *model* for a chat *body*, less its model and project."""
    sent = {
        key: value for key, value in body.items() if key not in _TRANSLATED and value is not None
    }
    repaired = leniency.repaired(body["messages"], leniency.Rules())
    sent["messages"] = [leniency.strict(message) for _, message in repaired]
    if body.get("tools"):
        sent["tools"] = [*map(leniency.strict_tool, body["tools"])]
    if openai_chat.limit(body) is not None:
        sent["max_completion_tokens"] = openai_chat.limit(body)
    if openai_chat.stops(body):
        sent["stop"] = openai_chat.stops(body)
    level = body.get("reasoning_effort")
    if level is None and "gpt-oss" in model:
        level = efforts.requested(body).word
    if level is not None:
        sent["reasoning_effort"] = level
    return {**sent, **_choice(body)} if body.get("tool_choice") else sent


def _choice(body: Body) -> dict[str, Any]:
    """Return the tools on offer, and how the model may choose among them."""
    choice = body["tool_choice"]
    tools, mode = openai_chat.offered(body)
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"tool_choice": choice}
    strict = [*map(leniency.strict_tool, tools)]
    return {"tool_choice_option": mode, **({"tools": strict} if strict else {})}


def chat_reply(reply: Mapping[str, Any], model: str) -> Reply:
    """Return watsonx.ai's *reply* as a chat completion of *model*."""
    return {**_ended(reply, model), "object": "chat.completion"}


def chat_chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream; raises UpstreamError and CutShort."""
    for event in openai_wire.chunks(pieces, deployment):
        if event.get("errors"):
            raise _error(event)
        chunk = {**_ended(event, deployment.model), "object": "chat.completion.chunk"}
        yield chunk if event else event


def _ended(raw: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return *raw* with its model, and with OpenAI's reasons for the ends of its choices."""
    choices = [
        {**choice, "finish_reason": _finish(choice.get("finish_reason"))}
        for choice in raw.get("choices") or ()
    ]
    return {**raw, "model": raw.get("model") or model, "choices": choices}


def _finish(reason: str | None) -> str | None:
    """Return OpenAI's word for why a choice ended; raises UpstreamError if it failed."""
    if reason in ("error", "cancelled"):
        raise errors.UpstreamError(
            f"watsonx.ai ended the response with finish_reason '{reason}'.", status=502
        )
    return "length" if reason == "time_limit" else reason


def embed_body(body: Body) -> Body:
    """Return watsonx.ai's request for an embeddings *body*, less its model and project."""
    given = {
        key: value
        for key, value in body.items()
        if key not in ("model", "input", "encoding_format") and value is not None
    }
    return {**given, "inputs": openai_embeddings.texts(body)}


def embeddings_reply(reply: Mapping[str, Any], model: str) -> Reply:
    """Return watsonx.ai's *reply* as embeddings of *model*."""
    found = (row["embedding"] for row in reply["results"])
    return openai_embeddings.embedding_list(found, model, int(reply.get("input_token_count") or 0))


_MISSING = Failure("", "invalid_request_error", "model_not_found", "model")
_LOGIN = Failure("", "authentication_error", "invalid_api_key")
_FAILURES: Mapping[Any, Failure] = {
    "authentication_token_expired": _LOGIN,
    "authentication_token_not_valid": _LOGIN,
    "authorization_rejected": _LOGIN,
    "model_not_supported": _MISSING,
    "token_quota_reached": Failure("", "insufficient_quota", "insufficient_quota", status=429),
    "user_authorization_failed": Failure("", "permission_error", "permission_denied"),
}
_TOO_LONG = re.compile(r"cannot exceed the total tokens limit", re.I)


def failure(body: Any) -> Failure:
    """Return the failure for an error *body*."""
    listed = body.get("errors") if isinstance(body, dict) else None
    if not (isinstance(listed, list) and listed and isinstance(listed[0], dict)):
        return openai_wire.failure(body)
    found = openai_wire.failure({"error": listed[0]})
    if _TOO_LONG.search(found.message):
        return found._replace(code="context_length_exceeded")
    known = _FAILURES.get(listed[0].get("code"))
    return known._replace(message=found.message) if known else found


def _error(event: Mapping[str, Any]) -> errors.UpstreamError:
    """Return the error that an event of a stream reports."""
    found, status = failure(event), event.get("status_code")
    code = status if isinstance(status, int) and 400 <= status <= 599 else 502
    return errors.UpstreamError(
        found.message or "The upstream reported an error in its stream.",
        status=found.status or code,
        type=found.type,
        param=found.param,
        code=found.code,
    )
