"""OpenAI's own wire: requests, errors, usage, streams.

Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.codecs import multipart
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Event
from llmgate.contract import Events
from llmgate.contract import Failure
from llmgate.contract import Reply
from llmgate.contract import Usage

PATHS: Mapping[str, str] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "moderations": "/moderations",
    "images_generations": "/images/generations",
    "images_edits": "/images/edits",
    "images_variations": "/images/variations",
    "speech": "/audio/speech",
    "transcriptions": "/audio/transcriptions",
    "translations": "/audio/translations",
}
"""Where each operation is that most imitations have, below the base URL."""

RARE_PATHS: Mapping[str, str] = {"rerank": "/rerank", "responses": "/responses"}
"""Where those are that few have."""


def path(name: str) -> str:
    """Return where the operation called *name* is, below the base URL."""
    return PATHS.get(name) or RARE_PATHS[name]


FORMS = frozenset({"images_edits", "images_variations", "transcriptions", "translations"})
"""Operations whose request is a form with files."""

STREAMED = frozenset({"chat", "completions"})
"""Operations whose stream is chunks with choices and ends with [DONE]."""


_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return *body* as compact JSON; the same bytes for the same body."""
    try:
        return _COMPACT.encode(body).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return json.dumps(body, separators=(",", ":")).encode()


def json_call(url: str, body: Body) -> Call:
    """Return the call that posts *body* to *url*."""
    return Call("POST", url, {"Content-Type": "application/json"}, encoded(body))


def form_call(url: str, body: Body) -> Call:
    """Return the call that posts *body* to *url* as a form."""
    form = multipart.Form(multipart.fields(body))
    return Call("POST", url, {"Content-Type": form.content_type}, form)


def usage_asked(body: Body) -> Body:
    """Return *body* with usage asked for in its stream: spend is known from nothing else."""
    if not body.get("stream"):
        return body
    return {**body, "stream_options": {**(body.get("stream_options") or {}), "include_usage": True}}


def usage_wanted(body: Body) -> bool:
    """Return whether the client itself asked for usage in its stream."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


_DETAILS = (
    ("prompt_tokens_details", "cached_tokens", "cached_tokens"),
    ("prompt_tokens_details", "audio_tokens", "audio_prompt_tokens"),
    ("input_tokens_details", "cached_tokens", "cached_tokens"),
    ("input_token_details", "audio_tokens", "audio_prompt_tokens"),
    ("completion_tokens_details", "reasoning_tokens", "reasoning_tokens"),
    ("completion_tokens_details", "audio_tokens", "audio_completion_tokens"),
    ("output_tokens_details", "reasoning_tokens", "reasoning_tokens"),
)
_COUNTS = (
    ("prompt_tokens", "prompt_tokens"),
    ("input_tokens", "prompt_tokens"),
    ("completion_tokens", "completion_tokens"),
    ("output_tokens", "completion_tokens"),
    ("prompt_cache_hit_tokens", "cached_tokens"),
    ("cache_creation_input_tokens", "cache_creation_tokens"),
    ("seconds", "seconds"),
)


def usage(report: Mapping[str, Any]) -> Usage:
    """Return what the `usage` of a reply or of an event says."""
    said = report.get("usage")
    if not isinstance(said, dict):
        return {}
    found = {ours: said[name] for name, ours in _COUNTS if _is_count(said.get(name))}
    for group, name, ours in _DETAILS:
        details = said.get(group)
        if isinstance(details, dict) and _is_count(details.get(name)):
            found[ours] = details[name]
    return found


def _is_count(value: Any) -> bool:
    """Return whether *value* is a count, not a null or some text."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15


_CODES = (
    (
        "context_length_exceeded",
        re.compile(
            r"maximum context length|context limit|context window|context_length_exceeded"
            r"|exceeds the maximum number of tokens|input tokens exceed|prompt is too long"
            r"|longer than the model's context",
            re.I,
        ),
    ),
    (
        "content_policy_violation",
        re.compile(r"content_policy|content management policy|safety system", re.I),
    ),
)


def failure(body: Any) -> Failure:
    """Return what an error *body* says: OpenAI's shape, or what its imitators make of it."""
    error = _error(body)
    if not isinstance(error, dict):
        return _classified(Failure(str(error) if isinstance(error, str) else ""))
    message = error.get("message") or error.get("detail") or error.get("error") or ""
    return _classified(
        Failure(
            message if isinstance(message, str) else json.dumps(message),
            _text(error.get("type")),
            _text(error.get("code")),
            _text(error.get("param")),
        )
    )


def _error(body: Any) -> Any:
    """Return what of an error *body* says what is wrong: mostly an object, or a text."""
    if isinstance(body, list):  # Google sends one error in a list
        return _error(body[0]) if body else None
    inner = body.get("error") if isinstance(body, dict) else None
    if isinstance(inner, list):
        return _error(inner)
    if not inner and isinstance(body, dict) and isinstance(body.get("detail"), dict):
        return _error(body["detail"])
    return inner if inner and isinstance(inner, str | dict) else body


def _text(value: Any) -> str | None:
    """Return *value* as text if it is something that can be one."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _classified(found: Failure) -> Failure:
    """Return *found* with OpenAI's code where only its words tell the kind."""
    for code, pattern in _CODES:
        if pattern.search(f"{found.code} {found.message}"):
            return found._replace(code=code)
    return found


_STATUSES = {
    "rate_limit": 429,
    "insufficient_quota": 429,
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "overloaded": 503,
    "unavailable": 503,
}


def stream_error(event: Mapping[str, Any]) -> errors.UpstreamError:
    """Return the error that an event of a stream reports, with the status it stands for."""
    found = failure(event)
    kind = f"{found.type} {found.code}".lower()
    status = next((status for word, status in _STATUSES.items() if word in kind), 502)
    if found.code and found.code.isdigit() and 400 <= int(found.code) <= 599:
        status = int(found.code)
    return errors.UpstreamError(
        found.message or "The upstream reported an error in its stream.",
        status=status,
        type=found.type,
        param=found.param,
        code=found.code,
    )


_PROMISED = {
    "chat": "choices",
    "completions": "choices",
    "embeddings": "data",
    "messages": "content",
    "moderations": "results",
    "rerank": "results",
    "responses": "output",
}


def is_refusal(reply: Mapping[str, Any]) -> bool:
    """Return whether a whole *reply* says what went wrong, and nothing else."""
    return bool(reply.get("error")) and "choices" not in reply and "output" not in reply


def is_reply(name: str, reply: Any) -> bool:
    """Return whether *reply* has the list that every answer of the operation called *name* has."""
    return isinstance(reply, dict) and (
        name not in _PROMISED or isinstance(reply.get(_PROMISED[name]), list)
    )


def is_error(event: Mapping[str, Any]) -> bool:
    """Return whether *event* is an error and no chunk."""
    told = event.get("error") or event.get("object") == "error"  # as older vLLM says it
    return bool(told) and not event.get("choices")


def is_finish(event: Mapping[str, Any]) -> bool:
    """Return whether *event* ends a choice."""
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream; raises UpstreamError and CutShort."""
    finished = False
    for _, data in sse.events(pieces):
        if data == b"[DONE]":
            return
        if not data:
            yield PAUSE
            continue
        event = json.loads(data)
        if is_error(event):
            raise stream_error(event)
        finished = finished or is_finish(event)
        yield event
    if not finished:
        raise errors.CutShort("The upstream ended its stream before it was complete.")


def chunks_from_reply(reply: Reply) -> Iterator[Event]:
    """Yield a whole completion as the chunks of a stream: for an upstream that did not stream."""
    shared = {key: value for key, value in reply.items() if key not in ("choices", "usage")}
    for choice in reply["choices"]:
        if "text" in choice:  # of a text completion, whose chunks have the shape of the whole
            yield {**shared, "choices": [choice]}
            continue
        for part in _deltas(choice):
            yield {**shared, "object": "chat.completion.chunk", "choices": [part]}
    if reply.get("usage"):
        kind = shared.get("object")
        kind = "text_completion" if kind == "text_completion" else "chat.completion.chunk"
        yield {**shared, "object": kind, "choices": [], "usage": reply["usage"]}


def _deltas(choice: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a *choice* of a chat completion as two of a stream: all that it says, its end."""
    message = dict(choice["message"])
    if message.get("tool_calls"):
        calls = enumerate(message["tool_calls"])
        message["tool_calls"] = [{"index": at, **call} for at, call in calls]
    rest = {key: value for key, value in choice.items() if key != "message"}
    shared = {"index": choice.get("index", 0), **rest}
    end = {"index": shared["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
    return {**shared, "delta": message, "finish_reason": None}, end
