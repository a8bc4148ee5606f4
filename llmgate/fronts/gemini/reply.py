"""OpenAI's chat completions as Gemini's GenerateContentResponse.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate.contract import Reply
from llmgate.dialects import leniency
from llmgate.dialects.gemini import contents as gemini_contents
from llmgate.dialects.openai import chat as openai_chat
from llmgate.fronts.gemini import thoughts as front_thoughts

Part: TypeAlias = dict[str, Any]
"""One part of a content, as Google writes it."""

_FINISH = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "function_call": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_UNSIGNED = gemini_contents.UNSIGNED
_DATA = re.compile(r"data:([^;,]*);base64,(.*)", re.S)


def response_from_chat(reply: Reply) -> dict[str, Any]:
    """Return the GenerateContentResponse that the chat completion *reply* stands for."""
    found = []
    for at, choice in enumerate(reply["choices"]):
        message = choice["message"]
        parts = [*deltas(message), *called(message.get("tool_calls") or ())]
        finish = finish_of(choice.get("finish_reason"), bool(message.get("refusal")))
        logprobs = log_probabilities(choice.get("logprobs"))
        found.append({**candidate(choice.get("index", at), parts), **finish, **logprobs})
    return {"candidates": found, **head(reply), **counted(reply.get("usage"))}


def head(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model and the id of a response, from a reply or a chunk."""
    named = {"modelVersion": reply.get("model"), "responseId": reply.get("id")}
    return {name: value for name, value in named.items() if value}


def candidate(index: int, parts: Iterable[Part]) -> dict[str, Any]:
    """Return a candidate with *parts*."""
    listed = list(parts)
    content = {**({"parts": listed} if listed else {}), "role": "model"}
    return {"content": content, "index": index}


def finish_of(reason: str | None, refused: bool = False) -> dict[str, str]:
    """Return why the model stopped; a refusal counts as safety's."""
    return {"finishReason": "SAFETY" if refused else _FINISH.get(reason or "stop", "OTHER")}


def deltas(message: Mapping[str, Any]) -> list[Part]:
    """Return the parts of a *message*, or of what a stream adds to one, less its calls."""
    blocks = message.get("thinking_blocks") or ()
    thought = message.get("reasoning_content") or message.get("reasoning")
    texts = [block.get("thinking") for block in blocks if block.get("thinking")]
    parts = [_thought(thought)] if thought and not texts else []
    parts += [_signed(block) for block in blocks if block.get("signature") or block.get("data")]
    text = openai_chat.text(message.get("content")) or message.get("refusal")
    parts += [{"text": text}] if text else []
    return [*parts, *(_image(image) for image in message.get("images") or ())]


def _thought(text: str) -> Part:
    """Return a part of thinking."""
    return {"text": text, "thought": True}


def _signed(block: Mapping[str, Any]) -> Part:
    """Return the part of a signed *block* of thinking."""
    text = block.get("thinking") or ""
    return {**_thought(text), "thoughtSignature": front_thoughts.signature(block)}


def _image(image: Mapping[str, Any]) -> Part:
    """Return the part of an image that the model has drawn."""
    url = image["image_url"]["url"]
    found = _DATA.fullmatch(url)
    if not found:
        return {"fileData": {"fileUri": url, "mimeType": "image/png"}}
    return {"inlineData": {"mimeType": found[1], "data": found[2]}}


def called(calls: Iterable[Mapping[str, Any]]) -> list[Part]:
    """Return the parts of tool *calls*.

    The first is signed with Google's stand-in: Gemini 3 refuses calls of which none is signed,
    and the conversation may go on there.
    """
    parts = [_call(call) for call in calls]
    return [{**part, "thoughtSignature": _UNSIGNED} for part in parts[:1]] + parts[1:]


def _call(call: Mapping[str, Any]) -> Part:
    """Return the part of a tool *call*."""
    function = call["function"]
    named = {"id": call["id"]} if call.get("id") else {}
    arguments = leniency.arguments(function.get("arguments"))
    return {"functionCall": {**named, "name": function["name"], "args": arguments}}


def counted(usage: Any) -> dict[str, Any]:
    """Return the usageMetadata for OpenAI's *usage*, nothing if there is none.

    Thoughts are counted apart, whether the upstream has them among the completion's tokens or not.
    """
    if not isinstance(usage, Mapping):
        return {}
    prompt, written = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    total = usage.get("total_tokens") or prompt + written
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    found = {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": max(0, total - prompt - thought),
        "thoughtsTokenCount": thought,
        "totalTokenCount": total,
    }
    always = ("promptTokenCount", "totalTokenCount")
    return {"usageMetadata": {key: n for key, n in found.items() if n or key in always}}


def log_probabilities(given: Any) -> dict[str, Any]:
    """Return OpenAI's log probabilities in Google's shape."""
    tokens = given.get("content") if isinstance(given, Mapping) else None
    if not tokens:
        return {}
    top = [{"candidates": [*map(_token, each.get("top_logprobs") or ())]} for each in tokens]
    shown = {"topCandidates": top} if any(each["candidates"] for each in top) else {}
    mean = sum(each["logprob"] for each in tokens) / len(tokens)
    chosen = [*map(_token, tokens)]
    return {"avgLogprobs": mean, "logprobsResult": {**shown, "chosenCandidates": chosen}}


def _token(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return one token and its log probability."""
    return {"token": given["token"], "logProbability": given["logprob"]}
