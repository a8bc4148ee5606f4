"""OpenAI's Responses API in front of a chat: requests and whole replies.

`responses_input` has the items of a request, `responses_output` those of a reply,
`responses_stream` its events.
Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Reply
from llmgate.fronts.responses import input as front_input
from llmgate.fronts.responses import output as front_output

_TRANSLATED = frozenset(
    """input instructions tools tool_choice text reasoning max_output_tokens parallel_tool_calls
    stream_options top_logprobs include""".split()
)
_MEANINGLESS = frozenset(
    """store truncation max_tool_calls context_management background conversation prompt
    previous_response_id""".split()
)
"""What changes nothing in a chat, or is refused unless it is empty."""

_REFUSED = {
    "previous_response_id": "this upstream keeps no state: send the earlier items in 'input'",
    "conversation": "this upstream keeps no state: send the earlier items in 'input'",
    "background": "this upstream answers at once or not at all: leave it out",
    "prompt": "stored prompts are known to OpenAI alone: send 'instructions' and 'input'",
}


def chat_from_response(body: Body) -> Body:
    """Return the chat body that asks for what a Responses *body* asks for.

    Raises InvalidRequest for what only OpenAI's own Responses API can do.
    """
    for name, why in _REFUSED.items():
        if body.get(name):
            raise errors.InvalidRequest(
                f"'{name}' cannot be used with this model; {why}.", param=name
            )
    kept = {
        key: value
        for key, value in body.items()
        if key not in _TRANSLATED and key not in _MEANINGLESS and value is not None
    }
    text = body.get("text") or {}
    added = {
        "response_format": _response_format(text.get("format") or {}),
        "verbosity": text.get("verbosity"),
        "reasoning_effort": (body.get("reasoning") or {}).get("effort"),
        "max_completion_tokens": body.get("max_output_tokens"),
        "stream_options": {"include_usage": True} if body.get("stream") else None,
        **_tools(body),
        **_logprobs(body),
    }
    messages = {"messages": _messages(body)}
    return {**kept, **messages, **{key: it for key, it in added.items() if it is not None}}


def _messages(body: Body) -> list[dict[str, Any]]:
    """Return the instructions and the input as messages."""
    instructions = front_input.messages(body.get("instructions") or [])
    system = [{**message, "role": "system"} for message in instructions]
    return system + front_input.messages(body.get("input"))


def _response_format(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return chat's response_format; None for plain text."""
    kind = given.get("type", "text")
    if kind == "text":
        return None
    if kind != "json_schema":
        return dict(given)
    schema = {key: it for key, it in given.items() if key != "type" and it is not None}
    return {"type": "json_schema", "json_schema": schema}


def _tools(body: Body) -> dict[str, Any]:
    """Return the tools on offer and what chat says of choosing among them."""
    tools = body.get("tools") or []
    names, choice = _chosen(body.get("tool_choice"))
    offered = [_tool(tool) for tool in tools if names is None or tool.get("name") in names]
    if not offered:
        return {}
    serial = body.get("parallel_tool_calls") is False
    return {
        "tools": offered,
        "tool_choice": choice,
        "parallel_tool_calls": False if serial else None,
    }


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function tool in chat's shape; raises InvalidRequest for all others."""
    if tool.get("type") != "function":
        raise errors.InvalidRequest(
            f"Tools of type '{tool.get('type')}' run at OpenAI only, not with this model: give the"
            " model a tool of type 'function' that does the same, or choose a model whose provider"
            " has the Responses API.",
            param="tools",
        )
    function = {key: it for key, it in tool.items() if key != "type" and it is not None}
    return {"type": "function", "function": function}


def _chosen(choice: Any) -> tuple[set[Any] | None, Any]:
    """Return the names of the tools that *choice* allows (None: all), and chat's tool_choice."""
    if not isinstance(choice, Mapping):
        return None, choice
    if choice.get("type") == "function":
        return None, {"type": "function", "function": {"name": choice.get("name")}}
    if choice.get("type") == "allowed_tools":
        return {tool.get("name") for tool in choice.get("tools") or ()}, choice.get("mode")
    raise errors.InvalidRequest(
        f"A tool_choice of type '{choice.get('type')}' names a tool that this model lacks: use"
        ' "auto", "none", "required", a function or allowed_tools.',
        param="tool_choice",
    )


def _logprobs(body: Body) -> dict[str, Any]:
    """Return what chat is asked of log probabilities."""
    if body.get("top_logprobs"):
        return {"logprobs": True, "top_logprobs": body["top_logprobs"]}
    asked = "message.output_text.logprobs" in (body.get("include") or ())
    return {"logprobs": True} if asked else {}


def response_from_chat(reply: Reply, request: Body, response_id: str, created_at: int) -> Reply:
    """Return the Response that a chat *reply* to *request* amounts to.

    *response_id* names it and its items; *created_at* is in seconds since the epoch.
    """
    choice = reply["choices"][0]
    finish = choice.get("finish_reason")
    started = front_output.begun(request, response_id, created_at, reply["model"])
    ended = front_output.ended(started, [], finish, reply.get("usage"))
    said = _said(choice["message"], choice.get("logprobs"), front_output.summarized(request))
    calls = choice["message"].get("tool_calls") or []
    if not said and not calls:
        said = [front_output.message([front_output.text_part("")])]
    for at, call in enumerate(calls, len(said)):
        said.append(front_output.function_call(call, response_id, at))
    for at, item in enumerate(said):
        id = front_output.item_id(response_id, item["type"], at)
        ended["output"].append({"id": id, "status": ended["status"], **item})
    return ended


def _said(message: Mapping[str, Any], logprobs: Any, summary: bool) -> list[dict[str, Any]]:
    """Return what a chat *message* says, without its calls, as output items."""
    items = []
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    blocks = message.get("thinking_blocks")
    if thought or blocks:
        items.append(front_output.reasoning(thought, summary, blocks))
    parts = []
    if message.get("content"):
        tokens = (logprobs or {}).get("content") or ()
        listed = [front_output.token_logprob(token) for token in tokens]
        parts.append(front_output.text_part(message["content"], listed))
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    return [*items, front_output.message(parts)] if parts else items
