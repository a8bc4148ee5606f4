"""OpenAI's chat request as a request to the Responses API.

Sources: https://platform.openai.com/docs/api-reference/responses/create
https://platform.openai.com/docs/guides/migrate-to-responses
https://platform.openai.com/docs/guides/deep-research (needs a source of data)
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.dialects import effort as efforts
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import models
from llmgate.dialects.responses import items

_PENALTIES = ("presence_penalty", "frequency_penalty", "logit_bias")
"""What only chat has: dropped where the model refuses it anyway, else refused."""

PARAMS = frozenset(
    """model messages stream stream_options max_tokens max_completion_tokens temperature top_p
    tools tool_choice parallel_tool_calls response_format reasoning_effort verbosity service_tier
    store user safety_identifier prompt_cache_key prompt_cache_retention prompt_cache_options
    moderation logprobs top_logprobs web_search_options""".split()
) | frozenset(_PENALTIES)
"""The parameters of OpenAI's chat that the Responses API has, too."""

EXTENSIONS = frozenset(("thinking", "output_config"))
"""Anthropic's members that are translated: the effort that they ask for."""

_TRANSLATED = frozenset(
    """messages stream_options max_tokens max_completion_tokens tools tool_choice
    parallel_tool_calls response_format reasoning_effort verbosity web_search_options logprobs
    thinking output_config reasoning text include store top_k""".split()
) | frozenset(_PENALTIES)

_LEAST = 16
"""The least `max_output_tokens` that the API accepts."""

_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_SOURCES = ("web_search", "mcp", "file_search")  # web_search_preview begins as the first does


def body_from_chat(body: Body, model: str, dropping: bool = False) -> Body:
    """Return the request to *model* for a chat *body*; members that are not chat's are kept.

    Nothing is stored upstream unless the body asks for it, as in chat; reasoning comes back
    encrypted. Raises InvalidRequest for what the Responses API lacks, unless *dropping*.
    """
    body = models.adapted(body, model)
    if not dropping:
        _check_penalties(body)
    limit = openai_chat.limit(body)
    found = {
        "max_output_tokens": None if limit is None else max(limit, _LEAST),
        "text": _text(body),
        "reasoning": _reasoning(body, model),
        "include": _include(body, model),
    }
    kept = {key: it for key, it in body.items() if key not in _TRANSLATED and it is not None}
    return {
        **kept,
        "model": model,
        "store": bool(body.get("store")),
        "input": items.from_messages(body["messages"]),
        **{key: value for key, value in found.items() if value},
        **_tools(body, model),
    }


def _check_penalties(body: Body) -> None:
    """Raise InvalidRequest for a parameter of *body* that the API lacks."""
    for name in _PENALTIES:
        if body.get(name):
            raise errors.InvalidRequest(
                f"'{name}' does not exist in the Responses API, through which this model is called."
                " Remove it, or set drop_params to true.",
                param=name,
                code="unsupported_parameter",
            )


def _text(body: Body) -> Body:
    """Return the member `text`: the format of the answer, and how long it should be."""
    found = dict(body.get("text") or {})
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        found["format"] = {"type": "json_schema", **_given(form.get("json_schema") or {})}
    elif form.get("type") not in (None, "text"):
        found["format"] = form
    if body.get("verbosity"):
        found["verbosity"] = body["verbosity"]
    return found


def _given(members: Mapping[str, Any]) -> Body:
    """Return *members* without those that are null."""
    return {key: value for key, value in members.items() if value is not None}


def _reasoning(body: Body, model: str) -> Body:
    """Return the member `reasoning`, the effort as *model* accepts it."""
    level = efforts.requested(body).word
    found = {"effort": models.effort(model, level) if level else None}
    return _given({**found, **(body.get("reasoning") or {})})


def _include(body: Body, model: str) -> list[Any]:
    """Return what the answer must contain besides its text."""
    found = list(body.get("include") or ())
    if models.reasons(model) and _ENCRYPTED not in found:
        found.append(_ENCRYPTED)
    if body.get("logprobs"):
        found.append(_LOGPROBS)
    return found


# -- tools


def _tools(body: Body, model: str) -> Body:
    """Return the tools, and the members about choosing among them."""
    tools = [_tool(tool) for tool in body.get("tools") or ()]
    tools += _search(body.get("web_search_options"))
    if "deep-research" in model and not any(map(_is_source, tools)):
        tools.append({"type": "web_search_preview"})
    if not tools:
        return {}
    serial = {"parallel_tool_calls": False} if body.get("parallel_tool_calls") is False else {}
    return {"tools": tools, "tool_choice": _choice(body.get("tool_choice")), **serial}


def _is_source(tool: Mapping[str, Any]) -> bool:
    """Return whether *tool* gives a deep research data to work with."""
    return str(tool.get("type")).startswith(_SOURCES)


def _tool(tool: Mapping[str, Any]) -> Body:
    """Return a *tool*; one that is OpenAI's own is sent as it is."""
    if tool.get("function"):
        function = tool["function"]
        return {
            "type": "function",
            "name": function["name"],
            "parameters": function.get("parameters") or {"type": "object", "properties": {}},
            "strict": bool(function.get("strict")),
            **_given({"description": function.get("description")}),
        }
    if tool.get("custom"):
        return {"type": "custom", **_custom(tool["custom"])}
    return dict(tool)


def _custom(custom: Mapping[str, Any]) -> Body:
    """Return the members of a custom tool; a grammar stands one level higher than in chat."""
    found, form = _given(custom), custom.get("format")
    if isinstance(form, Mapping) and isinstance(form.get("grammar"), Mapping):
        found["format"] = {"type": "grammar", **form["grammar"]}
    return found


def _search(options: Any) -> Iterator[Body]:
    """Yield the tool that searches the web, if *options* are given."""
    if options is None:
        return
    found = _given({"search_context_size": options.get("search_context_size")})
    place = (options.get("user_location") or {}).get("approximate")
    if place:
        found["user_location"] = {"type": "approximate", **place}
    yield {"type": "web_search", **found}


def _choice(choice: Any) -> Any:
    """Return `tool_choice`; a tool's name stands one level higher than in chat."""
    if not isinstance(choice, Mapping):
        return choice or "auto"
    if choice.get("allowed_tools"):
        allowed = choice["allowed_tools"]
        return {
            "type": "allowed_tools",
            "mode": allowed.get("mode") or "auto",
            "tools": [_choice(tool) for tool in allowed.get("tools") or ()],
        }
    kind = choice.get("type")
    inner = choice.get(str(kind))
    if kind in ("function", "custom") and isinstance(inner, Mapping):
        return {"type": kind, "name": inner.get("name")}
    return dict(choice)
