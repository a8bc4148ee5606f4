"""The contents of a Gemini request as OpenAI's messages.

Source: https://ai.google.dev/api/caching#Content
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.dialects.gemini import media as gemini_media
from llmgate.dialects.openai import wire as openai_wire
from llmgate.fronts.gemini import thoughts as front_thoughts

Part: TypeAlias = dict[str, Any]
"""One content part of a message of OpenAI's."""

Message: TypeAlias = dict[str, Any]
"""One message of OpenAI's."""

_MARKS = frozenset("thought thoughtSignature videoMetadata mediaResolution partMetadata".split())
"""Members of a part beside its content."""

_SOUNDS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "l16": "pcm16"}
"""What OpenAI calls some kinds of sound."""


def messages(contents: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Return the messages that the turns of *contents* stand for.

    Calls without an id are given one; a result without one answers the first call of its name
    that has none yet. Raises InvalidRequest, and what wrongly shaped parts make Python raise.
    """
    open_calls: list[tuple[str, str]] = []
    found: list[Message] = []
    for at, turn in enumerate(contents):
        parts = turn.get("parts") or []
        if turn.get("role") == "model":
            message = _assistant(parts, at)
            functions = ((call["id"], call["function"]["name"]) for call in _calls(message))
            open_calls.extend(functions)
            found.append(message)
        else:
            found.extend(_user(parts, open_calls))
    return found


def system(instruction: Any) -> list[Message]:
    """Return the system message of a systemInstruction, if it has text."""
    if isinstance(instruction, str):
        instruction = {"parts": [{"text": instruction}]}
    texts = [part["text"] for part in (instruction or {}).get("parts") or () if part.get("text")]
    return [{"role": "system", "content": "\n\n".join(texts)}] if texts else []


def _calls(message: Message) -> list[dict[str, Any]]:
    """Return the tool calls of *message*."""
    calls: list[dict[str, Any]] = message.get("tool_calls") or []
    return calls


# -- the user's turns


def _user(parts: Iterable[Part], open_calls: list[tuple[str, str]]) -> Iterator[Message]:
    """Yield the messages of a user's turn: the results of functions, then the user's content.

    OpenAI's tool results are text, so images and files among them move to the user's message.
    """
    content: list[Part] = []
    for part in parts:
        if "functionResponse" in part:
            message, others = _result(part["functionResponse"], open_calls)
            yield message
            content += others
        else:
            content += _user_content(part)
    if len(content) == 1 and content[0]["type"] == "text":
        yield {"role": "user", "content": content[0]["text"]}
    elif content:
        yield {"role": "user", "content": content}


def _result(
    result: Mapping[str, Any], open_calls: list[tuple[str, str]]
) -> tuple[Message, list[Part]]:
    """Return the message of a function's *result*, and its parts that are not text."""
    id = _answered(result, open_calls)
    others = [part for inner in result.get("parts") or () for part in _user_content(inner)]
    if others:
        others.insert(0, {"type": "text", "text": f"Result of tool call {id}:"})
    return {
        "role": "tool",
        "tool_call_id": id,
        "content": _result_text(result.get("response")),
    }, others


def _answered(result: Mapping[str, Any], open_calls: list[tuple[str, str]]) -> str:
    """Return the id of the call that *result* answers, which is open no more."""
    id, name = result.get("id"), result["name"]
    for call in open_calls:
        if call[0] == id if id else call[1] == name:
            open_calls.remove(call)
            return call[0]
    if id:
        return str(id)
    raise errors.InvalidRequest(
        f"No functionCall before this functionResponse of '{name}' is without one: the turn of the"
        " model that called it has to be among the contents.",
        param="contents",
    )


def _result_text(response: Any) -> str:
    """Return what a function answered, as text: its `output` alone if that is all."""
    if isinstance(response, Mapping) and list(response) == ["output"]:
        response = response["output"]
    if isinstance(response, str):
        return response
    return openai_wire.encoded({} if response is None else response).decode()


def _user_content(part: Part) -> list[Part]:
    """Return what *part* is in OpenAI's words; nothing for an empty one."""
    for key, read in _KINDS.items():
        if part.get(key) is not None:
            return read(part[key])
    unknown = [key for key in part if key not in _MARKS and part[key] is not None]
    if unknown:
        raise errors.InvalidRequest(
            f"Only Gemini reads a part with '{unknown[0]}'; this model takes {', '.join(_KINDS)}.",
            param="contents",
        )
    return []


def _text(text: str) -> list[Part]:
    """Return the text part of *text*, none if it is empty."""
    return [{"type": "text", "text": text}] if text else []


def _inline(blob: Mapping[str, Any]) -> list[Part]:
    """Return the part of what is sent along."""
    kind, data = blob["mimeType"], blob["data"]
    family, _, subtype = kind.partition("/")
    if family == "text":
        return _text(front_thoughts.decoded(data).decode("utf-8", "replace"))
    data = front_thoughts.standard(data)
    if family == "audio":
        sound = subtype.partition(";")[0].lower()
        return [_part("input_audio", {"data": data, "format": _SOUNDS.get(sound, sound)})]
    url = f"data:{kind};base64,{data}"
    if family in _SEEN:
        return [_part(_SEEN[family], {"url": url})]
    name = blob.get("displayName") or f"document.{subtype}"
    return [_part("file", {"filename": name, "file_data": url})]


def _linked(file: Mapping[str, Any]) -> list[Part]:
    """Return the part of what is at an address."""
    uri = file["fileUri"]
    kind = file.get("mimeType") or gemini_media.mime_type(uri) or ""
    family = kind.partition("/")[0]
    if family in _SEEN:
        return [_part(_SEEN[family], {"url": uri})]
    return [_part("file", {"filename": file.get("displayName") or "document", "file_id": uri})]


_SEEN = {"image": "image_url", "video": "video_url"}


def _part(kind: str, value: Any) -> Part:
    """Return a content part of this *kind*."""
    return {"type": kind, kind: value}


def _code(code: Mapping[str, Any]) -> list[Part]:
    """Return the text of code that Google ran."""
    language = str(code.get("language") or "").lower()
    return _text(f"```{language}\n{code['code']}\n```\n")


def _output(result: Mapping[str, Any]) -> list[Part]:
    """Return the text of what code that Google ran has printed."""
    return _text(f"```\n{result.get('output') or ''}\n```\n")


_KINDS: Mapping[str, Callable[[Any], list[Part]]] = {
    "text": _text,
    "inlineData": _inline,
    "fileData": _linked,
    "executableCode": _code,
    "codeExecutionResult": _output,
}


# -- the model's turns


def _assistant(parts: Iterable[Part], at: int) -> Message:
    """Return the message of the model's turn, the one at *at* in the conversation."""
    thoughts: list[Part] = []
    calls: list[dict[str, Any]] = []
    words: list[str] = []
    images: list[Part] = []
    for part in parts:
        if part.get("thought"):
            thoughts.append(part)
        elif part.get("functionCall") is not None:
            calls.append(_call(part["functionCall"], f"call_{at}_{len(calls)}"))
        else:
            inner = _user_content(part)
            words += [each["text"] for each in inner if each["type"] == "text"]
            images += [each for each in inner if each["type"] == "image_url"]
    message: Message = {"role": "assistant", "content": "".join(words) or (None if calls else "")}
    message |= _thinking(thoughts)
    message |= {"images": images} if images else {}
    return message | ({"tool_calls": calls} if calls else {})


def _thinking(thoughts: Iterable[Part]) -> dict[str, Any]:
    """Return the text of *thoughts* and the blocks that are signed, as members of a message."""
    thought, since = "", ""
    blocks: list[dict[str, Any]] = []
    for part in thoughts:
        since += part.get("text") or ""
        thought += part.get("text") or ""
        block = front_thoughts.block(part.get("thoughtSignature"), since)
        if block:
            blocks.append(block)
            since = "" if block["type"] == "thinking" else since
    found: dict[str, Any] = {"reasoning_content": thought} if thought else {}
    return found | ({"thinking_blocks": blocks} if blocks else {})


def _call(call: Mapping[str, Any], id: str) -> dict[str, Any]:
    """Return a tool *call*; its id is *id* if it has none."""
    arguments = openai_wire.encoded(call.get("args") or {}).decode()
    function = {"name": call["name"], "arguments": arguments}
    return {"id": call.get("id") or id, "type": "function", "function": function}
