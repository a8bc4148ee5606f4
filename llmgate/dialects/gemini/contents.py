"""OpenAI's messages as the contents of a Gemini request.

Sources: https://ai.google.dev/api/caching#Content
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import TypeAlias

from llmgate import errors
from llmgate.dialects import leniency
from llmgate.dialects.gemini import media as gemini_media

Part: TypeAlias = dict[str, Any]
"""One part of a content, as Google writes it."""

UNSIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""The placeholder for a missing thought signature: skip_thought_signature_validator.

In base64, for Vertex refuses it as plain text; the Gemini API takes both.
"""


class _Known(NamedTuple):
    """What the messages before have shown."""

    names: dict[str, str]  # the id of a tool call -> the function's name
    signed: bool  # the model refuses function calls without a signature


def conversation(
    messages: Iterable[Mapping[str, Any]], signed: bool, media_in_results: bool = False
) -> tuple[list[Part], list[dict[str, Any]]]:
    """Return the system's parts and the turns of *messages*, in their order.

    Neighbours of one role are one turn, but tool results are kept apart from a user's
    content: Google requires as many results in a turn as there were calls. With *signed*, calls
    without a signature get Google's placeholder. *media_in_results*: the model reads media there.
    """
    known = _Known({}, signed)
    system: list[Part] = []
    turns: list[tuple[str, list[Part]]] = []
    rules = leniency.Rules(media_in_results=media_in_results)
    for at, message in leniency.repaired(messages, rules):
        kind, parts = _turn(message, f"messages.{at}", known)
        if kind == "system":
            system += parts
        elif parts and turns and turns[-1][0] == kind:
            turns[-1][1].extend(parts)
        elif parts:
            turns.append((kind, parts))
    return system, [
        {"role": "model" if kind == "model" else "user", "parts": parts} for kind, parts in turns
    ]


def _content(message: Mapping[str, Any], where: str, known: _Known) -> list[Part]:
    """Return the content of a user or system message."""
    return _parts(message.get("content"), f"{where}.content")


def _answered(message: Mapping[str, Any], where: str, known: _Known) -> list[Part]:
    """Return the model's text, images and function calls, with its signatures."""
    parts = _content(message, where, known)
    for at, image in enumerate(message.get("images") or ()):
        parts.append(gemini_media.part(image, f"{where}.images.{at}"))
    signature = _signature(message)
    if signature and parts:
        parts[-1] = {**parts[-1], "thoughtSignature": signature}
    elif signature:
        parts.append({"text": "", "thoughtSignature": signature})
    for at, call in enumerate(message.get("tool_calls") or ()):
        parts.append(_called(call, f"{where}.tool_calls.{at}", known))
        if at == 0 and known.signed:
            parts[-1].setdefault("thoughtSignature", UNSIGNED)
    return parts


def _called(call: Mapping[str, Any], where: str, known: _Known) -> Part:
    """Return a *call* that the model made; its name is noted for its result."""
    function = call.get("function")
    if not isinstance(function, Mapping):
        raise errors.InvalidRequest(
            "Gemini supports tool calls of type 'function' only.", param=f"{where}.type"
        )
    arguments = leniency.arguments(function.get("arguments"))
    made: dict[str, Any] = {"name": function["name"], "args": arguments}
    if call.get("id"):
        made["id"] = call["id"]
        known.names[call["id"]] = function["name"]
    signature = _signature(call)
    return {"functionCall": made, **({"thoughtSignature": signature} if signature else {})}


def _signature(source: Mapping[str, Any]) -> str | None:
    """Return the thought signature where Google's own OpenAI endpoint puts it."""
    value: Any = source
    for key in ("extra_content", "google", "thought_signature"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None


def _result(message: Mapping[str, Any], where: str, known: _Known) -> list[Part]:
    """Return the result of a tool call."""
    id = message.get("tool_call_id")
    name = known.names.get(id or "") or message.get("name")
    if not name:
        raise errors.InvalidRequest(
            f"No assistant message before this one has a tool call with the id '{id}'.",
            param=f"{where}.tool_call_id",
        )
    parts = _parts(message.get("content"), f"{where}.content")
    text = "".join(part["text"] for part in parts if "text" in part)
    media = [part for part in parts if "text" not in part]
    result: dict[str, Any] = {"name": name, "response": _response(text, message)}
    if id:
        result["id"] = id
    if media:
        result["parts"] = media
    return [{"functionResponse": result}]


def _response(text: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response of a function: an object, under `error` if the tool failed."""
    found = _object(text)
    if message.get("is_error"):
        return {"error": text if found is None else found}
    return {"output": text} if found is None else found


def _object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in *text*, None if it is not one."""
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> float:
    """Raise ValueError: NaN and infinities are not valid JSON."""
    raise ValueError(constant)


def _finite(text: str) -> float:
    """Return the number that *text* is; ValueError if JSON could not carry it on."""
    return value if abs(value := float(text)) != float("inf") else _refuse(text)


def _parts(content: Any, where: str) -> list[Part]:
    """Return the parts of *content* but for empty texts, which Vertex refuses."""
    if not isinstance(content, list):
        return [{"text": content}] if content else []
    parts = [gemini_media.part(part, f"{where}.{at}") for at, part in enumerate(content)]
    return [part for part in parts if part != {"text": ""}]


_Translated: TypeAlias = Callable[[Mapping[str, Any], str, _Known], list[Part]]

_ROLES: Mapping[str, tuple[str, _Translated]] = {
    "system": ("system", _content),
    "developer": ("system", _content),
    "user": ("user", _content),
    "assistant": ("model", _answered),
    "tool": ("tool", _result),
    "function": ("tool", _result),
}


def _turn(message: Mapping[str, Any], where: str, known: _Known) -> tuple[str, list[Part]]:
    """Return the kind of turn that a message is part of, and its parts."""
    role = message["role"]
    if role not in _ROLES:
        raise errors.InvalidRequest(
            f"Invalid role '{role}': use one of {', '.join(_ROLES)}.", param=f"{where}.role"
        )
    kind, translated = _ROLES[role]
    try:
        return kind, translated(message, where, known)
    except (AttributeError, KeyError, TypeError) as e:
        raise errors.InvalidRequest(
            f"Invalid message ({type(e).__name__}: {e}).", param=where
        ) from e
