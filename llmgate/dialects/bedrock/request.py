"""OpenAI's chat request as one to Converse, Bedrock's chat API for models of every family.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.dialects.anthropic import models as claudes
from llmgate.dialects.anthropic import schema as schemas
from llmgate.dialects.bedrock import content
from llmgate.dialects.bedrock import messages as bedrock_messages
from llmgate.dialects.bedrock import thinking as bedrock_thinking
from llmgate.dialects.bedrock.content import Block
from llmgate.dialects.bedrock.models import Model
from llmgate.dialects.openai import chat as openai_chat

PARAMS = frozenset(
    """model messages stream stream_options max_tokens max_completion_tokens temperature top_p stop
    tools tool_choice response_format reasoning_effort service_tier user""".split()
)
"""The parameters of OpenAI's chat that Converse supports."""

ANSWER = "json_tool_call"
"""The tool that stands for a structured answer where a model has no better way to give one."""

_OWN = frozenset(
    """guardrailConfig performanceConfig promptVariables requestMetadata outputConfig serviceTier
    additionalModelResponseFieldPaths""".split()
)
EXTENSIONS = frozenset({"thinking", "output_config", "anthropic_beta"})
"""Anthropic's members that are translated, or sent to Claude."""

_TRANSLATED = PARAMS | _OWN | {"additionalModelRequestFields", "thinking", "output_config"}


def request(body: Body, model: Model, dropping: bool = False) -> Body:
    """Return the request that asks *model* for what the chat *body* asks for.

    What is neither OpenAI's nor Converse's goes into `additionalModelRequestFields`. If
    *dropping*, sampling parameters that *model* would refuse are left out. Raises InvalidRequest
    for what Converse cannot take.
    """
    system, turns = bedrock_messages.turns(body["messages"], model.rules)
    fields = _fields(body, model, turns)
    answer = _answer(body.get("response_format"), model, fields)
    found = {
        "messages": turns,
        "system": [*system, *answer.instructions],
        "inferenceConfig": _inference(body, model, dropping),
        "toolConfig": _tool_config(body, model, answer, turns),
        "additionalModelRequestFields": fields,
        "outputConfig": answer.output,
        "serviceTier": _tier(body.get("service_tier")),
        **{key: body[key] for key in body if key in _OWN},
    }
    return {key: value for key, value in found.items() if value}


def _inference(body: Body, model: Model, dropping: bool) -> Body:
    """Return how long the answer may be and how it is sampled."""
    sampling = {"temperature": body.get("temperature"), "topP": body.get("top_p")}
    if model.claude:
        # a 1 changes nothing, and many of them take neither, or not both
        refused = dropping and not claudes.samples(model.claude)
        sampling = {key: None if refused or at == 1 else at for key, at in sampling.items()}
    found = {
        "maxTokens": openai_chat.limit(body),
        **sampling,
        "stopSequences": openai_chat.stops(body) or None,
    }
    return {key: value for key, value in found.items() if value is not None}


_TIERS = ("default", "flex", "priority", "reserved")


def _tier(tier: Any) -> Body | None:
    """Return the requested service tier, None for the default."""
    if tier in (None, "auto"):
        return None
    if tier not in _TIERS:
        raise errors.InvalidRequest(
            f"Bedrock does not support service_tier '{tier}'; use auto, {', '.join(_TIERS)}.",
            param="service_tier",
        )
    return {"type": tier}


def _fields(body: Body, model: Model, turns: list[Block]) -> Body:
    """Return what goes to the model past Converse: its own parameters, and how long to think."""
    names = _TRANSLATED if model.claude else _TRANSLATED | {"anthropic_beta"}
    others = {key: value for key, value in body.items() if key not in names and value is not None}
    if "nova" in model.name and "top_k" in others:
        others["inferenceConfig"] = {"topK": others.pop("top_k")}
    thinking = bedrock_thinking.fields(body, model, turns)
    return {**thinking, **others, **(body.get("additionalModelRequestFields") or {})}


class _Answer(NamedTuple):
    """How a structured answer is requested: by one of these, or not at all."""

    output: Body = {}  # outputConfig
    tool: Block = {}  # a tool that must be called with the answer
    choice: Body = {}  # how it is forced, if it is the only tool
    instructions: list[Block] = []  # in words


_JSON_ONLY = "Answer with one JSON {what} and nothing else: no code fence, no words around it."


def _answer(response_format: Any, model: Model, fields: Body) -> _Answer:
    """Return how the response format is requested: enforced, by a forced tool, or in the prompt."""
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind in (None, "text"):
        return _Answer()
    if kind == "json_object":
        return _Answer(instructions=content.text(_JSON_ONLY.format(what="object")))
    named = response_format.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    if kind != "json_schema" or not isinstance(schema, dict):
        raise errors.InvalidRequest(
            "Bedrock supports response_format of type text, json_object, or json_schema with a"
            " json_schema.schema.",
            param="response_format",
        )
    if _is_structured(model) and not schemas.is_open(schema):
        return _Answer(output=_text_format(named, schemas.closed(schema)))
    choice = _forced(model, fields)
    if choice and schema.get("type") == "object":
        about = named.get("description") or "Give the answer by calling this."
        return _Answer(tool=_spec(ANSWER, about, schema), choice=choice)
    instructions = _JSON_ONLY.format(what="value that this JSON Schema allows")
    return _Answer(instructions=content.text(f"{instructions}\n{json.dumps(schema)}"))


_STRUCTURED = ("openai.gpt-oss", "moonshot.kimi", "moonshotai.kimi")
_STRUCTURED_CLAUDES = ((4, 5), (4, 6))


def _is_structured(model: Model) -> bool:
    """Return whether *model* supports outputConfig.textFormat.

    By its name only where AWS documents it or it was tried; others refuse the whole request.
    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
    """
    if model.structured is not None:
        return model.structured
    if model.claude:
        return model.claude.version in _STRUCTURED_CLAUDES
    return any(name in model.name for name in _STRUCTURED)


def _text_format(named: Mapping[str, Any], schema: Any) -> Body:
    """Return the outputConfig that holds an answer to *schema*."""
    about = {key: named[key] for key in ("name", "description") if named.get(key)}
    held = {"jsonSchema": {"schema": json.dumps(schema), **about}}
    return {"textFormat": {"type": "json_schema", "structure": held}}


def _forced(model: Model, fields: Body) -> Body:
    """Return the toolChoice that makes *model* answer by the tool, empty if nothing does.

    Claude calls no tool by force while it thinks, and its newest models never do.
    """
    if model.claude:
        thinks = fields.get("thinking", {}).get("type") in ("enabled", "adaptive")
        free = thinks or model.claude.version > max(_STRUCTURED_CLAUDES)
        return {} if free else {"tool": {"name": ANSWER}}
    if "nova" in model.name:
        return {"tool": {"name": ANSWER}}
    return {"any": {}} if "mistral" in model.name else {}


_UNUSED = "The tools of this conversation are not available now. Do not call this."


def _tool_config(body: Body, model: Model, answer: _Answer, turns: list[Block]) -> Body:
    """Return the tools and how they are chosen.

    Converse has no choice "none": the tools are held back. Yet it wants some where the turns
    used any.
    """
    offered, choice = openai_chat.offered(body)
    named = body.get("tool_choice")
    if isinstance(named, dict) and "function" in named:
        # all of them, as usual: other tools would be another prompt, not found in any cache
        offered, choice = body.get("tools") or [], named["function"].get("name")
    marked = model.claude is not None  # Nova refuses cache points here
    tools = [] if choice == "none" else [b for tool in offered for b in _tool(tool, marked)]
    if answer.tool:
        forced = {"any": {}} if tools else answer.choice
        return {"tools": [*tools, answer.tool], "toolChoice": forced}
    if tools:
        return {"tools": tools, **_choice(choice)}
    if any("toolUse" in block or "toolResult" in block for t in turns for block in t["content"]):
        return {"tools": [_spec("unavailable", _UNUSED, {})]}
    return {}


def _choice(choice: str) -> Body:
    """Return the toolChoice of "auto", "required" or a tool's name.

    "auto" is left out: it changes nothing, and some models take no toolChoice.
    """
    if choice == "auto":
        return {}
    return {"toolChoice": {"any": {}} if choice == "required" else {"tool": {"name": choice}}}


def _tool(tool: Mapping[str, Any], marked: bool) -> list[Block]:
    """Return a *tool* and the cache point after it; one in Converse's format is sent unchanged.

    `strict` is left out: few models take it, and those only few tools that have it.
    """
    if tool.keys() & {"toolSpec", "systemTool", "cachePoint"}:
        return [dict(tool)]
    function = tool.get("function")
    if not isinstance(function, dict) or not function.get("name"):
        raise errors.InvalidRequest(
            f"Bedrock does not support tools of type '{tool.get('type')}': use a function.",
            param="tools",
        )
    about = function.get("description") or ""
    spec = _spec(function["name"], about, function.get("parameters") or {})
    if not marked:
        return [spec]
    return [spec, *(content.cache_points(tool) or content.cache_points(function))]


def _spec(name: str, about: str, schema: Mapping[str, Any]) -> Block:
    """Return the tool called *name* with an input of *schema*."""
    described = {"description": about} if about.strip() else {}
    taken = {"type": "object", **({} if schema else {"properties": {}}), **schema}
    return {"toolSpec": {"name": name, **described, "inputSchema": {"json": taken}}}
