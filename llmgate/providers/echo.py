"""A provider inside the gate that echoes the request, for trying clients.

It speaks OpenAI's wire like an upstream would, in bytes, so that every layer is exercised. One
word with the space before it is one token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import time
import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Provider
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers.openai import build
from llmgate.providers.openai import operation

_OPERATIONS = ("chat", "completions", "embeddings", "moderations")
_TOKEN = re.compile(r"\s*\S+|\s+\Z")
_DIMENSIONS = 8
_MOST_DIMENSIONS = 4096
_MOST_CHOICES = 128
_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def answer(call: Call) -> Answer:
    """Return what the echo makes of *call*; raises InvalidRequest."""
    assert isinstance(call.data, bytes)
    body = json.loads(call.data)
    path = call.url.removeprefix("echo:")
    if path in _TEXTS and body.get("stream"):
        events = [*_chunks(path, body, _TEXTS[path](body)), b"[DONE]"]
        return _answer("text/event-stream", map(_event, events))
    reply = _completion(path, body) if path in _TEXTS else _REPLIES[path](body)
    return _answer("application/json", iter([openai_wire.encoded(reply)]))


def _answer(content_type: str, pieces: Iterator[bytes]) -> Answer:
    """Return *pieces* as a successful answer."""
    return Answer(200, {"content-type": content_type}, pieces, lambda: None)


def _event(event: Any) -> bytes:
    """Return *event* as bytes of a stream."""
    return sse.DONE if isinstance(event, bytes) else sse.encoded(event)


def text_of(content: Any) -> str:
    """Return the text of a message's *content*: a string, null, or parts."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def tokens(text: str) -> list[str]:
    """Return *text* as its tokens; together they are *text*."""
    return _TOKEN.findall(text)


def _last_text(body: Mapping[str, Any]) -> str:
    """Return the text of the last message, of the user's last if there is one."""
    messages = body["messages"]
    users = [message for message in messages if message.get("role") == "user"]
    return text_of((users or messages)[-1].get("content"))


def _prompt(body: Mapping[str, Any]) -> str:
    """Return the prompt as text; token ids as their numbers."""
    prompt = body["prompt"]
    if prompt is None:
        return ""
    return " ".join(map(str, prompt)) if isinstance(prompt, list) else str(prompt)


_TEXTS = {"/chat/completions": _last_text, "/completions": _prompt}


def _limited(body: Mapping[str, Any], text: str) -> tuple[list[str], str]:
    """Return the tokens to answer with and the finish reason, within the client's limit."""
    words = tokens(text)
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return (words[:limit], "length") if 0 < limit < len(words) else (words, "stop")


def _times(body: Mapping[str, Any]) -> int:
    """Return how many choices are wanted; raises InvalidRequest."""
    wanted: int = body.get("n") or 1
    if wanted > _MOST_CHOICES:
        raise errors.InvalidRequest(f"echo gives at most {_MOST_CHOICES} choices.", param="n")
    return wanted


def _usage(body: Mapping[str, Any], words: list[str]) -> dict[str, int]:
    """Return the token counts of the prompt and of all choices."""
    prompts = [text_of(message.get("content")) for message in body.get("messages", ())]
    prompt = sum(len(tokens(text)) for text in prompts or [_prompt(body)])
    completion = len(words) * _times(body)
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def _head(path: str, body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return what replies and chunks share."""
    return {
        "id": f"{'chatcmpl' if path == '/chat/completions' else 'cmpl'}-{uuid.uuid4().hex[:24]}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "system_fingerprint": None,
    }


def _completion(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole reply."""
    words, reason = _limited(body, _TEXTS[path](body))
    text = "".join(words)
    content: dict[str, Any] = {"text": text}
    if path == "/chat/completions":
        content = {"message": {"role": "assistant", "content": text, "refusal": None}}
    choices = [
        {"index": at, **content, "logprobs": None, "finish_reason": reason}
        for at in range(_times(body))
    ]
    kind = "chat.completion" if path == "/chat/completions" else "text_completion"
    return {**_head(path, body, kind), "choices": choices, "usage": _usage(body, words)}


def _chunks(path: str, body: Mapping[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """Yield the reply as chunks of a word each, the choices in turn; the last has the usage."""
    words, reason = _limited(body, text)
    chat = path == "/chat/completions"
    head = _head(path, body, "chat.completion.chunk" if chat else "text_completion")
    deltas: list[dict[str, Any]] = [{"text": word} for word in words]
    end: dict[str, Any] = {"text": ""}
    if chat:
        first = {"delta": {"role": "assistant", "content": "", "refusal": None}}
        deltas = [first, *({"delta": {"content": word}} for word in words)]
        end = {"delta": {}}
    for delta, why in [*((delta, None) for delta in deltas), (end, reason)]:
        for at in range(_times(body)):
            choice = {"index": at, **delta, "logprobs": None, "finish_reason": why}
            yield {**head, "choices": [choice]}
    yield {**head, "choices": [], "usage": _usage(body, words)}


def _vector(text: str, dimensions: int) -> list[float]:
    """Return a vector made of *text*'s digest: the same text, the same vector."""
    digest = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(2 * dimensions)
    return [value / 32768 for value in struct.unpack(f"<{dimensions}h", digest)]


def _embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return one vector for each input."""
    given = body["input"]
    several = isinstance(given, list) and isinstance(given[0], str | list)
    texts = [
        text if isinstance(text, str) else str(text) for text in (given if several else [given])
    ]
    dimensions = body.get("dimensions") or _DIMENSIONS
    if dimensions > _MOST_DIMENSIONS:
        raise errors.InvalidRequest(
            f"echo makes vectors of at most {_MOST_DIMENSIONS} dimensions.", param="dimensions"
        )
    vectors: list[Any] = [_vector(text, dimensions) for text in texts]
    if body.get("encoding_format") == "base64":
        packed = [struct.pack(f"<{len(vector)}f", *vector) for vector in vectors]
        vectors = [base64.b64encode(data).decode() for data in packed]
    rows = [
        {"object": "embedding", "index": at, "embedding": vector}
        for at, vector in enumerate(vectors)
    ]
    count = sum(len(tokens(text)) for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": rows, "model": body["model"], "usage": usage}


def _moderation(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict that flags nothing, one for each input."""
    given = body["input"]
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    count = len(given) if isinstance(given, list) and isinstance(given[0], str) else 1
    return {
        "id": f"modr-{uuid.uuid4().hex[:24]}",
        "model": body["model"],
        "results": [result] * count,
    }


_REPLIES = {"/embeddings": _embeddings, "/moderations": _moderation}


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return the address that stands for this process."""
    return "echo:"


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call*: no authorization is needed."""
    return call


ECHO = Provider(
    name="echo",
    base_url=_base_url,
    authorize=_authorize,
    failure=openai_wire.failure,
    operations={name: operation(name, build(name)) for name in _OPERATIONS},
    local_handler=answer,
)
