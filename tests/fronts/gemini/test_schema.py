from __future__ import annotations

from typing import Any

import pytest

from llmgate.fronts.gemini import schema as front_schema

TEXT = {"type": "string"}


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "STRING", "format": "enum", "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
        ({"type": "STRING", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": ["string", "NULL"]}, {"type": ["string", "null"]}),
        ({"type": "INTEGER", "format": "int32", "title": None}, {"type": "integer"}),
        (
            {"type": "ARRAY", "items": {"type": "STRING"}, "min_items": "1", "maxItems": 3},
            {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 3},
        ),
        (
            {
                "type": "OBJECT",
                "properties": {"my_b": {"type": "STRING"}, "a": {"type": "STRING"}},
                "propertyOrdering": ["a", "gone"],
                "additionalProperties": {"type": "STRING"},
                "example": {},
                "default": {},
            },
            {
                "type": "object",
                "properties": {"a": TEXT, "my_b": TEXT},
                "additionalProperties": TEXT,
            },
        ),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": ["STRING"], "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "STRING", "nullable": True, "enum": ["a"]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"any_of": [{"type": "STRING"}], "nullable": True},
            {"anyOf": [TEXT, {"type": "null"}]},
        ),
        ({"nullable": True, "description": "d"}, {"description": "d"}),
        ({"nullable": False, "type": "STRING"}, TEXT),
        (
            {"defs": {"my_x": {"type": "STRING"}}, "ref": "#/$defs/my_x"},
            {"$defs": {"my_x": TEXT}, "$ref": "#/$defs/my_x"},
        ),
        (
            {"$defs": {"x": {"type": "string"}}, "$ref": "#/$defs/x"},
            {"$defs": {"x": TEXT}, "$ref": "#/$defs/x"},
        ),
        (True, True),
        (None, None),
    ],
)
def test_a_schema_of_googles_is_json_schema(given: Any, wanted: Any) -> None:
    got = front_schema.json_schema(given)

    assert got == wanted
    if isinstance(got, dict) and "properties" in got:
        assert list(got["properties"]) == list(wanted["properties"])


def test_properties_come_in_the_order_that_is_asked_for() -> None:
    given = {"properties": {"b": {}, "a": {}}, "propertyOrdering": ["a", "b"]}

    assert list(front_schema.json_schema(given)["properties"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (an_object(a=TEXT), {**an_object(a=TEXT), "additionalProperties": False}),
        (
            an_object(a={"type": "array", "items": an_object(b=TEXT)}),
            {
                **an_object(
                    a={
                        "type": "array",
                        "items": {**an_object(b=TEXT), "additionalProperties": False},
                    }
                ),
                "additionalProperties": False,
            },
        ),
        (
            {**an_object(a={"$ref": "#/$defs/X"}), "$defs": {"X": an_object(b=TEXT)}},
            {
                **an_object(a={"$ref": "#/$defs/X"}),
                "$defs": {"X": {**an_object(b=TEXT), "additionalProperties": False}},
                "additionalProperties": False,
            },
        ),
        (
            an_object(a={"anyOf": [an_object(b=TEXT), {"type": "null"}]}),
            {
                **an_object(
                    a={
                        "anyOf": [
                            {**an_object(b=TEXT), "additionalProperties": False},
                            {"type": "null"},
                        ]
                    }
                ),
                "additionalProperties": False,
            },
        ),
    ],
)
def test_a_schema_that_names_all_is_strict(given: Any, wanted: Any) -> None:
    assert front_schema.response_format(given) == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": wanted, "strict": True},
    }


@pytest.mark.parametrize(
    "given",
    [
        {"type": "array", "items": TEXT},
        {"type": "object"},
        {**an_object(a=TEXT), "required": []},
        {**an_object(a=TEXT), "additionalProperties": True},
        {**an_object(a=TEXT), "oneOf": []},
        an_object(a=an_object(b={**TEXT, "default": "x"})),
        an_object(a={"type": ["object", "null"]}),
        an_object(a=True),
        {"type": "object", "properties": 3},
        True,
    ],
)
def test_any_other_schema_goes_as_it_is(given: Any) -> None:
    assert front_schema.response_format(given) == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": given},
    }
