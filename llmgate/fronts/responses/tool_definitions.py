"""The types of tools that a client of the Responses API executes, as functions of a chat.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate.contract import Body
from llmgate.fronts.fields import field
from llmgate.fronts.fields import invalid
from llmgate.fronts.fields import text

INPUT = "input"
"""The only parameter of a function that stands for a custom tool."""

_FUNCTION = frozenset("description parameters strict".split())


class Tool(NamedTuple):
    """A tool that the client executes."""

    kind: str  # its type
    name: str
    namespace: str | None
    function: Mapping[str, Any]  # the description and parameters that a chat offers it with


def none(tool: Mapping[str, Any], place: str) -> Iterator[Tool]:
    """Yield nothing: a tool that the client does not execute."""
    return iter(())


def _function(tool: Mapping[str, Any], place: str, namespace: str | None = None) -> Iterator[Tool]:
    """Yield a function tool."""
    name = field(tool, "name", place)
    parameters = tool.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise invalid(f"{place}.parameters", "an object")
    text(tool, "description", place)
    kept = {key: tool[key] for key in tool if key in _FUNCTION and tool[key] is not None}
    yield Tool("function", name, namespace, kept)


def _custom(tool: Mapping[str, Any], place: str, namespace: str | None = None) -> Iterator[Tool]:
    """Yield a custom tool: a function whose only parameter is the free-form input."""
    name = field(tool, "name", place)
    texts = [text(tool, "description", place), _grammar(tool.get("format"))]
    parameters = {
        "type": "object",
        "properties": {INPUT: {"type": "string", "description": "The whole input, as free text."}},
        "required": [INPUT],
        "additionalProperties": False,
    }
    function: Body = {"parameters": parameters}
    description = "\n\n".join(filter(None, texts))
    if description:
        function = {"description": description, **function}
    yield Tool("custom", name, namespace, function)


def _grammar(form: Any) -> str:
    """Return the sentence about the input's *form*; empty for free text."""
    if not isinstance(form, Mapping) or form.get("type") != "grammar":
        return ""
    return f"The input must match this {form.get('syntax')} grammar:\n{form.get('definition')}"


def _namespace(tool: Mapping[str, Any], place: str) -> Iterator[Tool]:
    """Yield the functions and custom tools of a namespace."""
    namespace = field(tool, "name", place)
    members = tool.get("tools") or ()
    if not isinstance(members, list | tuple):
        raise invalid(f"{place}.tools", "an array")
    for at, member in enumerate(members):
        inner = f"{place}.tools[{at}]"
        kind = str(member.get("type")) if isinstance(member, Mapping) else ""
        if kind not in _IN_NAMESPACES:
            raise invalid(inner, "a tool of type 'function' or 'custom'")
        yield from _IN_NAMESPACES[kind](member, inner, namespace)


_IN_NAMESPACES = {"function": _function, "custom": _custom}


def _tool_search(tool: Mapping[str, Any], place: str) -> Iterator[Tool]:
    """Yield a search for tools, if the client executes it: else all tools are offered anyway."""
    if tool.get("execution") != "client":
        return
    parameters = tool.get("parameters")
    if not isinstance(parameters, Mapping):
        parameters = _object({"query": {"type": "string"}}, "query")
    description = text(tool, "description", place) or "Searches for tools that are not listed here."
    function = {"description": description, "parameters": parameters}
    yield Tool("tool_search", "tool_search", None, function)


def _object(properties: Body, *required: str) -> Body:
    """Return the schema of an object."""
    return {"type": "object", "properties": properties, "required": list(required)}


_STRINGS = {"type": "array", "items": {"type": "string"}}
_COMMANDS = {
    "description": "Runs commands in a shell and returns their output.",
    "parameters": _object({"commands": _STRINGS, "timeout_ms": {"type": "integer"}}, "commands"),
}
_COMMAND = {
    "description": "Runs one command, an argument vector, and returns its output.",
    "parameters": _object(
        {
            "command": _STRINGS,
            "working_directory": {"type": "string"},
            "timeout_ms": {"type": "integer"},
        },
        "command",
    ),
}
_PATCH = {
    "description": "Creates, updates or deletes one file; `diff` is a patch in V4A format.",
    "parameters": _object(
        {
            "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            "path": {"type": "string"},
            "diff": {"type": "string"},
        },
        "type",
        "path",
    ),
}


def _fixed(kind: str, function: Body) -> Callable[[Mapping[str, Any], str], Iterator[Tool]]:
    """Return what yields the tool of a *kind* whose parameters OpenAI's API fixes."""

    def tools(tool: Mapping[str, Any], place: str) -> Iterator[Tool]:
        yield Tool(kind, kind, None, function)

    return tools


KINDS: Mapping[str, Callable[[Mapping[str, Any], str], Iterator[Tool]]] = {
    "function": _function,
    "custom": _custom,
    "namespace": _namespace,
    "tool_search": _tool_search,
    "shell": _fixed("shell", _COMMANDS),
    "local_shell": _fixed("local_shell", _COMMAND),
    "apply_patch": _fixed("apply_patch", _PATCH),
}


def search_options(tool: Mapping[str, Any]) -> Body:
    """Return chat's `web_search_options` for a web search *tool*."""
    options: Body = {}
    if isinstance(tool.get("search_context_size"), str):
        options["search_context_size"] = tool["search_context_size"]
    place = tool.get("user_location")
    if isinstance(place, Mapping):
        approximate = {key: it for key, it in place.items() if key != "type" and it is not None}
        options["user_location"] = {"type": "approximate", "approximate": approximate}
    return options


"""What yields the tools that a definition of each type stands for."""
