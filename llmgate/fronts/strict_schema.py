"""Which JSON schemas OpenAI takes where they are strict.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REFUSED = frozenset(
    """allOf not dependentRequired dependentSchemas if then else patternProperties oneOf
    unevaluatedProperties propertyNames minProperties maxProperties unevaluatedItems contains
    minContains maxContains uniqueItems prefixItems $dynamicRef""".split()
)
_DEEPEST = 50


def is_strict(schema: Any, is_root: bool = True, depth: int = 0) -> bool:
    """Return whether OpenAI takes *schema* as strict: every property is required, and no other."""
    if not isinstance(schema, Mapping) or schema.keys() & _REFUSED or depth > _DEEPEST:
        return False
    kind, properties = schema.get("type"), schema.get("properties")
    kinds = kind if isinstance(kind, list) else [kind]
    if is_root and kind != "object":
        return False
    if "object" in kinds or properties is not None:
        required = schema.get("required") or ()
        if not isinstance(properties, Mapping) or not isinstance(required, list | tuple):
            return False
        if {str(name) for name in required} != set(properties):
            return False
        if schema.get("additionalProperties") is not False:
            return False
    return all(is_strict(each, False, depth + 1) for each in _inner(schema))


def _inner(schema: Mapping[str, Any]) -> list[Any]:
    """Return the schemas within *schema*."""
    found: list[Any] = []
    for name in ("properties", "$defs", "definitions"):
        if isinstance(schema.get(name), Mapping):
            found += schema[name].values()
    if isinstance(schema.get("anyOf"), list):
        found += schema["anyOf"]
    return found + ([schema["items"]] if "items" in schema else [])
