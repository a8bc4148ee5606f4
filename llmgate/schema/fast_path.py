"""Quick tests compiled from JSON Schemas: whether a value, as json.loads makes them, surely fits.

They are sure when they say yes; no means that jsonschema must look, which is some forty times
slower. Only the keywords of our request schemas are known here; a schema with any other never
fits for sure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from math import inf
from types import NoneType
from typing import Any
from typing import TypeAlias

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema that is an object."""

Fits: TypeAlias = Callable[[Any], bool]
"""A test of a value."""

Kinds: TypeAlias = dict[type, Fits | None]
"""The Python types that a schema takes, each with what else must hold; None: nothing else."""

KNOWN = frozenset(
    "type enum required properties items minItems minLength pattern minimum exclusiveMinimum"
    " maximum $schema $id title description expected unsupported closed_sections".split()
)
"""Keywords that are tested here or that test nothing."""


def fits(schema: Schema) -> Fits:
    """Return the quick test for *schema*."""
    return _any_of(_kinds(schema))


def _any_of(kinds: Kinds) -> Fits:
    plain = _plain(kinds)
    if len(plain) == len(kinds):
        return lambda value: type(value) in plain

    def test(value: Any) -> bool:
        rule = kinds.get(type(value), _never)
        return rule is None or rule(value)

    return test


def _kinds(schema: Schema) -> Kinds:
    if not schema.keys() <= KNOWN:
        return {}
    words = schema.get("type", list(_TYPES))
    kinds: Kinds = {}
    for word in [words] if isinstance(words, str) else words:
        kinds.update(_TYPES[word](schema))
    if "enum" in schema:  # of names and null, as ours are: True would equal 1
        names = schema["enum"]
        return {kind: lambda value: value in names for kind in kinds if kind in (str, NoneType)}
    return kinds


def _plain(kinds: Kinds) -> frozenset[type]:
    return frozenset(kind for kind, rule in kinds.items() if rule is None)


def _never(value: Any) -> bool:
    return False


def _object(schema: Schema) -> Kinds:
    required = frozenset(schema.get("required", ()))
    kinds = {name: _kinds(member) for name, member in schema.get("properties", {}).items()}
    members = {name: (_plain(kinds[name]), _any_of(kinds[name])) for name in kinds}

    def test(value: Any) -> bool:
        if not required <= value.keys():
            return False
        for name, member in value.items():
            known = members.get(name)
            if known and type(member) not in known[0] and not known[1](member):
                return False
        return True

    return {dict: test if required or members else None}


def _array(schema: Schema) -> Kinds:
    least = schema.get("minItems", 0)
    if "items" not in schema:
        return {list: (lambda value: len(value) >= least) if least else None}
    kinds = _kinds(schema["items"])
    plain, item_fits = _plain(kinds), _any_of(kinds)

    def test(value: Any) -> bool:
        if len(value) < least:
            return False
        return plain.issuperset(map(type, value)) or all(map(item_fits, value))

    return {list: test}


def _string(schema: Schema) -> Kinds:
    least = schema.get("minLength", 0)
    search = re.compile(schema.get("pattern", "")).search

    def test(value: Any) -> bool:
        return len(value) >= least and search(value) is not None

    return {str: test if least or "pattern" in schema else None}


def _number(schema: Schema) -> Kinds:
    low, high = schema.get("minimum", -inf), schema.get("maximum", inf)
    above = schema.get("exclusiveMinimum", -inf)

    def test(value: Any) -> bool:
        return bool(low <= value <= high and value > above)

    rule = None if (low, above, high) == (-inf, -inf, inf) else test
    return {int: rule, float: rule}


def _integer(schema: Schema) -> Kinds:
    rule = _number(schema)[int]

    def test(value: Any) -> bool:  # JSON's 1.0 is an integer
        return bool(value.is_integer()) and (rule is None or rule(value))

    return {int: rule, float: test}


_TYPES: dict[str, Callable[[Schema], Kinds]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda schema: {bool: None},
    "null": lambda schema: {NoneType: None},
}
