from __future__ import annotations

from typing import Any

import pytest

from llmgate.fronts.strict_schema import is_strict

TEXT = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    required = list(properties)
    rest = {"required": required, "additionalProperties": False}
    return {"type": "object", "properties": properties, **rest}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (closed(a=TEXT), True),
        (closed(), True),
        (closed(a=closed(b=TEXT), c={"type": "array", "items": closed(d=TEXT)}), True),
        ({**closed(a={"$ref": "#/$defs/x"}), "$defs": {"x": closed()}}, True),
        (closed(a={"anyOf": [TEXT, {"type": "null"}]}), True),
        ({**closed(a=TEXT), "required": []}, False),
        ({**closed(a=TEXT), "required": 5}, False),
        ({**closed(a=TEXT), "additionalProperties": True}, False),
        ({**closed(a=TEXT), "definitions": {"x": {"type": "object"}}}, False),
        (closed(a={"type": "object"}), False),
        (closed(a={"properties": {}}), False),
        (closed(a={"type": "array", "items": {"oneOf": [TEXT]}}), False),
        (closed(a={"anyOf": [{"type": ["object", "null"]}]}), False),
        (TEXT, False),
        (None, False),
        (closed(a=True), False),
    ],
)
def test_openais_rules_hold_at_every_depth(schema: Any, strict: bool) -> None:
    assert is_strict(schema) is strict
