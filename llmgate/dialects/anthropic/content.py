"""Messages of OpenAI's chat as Anthropic's turns and content blocks.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.dialects import leniency
from llmgate.dialects.openai import chat as openai_chat

Block: TypeAlias = dict[str, Any]
"""One content block of a turn."""

_DATA_URL = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),(.*)", re.S)
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


_RULES = leniency.Rules(media_in_results=True)


def conversation(messages: list[Mapping[str, Any]]) -> tuple[list[Block], list[dict[str, Any]]]:
    """Return the system blocks and the turns that *messages* stand for.

    System messages are collected from everywhere: models before Opus 4.8 accept none between
    turns. Neighbours of the same role become one turn, as parallel tool results must.
    """
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    for at, message in leniency.repaired(messages, _RULES):
        role, read = _ROLES.get(message["role"], _NO_ROLE)
        found = _marked(read(message, f"messages[{at}]"), message)
        if role == "system":
            system += found
        elif turns and turns[-1]["role"] == role:
            turns[-1]["content"] += found
        elif found:
            turns.append({"role": role, "content": found})
    return system, turns


def _marked(blocks: list[Block], message: Mapping[str, Any]) -> list[Block]:
    """Return *blocks*, the last with the `cache_control` of the whole *message*."""
    mark = message.get("cache_control")
    if not blocks or mark is None:
        return blocks
    return [*blocks[:-1], {**blocks[-1], "cache_control": mark}]


def _content(message: Mapping[str, Any], where: str) -> list[Block]:
    """Return the content of a user's or of a system *message*."""
    return _blocks(message.get("content"), f"{where}.content")


def _answered(message: Mapping[str, Any], where: str) -> list[Block]:
    """Return the content of an assistant's *message*: its thinking, its words, its calls."""
    blocks = message.get("thinking_blocks") or ()
    thinking = [openai_chat.unnumbered(block) for block in blocks if _is_signed(block)]
    words = _blocks(message.get("content"), f"{where}.content")
    if not words:
        words = _blocks(message.get("refusal"), f"{where}.refusal")
    calls = message.get("tool_calls") or ()
    return [
        *thinking,
        *words,
        *(_tool_use(call, f"{where}.tool_calls[{at}]") for at, call in enumerate(calls)),
    ]


def _is_signed(block: Any) -> bool:
    """Return whether Anthropic made this thinking *block*: it takes no others back."""
    return isinstance(block, dict) and bool(block.get("signature") or block.get("data"))


def _tool_use(call: Mapping[str, Any], where: str) -> Block:
    """Return the block of a tool *call*."""
    function = call.get("function")
    if not isinstance(function, Mapping):
        raise errors.InvalidRequest(
            "Claude supports function calls only: each item of tool_calls needs a 'function'.",
            param=f"{where}.function",
        )
    block = {
        "type": "tool_use",
        "id": tool_id(call["id"]),
        "name": function["name"],
        "input": leniency.arguments(function.get("arguments")),
    }
    return block | _rest(call, "type", "id", "function", "index")


def tool_id(id: str) -> str:
    """Return *id* without the characters that Anthropic refuses in it; other upstreams use them."""
    return _NOT_IN_IDS.sub("_", id)


def _result(message: Mapping[str, Any], where: str) -> list[Block]:
    """Return the block of a tool's *message*."""
    content = message.get("content")
    if not isinstance(content, str):
        content = _blocks(content, f"{where}.content")
    block: Block = {"type": "tool_result", "tool_use_id": tool_id(message["tool_call_id"])}
    if content:
        block["content"] = content
    if message.get("is_error"):
        block["is_error"] = True
    return [block]


def _unknown_role(message: Mapping[str, Any], where: str) -> list[Block]:
    """Raise InvalidRequest for a message of a role that Anthropic has no word for."""
    raise errors.InvalidRequest(
        f"Claude does not support the role '{message['role']}': use system, developer,"
        " user, assistant or tool.",
        param=f"{where}.role",
    )


_NO_ROLE = ("", _unknown_role)
_ROLES: Mapping[str, tuple[str, Callable[[Mapping[str, Any], str], list[Block]]]] = {
    "system": ("system", _content),
    "developer": ("system", _content),
    "user": ("user", _content),
    "tool": ("user", _result),
    "assistant": ("assistant", _answered),
}


def _blocks(content: Any, where: str) -> list[Block]:
    """Return the blocks of *content*: a string, null, or parts. Anthropic's own blocks stay."""
    found = []
    for at, part in enumerate(openai_chat.parts(content) if content else ()):
        read = _PARTS.get(part.get("type", ""))
        found.append(read(part, f"{where}[{at}]") if read else part)
    return found


def _rest(part: Mapping[str, Any], *read: str) -> Block:
    """Return what *part* has besides what was *read*: its `cache_control`, say."""
    return {key: value for key, value in part.items() if key not in read}


def _refusal(part: Mapping[str, Any], where: str) -> Block:
    """Return the block of a refusal, which is text."""
    return {"type": "text", "text": part["refusal"]} | _rest(part, "type", "refusal")


def _image(part: Mapping[str, Any], where: str) -> Block:
    """Return the block of an image *part*."""
    image = part["image_url"]
    url = image if isinstance(image, str) else image["url"]
    kind, source = _source(url, f"{where}.image_url.url", "image")
    return {"type": kind, "source": source} | _rest(part, "type", "image_url")


def _file(part: Mapping[str, Any], where: str) -> Block:
    """Return the block of a file *part*: a PDF, a text, an image, or what has an id or a URL."""
    file = part["file"]
    data, id = file.get("file_data") or file.get("file_url"), file.get("file_id")
    if data is None and id and not id.startswith(("http://", "https://")):
        kind, source = "document", {"type": "file", "file_id": id}
    else:
        kind, source = _source(data or id or "", f"{where}.file.file_data", "document")
    block: Block = {"type": kind, "source": source}
    if kind == "document" and file.get("filename"):
        block["title"] = file["filename"]
    return block | _rest(part, "type", "file")


def _source(url: str, where: str, kind: str) -> tuple[str, Block]:
    """Return the kind of block and the source that *url* stands for; *kind* by default."""
    if url.startswith(("http://", "https://")):
        return kind, {"type": "url", "url": url}
    found = _DATA_URL.fullmatch(url)
    if not found and kind == "document" and url:
        return kind, {"type": "base64", "media_type": "application/pdf", "data": url}
    if not found:
        raise errors.InvalidRequest("Expected a data: URL or an http(s) URL.", param=where)
    media_type, encoding, data = found[1].strip().lower(), found[2], found[3]
    if "base64" not in encoding:
        data = base64.b64encode(urllib.parse.unquote_to_bytes(data)).decode()
    if media_type in ("", "application/json") or media_type.startswith("text/"):
        return "document", {"type": "text", "media_type": "text/plain", "data": _plain(data, where)}
    kind = "image" if media_type.startswith("image/") else "document"
    return kind, {"type": "base64", "media_type": media_type, "data": data}


def _plain(data: str, where: str) -> str:
    """Return the text that base64 *data* holds."""
    try:
        return base64.b64decode(data).decode()
    except ValueError as error:
        raise errors.InvalidRequest("Expected base64 of UTF-8 text.", param=where) from error


def _audio(part: Mapping[str, Any], where: str) -> Block:
    """Raise InvalidRequest: Claude hears nothing."""
    raise errors.InvalidRequest("Claude does not support audio input.", param=where)


_PARTS: Mapping[str, Callable[[Mapping[str, Any], str], Block]] = {
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}
