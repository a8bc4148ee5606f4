"""The one step between an OpenAI-compatible upstream's chat and everything that reads it.

After it, a reader may index: a chunk has an id, a model and a list of choices, a choice an index
and a delta; text and reasoning (`reasoning_content`) are strings; each tool call has an index, an
id and a name of its own and text as arguments, and no text stands between the pieces of a call;
usage is at the top with its sums; every choice that began has a finish_reason. An error, wherever
it stands, is raised. Passed-through streams are not changed: see `relay`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Deployment
from llmgate.contract import Event
from llmgate.contract import Reply
from llmgate.dialects.openai import errors as openai_errors
from llmgate.dialects.openai import reasoning
from llmgate.dialects.openai import tool_calls
from llmgate.dialects.openai import usage as openai_usage

_FINISHES: Mapping[str, str] = {
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "model_length": "length",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
}
"""Other words for OpenAI's finish reasons: those of TGI, Together, Mistral, Z.ai and others."""

_TEXT_NAMES = ("content", "reasoning", "reasoning_content", "tool_calls")


def reply(given: Any, deployment: Deployment) -> Reply:
    """Return a whole chat completion in normal form; raises UpstreamError for an error in it."""
    if openai_errors.is_error(given):
        raise openai_errors.stream_error(given)
    choices = [_whole(choice, at) for at, choice in enumerate(given["choices"])]
    head = {"id": given.get("id") or _new_id(), "model": given.get("model") or deployment.model}
    used = openai_usage.normal(given)
    has_usage = used is not None or bool(given.get("usage"))
    return {**given, **head, "choices": choices, **({"usage": used} if has_usage else {})}


def _whole(choice: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Return a choice of a whole reply in normal form; one of a text completion as it is."""
    if "message" not in choice:
        return dict(choice)
    message = dict(choice["message"] or {})
    thought, text = reasoning.texts(message)
    if isinstance(message.get("content"), str) and not thought:
        tags = reasoning.ThinkTags()
        (first, answer), (late, rest) = tags.split(text), tags.end()
        thought, text = first + late, answer + rest
    calls = tool_calls.whole(message.get("tool_calls") or ())
    for name in _TEXT_NAMES:
        message.pop(name, None)
    message |= {"role": "assistant", "content": text or (None if calls or thought else "")}
    message |= {"reasoning_content": thought} if thought else {}
    message |= {"tool_calls": calls} if calls else {}
    finish = finish_reason(choice.get("finish_reason"), bool(calls)) or _natural_end(bool(calls))
    index = choice.get("index")
    return {
        **choice,
        "index": at if index is None else index,
        "message": message,
        "finish_reason": finish,
    }


def finish_reason(given: Any, calls: bool) -> str | None:
    """Return OpenAI's word for a finish reason; None if there is none yet.

    Some upstreams end a message that *calls* tools with an ordinary "stop".
    """
    if not given:
        return None
    found = _FINISHES.get(str(given).lower(), str(given))
    return "tool_calls" if calls and found == "stop" else found


def _natural_end(calls: bool) -> str:
    """Return the finish reason of a choice whose upstream gives none."""
    return "tool_calls" if calls else "stop"


def _new_id() -> str:
    """Return an id for an answer that has none."""
    return f"chatcmpl-{uuid.uuid4().hex[:24]}"


class Normalizer:
    """The normal form of the chunks of one stream."""

    def __init__(self, model: str) -> None:
        self._model = model  # of the deployment, for chunks that name none
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._is_plain = False  # up to now: one choice, past its beginning, without tool calls

    def chunk(self, event: Any) -> Event:
        """Return *event* in normal form; raises UpstreamError for an error in it."""
        if self._is_plain and _is_plain(event):
            return event  # type: ignore[no-any-return]
        if openai_errors.is_error(event):
            raise openai_errors.stream_error(event)
        choices = [self._choice(at, it) for at, it in enumerate(event.get("choices") or ())]
        self._is_plain = [*self._choices] == [0] and self._choices[0].is_plain()
        used = openai_usage.normal(event)
        has_usage = used is not None or bool(event.get("usage"))
        return {**self._named(event), "choices": choices, **({"usage": used} if has_usage else {})}

    def end(self) -> Iterator[Event]:
        """Yield what the end of the stream adds: what was held back, and missing ends."""
        for index, choice in self._choices.items():
            finish = None if choice.is_finished else _natural_end(choice.calls())
            ended = choice.grown({"delta": {}, "finish_reason": finish})
            if finish or ended["delta"]:
                yield {**self._head, "choices": [{"index": index, **ended}]}

    def is_finished(self) -> bool:
        """Return whether there are choices, and each has its end."""
        choices = self._choices.values()
        return bool(choices) and all(choice.is_finished for choice in choices)

    def _named(self, event: Event) -> Event:
        """Return *event* with what all chunks of a stream share."""
        id, model = event.get("id"), event.get("model")
        if not id or not model or "created" not in event or not self._head:
            known = self._head or {"id": _new_id(), "model": self._model, "created": 0}
            given = {name: event[name] for name in known if event.get(name)}
            self._head = {"object": "chat.completion.chunk", **known, **given}
        return {**event, **self._head} if not id or not model else event

    def _choice(self, at: int, choice: Mapping[str, Any]) -> dict[str, Any]:
        """Return a *choice* of a chunk in normal form."""
        index = choice.get("index")
        index = at if index is None else index
        if index not in self._choices:
            self._choices[index] = _Choice()
        return {**choice, "index": index, **self._choices[index].grown(choice)}


def _is_plain(event: Any) -> bool:
    """Return whether *event* adds text to the first choice and has nothing else: most chunks."""
    try:
        (choice,) = event["choices"]
        delta = choice["delta"]
        return (
            len(delta) == 1
            and type(delta["content"]) is str
            and choice["index"] == 0
            and not choice.get("finish_reason")
            and "error" not in choice
            and "usage" not in choice
            and bool(event["id"] and event["model"])
            and not event.get("usage")
            and not event.get("error")
            and "x_groq" not in event
        )
    except (KeyError, TypeError, ValueError):
        return False


class _Choice:
    """One choice of a stream."""

    def __init__(self) -> None:
        self.is_finished = False
        self._tags = reasoning.ThinkTags()
        self._calls = tool_calls.Calls()
        self._held = ("", "")  # reasoning and text that came between the pieces of a call

    def is_plain(self) -> bool:
        """Return whether text needs no repair from now on."""
        return self._tags.is_over and not self._calls

    def calls(self) -> bool:
        """Return whether there is a tool call."""
        return bool(self._calls)

    def grown(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        """Return the delta and the finish reason of a *choice*, both in normal form."""
        given = choice.get("delta") or choice.get("message") or {}
        if "text" in choice:  # of a text completion
            self.is_finished = self.is_finished or bool(choice.get("finish_reason"))
            return {"finish_reason": choice.get("finish_reason")}
        delta = {key: value for key, value in given.items() if key not in _TEXT_NAMES}
        pieces = self._calls.pieces(given.get("tool_calls") or ())
        finish = finish_reason(choice.get("finish_reason"), self.calls())
        goes_on = any("id" not in piece for piece in pieces)  # with a call that began before
        thought, text = self._texts(given, bool(finish), goes_on)
        if finish:
            self.is_finished = True
            pieces += self._calls.unnamed()
        delta |= {"reasoning_content": thought} if thought else {}
        if text or given.get("content", 0) in ("", None):
            delta["content"] = text or given["content"]
        delta |= {"tool_calls": pieces} if pieces else {}
        return {"delta": delta, "finish_reason": finish}

    def _texts(self, given: Mapping[str, Any], is_last: bool, goes_on: bool) -> tuple[str, str]:
        """Return the reasoning and the text that may be sent now: none within a call."""
        thought, text = reasoning.texts(given)
        if isinstance(given.get("content"), list):
            inside = ""
        else:
            inside, text = self._tags.split(text)
        rest = self._tags.end() if is_last or (thought and not inside) else ("", "")
        held = (self._held[0] + thought + inside + rest[0], self._held[1] + text + rest[1])
        is_within = goes_on or (not (is_last or self.is_finished) and self._calls.is_open())
        if is_within and any(held):
            self._held = held
            return "", ""
        self._held = ("", "")
        return held
