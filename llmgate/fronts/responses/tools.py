"""The tools of a Responses request as functions of a chat.

A chat has functions only, so each tool that the client executes becomes one: the functions of a
namespace, a custom tool (one string), `tool_search`, `shell` and others. The names are unique,
match `^[a-zA-Z0-9_-]{1,64}$` and are the same in every request.
Sources: https://platform.openai.com/docs/api-reference/responses/create
https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.fronts.fields import invalid
from llmgate.fronts.responses import tool_definitions
from llmgate.fronts.responses.tool_definitions import Tool

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64
_LEFT_OUT = frozenset(("image_generation",))
"""Tools without which the model answers as well: clients offer them in every request."""


class Tools(NamedTuple):
    """The tools of one request."""

    by_name: Mapping[str, Tool]  # by the name of the function that stands for each
    web_search: Body | None  # the options of a search in the web, if one is offered

    def chat_name(self, kind: str, name: str, namespace: str | None) -> str:
        """Return the name of the function that stands for a tool, offered or not."""
        for known, tool in self.by_name.items():
            if (tool.kind, tool.name, tool.namespace) == (kind, name, namespace):
                return known
        return _name(name, namespace)

    def find(self, chat_name: str) -> Tool:
        """Return the tool behind a function; models may leave out the namespace."""
        found = self.by_name.get(chat_name)
        if found is None:
            bare = [tool for tool in self.by_name.values() if tool.name == chat_name]
            found = bare[0] if len(bare) == 1 else Tool("function", chat_name, None, {})
        return found

    def chat_tools(self, allowed: frozenset[tuple[str, str]] | None) -> list[Body]:
        """Return chat's tools, of *allowed* types and names (None: all)."""
        return [
            {"type": "function", "function": {"name": name, **tool.function}}
            for name, tool in self.by_name.items()
            if allowed is None or (tool.kind, tool.name) in allowed
        ]

    def names_in(self, definitions: Any) -> list[str]:
        """Return the names of the functions that stand for the tools in *definitions*."""
        found = definitions if isinstance(definitions, list) else ()
        tools = (one for tool in found for one in _read(tool, "tools"))
        return [self.chat_name(tool.kind, tool.name, tool.namespace) for tool in tools]


NO_TOOLS = Tools({}, None)


def _read(tool: Mapping[str, Any], place: str) -> Iterator[Tool]:
    """Yield the tools that a definition at *place* stands for."""
    return tool_definitions.KINDS.get(tool["type"], tool_definitions.none)(tool, place)


def read(body: Body) -> Tools:
    """Return the tools of a Responses *body*, those that a tool search found among them.

    Raises InvalidRequest for tools that only OpenAI's servers execute, unless `drop_params` is set.
    """
    drops = body.get("drop_params") is True
    found: dict[tuple[str, str, str | None], Tool] = {}
    web_search = None
    for place, tool in _all(body):
        kind = tool["type"]
        if kind.startswith("web_search"):
            web_search = tool_definitions.search_options(tool)
        elif kind in tool_definitions.KINDS:
            for one in _read(tool, place):
                found[one.kind, one.name, one.namespace] = one
        elif kind not in _LEFT_OUT and not drops:
            raise _hosted(kind, place)
    return Tools(_named(found.values()), web_search)


_WITH_TOOLS = ("tool_search_output", "additional_tools")
"""The types of input items that offer further tools."""


def _all(body: Body) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield place and definition of each tool in *body* and in the items of its input."""
    for at, tool in enumerate(body.get("tools") or ()):
        yield f"tools[{at}]", tool
    items = body.get("input")
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, Mapping) and item.get("type") in _WITH_TOOLS:
            yield from _found(item.get("tools") or (), f"input[{at}].tools")


def _found(tools: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield place and definition of each of *tools*, the result of a search."""
    if not isinstance(tools, list | tuple):
        raise invalid(name, "an array")
    for at, tool in enumerate(tools):
        if not isinstance(tool, Mapping) or not isinstance(tool.get("type"), str):
            raise invalid(f"{name}[{at}]", "an object with a 'type'")
        yield f"{name}[{at}]", tool


def _named(tools: Iterable[Tool]) -> dict[str, Tool]:
    """Return *tools* by names for a chat: plain functions keep theirs."""
    found: dict[str, Tool] = {}
    for tool in sorted(tools, key=lambda tool: tool.kind != "function" or bool(tool.namespace)):
        name = _name(tool.name, tool.namespace)
        if name in found:
            name = _hashed(name, f"{tool.kind}/{tool.namespace}/{tool.name}")
        found[name] = tool
    return found


def _name(name: str, namespace: str | None) -> str:
    """Return the name for a chat of a tool, before others are compared with it."""
    whole = f"{namespace}__{name}" if namespace else name
    fitting = _NOT_IN_NAMES.sub("_", whole)
    fits = fitting == whole and 0 < len(whole) <= _LONGEST_NAME
    return whole if fits else _hashed(fitting, whole)


def _hashed(name: str, identity: str) -> str:
    """Return *name*, shortened, with a hash of *identity*."""
    digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}_{digest}"


def _hosted(kind: str, place: str) -> errors.InvalidRequest:
    """Return the error for a tool that OpenAI's servers execute."""
    return errors.InvalidRequest(
        f"Tools of type '{kind}' are executed by OpenAI's servers and are not available with this"
        " model. Remove it, offer a tool of type 'function' instead, send drop_params: true to have"
        " it left out, or use a model whose provider has the Responses API.",
        param=place,
        code="unsupported_parameter",
    )


# -- choices


class Choice(NamedTuple):
    """Which tools may be used, and how."""

    mode: Any  # chat's tool_choice
    allowed: frozenset[tuple[str, str]] | None = None  # types and names; None: all


def choice(given: Any, tools: Tools) -> Choice:
    """Return what `tool_choice` allows; raises InvalidRequest for a tool that is not available."""
    if not isinstance(given, Mapping):
        return Choice(given)
    kind = given.get("type")
    if kind == "allowed_tools":
        listed = [tool for tool in given.get("tools") or () if isinstance(tool, Mapping)]
        return Choice(given.get("mode"), frozenset(map(_kind_and_name, listed)))
    kind, name = _kind_and_name(given)
    if kind in tool_definitions.KINDS and kind != "namespace":
        name = tools.chat_name(kind, name, given.get("namespace"))
        return Choice({"type": "function", "function": {"name": name}})
    if kind.startswith("web_search") or kind in _LEFT_OUT:
        return Choice("auto")
    raise errors.InvalidRequest(
        f"A tool_choice of type '{kind}' names a tool that this model lacks: use"
        ' "auto", "none", "required", a function, a custom tool or allowed_tools.',
        param="tool_choice",
    )


def _kind_and_name(given: Mapping[str, Any]) -> tuple[str, str]:
    """Return type and name of a tool that a choice names; tools of fixed types bear theirs."""
    kind = str(given.get("type"))
    return kind, str(given.get("name") or kind)
