"""The tools of a Messages request as functions of a chat.

Tools that the client executes become functions, those of Anthropic's schemas too. The search in
the web becomes chat's `web_search_options`; tools that only Anthropic's servers execute are
refused.
Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.fronts.fields import field
from llmgate.fronts.fields import member
from llmgate.fronts.strict_schema import is_strict


class Tools(NamedTuple):
    """The tools of one request."""

    functions: list[Body]
    web_search: Body | None  # the options, if a search in the web is offered

    def has(self, name: str) -> bool:
        """Return whether there is a function of this name."""
        return any(tool["function"]["name"] == name for tool in self.functions)


def read(body: Body) -> Tools:
    """Return the tools of a Messages *body*; raises InvalidRequest for unsupported ones."""
    functions: list[Body] = []
    web_search = None
    for at, tool in enumerate(body.get("tools") or ()):
        place = f"tools[{at}]"
        kind = tool.get("type") or "custom"
        family = _DATE.sub("", kind)
        if kind == "custom":
            functions.append(_function(tool, place))
        elif family == "web_search":
            web_search = _search_options(tool)
        elif family in _CLIENT_TOOLS:
            functions.append(_client_tool(tool, family, place))
        elif not kind.startswith(_LEFT_OUT) and body.get("drop_params") is not True:
            raise errors.InvalidRequest(
                f"Tools of type '{kind}' are executed by Anthropic's servers and are not available"
                " with this model. Remove it, or send drop_params: true to have it left out.",
                param=place,
                code="unsupported_parameter",
            )
    return Tools(functions, web_search)


_DATE = re.compile(r"_\d{8}$")
_LEFT_OUT = ("tool_search_tool",)  # all tools are offered anyway


def _function(tool: Mapping[str, Any], place: str) -> Body:
    """Return a function; it is strict only if OpenAI takes its schema so."""
    schema = member(tool, "input_schema", place) if "input_schema" in tool else None
    found = {
        "name": field(tool, "name", place),
        "description": tool.get("description"),
        "parameters": schema,
        "strict": True if tool.get("strict") and is_strict(schema) else None,
    }
    return _made({key: value for key, value in found.items() if value is not None}, tool)


def _made(function: Body, tool: Mapping[str, Any]) -> Body:
    """Return chat's tool for a *function*, with the cache mark of *tool*."""
    mark = {"cache_control": tool["cache_control"]} if tool.get("cache_control") else {}
    return {"type": "function", "function": function, **mark}


def _object(properties: Body, *required: str) -> Body:
    """Return the schema of an object."""
    return {"type": "object", "properties": properties, "required": list(required)}


def _strings(*names: str) -> Body:
    """Return schemas of texts with these *names*."""
    return {name: {"type": "string"} for name in names}


_RANGE = {"type": "array", "items": {"type": "integer"}}
_POINT = {"type": "array", "items": {"type": "integer"}, "description": "x and y in pixels"}
_EDITS = {
    **_strings("path", "file_text", "old_str", "new_str", "insert_text"),
    "insert_line": {"type": "integer"},
    "view_range": _RANGE,
}


def _command(*commands: str) -> Body:
    """Return the schema of a text that is one of *commands*."""
    return {"command": {"type": "string", "enum": list(commands)}}


_CLIENT_TOOLS: Mapping[str, tuple[str, Body]] = {
    "bash": (
        "Runs a command in a persistent bash session.",
        _object({**_strings("command"), "restart": {"type": "boolean"}}),
    ),
    "text_editor": (
        "Views, creates and edits text files.",
        _object(
            {**_command("view", "create", "str_replace", "insert"), **_EDITS}, "command", "path"
        ),
    ),
    "memory": (
        "Reads and writes files below /memories, which outlast the conversation.",
        _object(
            {
                **_command("view", "create", "str_replace", "insert", "delete", "rename"),
                **_EDITS,
                **_strings("old_path", "new_path"),
            },
            "command",
        ),
    ),
    "computer": (
        "Controls the mouse and the keyboard of a computer and takes screenshots of its display.",
        _object(
            {
                **_strings("action", "text", "scroll_direction"),
                "coordinate": _POINT,
                "start_coordinate": _POINT,
                "scroll_amount": {"type": "integer"},
                "duration": {"type": "number"},
                "region": _RANGE,
            },
            "action",
        ),
    ),
}
"""Description and schema of the tools that Anthropic defines and the client executes."""


def _client_tool(tool: Mapping[str, Any], family: str, place: str) -> Body:
    """Return the function for a tool whose schema Anthropic defines."""
    description, parameters = _CLIENT_TOOLS[family]
    width, height = tool.get("display_width_px"), tool.get("display_height_px")
    if width and height:
        description += f" The display has {width}x{height} pixels."
    name = field(tool, "name", place)
    return _made({"name": name, "description": description, "parameters": parameters}, tool)


def _search_options(tool: Mapping[str, Any]) -> Body:
    """Return chat's `web_search_options` for a web search *tool*."""
    place = tool.get("user_location")
    if not isinstance(place, Mapping):
        return {}
    approximate = {key: it for key, it in place.items() if key != "type" and it is not None}
    return {"user_location": {"type": "approximate", "approximate": approximate}}


_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def choice(given: Mapping[str, Any], tools: Tools) -> Body:
    """Return chat's members for a `tool_choice`."""
    if not tools.functions:
        return {}
    kind = given.get("type")
    found: Body = {"tool_choice": _CHOICES.get(str(kind))}
    if kind == "tool" and tools.has(field(given, "name", "tool_choice")):
        found["tool_choice"] = {"type": "function", "function": {"name": given["name"]}}
    if given.get("disable_parallel_tool_use"):
        found["parallel_tool_calls"] = False
    return found
