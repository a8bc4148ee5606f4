"""OpenAI's own wire: paths, requests, replies; errors, usage and streams of this package.

Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmgate.codecs import multipart
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.dialects.openai.errors import failure
from llmgate.dialects.openai.errors import is_error
from llmgate.dialects.openai.errors import stream_error
from llmgate.dialects.openai.stream import chunks
from llmgate.dialects.openai.stream import chunks_from_reply
from llmgate.dialects.openai.usage import usage

__all__ = [
    "chunks",
    "chunks_from_reply",
    "failure",
    "is_error",
    "stream_error",
    "usage",
]

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
"""Paths of the operations that most compatible servers have, below the base URL."""

RARE_PATHS: Mapping[str, str] = {"rerank": "/rerank", "responses": "/responses"}
"""Paths of the operations that few have."""


def path(name: str) -> str:
    """Return the path of the operation called *name*, below the base URL."""
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


def with_usage(body: Body) -> Body:
    """Return *body* with usage requested for its stream: cost is known from nothing else."""
    if not body.get("stream"):
        return body
    return {**body, "stream_options": {**(body.get("stream_options") or {}), "include_usage": True}}


def usage_wanted(body: Body) -> bool:
    """Return whether the client itself requested usage in its stream."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


_PROMISED = {
    "chat": "choices",
    "completions": "choices",
    "embeddings": "data",
    "messages": "content",
    "moderations": "results",
    "rerank": "results",
    "responses": "output",
}


def is_refusal(name: str, reply: Any) -> bool:
    """Return whether a whole *reply* of the operation called *name* is an error.

    One of the Responses API may have failed, and is an answer all the same.
    """
    if name in STREAMED:
        return is_error(reply)
    return isinstance(reply, dict) and bool(reply.get("error")) and "output" not in reply


def is_reply(name: str, reply: Any) -> bool:
    """Return whether *reply* has the list that every answer of the operation called *name* has."""
    return isinstance(reply, dict) and (
        name not in _PROMISED or isinstance(reply.get(_PROMISED[name]), list)
    )
