"""The messages of a chat, prepared for what an OpenAI-compatible upstream accepts.

What it accepts is data: `contract.MessageRules`, a field of its row. No content is lost;
only members that no answer depends on are dropped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.contract import MessageRules
from llmgate.dialects import leniency

_SYSTEM = ("system", "developer")
_ID = re.compile(r"[a-zA-Z0-9]{9}")
_REASONING = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "extra_content",  # Google's signatures, of a message or a call
)


def prepared(body: Body, rules: MessageRules) -> Body:
    """Return a chat *body* whose messages follow *rules*."""
    if not body.get("messages"):
        return body
    messages = [_member_rules(message, rules) for message in body["messages"]]
    messages = _without_tool_media(messages)
    if rules.one_system:
        messages = _one_system([_for_template(it) for it in messages if not _is_blank(it)])
    if not rules.user_after_tool:
        messages = _assistant_between(_begun_by_user(messages))
    if rules.short_ids:
        messages = [_short_ids(message) for message in messages]
    if rules.prefix and messages and messages[-1]["role"] == "assistant":
        messages[-1] = {**messages[-1], "prefix": True}
    found = {**body, "messages": messages}
    if not rules.cache_marks and body.get("tools"):
        found["tools"] = [_unmarked(tool) for tool in body["tools"]]
    return found


# -- members


def _member_rules(message: Mapping[str, Any], rules: MessageRules) -> dict[str, Any]:
    """Return *message* with the members that the upstream accepts."""
    found = dict(message)
    thought = found.get("reasoning_content") or found.get("reasoning")
    if rules.reasoning != "as it is":
        found = _without_reasoning(found)
        if found.get("tool_calls"):
            found["tool_calls"] = [_without_reasoning(call) for call in found["tool_calls"]]
        if rules.reasoning and isinstance(thought, str) and message["role"] == "assistant":
            found[rules.reasoning] = thought
    if rules.members is not None:
        found = {key: it for key, it in found.items() if key in rules.members}
    if not rules.cache_marks:
        found = _unmarked(found)
        if isinstance(found.get("content"), list):
            found["content"] = [_unmarked(part) for part in found["content"]]
    return found


def _without_reasoning(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message or call without the members that carry reasoning and its signatures."""
    return {key: it for key, it in value.items() if key not in _REASONING}


def _unmarked(value: Any) -> Any:
    """Return a message, part or tool without its cache mark."""
    if not isinstance(value, dict) or "cache_control" not in value:
        return value
    return {key: item for key, item in value.items() if key != "cache_control"}


def _short_ids(message: dict[str, Any]) -> dict[str, Any]:
    """Return *message* with ids of nine letters and digits for tool calls."""
    found = dict(message)
    if found.get("tool_calls"):
        found["tool_calls"] = [
            {**call, "id": _short_id(call.get("id"))} for call in found["tool_calls"]
        ]
    if found.get("tool_call_id"):
        found["tool_call_id"] = _short_id(found["tool_call_id"])
    return found


def _short_id(id: Any) -> str:
    """Return *id* if it has nine letters and digits, else a hash of it that has."""
    if isinstance(id, str) and _ID.fullmatch(id):
        return id
    return hashlib.sha256(str(id).encode("utf-8", "replace")).hexdigest()[:9]


# -- order


def _without_tool_media(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *messages* with text alone in tool results.

    Pictures and files follow in a user's message after all results of the turn.
    """
    found: list[dict[str, Any]] = []
    media: list[Any] = []
    for message in messages:
        if message["role"] == "tool":
            message, parts = _split_result(message)
            media += parts
        elif media:
            found.append({"role": "user", "content": media})
            media = []
        found.append(message)
    return [*found, {"role": "user", "content": media}] if media else found


def _split_result(message: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return a tool's result with its text, and its other parts."""
    content = message.get("content")
    if not isinstance(content, list):
        return message, []
    others = [part for part in content if part.get("type", "text") not in _TEXTS]
    if not others:
        return message, []
    texts = [part for part in content if part.get("type", "text") in _TEXTS]
    texts = texts or [{"type": "text", "text": "The result follows."}]
    label = {"type": "text", "text": f"Result of tool call {message.get('tool_call_id')}:"}
    return {**message, "content": texts}, [label, *others]


_TEXTS = ("text", "refusal")


def _is_blank(message: Mapping[str, Any]) -> bool:
    """Return whether *message* is an assistant's without content and calls."""
    return message["role"] == "assistant" and not any(
        value for key, value in message.items() if key not in ("role", "name")
    )


def _for_template(message: dict[str, Any]) -> dict[str, Any]:
    """Return *message* with calls whose arguments are JSON objects: chat templates read them."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    return {**message, "tool_calls": [_with_valid_arguments(call) for call in calls]}


def _with_valid_arguments(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool *call* whose arguments are the JSON of an object."""
    function = call.get("function")
    if not isinstance(function, Mapping):
        return call
    text = leniency.arguments_text(function.get("arguments"))
    return {**call, "function": {**function, "arguments": text}}


def _one_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *messages* with one system message, at the beginning.

    Leading ones are joined. A later one becomes part of a user's message: joined to the
    beginning, it would change the prefix of the prompt, which upstreams cache. Templates need a
    user's message: system messages alone become one, and one precedes a conversation that has none.
    """
    count = next((n for n, it in enumerate(messages) if it["role"] not in _SYSTEM), len(messages))
    head = [{**messages[0], "role": "system"}] if count else []
    for message in messages[1:count]:
        head[0]["content"] = _joined(head[0].get("content"), message.get("content"))
    found: list[dict[str, Any]] = head
    late: list[Any] = []  # contents of system messages that wait for a turn of the user
    for message in messages[count:]:
        if message["role"] in _SYSTEM:
            late.append(message.get("content"))
        elif late and message["role"] != "tool":
            found += _with_late(found, late, message)
            late = []
        else:
            found.append(message)
    found = found + _with_late(found, late, None) if late else found
    return found if any(it["role"] == "user" for it in found) else _with_user(found)


def _with_user(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *messages*, which lack a user's message, with one."""
    if not messages:
        return [{"role": "user", "content": leniency.PLACEHOLDER}]
    if messages[-1]["role"] == "system":
        return [{**messages[0], "role": "user"}]
    return _begun_by_user(messages)


def _begun_by_user(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *messages* with a user's message where the assistant's is first."""
    at = 1 if messages[0]["role"] == "system" else 0
    if messages[at:] and messages[at]["role"] != "assistant":
        return messages
    return [*messages[:at], {"role": "user", "content": leniency.PLACEHOLDER}, *messages[at:]]


def _with_late(
    found: list[dict[str, Any]], late: list[Any], message: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return *message* after the *late* contents in a user's message; may extend *found*'s last.

    They join the user's message that follows, else the one before, else are one of their own.
    """
    tail = late[0]
    for content in late[1:]:
        tail = _joined(tail, content)
    if message is not None and message["role"] == "user":
        return [{**message, "content": _joined(tail, message.get("content"))}]
    rest = [] if message is None else [message]
    if found and found[-1]["role"] == "user":
        last = found.pop()
        return [{**last, "content": _joined(last.get("content"), tail)}, *rest]
    return [{"role": "user", "content": tail}, *rest]


def _joined(one: Any, two: Any) -> Any:
    """Return two contents as one: texts by a blank line, else all their parts."""
    if isinstance(one or "", str) and isinstance(two or "", str):
        return "\n\n".join(filter(None, (one, two)))
    return [*_parts(one), *_parts(two)]


def _parts(content: Any) -> list[Any]:
    """Return a content as parts."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _assistant_between(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *messages* with an assistant's message between a tool's result and the user."""
    found: list[dict[str, Any]] = []
    for message in messages:
        if found and found[-1]["role"] == "tool" and message["role"] == "user":
            found.append({"role": "assistant", "content": "Done."})
        found.append(message)
    return found
