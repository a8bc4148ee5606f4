from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from testing.request_bodies import BAD
from testing.request_bodies import GOOD

from llmgate.schema import fast_path
from llmgate.schema import validation

SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "schemas").glob("*.json"))
    if path.stem != "config"
}
FITS = {name: fast_path.fits(schema) for name, schema in SCHEMAS.items()}
JUDGES = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
BODIES = [(name, body) for name in GOOD for body in GOOD[name]]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "x", "0", "1", "1.5", "true", "float", "1\n"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "type", "name", "content", "x"]), part)
    ),
    max_leaves=4,
)


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> Any:
    """Return *value* with one place of it replaced, left out or added to."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 9)) == 0:
            return {name: member for name, member in value.items() if name != key}
        return {**value, key: draw(spoiled(value[key]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(spoiled(value[at])), *value[at + 1 :]]
    return draw(ANYTHING)


@given(st.data())
def test_a_value_fits_exactly_if_jsonschema_finds_nothing_wrong(data: st.DataObject) -> None:
    name, body = data.draw(st.sampled_from(BODIES))
    value = data.draw(spoiled(body) | st.just(body))

    valid = JUDGES[name].is_valid(value)

    assert FITS[name](value) is valid
    assert (next(validation.violations(name, value), None) is None) is valid


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value, *_ in BAD])
def test_what_is_bad_does_not_fit(name: str, value: Any) -> None:
    assert not FITS[name](value)
    assert not JUDGES[name].is_valid(value)


@pytest.mark.parametrize(("name", "value"), BODIES)
def test_what_is_good_fits(name: str, value: Any) -> None:
    assert FITS[name](value)
    assert JUDGES[name].is_valid(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "string"}]},
        {"type": "string", "maxLength": 9},
        {"$ref": "#/$defs/x"},
        {"type": "object", "additionalProperties": False},
    ],
)
def test_nothing_fits_a_schema_with_keywords_that_are_not_known(schema: dict[str, Any]) -> None:
    fits = fast_path.fits(schema)

    assert not any(fits(value) for value in ("x", {}, [], 1, None, True))


def test_a_member_or_item_with_keywords_that_are_not_known_never_fits() -> None:
    fits = fast_path.fits(
        {"properties": {"a": {"const": 1}, "b": {"items": {"const": 1}}, "c": {"enum": ["x"]}}}
    )

    got = [fits(value) for value in ({}, {"z": 1}, {"a": 1}, {"b": []}, {"b": [1]}, {"c": "x"})]

    assert got == [True, True, False, True, False, True]


@pytest.mark.parametrize(
    ("schema", "value", "wanted"),
    [
        ({}, {"any": [1]}, True),
        ({}, {1, 2}, False),
        ({"type": "integer"}, True, False),
        ({"type": "integer"}, 2.0, True),
        ({"type": "integer", "minimum": 3}, 2.0, False),
        ({"type": "integer", "minimum": 1}, 0, False),
        ({"type": "number"}, False, False),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 0, False),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 1, True),
        ({"type": "number", "minimum": 0}, float("nan"), False),
        ({"type": "array", "minItems": 1}, [], False),
        ({"type": "array", "minItems": 1}, [None], True),
        ({"type": ["string", "null"], "enum": ["a", None]}, None, True),
        ({"type": ["string", "null"], "enum": ["a"]}, None, False),
        ({"enum": [1, "a"]}, True, False),
        ({"type": "string", "minLength": 2, "pattern": "^a"}, "a", False),
        ({"type": "string", "minLength": 2, "pattern": "^a"}, "ab", True),
        ({"type": "object", "required": ["a"]}, {}, False),
    ],
)
def test_what_fits_a_schema(schema: dict[str, Any], value: Any, wanted: bool) -> None:
    assert fast_path.fits(schema)(value) is wanted
