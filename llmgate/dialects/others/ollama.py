"""Ollama's own API: chat, its stream of JSON lines, embeddings, errors.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Body
from llmgate.contract import Events
from llmgate.contract import Failure
from llmgate.contract import Reply
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.others import ollama_messages
from llmgate.dialects.others import ollama_thinking

OPTIONS = frozenset(
    """temperature top_p top_k min_p typical_p tfs_z seed num_predict num_ctx num_keep num_batch
    num_gpu main_gpu num_thread numa low_vram f16_kv logits_all vocab_only use_mmap use_mlock
    embedding_only repeat_last_n repeat_penalty presence_penalty frequency_penalty mirostat
    mirostat_tau mirostat_eta penalize_newline draft_num_predict""".split()
)
"""What goes under `options`; everything else that is unknown stays on top."""

_TRANSLATED = frozenset(
    """messages tools tool_choice response_format reasoning_effort thinking output_config stop
    max_tokens max_completion_tokens stream stream_options options""".split()
)
OWN = frozenset({"options", "keep_alive"})
"""Members of Ollama's requests that no other API has."""

EXTENSIONS = frozenset({"thinking", "output_config"}) | OWN
"""Anthropic's members that are translated, and Ollama's own."""

_TIMES = frozenset(
    "total_duration load_duration prompt_eval_duration eval_duration remote_model".split()
)


def chat_body(body: Body) -> Body:
    """Return Ollama's request for a chat *body*; raises InvalidRequest."""
    sent = {
        key: value
        for key, value in body.items()
        if key not in OPTIONS and key not in _TRANSLATED and value is not None
    }
    sent["messages"] = ollama_messages.sent(body["messages"])
    sent["stream"] = bool(body.get("stream"))  # Ollama streams by default
    added = {
        "tools": _tools(body),
        "format": _format(body.get("response_format")),
        "think": ollama_thinking.think(body),
        "options": _options(body),
    }
    return {**{key: value for key, value in added.items() if value not in (None, [], {})}, **sent}


def _options(body: Body) -> dict[str, Any]:
    """Return the options of *body*, top-level or in `options`, which take precedence."""
    named = {
        "num_predict": openai_chat.limit(body),
        "stop": openai_chat.stops(body),
        **{key: value for key, value in body.items() if key in OPTIONS},
        **(body.get("options") or {}),
    }
    return {key: value for key, value in named.items() if value is not None}


def _format(wanted: Any) -> Any:
    """Return Ollama's format for a response_format: a schema, "json", or None for text."""
    kind = (wanted or {}).get("type")
    if kind == "json_schema":
        return (wanted.get("json_schema") or {}).get("schema")
    return "json" if kind == "json_object" else None


def _tools(body: Body) -> list[dict[str, Any]]:
    """Return the tools on offer; raises InvalidRequest where one has to be called."""
    tools, choice = openai_chat.offered(body)
    if choice == "required":
        raise errors.InvalidRequest(
            'Ollama cannot force a tool call: send tool_choice "auto" or "none", or'
            ' additional_drop_params: ["tool_choice"] to leave the choice to the model.',
            param="tool_choice",
            code="unsupported_parameter",
        )
    return [] if choice == "none" else [*map(leniency.strict_tool, tools)]


def unforced(body: Body) -> Body:
    """Return *body* with a tool_choice that would have to call a tool left out."""
    if body.get("tool_choice") and openai_chat.offered(body)[1] == "required":
        return {key: value for key, value in body.items() if key != "tool_choice"}
    return body


def chat_reply(reply: Mapping[str, Any]) -> Reply:
    """Return Ollama's *reply* as a chat completion."""
    head = _head(reply)
    raw = reply["message"]
    calls = _calls(raw, head, 0)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": raw.get("content") or (None if calls else ""),
        "refusal": None,
    }
    if raw.get("thinking"):
        message["reasoning_content"] = raw["thinking"]
    if calls:
        message["tool_calls"] = calls
    finish = _finish(reply, bool(calls))
    made = openai_chat.completion(head, message, finish, _usage(reply), _logprobs(reply))
    return {**made, **_times(reply)}


def _head(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what replies and chunks share; Ollama has a time and no id, so that makes the id."""
    at = str(line.get("created_at") or "")
    try:
        created = int(datetime.fromisoformat(at).timestamp())
    except ValueError:
        created = 0
    return openai_chat.head(f"chatcmpl-{re.sub('[^0-9]', '', at)}", created, line["model"])


def _calls(
    message: Mapping[str, Any], head: Mapping[str, Any], before: int
) -> list[dict[str, Any]]:
    """Return the tool calls of *message*, where *before* calls were made in the same answer."""
    stamp = head["id"].removeprefix("chatcmpl-")
    return [
        {
            "id": call.get("id") or f"call_{stamp}_{at}",
            "type": "function",
            "function": {
                "name": call["function"]["name"],
                "arguments": json.dumps(
                    call["function"].get("arguments") or {},
                    separators=(",", ":"),
                    ensure_ascii=False,
                ),
            },
        }
        for at, call in enumerate(message.get("tool_calls") or (), before)
    ]


def _finish(line: Mapping[str, Any], called: bool) -> str:
    """Return the finish_reason; servers before 0.2 send none."""
    reason = str(line.get("done_reason") or "stop")
    return "tool_calls" if called and reason == "stop" else reason


def _usage(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's usage; a prompt that was cached whole has no count."""
    return openai_chat.usage(line.get("prompt_eval_count") or 0, line.get("eval_count") or 0)


def _logprobs(line: Mapping[str, Any]) -> Any:
    """Return OpenAI's logprobs."""
    if not line.get("logprobs"):
        return None
    content = [{"bytes": None, "top_logprobs": [], **token} for token in line["logprobs"]]
    return {"content": content, "refusal": None}


def _times(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return Ollama's timings, in nanoseconds."""
    return {key: value for key, value in line.items() if key in _TIMES}


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of *pieces*, the last one if it is JSON, an empty one for an empty piece.

    Raises BadUpstream for a line above `sse.LARGEST_EVENT` bytes.
    """
    rest = bytearray()
    for piece in pieces:
        rest += piece
        if not piece:
            yield piece
        elif b"\n" in piece:
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            yield from filter(bytes.strip, whole)
        elif len(rest) > sse.LARGEST_EVENT:
            raise errors.BadUpstream(f"Ollama sent a line of more than {sse.LARGEST_EVENT} bytes.")
    try:
        json.loads(rest)
    except ValueError:
        return
    yield bytes(rest)


def chat_chunks(pieces: Iterable[bytes]) -> Events:
    """Yield Ollama's lines as chunks, the last one with the usage.

    Raises UpstreamError and CutShort.
    """
    head: dict[str, Any] = {}
    called = 0
    for data in lines(pieces):
        line = json.loads(data) if data else PAUSE
        if not line:
            yield line
            continue
        if "error" in line:
            raise _error(line)
        first = not head
        head = head or _head(line)
        message = line.get("message") or {}
        calls = _calls(message, head, called)
        delta = _delta(message, calls, called, first)
        called += len(calls)
        if delta or line.get("logprobs"):
            yield openai_chat.chunk(head, delta, None, _logprobs(line))
        if line.get("done"):
            yield openai_chat.chunk(head, {}, _finish(line, called > 0))
            yield {**openai_chat.usage_chunk(head, _usage(line)), **_times(line)}
            return
    raise errors.CutShort("Ollama's stream ended before the response was complete.")


def _delta(
    message: Mapping[str, Any], calls: list[dict[str, Any]], before: int, first: bool
) -> dict[str, Any]:
    """Return what a line adds to the answer, the role with the first."""
    delta: dict[str, Any] = {"role": "assistant", "content": ""} if first else {}
    if message.get("content"):
        delta["content"] = message["content"]
    if message.get("thinking"):
        delta["reasoning_content"] = message["thinking"]
    if calls:
        delta["tool_calls"] = [{"index": at, **call} for at, call in enumerate(calls, before)]
    return delta


def _error(line: Mapping[str, Any]) -> errors.UpstreamError:
    """Return the error that a line of a stream reports."""
    found = failure(line)
    return errors.UpstreamError(
        found.message, status=found.status or 502, type=found.type, code=found.code
    )


def embed_body(body: Body) -> Body:
    """Return Ollama's request for an embeddings *body*."""
    sent = {
        key: value
        for key, value in body.items()
        if key not in OPTIONS and key not in ("options", "encoding_format") and value is not None
    }
    sent["input"] = openai_embeddings.texts(body)
    options = _options(body)
    return {**sent, "options": options} if options else sent


def embeddings_reply(reply: Mapping[str, Any]) -> Reply:
    """Return Ollama's *reply* as embeddings."""
    tokens = reply.get("prompt_eval_count") or 0
    made = openai_embeddings.embedding_list(reply["embeddings"], reply["model"], tokens)
    return {**made, **_times(reply)}


_FAILURES = (
    (
        re.compile(r"context length|context size|exceeds the available context|maximum context"),
        Failure("", "invalid_request_error", "context_length_exceeded", status=400),
    ),
    (
        re.compile(r"model .*not found"),
        Failure("", "invalid_request_error", "model_not_found", "model", status=404),
    ),
)


def failure(body: Any) -> Failure:
    """Return the failure for an error *body* of Ollama."""
    raw = body.get("error") if isinstance(body, dict) else body
    if isinstance(raw, dict):  # a model that Ollama runs elsewhere
        raw = raw.get("message")
    message = raw if isinstance(raw, str) else json.dumps(raw) if raw else ""
    for pattern, found in _FAILURES:
        if pattern.search(message):
            return found._replace(message=message)
    return Failure(message)
