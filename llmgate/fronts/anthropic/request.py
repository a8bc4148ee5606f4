"""A request to Anthropic's Messages API as OpenAI's chat request.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from llmgate.contract import Body
from llmgate.fronts import signatures
from llmgate.fronts.anthropic import blocks as front_blocks
from llmgate.fronts.anthropic import tools as front_tools
from llmgate.fronts.anthropic.blocks import Block
from llmgate.fronts.anthropic.blocks import Part
from llmgate.fronts.fields import field
from llmgate.fronts.fields import text as optional_text
from llmgate.fronts.strict_schema import is_strict

Message: TypeAlias = dict[str, Any]
"""One message of OpenAI's."""

_TRANSLATED = frozenset(
    """system messages tools tool_choice stop_sequences metadata output_config service_tier
    max_tokens""".split()
)
_LEFT_OUT = frozenset(
    """cache_control container context_management mcp_servers diagnostics inference_geo speed
    betas user_profile_id""".split()
)
"""Members that only Anthropic's API has, and that do not change the request to the model."""

BILLING = "x-anthropic-billing-header"
"""How Claude Code's first system block begins: it is new in each request, which spoils the caches
of prompts, and Bedrock refuses it."""


def chat_from_messages(body: Body) -> Body:
    """Return the chat request for the Messages request *body*.

    `thinking`, `output_config`, `top_k` and cache marks remain for the translations that read
    them: see `upstream_chat` for the others. Raises InvalidRequest.
    """
    output = dict(body.get("output_config") or {})
    metadata = dict(body.get("metadata") or {})
    tools = front_tools.read(body)
    found = {
        "tools": tools.functions,
        "stop": body.get("stop_sequences"),
        "response_format": _format(output.pop("format", None)),
        "output_config": output,
        "user": metadata.pop("user_id", None),
        "metadata": metadata,
        "service_tier": _TIERS.get(body.get("service_tier") or "", body.get("service_tier")),
        "max_completion_tokens": body.get("max_tokens"),
        **front_tools.choice(body.get("tool_choice") or {}, tools),
    }
    unread = _TRANSLATED | _LEFT_OUT
    others = {key: value for key, value in body.items() if key not in unread}
    kept = {key: value for key, value in found.items() if value not in (None, [], {})}
    search = {} if tools.web_search is None else {"web_search_options": tools.web_search}
    messages = [*_system(body.get("system")), *_messages(body["messages"])]
    return {**others, **kept, **search, "messages": messages}


_TIERS = {"standard_only": "default"}


def _format(given: Any) -> Body | None:
    """Return the `response_format` for the output format *given*: strict if the schema fits."""
    if not isinstance(given, Mapping) or given.get("type") != "json_schema":
        return None
    named = {"name": "answer", "schema": given.get("schema")}
    if is_strict(given.get("schema")):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def _system(system: Any) -> list[Message]:
    """Return the system message, if there is one, without Claude Code's line about billing."""
    blocks = front_blocks.listed(system, "system")
    parts = [
        part
        for at, block in enumerate(blocks)
        if not is_billing(block)
        for part in front_blocks.parts(block, f"system[{at}]")
    ]
    return [{"role": "system", "content": front_blocks.content(parts)}] if parts else []


def is_billing(block: Mapping[str, Any]) -> bool:
    """Return whether *block* is Claude Code's line about billing."""
    return str(block.get("text")).startswith(BILLING)


def _messages(turns: Any) -> Iterator[Message]:
    """Yield the messages for *turns*."""
    for at, turn in enumerate(turns):
        place = f"messages[{at}].content"
        blocks = front_blocks.listed(turn["content"], place)
        if turn["role"] == "assistant":
            yield _assistant(blocks, place)
        elif turn["role"] == "user":
            yield from _user(blocks, place)
        else:
            yield {"role": turn["role"], "content": front_blocks.content(_parts(blocks, place))}


def _parts(blocks: list[Block], place: str) -> list[Part]:
    """Return the parts for *blocks*."""
    return [
        part
        for at, block in enumerate(blocks)
        for part in front_blocks.parts(block, f"{place}[{at}]")
    ]


def _user(blocks: list[Block], place: str) -> Iterator[Message]:
    """Yield the messages of a user's turn: the results of tools, then the user's content.

    OpenAI's tools answer in text, so media in their results are in the user's message.
    """
    parts: list[Part] = []
    for at, block in enumerate(blocks):
        if block.get("type") == "tool_result":
            message, others = front_blocks.result(block, f"{place}[{at}]")
            yield message
            parts += others
        else:
            parts += front_blocks.parts(block, f"{place}[{at}]")
    if parts:
        yield {"role": "user", "content": front_blocks.content(parts)}


def _assistant(blocks: list[Block], place: str) -> Message:
    """Return the message of an assistant's turn."""
    calls: list[Part] = []
    parts: list[Part] = []
    thinking: list[tuple[Block, str]] = []
    for at, block in enumerate(blocks):
        inside = f"{place}[{at}]"
        if block.get("type") == "tool_use":
            calls.append(front_blocks.call(block, inside))
        elif block.get("type") in _THINKING:
            thinking.append((block, inside))
        else:
            parts += front_blocks.parts(block, inside)
    message: Message = {"role": "assistant", "content": parts or (None if calls else "")}
    if parts and all(map(front_blocks.is_plain, parts)):
        message["content"] = "".join(part["text"] for part in parts)
    if thinking:
        _think(message, thinking, calls)
    if calls:
        message["tool_calls"] = calls
    return message


_THINKING = ("thinking", "redacted_thinking")


def _think(message: Message, thinking: list[tuple[Block, str]], calls: list[Part]) -> None:
    """Give *message* its reasoning, and its provider's signatures back, to *calls* as well."""
    thought = "".join(optional_text(block, "thinking", place) for block, place in thinking)
    if thought:
        message["reasoning_content"] = thought
    signed = []
    for block, place in thinking:
        members = signatures.unsealed(block.get("signature"))
        signatures.restore(message, members)
        signatures.restore_calls(calls, members)
        if not members and _is_claudes(block, place):
            signed.append(dict(block))
    if signed:
        message["thinking_blocks"] = signed


def _is_claudes(block: Block, place: str) -> bool:
    """Return whether Claude signed this *block*."""
    if block["type"] == "redacted_thinking":
        return bool(field(block, "data", place))
    return bool(optional_text(block, "signature", place))
