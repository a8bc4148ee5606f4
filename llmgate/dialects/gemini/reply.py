"""Gemini's answers, whole and streamed, as OpenAI's chat completions.

One reading of Google's parts serves both: a whole reply is its deltas, joined.
Sources: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
https://ai.google.dev/gemini-api/docs/openai
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import PAUSE
from llmgate.contract import Deployment
from llmgate.contract import Event
from llmgate.contract import Events
from llmgate.contract import Reply
from llmgate.dialects.gemini import errors as gemini_errors
from llmgate.dialects.gemini import usage as gemini_usage
from llmgate.dialects.openai import chat as openai_chat

Delta: TypeAlias = dict[str, Any]
"""What a part adds to a message, in OpenAI's shape."""

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"}
"""OpenAI's finish reasons; whatever else ends an answer has filtered it."""

_BROKEN = frozenset(
    """MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE
    MALFORMED_RESPONSE""".split()
)
"""Finish reasons without an answer: the model failed; a retry may succeed."""

_TEXTUAL = frozenset({"text", "thought", "thoughtSignature"})

_KEPT = {
    "groundingMetadata": "grounding_metadata",
    "citationMetadata": "citation_metadata",
    "urlContextMetadata": "url_context_metadata",
}
"""Metadata of a candidate, kept in the message's `extra_content.google`;
with it, as `parts`, whatever parts OpenAI has no word for (code that was run, sounds)."""


def completion(raw: Any, deployment: Deployment) -> Reply:
    """Return the chat completion that Google's answer *raw* is."""
    id = _id(raw)
    choices = []
    for given in _candidates(raw):
        candidate = _Candidate(id, given.get("index", 0))
        message = _joined(candidate.deltas(given))
        end = candidate.end()
        choices.append(
            {
                "index": candidate.index,
                "message": {**message, **end.pop("delta")},
                "logprobs": gemini_usage.logprobs(given),
                **end,
            }
        )
    if not choices:
        raise errors.BadUpstream("Google's response has neither a candidate nor a block reason.")
    usage = {"usage": gemini_usage.usage(raw["usageMetadata"])} if raw.get("usageMetadata") else {}
    head = {**_head(raw, id, deployment), "object": "chat.completion"}
    return {**head, "choices": choices, **usage}


def chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream: each choice's role first, its finish and the usage last.

    Google may say why it stops before it stops: the finish is held back until the bytes end.
    Raises UpstreamError and CutShort.
    """
    stream = _Stream(deployment)
    for _, data in sse.events(pieces):
        if data:
            yield from stream.chunks(json.loads(data))
        else:
            yield PAUSE
    yield from stream.end()


class _Stream:
    """The state of a stream."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._id = ""
        self._head: dict[str, Any] = {}
        self._candidates: dict[int, _Candidate] = {}
        self._usage: Mapping[str, Any] | None = None

    def chunks(self, event: Any) -> Iterator[Event]:
        """Yield the chunks that Google's *event* is."""
        if "error" in event or isinstance(event, list):
            raise gemini_errors.stream_error(event)
        if not self._head:
            self._id = _id(event)
            self._head = _head(event, self._id, self._deployment)
        self._usage = event.get("usageMetadata") or self._usage
        for given in _candidates(event):
            index = given.get("index", 0)
            candidate = self._candidates.get(index)
            if candidate is None:
                candidate = self._candidates[index] = _Candidate(self._id, index)
                yield self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            logprobs = gemini_usage.logprobs(given)
            for delta in candidate.deltas(given):
                yield self._chunk(index, delta, logprobs=logprobs)
                logprobs = None
            if logprobs:
                yield self._chunk(index, {}, logprobs=logprobs)

    def end(self) -> Iterator[Event]:
        """Yield what was held back; raises CutShort if the model had not finished."""
        finished = [candidate.finished for candidate in self._candidates.values()]
        if not finished or not all(finished):
            raise errors.CutShort("Google ended its stream before the answer was complete.")
        for index, candidate in self._candidates.items():
            yield self._chunk(index, **candidate.end())
        if self._usage:
            yield openai_chat.usage_chunk(self._head, gemini_usage.usage(self._usage))

    def _chunk(self, index: int, delta: Delta, **given: Any) -> Event:
        """Return a chunk that adds *delta* to choice *index*."""
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None, **given}
        return {**self._head, "choices": [choice]}


class _Candidate:
    """The state of one candidate."""

    def __init__(self, id: str, index: int) -> None:
        self.index = index
        self._id = id
        self._calls = 0
        self._reason = ""
        self._message = ""  # why it stopped, in words
        self._extra: dict[str, Any] = {}  # for extra_content.google

    @property
    def finished(self) -> bool:
        """Return whether a finish reason was received."""
        return bool(self._reason)

    def deltas(self, given: Mapping[str, Any]) -> Iterator[Delta]:
        """Yield the deltas of a candidate; empty texts are omitted."""
        self._reason = given.get("finishReason") or self._reason
        self._message = given.get("finishMessage") or self._message
        self._extra.update({name: given[key] for key, name in _KEPT.items() if key in given})
        if given.get("refusal"):
            yield {"refusal": given["refusal"]}
        for part in (given.get("content") or {}).get("parts") or ():
            delta = self._delta(part)
            if delta:
                yield delta

    def _delta(self, part: Mapping[str, Any]) -> Delta:
        """Return what *part* adds to the message."""
        if "functionCall" in part:
            return {"tool_calls": [self._call(part)]}
        if part.get("thoughtSignature"):
            self._extra["thought_signature"] = part["thoughtSignature"]
        text = part.get("text")
        if part.get("thought"):
            return {"reasoning_content": text} if text else {}
        if text:
            return {"content": text}
        image = part.get("inlineData") or {}
        if str(image.get("mimeType")).startswith("image/"):
            url = f"data:{image['mimeType']};base64,{image['data']}"
            return {"images": [{"type": "image_url", "image_url": {"url": url}}]}
        if part.keys() - _TEXTUAL:
            self._extra.setdefault("parts", []).append(part)
        return {}

    def _call(self, part: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tool call that *part* is.

        Where Google gives no id (it does since Gemini 3), one is made of the answer's id: the
        same for the same answer, another in every answer, and of letters that all upstreams take.
        """
        call = part["functionCall"]
        arguments = json.dumps(call.get("args") or {}, separators=(",", ":"), ensure_ascii=False)
        signature = part.get("thoughtSignature")
        index, self._calls = self._calls, self._calls + 1
        return {
            "index": index,
            "id": call.get("id") or f"call_{_digest(f'{self._id}/{self.index}/{index}')}",
            "type": "function",
            "function": {"name": call["name"], "arguments": arguments},
            **(_beside({"thought_signature": signature}) if signature else {}),
        }

    def end(self) -> dict[str, Any]:
        """Return the last delta and the finish reason; raises UpstreamError if all went wrong."""
        if self._reason in _BROKEN:
            raise errors.UpstreamError(
                self._message or f"The model returned no answer: {self._reason}.",
                status=502,
                code=self._reason.lower(),
            )
        reason = _FINISH.get(self._reason, "content_filter")
        if reason == "stop" and self._calls:
            reason = "tool_calls"
        native = {} if self._reason in _FINISH else {"native_finish_reason": self._reason}
        return {
            "delta": _beside(self._extra) if self._extra else {},
            "finish_reason": reason,
            **native,
        }


def _beside(google: Mapping[str, Any]) -> dict[str, Any]:
    """Return what OpenAI has no word for, where Google's own OpenAI endpoint puts it."""
    return {"extra_content": {"google": dict(google)}}


def _joined(deltas: Iterable[Delta]) -> dict[str, Any]:
    """Return the message that *deltas* make."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    for delta in deltas:
        for key, value in delta.items():
            if isinstance(value, list):
                message[key] = message.get(key, []) + [
                    {name: item for name, item in entry.items() if name != "index"}
                    for entry in value
                ]
            else:
                message[key] = (message.get(key) or "") + value
    return message


def _candidates(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the candidates of an answer; one that is refused for a prompt that was blocked."""
    feedback = raw.get("promptFeedback") or {}
    reason = feedback.get("blockReason")
    if raw.get("candidates") or not reason:
        return raw.get("candidates") or []
    why = feedback.get("blockReasonMessage") or f"Google blocked the prompt: {reason}."
    return [{"finishReason": reason, "refusal": why}]


def _head(raw: Mapping[str, Any], id: str, deployment: Deployment) -> dict[str, Any]:
    """Return what the chunks of an answer begin with; Google reports no creation time."""
    return openai_chat.head(f"chatcmpl-{id}", 0, raw.get("modelVersion") or deployment.model)


def _id(raw: Mapping[str, Any]) -> str:
    """Return the id of a response; a hash of it if Google sends none."""
    given = raw.get("responseId")
    return str(given) if given else _digest(json.dumps(raw, sort_keys=True))


def _digest(text: str) -> str:
    """Return 24 letters and digits that stand for *text*."""
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
