"""The parts of OpenAI's chat that every dialect translates from and into.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.contract import Reply


def head(id: str, created: int, model: str) -> dict[str, Any]:
    """Return what the chunks of one stream share; *created* is in seconds, 0 if unknown."""
    return {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}


def chunk(
    head: Mapping[str, Any], delta: dict[str, Any], finish: str | None = None, logprobs: Any = None
) -> Event:
    """Return the chunk that adds *delta* to the only choice, or ends it for reason *finish*."""
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return {**head, "choices": [choice]}


def thoughts(blocks: Iterable[Mapping[str, Any]], first: int) -> dict[str, Any]:
    """Return the delta that adds signed *blocks* of thinking, numbered from *first*.

    OpenAI's SDK adds up lists in deltas by the `index` of their items.
    """
    numbered = [{"index": at, **block} for at, block in enumerate(blocks, first)]
    return {"thinking_blocks": numbered}


def unnumbered(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a *block* of thinking less the index that it had in a stream."""
    return {key: value for key, value in block.items() if key != "index"}


def usage_chunk(head: Mapping[str, Any], usage: Mapping[str, Any]) -> Event:
    """Return the last chunk of a stream: it has no choice."""
    return {**head, "choices": [], "usage": usage}


def completion(
    head: Mapping[str, Any],
    message: dict[str, Any],
    finish: str,
    usage: Mapping[str, Any],
    logprobs: Any = None,
) -> Reply:
    """Return the whole reply whose only choice is *message*."""
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage}


def usage(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    """Return OpenAI's usage; *prompt* includes the *cached* tokens."""
    counts: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if cached:
        counts["prompt_tokens_details"] = {"cached_tokens": cached}
    return counts


def parts(content: Any) -> list[dict[str, Any]]:
    """Return a message's *content* (a string, null, or parts) as parts."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content or []


def text(content: Any) -> str:
    """Return the text of a message's *content*; refusals are text too."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in parts(content))


def stops(body: Body) -> list[str] | None:
    """Return the texts that end the answer, None if there are none."""
    stop = body.get("stop")
    return [stop] if isinstance(stop, str) else stop


def limit(body: Body) -> int | None:
    """Return the maximum of output tokens that *body* sets, None if it sets none."""
    wanted: int | None = body.get("max_completion_tokens")
    return body.get("max_tokens") if wanted is None else wanted


def offered(body: Body) -> tuple[list[dict[str, Any]], str]:
    """Return the tools that `tool_choice` leaves on offer, and "none", "auto" or "required".

    Raises InvalidRequest if it names a tool that is not there.
    """
    tools = body.get("tools") or []
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, str):
        return tools, choice
    allowed = choice.get("allowed_tools") or {"mode": "required", "tools": [choice]}
    names = {_name(tool) for tool in allowed.get("tools") or ()}
    left = [tool for tool in tools if _name(tool) in names]
    if len(left) < len(names):
        raise errors.InvalidRequest(
            "'tool_choice' names a function that is not in 'tools'.", param="tool_choice"
        )
    return left, allowed.get("mode") or "auto"


def _name(tool: Mapping[str, Any]) -> Any:
    """Return the name of a function *tool*, or of what refers to one."""
    return (tool.get("function") or {}).get("name")


def can_search(model: str, has_functions: bool) -> bool:
    """Return whether a *model* takes `web_search_options`: others refuse them.

    Source: https://platform.openai.com/docs/guides/tools-web-search
    """
    return "-search-" in model
