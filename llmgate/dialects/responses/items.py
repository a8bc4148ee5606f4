"""OpenAI's chat messages as input items of the Responses API.

One message of the model is several items there: reasoning, text, calls.
Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.contract import Body
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat

Item: TypeAlias = dict[str, Any]
"""One item of `input`, or of `output`."""

FORMAT = "openai-responses-v1"
"""The format of `reasoning_details` that hold reasoning items; the name is OpenRouter's.

Source: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

_RULES = leniency.Rules(media_in_results=True)


def from_messages(messages: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Return *messages* as input items; raises InvalidRequest for parts without a counterpart."""
    customs: set[Any] = set()  # the ids of calls of custom tools
    found: list[Item] = []
    for at, message in leniency.repaired(messages, _RULES):
        role, place = message["role"], f"messages.{at}"
        if role == "tool":
            found.append(_result(message, customs, place))
        elif role == "assistant":
            found += _turn(message, customs)
        else:
            found.append({"role": role, "content": _content(message.get("content"), place)})
    return found


def _content(content: Any, place: str) -> Any:
    """Return the content of a user's or system message, or of a result."""
    if not isinstance(content, list):
        return content or ""
    return [_part(part, f"{place}.content.{at}") for at, part in enumerate(content)]


def _part(part: Mapping[str, Any], place: str) -> Item:
    """Return one *part* of a content."""
    kind = str(part.get("type"))
    if kind not in _PARTS:
        raise errors.InvalidRequest(
            f"Content of type '{kind}' has no counterpart in the Responses API, through which this"
            " model is called.",
            param=place,
        )
    return _PARTS[kind](part)


def _text(part: Mapping[str, Any]) -> Item:
    return {"type": "input_text", "text": part.get("text") or ""}


def _image(part: Mapping[str, Any]) -> Item:
    image = part.get("image_url") or {}
    return {
        "type": "input_image",
        "image_url": image.get("url"),
        "detail": image.get("detail") or "auto",
    }


def _file(part: Mapping[str, Any]) -> Item:
    names = ("file_id", "filename", "file_data", "file_url")
    file = part.get("file") or {}
    if str(file.get("file_id")).startswith(("http://", "https://")):
        return {"type": "input_file", "file_url": file["file_id"]}
    return {"type": "input_file", **{name: file[name] for name in names if file.get(name)}}


def _audio(part: Mapping[str, Any]) -> Item:
    return {"type": "input_audio", "input_audio": part.get("input_audio")}


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Item]] = {
    "text": _text,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}


def _turn(message: Mapping[str, Any], customs: set[Any]) -> Iterator[Item]:
    """Yield the items of a *message* of the model; ids of its custom calls go into *customs*."""
    text = openai_chat.text(message.get("content")) or message.get("refusal") or ""
    calls = message.get("tool_calls") or ()
    if text or calls:  # reasoning alone is refused: an item must follow it
        yield from reasoning(message.get("reasoning_details") or ())
    if text:
        yield {"role": "assistant", "content": text}
    for call in calls:
        if call.get("custom"):
            customs.add(call.get("id"))
        yield _call(call)


def _call(call: Mapping[str, Any]) -> Item:
    """Return the item of a tool *call*."""
    custom = call.get("custom")
    if custom:
        names = {"name": custom["name"], "input": custom.get("input") or ""}
        return {"type": "custom_tool_call", "call_id": call.get("id"), **names}
    function = call["function"]
    text = leniency.arguments_text(function.get("arguments"))
    names = {"name": function["name"], "arguments": text}
    return {"type": "function_call", "call_id": call.get("id"), **names}


def _result(message: Mapping[str, Any], customs: set[Any], place: str) -> Item:
    """Return the item of a tool's result."""
    id = message.get("tool_call_id")
    kind = "custom_tool_call_output" if id in customs else "function_call_output"
    return {"type": kind, "call_id": id, "output": _content(message.get("content"), place)}


# -- reasoning


def reasoning(details: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Return the reasoning items that *details* of a message hold; others are left out."""
    found: dict[Any, Item] = {}
    for detail in details:
        if detail.get("format") != FORMAT or not detail.get("id"):
            continue
        blank = {"type": "reasoning", "id": detail["id"], "summary": []}
        item = found.setdefault(detail["id"], blank)
        if detail.get("data"):
            item["encrypted_content"] = detail["data"]
        if detail.get("summary"):
            item["summary"].append({"type": "summary_text", "text": detail["summary"]})
    return [item for item in found.values() if item.get("encrypted_content")]


def details(item: Mapping[str, Any], first: int) -> list[dict[str, Any]]:
    """Return a reasoning *item* of an output as details, numbered from *first*.

    Without encrypted content there are none: nothing else can be sent back.
    """
    if not item.get("encrypted_content"):
        return []
    shared = {"id": item.get("id"), "format": FORMAT}
    found = [
        {"type": "reasoning.summary", "summary": part["text"]}
        for part in item.get("summary") or ()
        if part.get("text")
    ]
    found.append({"type": "reasoning.encrypted", "data": item["encrypted_content"]})
    return [{**detail, **shared, "index": at} for at, detail in enumerate(found, first)]


_FOREIGN = "llmgate:"
"""How encrypted content begins that fronts/signatures made of another provider's."""

_OURS = re.compile(r"rs_[0-9a-f]{32}_\d+")
"""The ids of reasoning items that fronts/responses made."""


def without_foreign(body: Body) -> Body:
    """Return a Responses *body* without other models' reasoning: OpenAI refuses all but its own.

    It is in conversations that began with a model that is reached through chat.
    """
    given = body.get("input")
    if not isinstance(given, list) or not any(map(_is_foreign, given)):
        return body
    return {**body, "input": [item for item in given if not _is_foreign(item)]}


def _is_foreign(item: Any) -> bool:
    """Return whether *item* is reasoning that another provider's API did."""
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    sealed = str(item.get("encrypted_content") or "").startswith(_FOREIGN)
    return sealed or bool(_OURS.fullmatch(str(item.get("id"))))
