"""Streams of OpenAI-compatible upstreams as chunks in normal form.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Deployment
from llmgate.contract import Event
from llmgate.contract import Events
from llmgate.contract import Reply
from llmgate.dialects.openai.normalize import Normalizer


def chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream in normal form; raises UpstreamError and CutShort.

    [DONE] ends a stream whether its choices have a finish_reason or not. Without [DONE] every
    choice needs one.
    """
    stream = Normalizer(deployment.model)
    for _, data in sse.events(pieces):
        if data == b"[DONE]":
            yield from stream.end()
            return
        yield stream.chunk(json.loads(data)) if data else PAUSE
    if not stream.is_finished():
        raise errors.CutShort("The upstream ended its stream before it was complete.")
    yield from stream.end()


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
    """Return a *choice* of a chat completion as two of a stream: its message, and its end."""
    message = dict(choice["message"])
    if message.get("tool_calls"):
        calls = enumerate(message["tool_calls"])
        message["tool_calls"] = [{"index": at, **call} for at, call in calls]
    rest = {key: value for key, value in choice.items() if key != "message"}
    shared = {"index": choice.get("index", 0), **rest}
    end = {"index": shared["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
    return {**shared, "delta": message, "finish_reason": None}, end
