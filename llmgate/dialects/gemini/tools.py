"""OpenAI's tools, tool choice and JSON Schemas in Gemini's format.

Sources: https://ai.google.dev/api/caching#Tool
https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body


def tools(body: Body) -> list[dict[str, Any]]:
    """Return the tools of *body*: its functions as one tool, Google's own as they are."""
    declared: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for at, tool in enumerate(body.get("tools") or ()):
        kind = tool.get("type")
        if kind == "function":
            declared.append(_declaration(tool.get("function"), f"tools.{at}.function"))
        elif kind is None or (kind in tool and kind != "custom"):
            others.append({key: value for key, value in tool.items() if key != "type"})
        else:
            raise errors.InvalidRequest(
                f"Gemini does not support tools of type '{kind}'; use functions or its own tools,"
                ' such as {"google_search": {}}.',
                param=f"tools.{at}.type",
            )
    if body.get("web_search_options") is not None:
        others.append({"googleSearch": {}})
    return ([{"functionDeclarations": declared}] if declared else []) + others


def can_search(model: str, has_functions: bool) -> bool:
    """Return whether Google searches the web for a request: not beside functions.

    Source: https://ai.google.dev/gemini-api/docs/google-search
    """
    return not has_functions


def _declaration(function: Any, where: str) -> dict[str, Any]:
    """Return a *function* that the model may call."""
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise errors.InvalidRequest("A function needs a name.", param=f"{where}.name")
    declared = {"name": function["name"]}
    if function.get("description"):
        declared["description"] = function["description"]
    parameters = function.get("parameters")
    if isinstance(parameters, Mapping) and not _empty(parameters):
        declared["parametersJsonSchema"] = schema(parameters, f"{where}.parameters")
    return declared


def _empty(parameters: Mapping[str, Any]) -> bool:
    """Return whether *parameters* is empty: Google wants it unset then."""
    used = {key for key, value in parameters.items() if value or key not in _EMPTY}
    return not used - {"$schema", "type", "title", "description"}


_EMPTY = frozenset({"properties", "required", "additionalProperties"})


def check_parallel(parallel: Any, tools: list[dict[str, Any]]) -> None:
    """Raise InvalidRequest if *parallel* calls are ruled out where *tools* allow for them.

    With one function the wish is left out: clients that want one answer in a form send it so.
    """
    declared = tools[0].get("functionDeclarations", ()) if tools else ()
    if parallel is False and len(declared) > 1:
        raise errors.InvalidRequest(
            "Gemini cannot disable parallel tool calls. Remove"
            " parallel_tool_calls, or list it in additional_drop_params.",
            param="parallel_tool_calls",
            code="unsupported_parameter",
        )


_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def tool_config(choice: Any) -> dict[str, Any]:
    """Return the toolConfig for a tool *choice* of OpenAI's; empty if it leaves all open."""
    if choice is None:
        return {}
    if isinstance(choice, str) and choice in _MODES:
        return _calling(_MODES[choice])
    if isinstance(choice, Mapping) and choice.get("type") == "function":
        return _calling("ANY", _names([choice]))
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools") or {}
        # AUTO takes no names; VALIDATED is AUTO among those named
        mode = "ANY" if allowed.get("mode") == "required" else "VALIDATED"
        return _calling(mode, _names(allowed.get("tools") or ()))
    raise errors.InvalidRequest(
        f"tool_choice must be one of {', '.join(_MODES)}, or name a function.",
        param="tool_choice",
    )


def _calling(mode: str, names: list[str] | None = None) -> dict[str, Any]:
    """Return the toolConfig of a *mode*, among the functions named if there are any."""
    allowed = {"allowedFunctionNames": names} if names else {}
    return {"functionCallingConfig": {"mode": mode, **allowed}}


def _names(choices: Any) -> list[str]:
    """Return the names of the functions that *choices* choose."""
    try:
        return [choice["function"]["name"] for choice in choices]
    except (KeyError, TypeError) as e:
        raise errors.InvalidRequest(
            "tool_choice must name a function.", param="tool_choice.function.name"
        ) from e


def schema(given: Any, where: str) -> Any:
    """Return JSON Schema *given* with the keywords that Gemini supports; *where* is for errors.

    `const` becomes an enum of one, `allOf` is folded into its parent, `definitions` become
    `$defs`; what Gemini has no word for (`pattern`, `exclusiveMinimum`, ...) is left out.
    """
    try:
        return _schema(given)
    except (AttributeError, RecursionError, TypeError) as e:
        raise errors.InvalidRequest("Invalid JSON Schema.", param=where) from e


def _schema(given: Any) -> Any:
    """Return schema *given*; a non-object (`true`, `false`) is returned unchanged."""
    if not isinstance(given, Mapping):
        return given
    flat = _folded(given)
    made: dict[str, Any] = {}
    for key, value in flat.items():
        # beside a $ref only what begins with $ may stand
        if "$ref" in flat and not key.startswith("$") and key != "definitions":
            continue
        if key == "items" and isinstance(value, list):
            key = "prefixItems"
        name, translated = _KEYWORDS.get(key, (key, _nothing))
        read = translated(value)
        if read is not None:
            made[name] = read
    values = [flat["const"]] if "const" in flat else flat.get("enum")
    if values and "type" not in made and "$ref" not in made:
        made.update(_type_of(values))
    return made


def _type_of(values: Iterable[Any]) -> dict[str, Any]:
    """Return the type of an enum's *values*, which Gemini requires; null included."""
    found = list(dict.fromkeys(_TYPES[type(value)] for value in values if type(value) in _TYPES))
    return {"type": found[0] if len(found) == 1 else found} if found else {}


_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _folded(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return schema *given* with the schemas of its `allOf` merged; its own keywords win."""
    whole = given.get("allOf")
    if not isinstance(whole, list):
        return given
    flat = {key: value for key, value in given.items() if key != "allOf"}
    for part in whole:
        for key, value in _folded(part).items() if isinstance(part, Mapping) else ():
            if key == "properties" and isinstance(flat.get(key, {}), Mapping):
                flat[key] = {**value, **flat.get(key, {})}
            elif key == "required" and isinstance(flat.get(key, []), list):
                flat[key] = [*flat.get(key, []), *value]
            else:
                flat.setdefault(key, value)
    return flat


def _same(value: Any) -> Any:
    """Return *value*."""
    return value


def _nothing(value: Any) -> Any:
    """Return None: Gemini does not read this keyword."""
    return None


def _each(value: Any) -> Any:
    """Return the schemas of an object, by name."""
    return {name: _schema(given) for name, given in value.items()}


def _all(value: Any) -> Any:
    """Return the schemas of a list."""
    return [_schema(given) for given in value]


def _enum(values: Any) -> Any:
    """Return the *values* that Gemini's enums support (strings, numbers), None without any."""
    kept = [
        value
        for value in values
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    return kept or None


def _constant(value: Any) -> Any:
    """Return an enum of *value* alone."""
    return _enum([value])


def _reference(value: Any) -> Any:
    """Return a reference into `$defs`."""
    return value.replace("#/definitions/", "#/$defs/")


_KEYWORDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    **{
        name: (name, _same)
        for name in (
            "$id $anchor type format title description minItems maxItems minimum maximum"
            " required propertyOrdering"
        ).split()
    },
    "$ref": ("$ref", _reference),
    "$defs": ("$defs", _each),
    "definitions": ("$defs", _each),
    "properties": ("properties", _each),
    "additionalProperties": ("additionalProperties", _schema),
    "items": ("items", _schema),
    "prefixItems": ("prefixItems", _all),
    "anyOf": ("anyOf", _all),
    "oneOf": ("oneOf", _all),
    "enum": ("enum", _enum),
    "const": ("enum", _constant),
}
