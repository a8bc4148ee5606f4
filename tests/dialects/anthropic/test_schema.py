from __future__ import annotations

import copy
from typing import Any

import pytest
from anthropic.lib._parse._transform import transform_schema

from llmgate.dialects.anthropic.schema import closed
from llmgate.dialects.anthropic.schema import is_open

PERSON = {
    "title": "Person",
    "type": "object",
    "$defs": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}},
    "properties": {
        "age": {"type": "integer", "minimum": 0, "description": "In years"},
        "born": {"type": "string", "format": "date"},
        "pets": {"type": "array", "items": {"$ref": "#/$defs/Pet"}, "minItems": 1},
        "kind": {"oneOf": [{"enum": ["a", "b"]}, {"const": None}]},
        "name": {"type": ["string", "null"], "pattern": "^[a-z]+$"},
    },
    "required": ["age"],
}


def test_objects_are_closed_and_what_is_not_enforced_is_told() -> None:
    before = copy.deepcopy(PERSON)

    got = closed(PERSON)

    assert before == PERSON
    assert got == {
        "title": "Person",
        "type": "object",
        "$defs": {
            "Pet": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "additionalProperties": False,
            }
        },
        "properties": {
            "age": {"type": "integer", "description": "In years (minimum: 0)"},
            "born": {"type": "string", "format": "date"},
            "pets": {"type": "array", "items": {"$ref": "#/$defs/Pet"}, "minItems": 1},
            "kind": {"anyOf": [{"enum": ["a", "b"]}, {"const": None}]},
            "name": {"type": ["string", "null"], "description": '(pattern: "^[a-z]+$")'},
        },
        "required": ["age"],
        "additionalProperties": False,
    }


def test_what_is_closed_stays_as_it_is() -> None:
    once = closed(PERSON)

    assert closed(once) == once


def test_the_official_sdk_would_change_nothing_more() -> None:
    schema = copy.deepcopy(PERSON)
    schema["properties"].pop("name")  # type: ignore[attr-defined]  # it knows no lists of types

    got = closed(schema)

    assert transform_schema(got) == got


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "array", "minItems": 3}, {"type": "array", "description": "(minItems: 3)"}),
        ({"type": "string", "format": "x"}, {"type": "string", "description": '(format: "x")'}),
        (
            {"items": [{"type": "null", "not": {}}]},
            {"items": [{"type": "null", "description": "(not: {})"}]},
        ),
        ({"properties": 7}, {"description": "(properties: 7)"}),
        (True, True),
    ],
)
def test_odd_schemas(schema: Any, wanted: Any) -> None:
    assert closed(schema) == wanted


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (PERSON, False),
        ({"type": "string"}, False),
        ({"type": "object"}, True),
        ({"type": ["object", "null"]}, True),
        ({"type": "object", "properties": {}}, True),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, True),
        ({"type": "array", "items": {"type": "object"}}, True),
        ({"oneOf": [{"type": "null"}, {"type": "object"}]}, True),
        ({"$defs": {"a": {"type": "object"}}}, True),
        ({"properties": 7}, False),
        (True, False),
    ],
)
def test_an_object_is_open_unless_its_properties_are_named(schema: Any, wanted: bool) -> None:
    assert is_open(schema) is wanted
