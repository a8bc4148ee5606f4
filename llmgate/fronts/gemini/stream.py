"""The chunks of a chat as the events of Gemini's streamGenerateContent, and these as a JSON array.

Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Event
from llmgate.fronts.gemini import reply as front_reply

Response: TypeAlias = dict[str, Any]
"""One GenerateContentResponse of a stream."""


def responses(chunks: Iterable[Event]) -> Generator[Response, None, None]:
    """Yield the responses that *chunks* stand for, pauses among them.

    Calls come whole, with the end: why the model stopped, and what was used. Raises CutShort.
    """
    stream = _Stream()
    for chunk in chunks:
        if chunk:
            yield from stream.responses(chunk)
        else:
            yield PAUSE
    yield stream.last()


class _Stream:
    """The state of one choice."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._usage: Any = None
        self._candidates: dict[int, _Candidate] = {}

    def responses(self, chunk: Event) -> Iterator[Response]:
        """Yield a response for each choice of *chunk* that is not empty."""
        self._head = self._head or front_reply.head(chunk)
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            index = choice.get("index", 0)
            candidate = self._candidates.setdefault(index, _Candidate(index))
            piece = candidate.grown(choice)
            if piece:
                yield {"candidates": [piece], **self._head}

    def last(self) -> Response:
        """Return the response that ends the stream; raises CutShort if a choice has no end."""
        found = self._candidates.values()
        if not found or not all(candidate.finish for candidate in found):
            raise errors.CutShort("The upstream ended its stream before it was complete.")
        ended = [candidate.ended() for candidate in found]
        return {"candidates": ended, **self._head, **front_reply.counted(self._usage)}


class _Candidate:
    """One choice on its way."""

    def __init__(self, index: int) -> None:
        self.finish: str | None = None
        self._index = index
        self._refused = False
        self._key: Any = None  # of the call that was begun last
        self._calls: dict[Any, dict[str, Any]] = {}

    def grown(self, choice: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the candidate for a *choice* of a chunk, None if it is empty."""
        delta = choice.get("delta") or {}
        self.finish = choice.get("finish_reason") or self.finish
        self._refused = self._refused or bool(delta.get("refusal"))
        for call in delta.get("tool_calls") or ():
            self._called(call)
        parts = front_reply.deltas(delta)
        if not parts:
            return None
        logprobs = front_reply.log_probabilities(choice.get("logprobs"))
        return {**front_reply.candidate(self._index, parts), **logprobs}

    def _called(self, delta: Mapping[str, Any]) -> None:
        """Add a piece of a tool call."""
        self._key = delta.get("index", delta.get("id", self._key))
        function = delta.get("function") or {}
        call = self._calls.setdefault(self._key, {"id": None, "name": "", "arguments": []})
        call["id"] = call["id"] or delta.get("id")
        call["name"] = call["name"] or function.get("name") or ""
        call["arguments"].append(function.get("arguments") or "")

    def ended(self) -> dict[str, Any]:
        """Return the candidate as it ends: its calls, and why it stops."""
        calls = [
            {
                "id": call["id"],
                "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
            }
            for call in self._calls.values()
        ]
        parts = front_reply.called(calls)
        finish = front_reply.finish_of(self.finish, self._refused)
        return {**front_reply.candidate(self._index, parts), **finish}


def array(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *blocks* of server-sent events as one JSON array, each event as it comes.

    The array is closed when the events end, whatever the last of them is.
    """
    before = b"["
    for block in blocks:
        for _, data in sse.decoded(block):
            yield before + data
            before = b",\r\n"
    yield b"]\n" if before != b"[" else b"[]\n"
