"""Content blocks of Anthropic's Messages API as the parts of chat's messages, types checked.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.dialects.openai import wire as openai_wire
from llmgate.fronts.fields import array
from llmgate.fronts.fields import field
from llmgate.fronts.fields import invalid
from llmgate.fronts.fields import member
from llmgate.fronts.fields import objects
from llmgate.fronts.fields import text as optional_text

Part: TypeAlias = dict[str, Any]
"""One content part of a message of OpenAI's."""

Block: TypeAlias = Mapping[str, Any]
"""One content block of Anthropic's."""

_OF_TEXT = frozenset(("type", "text", "citations"))

SERVER_BLOCKS = frozenset(
    """server_tool_use web_search_tool_result web_fetch_tool_result code_execution_tool_result
    bash_code_execution_tool_result text_editor_code_execution_tool_result tool_search_tool_result
    mcp_tool_use mcp_tool_result container_upload fallback compaction""".split()
)
"""What Anthropic's servers did, or only they can read: the model's text has the result."""


def listed(content: Any, place: str) -> list[Block]:
    """Return *content*, a string or blocks, as blocks; raises InvalidRequest."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise invalid(place, "a string or an array of content blocks")
    return objects(content, place)


def content(parts: list[Part]) -> Any:
    """Return *parts* as a string if they are one plain text."""
    return parts[0]["text"] if len(parts) == 1 and is_plain(parts[0]) else parts


def is_plain(part: Mapping[str, Any]) -> bool:
    """Return whether *part* is text and nothing but text."""
    return part.get("type") == "text" and len(part) == 2


def text(words: str) -> Part:
    """Return the part that contains *words*."""
    return {"type": "text", "text": words}


def parts(block: Block, place: str) -> list[Part]:
    """Return the parts for the *block* at *place*; raises InvalidRequest if there are none."""
    kind = field(block, "type", place)
    if kind in SERVER_BLOCKS:
        return []
    if kind not in _BLOCKS:
        raise errors.InvalidRequest(
            f"Content blocks of type '{kind}' are not supported with this model; supported are"
            f" {', '.join(_BLOCKS)}.",
            param=place,
        )
    return _BLOCKS[kind](block, place)


def rest(block: Block, *read: str) -> Part:
    """Return what *block* has besides what was *read*: its `cache_control`, for instance."""
    return {key: value for key, value in block.items() if key not in read and value is not None}


def _text(block: Block, place: str) -> list[Part]:
    """Return the part of a text."""
    return [{"type": "text", "text": field(block, "text", place), **rest(block, *_OF_TEXT)}]


def _image(block: Block, place: str) -> list[Part]:
    """Return the part of an image."""
    source = member(block, "source", place)
    url = _url(source, f"{place}.source")
    if url is None:
        raise errors.InvalidRequest(
            "Images by file_id are known to Anthropic alone: send them as base64 or url.",
            param=f"{place}.source",
        )
    return [{"type": "image_url", "image_url": {"url": url}, **rest(block, "type", "source")}]


def _url(source: Mapping[str, Any], place: str) -> str | None:
    """Return the URL of a *source*, a data: URL of one in base64; None if it has none."""
    if source.get("type") == "base64":
        data = field(source, "data", place)
        return f"data:{field(source, 'media_type', place)};base64,{data}"
    return field(source, "url", place) if source.get("url") is not None else None


def _document(block: Block, place: str) -> list[Part]:
    """Return the parts of a document: a file, or its text."""
    source, inside = member(block, "source", place), f"{place}.source"
    left = rest(block, "type", "source", "title", "context", "citations")
    about = [optional_text(block, key, place) for key in ("title", "context")]
    intro = [text(words) for words in about if words]
    if source.get("type") == "text":
        return [*intro, text(field(source, "data", inside)) | left]
    if source.get("type") == "content":
        blocks = listed(source.get("content"), f"{inside}.content")
        inner = [part for at, each in enumerate(blocks) for part in parts(each, f"{inside}[{at}]")]
        return [*intro, *inner[:-1], *(part | left for part in inner[-1:])]
    return [{"type": "file", "file": _file(source, inside, about[0]), **left}]


def _file(source: Mapping[str, Any], place: str, title: str) -> Part:
    """Return a file as chat has it: by its id, its address or its content."""
    if source.get("type") == "file":
        return {"file_id": field(source, "file_id", place)}
    url = _url(source, place)
    if url is None:
        raise invalid(place, "a source of type base64, url, text, content or file")
    if not url.startswith("data:"):
        return {"filename": title or "document.pdf", "file_id": url}
    return {"filename": title or "document.pdf", "file_data": url}


def _search_result(block: Block, place: str) -> list[Part]:
    """Return the part of a search result: where it is from and its text."""
    left = rest(block, "type", "source", "title", "content", "citations")
    found = array(block, "content", place)
    words = [field(each, "text", f"{place}.content[{at}]") for at, each in enumerate(found)]
    head = (field(block, "title", place), field(block, "source", place))
    return [text("\n".join((*head, "".join(words)))) | left]


def _reference(block: Block, place: str) -> list[Part]:
    """Return the text that names a tool which a search found: all tools are offered."""
    return [text(f"Tool {field(block, 'tool_name', place)} is available.")]


_BLOCKS: Mapping[Any, Callable[[Block, str], list[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_reference": _reference,
}


def call(block: Block, place: str) -> Part:
    """Return the tool call for a tool_use *block*."""
    given = block.get("input")
    if given is not None and not isinstance(given, Mapping):
        raise invalid(f"{place}.input", "an object")
    arguments = openai_wire.encoded(given or {}).decode()
    function = {"name": field(block, "name", place), "arguments": arguments}
    made = {"id": field(block, "id", place), "type": "function", "function": function}
    return made | rest(block, "type", "id", "name", "input", "caller")


def result(block: Block, place: str) -> tuple[Part, list[Part]]:
    """Return the message of a tool's result, and the parts of it that are not text."""
    blocks = listed(block.get("content"), f"{place}.content")
    found = [
        part for at, each in enumerate(blocks) for part in parts(each, f"{place}.content[{at}]")
    ]
    texts = [part for part in found if part["type"] == "text"]
    others = [part for part in found if part["type"] != "text"]
    id = field(block, "tool_use_id", place)
    if others:
        texts = texts or [text("The result follows.")]
        others = [text(f"Result of tool call {id}:"), *others]
    message = {"role": "tool", "tool_call_id": id, "content": content(texts) or ""}
    return message | rest(block, "type", "tool_use_id", "content"), others
