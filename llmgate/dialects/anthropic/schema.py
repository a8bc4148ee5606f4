"""JSON Schemas as Claude's structured output supports them.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

_FORMATS = tuple("date-time time date duration email hostname uri ipv4 ipv6 uuid".split())
_ENFORCED = frozenset("type enum const $ref title description default required".split())
_OF_NAMES = frozenset(("properties", "$defs", "definitions"))
_OF_SCHEMAS = frozenset(("anyOf", "allOf", "items"))
_RENAMED: Mapping[Any, str] = {"oneOf": "anyOf"}


def is_open(schema: Any) -> bool:
    """Return whether *schema* has an object whose properties are not all named.

    Structured output knows closed objects only and would make an empty one of it.
    """
    if not isinstance(schema, Mapping):
        return False
    if _is_object(schema) and (schema.get("additionalProperties") or not schema.get("properties")):
        return True
    return any(is_open(inner) for key, value in schema.items() for inner in _within(key, value))


def closed(schema: Any) -> Any:
    """Return *schema* with every object closed; unsupported keywords go to the description."""
    if not isinstance(schema, Mapping):
        return schema
    out: dict[str, Any] = {}
    notes = []
    for key, value in schema.items():
        kept = _RENAMED.get(key, key)
        if kept in _OF_NAMES and isinstance(value, Mapping):
            out[kept] = {name: closed(inner) for name, inner in value.items()}
        elif kept in _OF_SCHEMAS:
            out[kept] = [*map(closed, value)] if isinstance(value, list) else closed(value)
        elif _is_enforced(key, value):
            out[kept] = value
        elif key != "additionalProperties":
            notes.append(f"{key}: {json.dumps(value)}")
    if notes:
        out["description"] = f"{out.get('description', '')} ({', '.join(notes)})".strip()
    if _is_object(schema):
        out["additionalProperties"] = False
    return out


def _within(key: str, value: Any) -> Iterable[Any]:
    """Return the schemas right inside the *value* of keyword *key*."""
    kept = _RENAMED.get(key, key)
    if kept in _OF_NAMES and isinstance(value, Mapping):
        return value.values()
    if kept in _OF_SCHEMAS:
        return value if isinstance(value, list) else [value]
    return ()


def _is_object(schema: Mapping[str, Any]) -> bool:
    """Return whether *schema* may be an object."""
    types = schema.get("type")
    return types == "object" or (isinstance(types, list) and "object" in types)


def _is_enforced(key: str, value: Any) -> bool:
    """Return whether structured output enforces *key*."""
    if key == "format":
        return value in _FORMATS
    if key == "minItems":
        return value in (0, 1)
    return key in _ENFORCED
