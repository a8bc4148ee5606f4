"""Google's generateContent for Gemini 3: unknown names, thought signatures, order of turns.

Rules: https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/thinking
and https://ai.google.dev/gemini-api/docs/thought-signatures.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import pydantic
from google.genai import types

from testing.answers import Answer
from testing.answers import json_answer
from testing.answers import sse
from testing.peer import Seen
from testing.strict.errand import Asked
from testing.strict.errand import Refused
from testing.strict.errand import Turn
from testing.strict.errand import Wire
from testing.strict.errand import pieces
from testing.strict.errand import require

MEMBERS: Mapping[str, Any] = {
    "contents": list[types.Content],
    "systemInstruction": types.Content,
    "tools": list[types.Tool],
    "toolConfig": types.ToolConfig,
    "generationConfig": types.GenerationConfig,
    "safetySettings": list[types.SafetySetting],
    "cachedContent": str,
    "serviceTier": types.ServiceTier,
    "labels": dict[str, str],
}
"""What a generateContent request may have, and of what type it is."""

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
PLACEHOLDERS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures that Google accepts, in base64 as well, for calls that another model made."""


def check_types(request: Mapping[str, Any]) -> None:
    """Raise an error for a generateContent *request* that Google has no types for."""
    for name, value in request.items():
        require(name in MEMBERS, f"Invalid JSON payload received. Unknown name {name!r}")
        listed = value if name in ("contents", "tools", "safetySettings") else [value]
        kind = getattr(MEMBERS[name], "__args__", (MEMBERS[name],))[0]
        for each in listed:
            if isinstance(each, dict) and hasattr(kind, "model_validate"):
                kind.model_validate(each)  # they forbid unknown names


def read(seen: Seen) -> Asked:
    """Return a request, or refuse it."""
    body = seen.json
    try:
        check_types(body)
    except pydantic.ValidationError as error:
        raise Refused(f"Invalid JSON payload received. {error}") from error
    _check_config(body.get("generationConfig") or {})
    names = [each["name"] for tool in body.get("tools") or [] for each in _functions(tool)]
    for name in names:
        require(_NAME.fullmatch(name), f"Invalid function name: {name}")
    require(len(names) == len(set(names)), "Duplicate function declaration found")
    _check_contents(body["contents"])
    parts = [part for turn in body["contents"] for part in turn["parts"]]
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    streamed = ":streamGenerateContent" in seen.path
    unsigned = sum(_is_placeholder(part.get("thoughtSignature", "")) for part in parts)
    return Asked(body, frozenset(names), streamed, json.dumps(results), unsigned)


def _functions(tool: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = tool.get("functionDeclarations") or []
    return found


def _check_config(config: Mapping[str, Any]) -> None:
    thinking = config.get("thinkingConfig") or {}
    both = "thinkingLevel" in thinking and "thinkingBudget" in thinking
    require(not both, "You can only set only one of thinking budget and thinking level.")
    budget = thinking.get("thinkingBudget")
    allowed = budget is None or budget == -1 or 128 <= budget <= 32768
    require(allowed, f"Budget {budget} is invalid. This model only works in thinking mode.")


def _check_contents(turns: list[Any]) -> None:
    require(turns, "contents is not specified")
    before: list[Any] = []
    role = ""
    for index, turn in enumerate(turns):
        parts = turn["parts"]
        require(parts, f"Unable to submit request because contents[{index}] has no parts")
        require(turn.get("role") in ("user", "model"), "Please use a valid role: user, model.")
        require(all(map(_has_data, parts)), f"contents[{index}].parts: must have data set")
        calls = [part for part in parts if "functionCall" in part]
        results = [part for part in parts if "functionResponse" in part]
        waiting = len(before)
        same = "the number of function response parts is equal to the number of function call parts"
        require(len(results) == waiting, f"Please ensure that {same} of the function call turn.")
        if calls:
            after = turn["role"] == "model" and role == "user"
            require(
                after, "Please ensure that function call turn comes immediately after a user turn"
            )
        before, role = calls, turn["role"]
    require(not before, "Please ensure that the conversation does not end with a function call.")
    _check_signatures(turns)


def _has_data(part: Mapping[str, Any]) -> bool:
    return bool(set(part) - {"thought", "thoughtSignature"}) and part.get("text") != ""


def _check_signatures(turns: list[Any]) -> None:
    """Refuse an unsigned first call in a step of the current turn."""
    start = 0
    for index, turn in enumerate(turns):
        if turn["role"] == "user" and any("functionResponse" not in part for part in turn["parts"]):
            start = index
    for turn in turns[start:]:
        calls = [part for part in turn["parts"] if "functionCall" in part]
        if calls:
            name = calls[0]["functionCall"]["name"]
            signature = calls[0].get("thoughtSignature")
            require(signature, f"Function call `{name}` is missing a thought_signature.")
            known = _is_placeholder(signature) or _is_ours(signature)
            require(known, "Thought signature is not valid.")


def _is_placeholder(signature: str) -> bool:
    texts = [base64.b64encode(each.encode()).decode() for each in PLACEHOLDERS]
    return signature in (*PLACEHOLDERS, *texts)


def _is_ours(signature: str) -> bool:
    return base64.b64decode(signature, validate=True).startswith(b"thought:")


# -- what it answers


def _parts_of(asked: Asked, turn: Turn) -> Iterator[dict[str, Any]]:
    config = (asked.body.get("generationConfig") or {}).get("thinkingConfig") or {}
    if turn.thinking and config.get("includeThoughts"):
        for piece in pieces(turn.thinking):
            yield {"text": piece, "thought": True}
    for piece in pieces(turn.text):
        yield {"text": piece}
    signature = base64.b64encode(f"thought:{turn.number}".encode()).decode()
    if turn.call:
        call = {"name": turn.call.name, "args": dict(turn.call.arguments)}
        yield {"functionCall": call, "thoughtSignature": signature}
    else:
        yield {"text": "", "thoughtSignature": signature}


def _written(asked: Asked, turn: Turn) -> Answer:
    usage = {"promptTokenCount": 20, "candidatesTokenCount": 10, "totalTokenCount": 30}
    shared = {"usageMetadata": usage, "modelVersion": "scripted", "responseId": f"r{turn.number}"}
    parts = list(_parts_of(asked, turn))
    if not asked.stream:
        content = {"role": "model", "parts": parts}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return json_answer({**shared, "candidates": [candidate]})
    events = []
    for part in parts:
        candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
        events.append({**shared, "candidates": [candidate]})
    events[-1]["candidates"][0]["finishReason"] = "STOP"  # type: ignore[index]
    return sse(events, done=False)


def refuse(refused: Refused) -> Answer:
    """Return Google's error."""
    error = {"code": refused.status, "message": str(refused), "status": "INVALID_ARGUMENT"}
    return json_answer({"error": error}, refused.status)


WIRE = Wire(read, _written, refuse)
