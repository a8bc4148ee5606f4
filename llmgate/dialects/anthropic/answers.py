"""Structured answers: enforced by Claude's structured output, by a forced tool, or described.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.dialects.anthropic import models
from llmgate.dialects.anthropic import schema as schemas
from llmgate.dialects.openai import wire as openai_wire

TOOL = "json_tool_call"
"""The tool that stands for an answer where the model has no structured output."""

_JSON_ONLY = "Answer with one JSON {what} and nothing else: no code fence, no words around it."


class Format(NamedTuple):
    """How a response format is requested: by one of these, or not at all."""

    config: Body = {}  # output_config
    tools: tuple[Body, ...] = ()  # a tool whose input is the answer
    instructions: tuple[Body, ...] = ()  # system blocks

    def choice(self, has_others: bool) -> Body | None:
        """Return the tool_choice that forces the tool, or any if the request *has_others*."""
        if not self.tools:
            return None
        return {"type": "any"} if has_others else {"type": "tool", "name": TOOL}


def requested(wanted: Mapping[str, Any] | None, claude: models.Model, thinks: bool) -> Format:
    """Return how the response format *wanted* is requested of *claude*.

    A closed schema is enforced by structured output if the model supports it, an object by a
    forced tool on older models, unless the model *thinks*: both exclude each other. Newer models
    refuse forced tools. Anything else is described in the prompt.
    """
    kind = wanted.get("type") if wanted else None
    if wanted is None or kind in (None, "text"):
        return Format()
    if kind == "json_object":
        return Format(instructions=(_block(_JSON_ONLY.format(what="object")),))
    named = wanted.get("json_schema")
    schema = named.get("schema") if isinstance(named, Mapping) else None
    if kind != "json_schema" or not isinstance(named, Mapping) or not isinstance(schema, Mapping):
        raise errors.InvalidRequest(
            "Claude supports response_format of type text, json_object, or json_schema with a"
            " json_schema.schema.",
            param="response_format",
        )
    if models.has_structured_output(claude):
        if not _is_open(schema):
            return Format({"format": {"type": "json_schema", "schema": schemas.closed(schema)}})
    elif schema.get("type") == "object" and not thinks:
        about = named.get("description") or "Give the answer by calling this."
        return Format(tools=({"name": TOOL, "description": about, "input_schema": schema},))
    instruction = _JSON_ONLY.format(what="value that this JSON Schema allows")
    return Format(instructions=(_block(f"{instruction}\n{openai_wire.encoded(schema).decode()}"),))


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Return whether *schema* is open; raises InvalidRequest for one that is nested too deeply."""
    try:
        return schemas.is_open(schema)
    except RecursionError as error:
        raise errors.InvalidRequest(
            "The schema is nested too deeply.", param="response_format"
        ) from error


def _block(text: str) -> Body:
    """Return the block of *text*."""
    return {"type": "text", "text": text}
