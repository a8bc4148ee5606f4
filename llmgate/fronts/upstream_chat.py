"""Chat requests made by the fronts, without what the upstream's operation does not support.

The translations of other wires read the members that they know. An upstream on OpenAI's wire
gets OpenAI's members alone: many refuse any other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.dialects.openai import chat as openai_chat

_ANTHROPICS = frozenset(
    """thinking output_config cache_control container context_management mcp_servers diagnostics
    inference_geo speed betas fallbacks user_profile_id anthropic_beta""".split()
)
_MESSAGE = frozenset(
    """role content name tool_calls tool_call_id refusal reasoning_content reasoning_details
    extra_content""".split()
)
_TOOL = frozenset(("type", "function"))
_CALL = frozenset(("id", "type", "function", "extra_content"))
_JOINTS = {"system": "\n\n", "developer": "\n\n", "tool": "\n", "assistant": ""}
_LONGEST_USER = 64

_REASONS = re.compile(
    r"(?:^|[/.])(?:o\d|codex-|gpt-oss|gpt-[5-9](?!.*-chat)|gemini-(?:2\.5|[3-9])|grok-3-mini)"
)
"""Models that accept `reasoning_effort`: others refuse it.
Sources: https://platform.openai.com/docs/guides/reasoning https://docs.x.ai/docs/guides/reasoning
https://console.groq.com/docs/reasoning https://ai.google.dev/gemini-api/docs/openai"""

_LEVELS = {"minimal": "minimal", "low": "low", "medium": "medium"}  # others: "high"
_BUDGETS = ((2048, "low"), (8192, "medium"))  # tokens below which a budget is of a level


def adapted(body: Body, operation: Operation, deployment: Deployment) -> Body:
    """Return the chat *body*, made by a front, for this *operation* of *deployment*.

    A search in the web is left out where the model has none; on OpenAI's wire, everything that is
    not OpenAI's is left out, too.
    """
    model = str(deployment.info.get("base_model") or deployment.model)
    if not operation.web_search(model, bool(body.get("tools"))):
        body = {key: value for key, value in body.items() if key != "web_search_options"}
    return plain(body, model) if operation.passthrough else body


def plain(body: Body, model: str) -> Body:
    """Return the chat *body* with OpenAI's members alone.

    Cache marks, signed thinking and Anthropic's own parameters are left out, media in the results
    of tools is in a user's message. Texts are joined where many upstreams take only a string. A
    user longer than OpenAI takes becomes its hash.
    """
    found = {key: value for key, value in body.items() if key not in _ANTHROPICS}
    effort = _effort(body)
    if effort and _REASONS.search(model):
        found["reasoning_effort"] = effort
    messages = _late_system(_media_after_results(body["messages"]))
    found["messages"] = [_message(message) for message in messages]
    if "tools" in body:
        found["tools"] = [_tool(tool) for tool in body["tools"]]
    if len(body.get("user") or "") > _LONGEST_USER:
        found["user"] = hashlib.sha256(body["user"].encode("utf-8", "replace")).hexdigest()
    return found


def _effort(body: Body) -> str | None:
    """Return the effort that Anthropic's members of *body* ask for in OpenAI's words, or None."""
    thinking, config = body.get("thinking") or {}, body.get("output_config") or {}
    if thinking.get("type") == "disabled":
        return None
    level, budget = config.get("effort"), thinking.get("budget_tokens")
    if level is not None:
        return _LEVELS.get(str(level), "high")
    if not isinstance(budget, int):
        return None
    return next((level for below, level in _BUDGETS if budget < below), "high")


def _media_after_results(messages: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield *messages*, the media of a turn's tool results in a user's message after them all."""
    media: list[Any] = []
    for message in messages:
        if message["role"] == "tool" and isinstance(message.get("content"), list):
            texts = [part for part in message["content"] if part.get("type") == "text"]
            others = [part for part in message["content"] if part.get("type") != "text"]
            if others:
                id = message.get("tool_call_id")
                media += [{"type": "text", "text": f"Result of tool call {id}:"}, *others]
                texts = texts or [{"type": "text", "text": "The result follows."}]
            message = {**message, "content": texts}
        elif media and message["role"] != "tool":
            yield {"role": "user", "content": media}
            media = []
        yield message
    if media:
        yield {"role": "user", "content": media}


def _late_system(messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return *messages*, system messages within the conversation as a part of the user's turn.

    Templates of many models refuse them there. Nothing comes between calls and their results.
    """
    found: list[Mapping[str, Any]] = []
    for message in messages:
        if message["role"] not in ("system", "developer") or not _is_begun(found):
            found.append(message)
            continue
        parts = openai_chat.parts(message.get("content"))
        reminder = {"type": "text", "text": f"<system>\n{openai_chat.text(parts)}\n</system>"}
        if found[-1]["role"] == "user":
            content = [*openai_chat.parts(found[-1].get("content")), reminder]
            found[-1] = {**found[-1], "content": content}
        else:
            found.append({"role": "user", "content": reminder["text"]})
    return found


def _is_begun(messages: list[Mapping[str, Any]]) -> bool:
    """Return whether *messages* are more than the system's."""
    return any(message["role"] not in ("system", "developer") for message in messages)


def _message(message: Mapping[str, Any]) -> Body:
    """Return *message* with OpenAI's members, and those that providers want back unchanged."""
    found = {key: value for key, value in message.items() if key in _MESSAGE}
    content = message.get("content")
    if isinstance(content, list):
        found["content"] = _content(content, _JOINTS.get(message["role"]))
    if message.get("tool_calls"):
        found["tool_calls"] = [_only(call, _CALL) for call in message["tool_calls"]]
    return found


def _content(parts: list[Any], joint: str | None) -> Any:
    """Return *parts* without marks; joined by *joint* if there is one and all are text."""
    if joint is not None and all(part.get("type") == "text" for part in parts):
        return joint.join(map(openai_chat.text, ([part] for part in parts)))
    return [_part(part) for part in parts]


def _part(part: Mapping[str, Any]) -> Body:
    """Return a *part* without marks; raises InvalidRequest for a file by its address."""
    file = part.get("file") or {}
    if str(file.get("file_id") or file.get("file_data")).startswith(("http://", "https://")):
        raise errors.InvalidRequest(
            "This model takes no documents by URL: send the content in base64.",
            param="messages",
        )
    return _only(part, frozenset(("type", part.get("type"))))


def _tool(tool: Mapping[str, Any]) -> Body:
    """Return a *tool* with OpenAI's members."""
    return _only(tool, _TOOL) if "function" in tool else dict(tool)


def _only(known: Mapping[str, Any], names: frozenset[Any]) -> Body:
    """Return the members of *known* with these *names*."""
    return {key: value for key, value in known.items() if key in names}
