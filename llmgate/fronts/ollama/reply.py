"""Chat completions and embeddings as Ollama's answers, whole and streamed as lines of JSON.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.contract import Event
from llmgate.contract import Reply
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat

Line: TypeAlias = dict[str, Any]
"""One answer of Ollama's, or one line of a stream."""

Say: TypeAlias = Callable[[Mapping[str, Any]], Line]
"""Makes the members of a line of an OpenAI message, or of what a chunk adds to one."""

CONTENT_TYPE = "application/x-ndjson"

_FINISHES = {"tool_calls": "stop", "function_call": "stop"}


def chat_line(message: Mapping[str, Any]) -> Line:
    """Return the members of an answer of /api/chat for an OpenAI *message*."""
    found: Line = {"role": "assistant", "content": _text(message)}
    thought = _thought(message)
    if thought:
        found["thinking"] = thought
    if message.get("tool_calls"):
        found["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    return {"message": found}


def generate_line(message: Mapping[str, Any]) -> Line:
    """Return the members of an answer of /api/generate for an OpenAI *message*."""
    thought = _thought(message)
    return {"response": _text(message), **({"thinking": thought} if thought else {})}


def _text(message: Mapping[str, Any]) -> str:
    return openai_chat.text(message.get("content")) or message.get("refusal") or ""


def _thought(message: Mapping[str, Any]) -> str:
    return str(message.get("reasoning_content") or message.get("reasoning") or "")


def _call(call: Mapping[str, Any]) -> Line:
    """Return a tool *call*, its arguments as an object."""
    function = call["function"]
    arguments = leniency.arguments(function.get("arguments"))
    named = {"id": call["id"]} if call.get("id") else {}
    return {**named, "function": {"name": function["name"], "arguments": arguments}}


def whole(say: Say, elapsed: Callable[[], float]) -> Callable[[Reply], Line]:
    """Return what makes an answer of a chat completion, after *elapsed* seconds."""

    def answer(reply: Reply) -> Line:
        choice = reply["choices"][0]
        return {
            **_head(reply),
            **say(choice["message"]),
            **_logprobs(choice),
            **_end(choice.get("finish_reason"), reply.get("usage"), elapsed(), 0.0),
        }

    return answer


def lines(say: Say, elapsed: Callable[[], float]) -> Callable[[Iterable[Event]], Iterator[bytes]]:
    """Return what makes a stream of a chat's chunks; an empty piece marks a pause.

    Tool calls come whole, at the end. Raises CutShort.
    """

    def streamed(chunks: Iterable[Event]) -> Iterator[bytes]:
        stream = _Stream(say, elapsed)
        for chunk in chunks:
            yield from stream.lines(chunk) if chunk else (b"",)
        yield from stream.last()

    return streamed


class _Stream:
    """The state of one stream."""

    def __init__(self, say: Say, elapsed: Callable[[], float]) -> None:
        self._say, self._elapsed = say, elapsed
        self._head: Line = {}
        self._first = 0.0  # seconds until the first chunk
        self._calls: dict[Any, Line] = {}
        self._finish: str | None = None
        self._usage: Any = None

    def lines(self, chunk: Event) -> Iterator[bytes]:
        """Yield the line for what *chunk* adds, if it adds something."""
        if not self._head:
            self._head, self._first = _head(chunk), self._elapsed()
        self._usage = chunk.get("usage") or self._usage
        for choice in (chunk.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            self._finish = choice.get("finish_reason") or self._finish
            for call in delta.get("tool_calls") or ():
                self._add_call(call)
            if _text(delta) or _thought(delta):
                part = self._say({**delta, "tool_calls": None})
                yield _encoded({**self._head, **part, **_logprobs(choice), "done": False})

    def _add_call(self, piece: Mapping[str, Any]) -> None:
        """Add a piece of a tool call."""
        function = piece.get("function") or {}
        call = self._calls.setdefault(piece.get("index", 0), {"name": "", "arguments": ""})
        call["id"] = call.get("id") or piece.get("id")
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""

    def last(self) -> Iterator[bytes]:
        """Yield the tool calls and the end; raises CutShort if there was none."""
        if self._finish is None:
            raise errors.CutShort("The upstream ended its stream before it was complete.")
        if self._calls:
            calls = [{"id": call["id"], "function": call} for call in self._calls.values()]
            yield _encoded({**self._head, **self._say({"tool_calls": calls}), "done": False})
        end = _end(self._finish, self._usage, self._elapsed(), self._first)
        yield _encoded({**self._head, **self._say({}), **end})


def _head(chunk: Mapping[str, Any]) -> Line:
    """Return the model and the time of a reply or a chunk."""
    return {"model": chunk.get("model") or "", "created_at": timestamp(chunk.get("created") or 0)}


def timestamp(seconds: float) -> str:
    """Return the time *seconds* after the epoch as Ollama writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _end(finish: str | None, usage: Any, elapsed: float, first: float) -> Line:
    """Return the end of an answer: why, the tokens, the times in nanoseconds."""
    used = usage or {}
    counts = {
        "prompt_eval_count": used.get("prompt_tokens"),
        "eval_count": used.get("completion_tokens"),
    }
    return {
        "done": True,
        "done_reason": _FINISHES.get(finish or "stop", finish or "stop"),
        "total_duration": int(elapsed * 1e9),
        "load_duration": 0,
        "prompt_eval_duration": int(first * 1e9),
        "eval_duration": int((elapsed - first) * 1e9),
        **{name: count for name, count in counts.items() if count is not None},
    }


def _logprobs(choice: Mapping[str, Any]) -> Line:
    """Return the log probabilities of *choice*, if it has any."""
    found = (choice.get("logprobs") or {}).get("content")
    return {"logprobs": found} if found else {}


def _encoded(line: Line) -> bytes:
    """Return *line* as JSON with its line break."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def error_body(error: errors.GateError) -> Line:
    """Return *error* as Ollama writes it."""
    return {"error": error.message}


def written_error(error: errors.GateError) -> bytes:
    """Return *error* as the last line of a stream."""
    return _encoded(error_body(error))


def embedded(elapsed: Callable[[], float]) -> Callable[[Reply], Line]:
    """Return what makes an answer of /api/embed of an embeddings reply."""

    def answer(reply: Reply) -> Line:
        count = (reply.get("usage") or {}).get("prompt_tokens")
        return {
            "model": reply.get("model") or "",
            "embeddings": _vectors(reply),
            "total_duration": int(elapsed() * 1e9),
            "load_duration": 0,
            **({} if count is None else {"prompt_eval_count": count}),
        }

    return answer


def embedding(reply: Reply) -> Line:
    """Return the answer of /api/embeddings for an embeddings *reply*."""
    return {"embedding": _vectors(reply)[0]}


def _vectors(reply: Reply) -> list[Any]:
    """Return the vectors of an embeddings *reply*, in order."""
    rows = sorted(reply["data"], key=lambda row: row.get("index", 0))
    return [row["embedding"] for row in rows]
