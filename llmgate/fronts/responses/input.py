"""The input items of OpenAI's Responses API as the messages of a chat.

What one turn of the model consists of (thoughts, text, calls) are several items there and one
message here. Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from llmgate import errors

_SEAL = "llmgate:"
_CALL = frozenset({"type", "id", "call_id", "name", "arguments", "status"})


def messages(given: Any) -> list[dict[str, Any]]:
    """Return the *given* input, a string or items, as messages.

    Raises InvalidRequest for items that a chat has no place for.
    """
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    made: list[dict[str, Any]] = []
    for item in given or ():
        if not isinstance(item, Mapping):
            raise errors.InvalidRequest("Items of 'input' must be objects.", param="input")
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if kind not in _ITEMS:
            raise _no_place(kind)
        _ITEMS[kind](item, made)
    return [_finished(message) for message in made]


def _no_place(kind: str) -> errors.InvalidRequest:
    """Return the error for an item of *kind*, which only OpenAI's own servers understand."""
    why = (
        "llmgate keeps no state: send the item itself"
        if kind == "item_reference"
        else (
            "this model is reached through chat completions, which have no such item: leave it out,"
            " or choose a model whose provider has the Responses API"
        )
    )
    return errors.InvalidRequest(
        f"Input items of type '{kind}' cannot be used here; {why}.", param="input"
    )


def _field(item: Mapping[str, Any], name: str) -> str:
    """Return the text that *item* must have called *name*; raises InvalidRequest without it."""
    value = item.get(name)
    if not isinstance(value, str):
        raise errors.InvalidRequest(
            f"An item of 'input' of type '{item.get('type', 'message')}' lacks its '{name}'.",
            param="input",
        )
    return value


def _message(item: Mapping[str, Any], made: list[dict[str, Any]]) -> None:
    """Add what somebody said; the model's words join the turn that is under way."""
    role = _field(item, "role")
    role = "system" if role == "developer" else role
    content = _content(item.get("content"))
    if role != "assistant":
        made.append({"role": role, "content": content})
        return
    turn = _turn(made)
    if turn["content"] is None:
        turn["content"] = content
    elif turn.get("tool_calls"):  # nothing may stand between calls and their outputs
        turn["content"] = [*_listed(turn["content"]), *_listed(content)]
    else:
        made.append({"role": "assistant", "content": content})


def _turn(made: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the model's turn that the last items belong to, a new one if there is none."""
    if not made or made[-1]["role"] != "assistant":
        made.append({"role": "assistant", "content": None})
    return made[-1]


def _reasoning(item: Mapping[str, Any], made: list[dict[str, Any]]) -> None:
    """Add what the model thought, and what proves it to the provider that it came from."""
    turn = _turn(made)
    if turn["content"] is not None and not turn.get("tool_calls"):
        turn = {"role": "assistant", "content": None}
        made.append(turn)
    texts = item.get("content") or item.get("summary") or ()
    thought = "\n\n".join(part.get("text") or "" for part in texts)
    if thought:
        turn["reasoning_content"] = turn.get("reasoning_content", "") + thought
    blocks = unsealed(item.get("encrypted_content"))
    if blocks:
        turn["thinking_blocks"] = [*turn.get("thinking_blocks", ()), *blocks]


def _call(item: Mapping[str, Any], made: list[dict[str, Any]]) -> None:
    """Add a call of a function to the model's turn."""
    turn = _turn(made)
    function = {"name": _field(item, "name"), "arguments": item.get("arguments") or "{}"}
    extra = {key: value for key, value in item.items() if key not in _CALL}
    call = {"id": item.get("call_id"), "type": "function", "function": function, **extra}
    turn["tool_calls"] = [*turn.get("tool_calls", ()), call]


def _output(item: Mapping[str, Any], made: list[dict[str, Any]]) -> None:
    """Add what a function returned."""
    content = _content(item.get("output"))
    made.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})


_ITEMS: Mapping[str, Callable[[Mapping[str, Any], list[dict[str, Any]]], None]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _call,
    "function_call_output": _output,
}


def _finished(message: dict[str, Any]) -> dict[str, Any]:
    """Return *message*, a turn of thoughts alone with an empty text."""
    if message["content"] is None and not message.get("tool_calls"):
        return {**message, "content": ""}
    return message


def _listed(content: Any) -> list[dict[str, Any]]:
    """Return *content* as parts."""
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _content(content: Any) -> Any:
    """Return *content* in chat's words; one part of bare text is its text."""
    if not isinstance(content, list):
        return content or ""
    parts = [_part(part if isinstance(part, Mapping) else {}) for part in content]
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return parts


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return one part of a message's content."""
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        kept = {key: part[key] for key in part if key not in ("annotations", "logprobs")}
        return {**kept, "type": "text"}
    if kind == "input_image" and part.get("image_url"):
        return {"type": "image_url", "image_url": _image(part)}
    if kind == "input_file" and (part.get("file_data") or part.get("file_id")):
        return {"type": "file", "file": _file(part)}
    if kind in ("input_audio", "refusal"):
        return dict(part)
    raise errors.InvalidRequest(
        f"Content of type '{kind}' cannot be used here: send text as it is, images as image_url and"
        " files as file_data (an id or address of a file is known to OpenAI alone).",
        param="input",
    )


def _image(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the address of an image, and how closely to look."""
    image = {"url": part["image_url"]}
    return {**image, "detail": part["detail"]} if part.get("detail") else image


def _file(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file as chat has it."""
    return {key: part[key] for key in ("filename", "file_data", "file_id") if part.get(key)}


def sealed(blocks: Any) -> str:
    """Return *blocks* of signed thinking as a reasoning item's encrypted_content."""
    data = json.dumps(blocks, separators=(",", ":")).encode()
    return _SEAL + base64.b64encode(data).decode()


def unsealed(content: Any) -> list[dict[str, Any]]:
    """Return the blocks in an encrypted_content that `sealed` made; nothing of any other."""
    if not isinstance(content, str) or not content.startswith(_SEAL):
        return []
    try:
        blocks = json.loads(base64.b64decode(content.removeprefix(_SEAL), validate=True))
    except (binascii.Error, ValueError):
        return []
    return (
        [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    )
