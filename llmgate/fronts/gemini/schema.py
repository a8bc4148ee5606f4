"""Google's schemas (a part of OpenAPI's) as JSON Schema, and JSON Schema as OpenAI is strict on it.

Sources: https://ai.google.dev/api/caching#Schema
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.dialects.gemini import names as gemini_names

_FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())
"""The formats of texts that OpenAI knows; Google's `int32` and `enum` say nothing more."""

_COUNTS = frozenset("minItems maxItems minLength maxLength minProperties maxProperties".split())
"""Numbers that Google writes as text."""

_LEFT_OUT = frozenset("nullable propertyOrdering example default".split())
_STRICT = frozenset(
    """type properties required additionalProperties items enum const anyOf description title
    $ref $defs format minItems maxItems minimum maximum pattern""".split()
)
"""The keywords that OpenAI takes where it is strict."""


def json_schema(given: Any) -> Any:
    """Return Google's schema *given* as JSON Schema; what is JSON Schema already stays so."""
    if not isinstance(given, Mapping):
        return given
    flat = {_name(key): value for key, value in given.items() if value is not None}
    made: dict[str, Any] = {}
    for key, value in flat.items():
        if key not in _LEFT_OUT and not (key == "format" and value not in _FORMATS):
            made[key] = _read(key, value, flat)
    return _with_null(made) if flat.get("nullable") else made


def _name(key: str) -> str:
    """Return JSON Schema's name of a keyword."""
    name = gemini_names.camel(key)
    return f"${name}" if name in ("ref", "defs") else name


def _read(key: str, value: Any, flat: Mapping[str, Any]) -> Any:
    """Return the *value* of the keyword *key* in the schema *flat*."""
    if key == "type":
        return value.lower() if isinstance(value, str) else [each.lower() for each in value]
    if key == "properties":
        order = [name for name in flat.get("propertyOrdering") or () if name in value]
        return {name: json_schema(value[name]) for name in dict.fromkeys([*order, *value])}
    if key == "$defs":
        return {name: json_schema(each) for name, each in value.items()}
    if key == "anyOf":
        return [json_schema(each) for each in value]
    if key in ("items", "additionalProperties"):
        return json_schema(value)
    return int(value) if key in _COUNTS else value


def _with_null(made: dict[str, Any]) -> dict[str, Any]:
    """Return the schema *made*, null allowed too."""
    if "anyOf" in made:
        return {**made, "anyOf": [*made["anyOf"], {"type": "null"}]}
    kind = made.get("type", [])
    listed = {"type": [*(kind if isinstance(kind, list) else [kind]), "null"]}
    enum = {"enum": [*made["enum"], None]} if "enum" in made else {}
    return {**made, **listed, **enum} if kind else made


def response_format(given: Any) -> dict[str, Any]:
    """Return OpenAI's response format for the JSON schema *given*: strict if it can be."""
    closed = _closed(given)
    if not _is_strict(closed):
        return {"type": "json_schema", "json_schema": {"name": "response", "schema": given}}
    named = {"name": "response", "schema": closed, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def _closed(schema: Any) -> Any:
    """Return *schema* with no other members than those that it names: Google makes no others."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {key: _closed(value) for key, value in schema.items() if key not in _NAMED}
    for key in _NAMED & schema.keys():
        if not isinstance(schema[key], Mapping):
            return schema
        made[key] = {name: _closed(each) for name, each in schema[key].items()}
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return {key: made[key] for key in dict.fromkeys([*schema, *made])}


_NAMED = frozenset(("properties", "$defs"))


def _is_strict(schema: Any, is_root: bool = True) -> bool:
    """Return whether OpenAI takes *schema* where it is strict: all that is named is required."""
    if not isinstance(schema, Mapping) or schema.keys() - _STRICT:
        return False
    kind, properties = schema.get("type"), schema.get("properties")
    if is_root and kind != "object":
        return False
    if "object" in (kind if isinstance(kind, list) else [kind]):
        required = set(schema.get("required") or ())
        if not isinstance(properties, Mapping) or required != set(properties):
            return False
        if schema["additionalProperties"] is not False:
            return False
    inner = [*(properties or {}).values(), *(schema.get("$defs") or {}).values()]
    inner += [*(schema.get("anyOf") or ()), *([schema["items"]] if "items" in schema else [])]
    return all(_is_strict(each, False) for each in inner)
