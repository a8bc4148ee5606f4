"""OpenAI's chat request as a request to Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.dialects import effort as efforts
from llmgate.dialects.anthropic import answers
from llmgate.dialects.anthropic import content
from llmgate.dialects.anthropic import models
from llmgate.dialects.openai import chat as openai_chat

PARAMS = frozenset(
    """model messages stream stream_options max_tokens max_completion_tokens temperature top_p stop
    tools tool_choice parallel_tool_calls response_format user safety_identifier reasoning_effort
    service_tier web_search_options""".split()
)
"""The parameters of OpenAI's chat that Claude supports."""

_TRANSLATED = (PARAMS | {"thinking", "output_config", "metadata"}) - {
    "stream",
    "temperature",
    "top_p",
}


def messages_from_chat(body: Body, model: str, dropping: bool = False) -> Body:
    """Return the request to *model* for the chat *body*.

    What is not OpenAI's goes on unchanged. If *dropping*, a temperature and top_p that *model*
    would refuse are left out. Raises InvalidRequest for what Anthropic has no words for.
    """
    claude = models.model_of(model)
    limit = _limit(body, claude)
    system, turns = content.conversation(body["messages"])
    thinking = _thinking(body, claude, limit, turns)
    tools = [*map(_tool, _offered(body)), *_search(body.get("web_search_options"))]
    answer = answers.requested(body.get("response_format"), claude, bool(thinking.get("thinking")))
    found = {
        "system": [*system, *answer.instructions],
        "tools": [*tools, *answer.tools],
        "tool_choice": answer.choice(bool(tools)) or _choice(body),
        "stop_sequences": openai_chat.stops(body),
        "metadata": _metadata(body),
        "service_tier": _TIERS.get(body.get("service_tier") or "", body.get("service_tier")),
        "thinking": thinking.get("thinking"),
        "output_config": {
            **_others_of(body.get("output_config") or {}),
            **thinking.get("output_config", {}),
            **answer.config,
        },
    }
    kept = {key: value for key, value in found.items() if value}
    others = _others(body, claude, dropping)
    return {"model": model, "max_tokens": limit, **others, **kept, "messages": turns}


def _others_of(output_config: Body) -> Body:
    """Return the members of *output_config* besides the effort."""
    return {key: value for key, value in output_config.items() if key != "effort"}


def _limit(body: Body, claude: models.Model) -> int:
    """Return `max_tokens`; the default leaves room for the thinking budget."""
    limit = openai_chat.limit(body)
    if limit is not None:
        return limit
    budget = (body.get("thinking") or {}).get("budget_tokens") or 0
    return max(models.default_limit(claude), budget + _ANSWER)


_ANSWER = 4096


def _others(body: Body, claude: models.Model, dropping: bool) -> Body:
    """Return what goes on as it is.

    A temperature or top_p of 1 is left out: it changes nothing, and many models take neither, or
    not both.
    """
    left_out = _SAMPLING if dropping and not models.samples(claude) else ()
    return {
        key: value
        for key, value in body.items()
        if key not in _TRANSLATED
        and key not in left_out
        and value is not None
        and not (key in _NEUTRAL_AT_1 and value == 1)
    }


_NEUTRAL_AT_1 = ("temperature", "top_p")
_SAMPLING = (*_NEUTRAL_AT_1, "top_k")
_TIERS = {"default": "standard_only"}


def _thinking(body: Body, claude: models.Model, limit: int, turns: list[dict[str, Any]]) -> Body:
    """Return `thinking` and `output_config` for *body*'s own or OpenAI's parameters.

    A mode of Anthropic's that is unknown here is sent unchanged. With a budget for thinking,
    Anthropic requires the last turn's thinking, which OpenAI's clients do not keep: they get no
    more of it until their tools are done.
    """
    effort = efforts.requested(body)
    found = models.reasoning(claude, effort, limit)
    if effort.mode not in _MODES:
        return {**found, "thinking": body["thinking"]}
    if found.get("thinking", {}).get("type") == "enabled" and _forgot_thinking(turns):
        return {}
    if effort.mode is None and not body.get("reasoning_effort"):
        found.pop("thinking", None)  # output_config alone
    if effort.mode and found.get("thinking", {}).get("type") == effort.mode:
        fixed = {key: found["thinking"][key] for key in _FIXED if key in found["thinking"]}
        found["thinking"] = {**found["thinking"], **body["thinking"], **fixed}
    return found


_FIXED = ("budget_tokens",)
_MODES = (None, "enabled", "adaptive", "disabled")


def _forgot_thinking(turns: list[dict[str, Any]]) -> bool:
    """Return whether tools are being used without the thinking that led to it."""
    answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    return bool(
        answers
        and any(block.get("type") == "tool_result" for block in turns[-1]["content"])
        and answers[-1][0].get("type") not in ("thinking", "redacted_thinking")
    )


def _offered(body: Body) -> list[Any]:
    """Return the tools that may be used; all but where `tool_choice` names the allowed ones."""
    return openai_chat.offered(body)[0] if _is_allowing(body) else body.get("tools") or []


def _is_allowing(body: Body) -> bool:
    """Return whether `tool_choice` names the tools that are allowed."""
    choice = body.get("tool_choice")
    return isinstance(choice, Mapping) and isinstance(choice.get("allowed_tools"), Mapping)


def _tool(tool: Mapping[str, Any]) -> Body:
    """Return a *tool* as Anthropic describes it; one in Anthropic's format is sent unchanged.

    `strict` is left out: Anthropic takes few strict tools and few optional parameters in them, so
    that what OpenAI accepts would be refused.
    """
    function = tool.get("function")
    if not isinstance(function, Mapping):
        if "custom" in tool:
            raise errors.InvalidRequest(
                "Claude does not support tools of type 'custom': describe it as a function.",
                param="tools",
            )
        return dict(tool)
    known = {
        "name": function["name"],
        "description": function.get("description"),
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
        "cache_control": function.get("cache_control"),
    }
    rest = {key: value for key, value in tool.items() if key not in ("type", "function")}
    return {key: value for key, value in known.items() if value is not None} | rest


def _search(options: Any) -> list[Body]:
    """Return the tool that searches the web, if the chat's *options* ask for it.

    Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
    """
    if options is None:
        return []
    tool: Body = {"type": "web_search_20250305", "name": "web_search"}
    place = options.get("user_location") if isinstance(options, Mapping) else None
    if isinstance(place, Mapping) and isinstance(place.get("approximate"), Mapping):
        tool["user_location"] = {"type": "approximate", **place["approximate"]}
    return [tool]


_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def _choice(body: Body) -> Body | None:
    """Return the tool_choice, None for the default."""
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls")
    if _is_allowing(body):
        choice = openai_chat.offered(body)[1]
    if choice in (None, "auto", "none") and not body.get("tools"):
        return None
    if choice is None and parallel is not False:
        return None
    found = _named_choice(choice or "auto")
    if parallel is False and found["type"] != "none":
        found["disable_parallel_tool_use"] = True
    return found


def _named_choice(choice: Any) -> Body:
    """Return *choice*, in OpenAI's or Anthropic's format."""
    if isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    if isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping):
        return {"type": "tool", "name": choice["function"]["name"]}
    if isinstance(choice, Mapping) and choice.get("type") in ("auto", "any", "tool", "none"):
        return dict(choice)
    raise errors.InvalidRequest(
        "Claude supports tool_choice auto, required, none or one function.", param="tool_choice"
    )


_PERSONAL = re.compile(r".*@.*|\+?[\d\s().-]{7,}", re.S)


def _metadata(body: Body) -> Body:
    """Return the metadata, with the user unless they look like an e-mail or a phone number."""
    user = body.get("user") or body.get("safety_identifier")
    known = {"user_id": user} if user and not _PERSONAL.fullmatch(user) else {}
    return {**known, **(body.get("metadata") or {})}
