"""A request to Anthropic's Messages API as OpenAI's chat request.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate.contract import Body
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import wire as openai_wire

Part: TypeAlias = dict[str, Any]
"""One content part of a message of OpenAI's."""

Message: TypeAlias = dict[str, Any]
"""One message of OpenAI's."""

_TRANSLATED = frozenset(
    "system messages tools tool_choice stop_sequences metadata output_config service_tier".split()
)


def chat_from_messages(body: Body) -> Body:
    """Return the chat request that asks for what the Messages request *body* asks for.

    What OpenAI has no word for (`thinking`, `top_k`, `cache_control`) goes on unchanged: see
    `messages_plain` for upstreams that refuse it.
    """
    output = dict(body.get("output_config") or {})
    metadata = dict(body.get("metadata") or {})
    found = {
        "tools": [*map(_tool, body.get("tools") or ())],
        "stop": body.get("stop_sequences"),
        "response_format": _format(output.pop("format", None)),
        "output_config": output,
        "user": metadata.pop("user_id", None),
        "metadata": metadata,
        "service_tier": _TIERS.get(body.get("service_tier") or "", body.get("service_tier")),
        **_choice(body.get("tool_choice") or {}),
    }
    others = {key: value for key, value in body.items() if key not in _TRANSLATED}
    kept = {key: value for key, value in found.items() if value not in (None, [], {})}
    return {**others, **kept, "messages": [*_system(body.get("system")), *_messages(body)]}


_TIERS = {"standard_only": "default"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def _tool(tool: Mapping[str, Any]) -> Body:
    """Return a *tool* as OpenAI describes it; one that Anthropic runs goes on as it is."""
    if tool.get("type") not in (None, "custom") or "name" not in tool:
        return dict(tool)
    function = {"name": tool["name"]}
    for theirs, ours in _FUNCTION.items():
        if tool.get(theirs) is not None:
            function[ours] = tool[theirs]
    rest = _rest(tool, "type", "name", *_FUNCTION)
    return {"type": "function", "function": function, **rest}


_FUNCTION = {"description": "description", "input_schema": "parameters", "strict": "strict"}


def _choice(choice: Mapping[str, Any]) -> Body:
    """Return how tools are to be chosen, in OpenAI's words."""
    found: Body = {"tool_choice": _CHOICES.get(choice.get("type", ""))}
    if choice.get("type") == "tool":
        found["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    if choice.get("disable_parallel_tool_use"):
        found["parallel_tool_calls"] = False
    return found


def _format(asked: Any) -> Body | None:
    """Return the `response_format` for the output format *asked*."""
    if not isinstance(asked, Mapping) or asked.get("type") != "json_schema":
        return None
    named = {"name": "answer", "strict": True, "schema": asked.get("schema")}
    return {"type": "json_schema", "json_schema": named}


def _system(system: Any) -> list[Message]:
    """Return the system message, if there is one."""
    return [{"role": "system", "content": _content(openai_chat.parts(system))}] if system else []


def _messages(body: Body) -> Iterable[Message]:
    """Yield the messages that the turns of *body* stand for."""
    for turn in body["messages"]:
        blocks = openai_chat.parts(turn["content"])
        if turn["role"] == "assistant":
            yield _assistant(blocks)
        elif turn["role"] == "user":
            yield from _user(blocks)
        else:
            yield {"role": turn["role"], "content": _content(blocks)}


def _content(parts: list[Part]) -> Any:
    """Return *parts* as a string if they are one plain text."""
    return parts[0]["text"] if len(parts) == 1 and _is_plain(parts[0]) else parts


def _is_plain(block: Mapping[str, Any]) -> bool:
    """Return whether *block* is text and nothing but text."""
    return block.get("type") == "text" and len(block) == 2


def _user(blocks: list[Part]) -> Iterable[Message]:
    """Yield the messages of a user's turn: the results of tools, then what the user says.

    OpenAI's tools answer in text, so pictures and files among their results are said by the user.
    """
    parts: list[Part] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            message, others = _result(block)
            yield message
            parts += others
        else:
            parts += _parts(block)
    if parts:
        yield {"role": "user", "content": _content(parts)}


def _result(block: Mapping[str, Any]) -> tuple[Message, list[Part]]:
    """Return the message of a tool's result, and the parts of it that are no text."""
    found = [part for inner in openai_chat.parts(block.get("content")) for part in _parts(inner)]
    texts = [part for part in found if part.get("type") == "text"]
    others = [part for part in found if part.get("type") != "text"]
    id = block["tool_use_id"]
    if others:
        texts = texts or [_text("The result follows.")]
        others = [_text(f"Result of tool call {id}:"), *others]
    message = {"role": "tool", "tool_call_id": id, "content": _content(texts) or ""}
    return message | _rest(block, "type", "tool_use_id", "content"), others


def _assistant(blocks: list[Part]) -> Message:
    """Return the message of an assistant's turn."""
    thinking = [block for block in blocks if block.get("type") in _THINKING]
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    words = [block for block in blocks if block.get("type") not in (*_THINKING, "tool_use")]
    message: Message = {"role": "assistant", "content": words or None}
    if words and all(map(_is_plain, words)):
        message["content"] = "".join(block["text"] for block in words)
    if thinking:
        told = "".join(block.get("thinking", "") for block in thinking)
        message |= {"reasoning_content": told} if told else {}
        message["thinking_blocks"] = thinking
    if calls:
        message["tool_calls"] = calls
    return message


_THINKING = ("thinking", "redacted_thinking")


def _call(block: Mapping[str, Any]) -> Body:
    """Return the tool call that a tool_use *block* stands for."""
    function = {"name": block["name"], "arguments": openai_wire.encoded(block["input"]).decode()}
    call = {"id": block["id"], "type": "function", "function": function}
    return call | _rest(block, "type", "id", "name", "input")


def _rest(block: Mapping[str, Any], *read: str) -> Body:
    """Return what *block* has besides what was *read*: its `cache_control`, say."""
    return {key: value for key, value in block.items() if key not in read and value is not None}


def _text(text: str) -> Part:
    """Return the part that says *text*."""
    return {"type": "text", "text": text}


def _parts(block: Part) -> list[Part]:
    """Return the parts that a *block* stands for; what OpenAI has no word for stays a block."""
    read = _BLOCKS.get(block.get("type", ""))
    return read(block) if read else [block]


def _image(block: Part) -> list[Part]:
    """Return the part of an image."""
    url = _url(block["source"])
    if url is None:
        return [block]
    return [{"type": "image_url", "image_url": {"url": url}, **_rest(block, "type", "source")}]


def _url(source: Mapping[str, Any]) -> str | None:
    """Return the URL of a *source*, a data: URL of one in base64; None if it has none."""
    if source.get("type") == "base64":
        return f"data:{source['media_type']};base64,{source['data']}"
    return source.get("url")


def _document(block: Part) -> list[Part]:
    """Return the parts of a document: a file, or its text."""
    source = block["source"]
    rest = _rest(block, "type", "source", "title", "context", "citations")
    about = [_text(block[key]) for key in ("title", "context") if block.get(key)]
    if source.get("type") == "text":
        return [*about, _text(source["data"]) | rest]
    if source.get("type") == "content":
        inner = [part for each in openai_chat.parts(source["content"]) for part in _parts(each)]
        return [*about, *inner[:-1], *(part | rest for part in inner[-1:])]
    file = {"filename": block.get("title") or "document.pdf", "file_data": _url(source)}
    if source.get("type") == "file":
        file = {"file_id": source["file_id"]}
    return [{"type": "file", "file": file, **rest}]


def _search_result(block: Part) -> list[Part]:
    """Return the parts of a search result: where it is from and its text."""
    rest = _rest(block, "type", "source", "title", "content", "citations")
    said = "\n".join((block["title"], block["source"], openai_chat.text(block["content"])))
    return [_text(said) | rest]


_BLOCKS: Mapping[str, Callable[[Part], list[Part]]] = {
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}
