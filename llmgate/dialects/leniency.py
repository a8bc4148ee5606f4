"""Repairs of a conversation that OpenAI accepts and other APIs refuse: the same for every dialect.

A dialect calls `repaired` before it translates the messages, and `arguments` or `arguments_text`
for the arguments of each tool call. `Rules` holds what differs between upstreams.
Source: docs/providers.md lists the repairs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import TypeAlias

from llmgate import errors
from llmgate.dialects.openai import chat as openai_chat

Message: TypeAlias = Mapping[str, Any]
Placed: TypeAlias = list[tuple[int, Message]]
"""Messages, each with its index in the request, for the `param` of errors."""

PLACEHOLDER = "."
"""The user's text where an API requires a user's message and there is none."""

INVALID_JSON = "INVALID_JSON"
"""The member that holds arguments that are not a JSON object, as Anthropic recommends."""


class Rules(NamedTuple):
    """What an upstream accepts in messages."""

    media_in_results: bool = False  # images and files in the results of tools
    text_beside_files: bool = False  # a message with a file needs a text as well


def repaired(messages: Iterable[Message], rules: Rules) -> Placed:
    """Return *messages* as an API with these *rules* accepts them.

    Blank texts and messages without content are left out, functions of OpenAI's first API become
    tools, a user speaks first, and the last text of an assistant does not end in whitespace.
    """
    found = [
        (at, message)
        for at, message in enumerate(map(_cleaned, _without_functions(messages)))
        if not _is_empty(message)
    ]
    if not rules.media_in_results:
        found = _media_after_results(found)
    if rules.text_beside_files:
        found = [(at, _with_text(message)) for at, message in found]
    return _stripped(_started_by_user(found))


def arguments(text: Any) -> dict[str, Any]:
    """Return the arguments of a tool call as an object.

    Blank text and `null` are an empty object. A model may have written invalid JSON: it is wrapped
    in an object, so that the model can read what it wrote.
    """
    if isinstance(text, Mapping):
        return dict(text)
    if not isinstance(text, str) or not text.strip():
        return {}
    try:
        found = json.loads(text, parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError):
        return {INVALID_JSON: text}
    if found is None:
        return {}
    return found if isinstance(found, dict) else {INVALID_JSON: text}


def arguments_text(text: Any) -> str:
    """Return the arguments of a tool call as the JSON text of an object; unchanged if valid."""
    found = arguments(text)
    if isinstance(text, str) and text.strip() not in ("", "null") and INVALID_JSON not in found:
        return text
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def _refused(constant: str) -> Any:
    """Raise ValueError: *constant* (NaN, Infinity) is not valid JSON."""
    raise ValueError(constant)


def _finite(text: str) -> float:
    """Return the number in *text*; raises ValueError if it is too large for JSON."""
    number = float(text)
    return number if abs(number) != float("inf") else _refused(text)


def _without_functions(messages: Iterable[Message]) -> Iterable[Message]:
    """Yield *messages* with calls and results of functions as those of tools."""
    last = ""
    for at, message in enumerate(messages):
        if message.get("role") == "function" and last:
            yield {"tool_call_id": last, **message, "role": "tool"}
        elif message.get("function_call") and not message.get("tool_calls"):
            last = f"call_{at}"
            call = {"id": last, "type": "function", "function": message["function_call"]}
            rest = {key: value for key, value in message.items() if key != "function_call"}
            yield {**rest, "tool_calls": [call]}
        else:
            yield message


def _cleaned(message: Message) -> Message:
    """Return *message* without blank texts, its data and URLs in one form."""
    content = message.get("content")
    if isinstance(content, str) and not content.strip():
        return {**message, "content": ""}
    if isinstance(content, list):
        return {**message, "content": [_part(part) for part in content if not _is_blank(part)]}
    return message


def _is_blank(part: Any) -> bool:
    """Return whether *part* is a text without characters but whitespace."""
    if not isinstance(part, Mapping) or part.get("type") not in ("text", "refusal"):
        return False
    text = part.get("text") or part.get("refusal") or ""
    return isinstance(text, str) and not text.strip()


_JPG = re.compile(r"data:image/jpg(?=[;,])", re.I)
_WEB = re.compile(r"(https?|gs)://", re.I)


def _part(part: Any) -> Any:
    """Return *part* with `image/jpeg` for `image/jpg`, and the URL of a file as `file_url`."""
    if not isinstance(part, Mapping):
        return part
    image, file = part.get("image_url"), part.get("file")
    if isinstance(image, str):
        return {**part, "image_url": {"url": _JPG.sub("data:image/jpeg", image)}}
    if isinstance(image, Mapping) and isinstance(image.get("url"), str):
        return {**part, "image_url": {**image, "url": _JPG.sub("data:image/jpeg", image["url"])}}
    if isinstance(file, Mapping) and isinstance(file.get("file_data"), str):
        return {**part, "file": _file(file)}
    return part


def _file(file: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *file* with `file_url` in place of a `file_data` that is a URL."""
    data = file["file_data"]
    if not _WEB.match(data):
        return {**file, "file_data": _JPG.sub("data:image/jpeg", data)}
    rest = {key: value for key, value in file.items() if key != "file_data"}
    return {**rest, "file_url": data}


_NOT_CONTENT = frozenset("role name cache_control".split())


def _is_empty(message: Message) -> bool:
    """Return whether *message* contributes nothing; a tool's result always does."""
    if message.get("role") in ("tool", "function"):
        return False
    return not any(value for key, value in message.items() if key not in _NOT_CONTENT)


_SYSTEM = ("system", "developer")


def _started_by_user(found: Placed) -> Placed:
    """Return *found* with a user's message before an assistant's that is first.

    A conversation of system messages alone becomes the user's.
    """
    first = next((n for n, (_, each) in enumerate(found) if each["role"] not in _SYSTEM), None)
    if first is None:
        users: Placed = [(at, {**message, "role": "user"}) for at, message in found]
        return users or [(0, _user(PLACEHOLDER))]
    at, message = found[first]
    if message["role"] != "assistant":
        return found
    return [*found[:first], (at, _user(PLACEHOLDER)), *found[first:]]


def _user(content: Any) -> Message:
    """Return a user's message of *content*."""
    return {"role": "user", "content": content}


def _stripped(found: Placed) -> Placed:
    """Return *found* without whitespace at the end of the text of an assistant's last turn."""
    at, message = found[-1]
    is_empty = message["role"] == "assistant" and not message.get("content")
    if len(found) > 1 and (message["role"] in _SYSTEM or is_empty):
        return [*_stripped(found[:-1]), found[-1]]
    if message["role"] != "assistant" or message.get("tool_calls"):
        return found
    content = message.get("content")
    if isinstance(content, str):
        return [*found[:-1], (at, {**message, "content": content.rstrip()})]
    if isinstance(content, list) and content and isinstance(content[-1].get("text"), str):
        last = {**content[-1], "text": content[-1]["text"].rstrip()}
        return [*found[:-1], (at, {**message, "content": [*content[:-1], last]})]
    return found


def _media_after_results(found: Placed) -> Placed:
    """Return *found* with the media of tools' results in a user's message after all of a turn."""
    moved: Placed = []
    media: list[Any] = []
    for at, message in [*found, (len(found), _user(""))]:
        if media and message["role"] != "tool":
            moved.append((moved[-1][0], _user(media)))
            media = []
        if message["role"] == "tool" and isinstance(message.get("content"), list):
            message, others = _result(message)
            media += others
        moved.append((at, message))
    return moved[:-1]


def _result(message: Message) -> tuple[Message, list[Any]]:
    """Return a tool's *message* with its texts alone, and its other parts."""
    texts = [part for part in message["content"] if part.get("type") in ("text", "refusal")]
    others = [part for part in message["content"] if part.get("type") not in ("text", "refusal")]
    if not others:
        return message, []
    texts = texts or [_text("The result follows.")]
    label = _text(f"Result of tool call {message.get('tool_call_id')}:")
    return {**message, "content": texts}, [label, *others]


def _text(text: str) -> dict[str, Any]:
    """Return the part of *text*."""
    return {"type": "text", "text": text}


def _with_text(message: Message) -> Message:
    """Return *message* with the name of its file as a text if it has files and no text."""
    content = message.get("content")
    if message["role"] != "user" or not isinstance(content, list):
        return message
    files = [part["file"] for part in content if isinstance(part.get("file"), Mapping)]
    if not files or any(part.get("type") == "text" for part in content):
        return message
    return {**message, "content": [*content, _text(files[0].get("filename") or "document")]}


_MEMBERS = frozenset("role content name tool_calls tool_call_id refusal".split())
_ROLES = {"developer": "system", "function": "tool"}


def strict(message: Message, also: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return *message* with OpenAI's members alone, for APIs that refuse unknown ones.

    Members that are listed in *also* are kept, in parts as well.
    """
    found = {key: value for key, value in message.items() if key in _MEMBERS | also}
    found["role"] = _ROLES.get(message["role"], message["role"])
    content = message.get("content")
    if isinstance(content, list):
        parts = [_only(_fetched(part), {"type", part.get("type"), *also}) for part in content]
        is_text = all(part.keys() == {"type", "text"} for part in parts)
        found["content"] = openai_chat.text(parts) if is_text else parts
    if message.get("tool_calls"):
        found["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    return found


def _fetched(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *part*; raises InvalidRequest for a file that is a URL."""
    file = part.get("file")
    if isinstance(file, Mapping) and "file_url" in file:
        raise errors.InvalidRequest(
            "This provider does not fetch files: send file_data as a data: URL.", param="messages"
        )
    return part


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return *call* with OpenAI's members alone and valid arguments."""
    found = _only(call, {"id", "type", "function"})
    function = call.get("function")
    if isinstance(function, Mapping):
        text = arguments_text(function.get("arguments"))
        found["function"] = {"name": function.get("name"), "arguments": text}
    return found


def strict_tool(tool: Mapping[str, Any], also: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return *tool* with OpenAI's members alone and those listed in *also*."""
    return _only(tool, {"type", "function", *also})


def _only(given: Mapping[str, Any], names: set[Any]) -> dict[str, Any]:
    """Return the members of *given* that are among *names*."""
    return {key: value for key, value in given.items() if key in names}
