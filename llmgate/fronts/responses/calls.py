"""Calls of a chat's functions as the output items of a Response, and these as calls.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from llmgate.dialects.openai import wire as openai_wire
from llmgate.fronts.fields import field
from llmgate.fronts.fields import invalid
from llmgate.fronts.responses import custom_input
from llmgate.fronts.responses.tool_definitions import INPUT
from llmgate.fronts.responses.tool_definitions import Tool


def call_item(tool: Tool, call_id: str, arguments: str) -> dict[str, Any]:
    """Return the output item for a call of *tool*, without id and status."""
    return {"type": ITEM_TYPES[tool.kind], "call_id": call_id, **_CALLS[tool.kind](tool, arguments)}


def _called_function(tool: Tool, arguments: str) -> dict[str, Any]:
    return {**_identity(tool), "arguments": arguments}


def _called_custom(tool: Tool, arguments: str) -> dict[str, Any]:
    return {**_identity(tool), INPUT: custom_input.text_of(arguments)}


def _identity(tool: Tool) -> dict[str, Any]:
    """Return a tool's name, and its namespace if it has one."""
    return {"name": tool.name, **({"namespace": tool.namespace} if tool.namespace else {})}


def _parsed(arguments: str) -> dict[str, Any]:
    """Return the object in *arguments*, empty if there is none."""
    try:
        found = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _called_search(tool: Tool, arguments: str) -> dict[str, Any]:
    return {"execution": "client", "arguments": _parsed(arguments)}


def _called_shell(tool: Tool, arguments: str) -> dict[str, Any]:
    given = _parsed(arguments)
    action = {"commands": _strings(given.get("commands")), "timeout_ms": given.get("timeout_ms")}
    return {"action": {**action, "max_output_length": given.get("max_output_length")}}


def _called_local_shell(tool: Tool, arguments: str) -> dict[str, Any]:
    given = _parsed(arguments)
    kept = {key: given[key] for key in ("working_directory", "timeout_ms") if given.get(key)}
    action = {"type": "exec", "command": _strings(given.get("command")), "env": {}, **kept}
    return {"action": action}


def _strings(value: Any) -> list[str]:
    """Return *value*, a string or a list, as strings."""
    if isinstance(value, str):
        return [value]
    return [str(each) for each in value] if isinstance(value, list) else []


def _called_patch(tool: Tool, arguments: str) -> dict[str, Any]:
    given = _parsed(arguments)
    operation = given.get("operation")
    return {"operation": operation if isinstance(operation, dict) else given}


ITEM_TYPES: Mapping[str, str] = {
    "function": "function_call",
    "custom": "custom_tool_call",
    "tool_search": "tool_search_call",
    "shell": "shell_call",
    "local_shell": "local_shell_call",
    "apply_patch": "apply_patch_call",
}
"""The type of the item that a call of each type of tool is."""

_CALLS: Mapping[str, Callable[[Tool, str], dict[str, Any]]] = {
    "function": _called_function,
    "custom": _called_custom,
    "tool_search": _called_search,
    "shell": _called_shell,
    "local_shell": _called_local_shell,
    "apply_patch": _called_patch,
}


# -- calls in the input


_KINDS = {type: kind for kind, type in ITEM_TYPES.items()}


def kind_of(item_type: str) -> str:
    """Return the type of the tool whose call an item of *item_type* is."""
    return _KINDS[item_type]


def arguments_of(item: Mapping[str, Any], place: str) -> str:
    """Return the arguments of the function call that *item*, at *place*, stands for."""
    kind = kind_of(item["type"])
    if kind == "custom":
        text = field(item, "input", place) if item.get("input") else ""
        return openai_wire.encoded({INPUT: text}).decode()
    name = _MEMBERS[kind]
    given = item.get(name)
    if isinstance(given, str) and kind == "tool_search":
        return given
    if given is not None and not isinstance(given, Mapping):
        raise invalid(f"{place}.{name}", "an object")
    kept = {key: it for key, it in (given or {}).items() if it is not None}
    if kind == "local_shell":
        kept = {key: it for key, it in kept.items() if key not in ("type", "env", "user")}
    return openai_wire.encoded(kept).decode()


_MEMBERS = {
    "tool_search": "arguments",
    "shell": "action",
    "local_shell": "action",
    "apply_patch": "operation",
}
"""Where the items of these calls have their arguments."""


def output_text(item: Mapping[str, Any]) -> str:
    """Return the output of a shell or a patch as text; a failed patch without output is marked."""
    output = item.get("output")
    if output is None:
        return str(item.get("status") or "completed")
    return output if isinstance(output, str) else openai_wire.encoded(output).decode()
