"""Members of a client's request, their types checked: errors name the place of the member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate import errors


def invalid(place: str, expected: str) -> errors.InvalidRequest:
    """Return the error for a value at *place* that is not what is *expected*."""
    return errors.InvalidRequest(
        f"Invalid type for '{place}': expected {expected}.", param=place, code="invalid_type"
    )


def missing(place: str) -> errors.InvalidRequest:
    """Return the error for a member that is not at *place*."""
    return errors.InvalidRequest(
        f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter"
    )


def field(item: Mapping[str, Any], name: str, place: str) -> str:
    """Return the text *name* of the *item* at *place*; raises InvalidRequest without it."""
    value = item.get(name)
    if value is None:
        raise missing(f"{place}.{name}")
    if not isinstance(value, str):
        raise invalid(f"{place}.{name}", "a string")
    return value


def text(item: Mapping[str, Any], name: str, place: str) -> str:
    """Return the text *name* of the *item* at *place*, empty if there is none."""
    return "" if item.get(name) is None else field(item, name, place)


def member(item: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
    """Return the object *name* of the *item* at *place*; raises InvalidRequest without it."""
    value = item.get(name)
    if value is None:
        raise missing(f"{place}.{name}")
    if not isinstance(value, Mapping):
        raise invalid(f"{place}.{name}", "an object")
    return value


def array(item: Mapping[str, Any], name: str, place: str) -> list[Mapping[str, Any]]:
    """Return the objects in the array *name* of the *item* at *place*; raises InvalidRequest."""
    value = item.get(name)
    return [] if value is None else objects(value, f"{place}.{name}")


def objects(value: Any, place: str) -> list[Mapping[str, Any]]:
    """Return *value*, at *place*, if it is an array of objects; raises InvalidRequest."""
    if not isinstance(value, list):
        raise invalid(place, "an array")
    for at, each in enumerate(value):
        if not isinstance(each, Mapping):
            raise invalid(f"{place}[{at}]", "an object")
    return value
