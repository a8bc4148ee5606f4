"""OpenAI's Responses API over chat: requests and whole replies.

`input` has the items of a request, `output` those of a reply, `stream` its events, `tools` both.
Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Reply
from llmgate.fronts import signatures
from llmgate.fronts.responses import input as front_input
from llmgate.fronts.responses import output as front_output
from llmgate.fronts.responses import tools as front_tools
from llmgate.fronts.responses.tools import Tools
from llmgate.schema import parameters

_KEPT = parameters.OPENAI["chat"] - frozenset(
    """input tools tool_choice parallel_tool_calls stream_options top_logprobs logprobs
    max_tokens max_completion_tokens response_format verbosity reasoning_effort web_search_options
    functions function_call messages store""".split()
)
"""The parameters of chat that a Responses request may set by the same name."""

_EXTENSIONS = frozenset(
    """top_k min_p top_a typical_p repetition_penalty repeat_penalty min_tokens stop_token_ids
    chat_template_kwargs guided_json guided_regex guided_choice guided_grammar structured_outputs
    num_ctx keep_alive options safe_prompt random_seed provider transforms route plugins models
    anthropic_beta""".split()
)
"""Parameters of other servers' chats; what else is not chat's is the Responses API's own."""

_REFUSED = {
    "conversation": "conversations are kept by OpenAI alone: send the earlier items in 'input'",
    "background": "this upstream does not run requests in the background: leave it out",
    "prompt": "stored prompts are kept by OpenAI alone: send 'instructions' and 'input'",
    "previous_response_id": "this gateway stores no responses: send the earlier items in 'input'"
    " (with 'store' set to false, clients do), or have the operator set"
    " llmgate_settings.responses_store",
}


def chat_from_response(body: Body) -> Body:
    """Return the chat body for a Responses *body*.

    Raises InvalidRequest for what only OpenAI's own Responses API can do.
    """
    for name, why in _REFUSED.items():
        if body.get(name):
            raise errors.InvalidRequest(
                f"'{name}' is not supported with this model; {why}.", param=name
            )
    kept = {
        key: value
        for key, value in body.items()
        if value is not None and (key in _KEPT or key in parameters.GATE_ONLY | _EXTENSIONS)
    }
    text = body.get("text") or {}
    tools = front_tools.read(body)
    added = {
        "response_format": _response_format(text.get("format") or {}),
        "verbosity": text.get("verbosity"),
        "reasoning_effort": (body.get("reasoning") or {}).get("effort"),
        "max_completion_tokens": body.get("max_output_tokens"),
        "stream_options": {"include_usage": True} if body.get("stream") else None,
        "web_search_options": tools.web_search,
        **_tools(body, tools),
        **_logprobs(body),
    }
    messages = {"messages": _messages(body, tools)}
    return {**kept, **messages, **{key: it for key, it in added.items() if it is not None}}


def _messages(body: Body, tools: Tools) -> list[dict[str, Any]]:
    """Return the instructions and the input as messages."""
    instructions = front_input.messages(body.get("instructions") or [], tools, "instructions")
    system = [{**message, "role": "system"} for message in instructions]
    found = system + front_input.messages(body.get("input"), tools)
    leading = next((at for at, it in enumerate(found) if it["role"] != "system"), len(found))
    return front_input.joined_system(found[:leading]) + found[leading:]


def _response_format(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return chat's response_format; None for plain text."""
    kind = given.get("type", "text")
    if kind == "text":
        return None
    if kind != "json_schema":
        return dict(given)
    schema = {key: it for key, it in given.items() if key != "type" and it is not None}
    return {"type": "json_schema", "json_schema": schema}


def _tools(body: Body, tools: Tools) -> dict[str, Any]:
    """Return the tools on offer, and chat's members about choosing among them."""
    choice = front_tools.choice(body.get("tool_choice"), tools)
    offered = tools.chat_tools(choice.allowed)
    if not offered:
        return {}
    serial = body.get("parallel_tool_calls") is False
    return {
        "tools": offered,
        "tool_choice": choice.mode,
        "parallel_tool_calls": False if serial else None,
    }


def _logprobs(body: Body) -> dict[str, Any]:
    """Return chat's members about log probabilities."""
    if body.get("top_logprobs"):
        return {"logprobs": True, "top_logprobs": body["top_logprobs"]}
    wanted = "message.output_text.logprobs" in (body.get("include") or ())
    return {"logprobs": True} if wanted else {}


def response_from_chat(reply: Reply, request: Body, response_id: str, created_at: int) -> Reply:
    """Return the Response that a chat *reply* to *request* amounts to.

    *response_id* names it and its items; *created_at* is in seconds since the epoch.
    """
    choice = reply["choices"][0]
    message, finish = choice["message"], choice.get("finish_reason")
    started = front_output.begun(request, response_id, created_at, reply.get("model") or "")
    ended = front_output.ended(started, [], finish, reply.get("usage"))
    items = _answer(message, choice.get("logprobs"), request, response_id)
    calls = message.get("tool_calls") or []
    if not items and not calls:
        items = [front_output.message([front_output.text_part("")])]
    tools = front_tools.read(request)
    for at, call in enumerate(calls, len(items)):
        id = front_output.call_id(call, response_id, at)
        items.append(front_output.call_item(call, tools, id))
    for at, item in enumerate(items):
        id = front_output.item_id(response_id, item["type"], at)
        ended["output"].append({"id": id, "status": ended["status"], **item})
    return ended


def _answer(
    message: Mapping[str, Any], logprobs: Any, request: Body, response_id: str
) -> list[dict[str, Any]]:
    """Return the reasoning and the text of a chat *message* as output items."""
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    parts = []
    if message.get("content"):
        tokens = (logprobs or {}).get("content") or ()
        listed = [front_output.token_logprob(token) for token in tokens]
        parts.append(front_output.text_part(message["content"], listed))
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    carrier = signatures.Carrier()
    carrier.add(message)
    for at, call in enumerate(message.get("tool_calls") or (), 1 + bool(parts)):
        carrier.add_call(front_output.call_id(call, response_id, at), call)
    signed = carrier.take()
    items = []
    if thought or signed:
        items.append(front_output.reasoning(thought, front_output.is_summarized(request), signed))
    return [*items, front_output.message(parts)] if parts else items
