"""Checks of values against the bundled JSON Schemas: request bodies and the configuration.

The schemas lie in `schemas/` of a checkout and in `llmgate/schemas/` of the wheel. jsonschema is
the judge; a quick test (`shapes`) spares it what is right. Two keywords are annotations of ours:
`expected` describes a valid value, and `unsupported` marks a setting, or lists the
values of one, that LiteLLM knows and llmgate does not serve.
"""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any
from typing import NamedTuple

from jsonschema import Draft202012Validator
from jsonschema import ValidationError
from jsonschema.validators import extend

from llmgate import errors
from llmgate.schema import fast_path
from llmgate.schema.fast_path import Schema

_PACKED = Path(__file__).parents[1] / "schemas"
_FOLDER = _PACKED if _PACKED.is_dir() else Path(__file__).parents[2] / "schemas"


class _Rules(NamedTuple):
    schema: Schema
    fits: fast_path.Fits
    judge: Any


class _Violation(NamedTuple):
    """One thing wrong with a value; it never quotes the value, which may hold a secret."""

    path: str
    message: str
    code: str


def check(name: str, value: Any) -> None:
    """Raise `errors.InvalidRequest` for the first thing that schema *name* forbids in *value*."""
    if _rules(name).fits(value):
        return
    for path, message, code in _violations(name, value):
        raise errors.InvalidRequest(message, param=path or None, code=code)


def violations(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Return path and message of each thing that schema *name* forbids in *value*.

    A path reads `model_list[0].litellm_params.model`; that of the value itself is empty. The
    message names the path too.
    """
    return ((path, message) for path, message, _ in _violations(name, value))


def unsupported(value: Any) -> list[str]:
    """Return the paths in the configuration *value* that llmgate knows of and does not serve.

    A setting that is null or empty asks for nothing and is left out.
    """
    root = _rules("config").schema
    return [_joined(path) for path in _unserved(root, root, value, ())]


def typed(value: Any) -> Any:
    """Return the configuration *value* with the numbers and flags that are text made such.

    What the environment gives is text, and YAML reads 1e-6 as text. Text that is not a number is
    kept, for `violations` to name; so is `os.environ/NAME`.
    """
    root = _rules("config").schema
    return _read(root, root, value)


def schema(name: str) -> Schema:
    """Return the schema called *name*."""
    return _rules(name).schema


@cache
def names(schema: str, *steps: str) -> frozenset[str]:
    """Return the names of the members that *schema* knows below *steps*; lists are not steps."""
    root = _rules(schema).schema
    part = root
    for step in steps:
        part = _resolved(root, part)["properties"][step]
        part = part.get("items", part)
    return frozenset(_resolved(root, part)["properties"])


@cache
def _rules(name: str) -> _Rules:
    schema = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return _Rules(schema, fast_path.fits(schema), _Judge(schema))


def _violations(name: str, value: Any) -> Iterator[_Violation]:
    rules = _rules(name)
    for error in rules.judge.iter_errors(value):
        path = _joined(tuple(error.absolute_path))
        subject = f"'{path}'" if path else f"the {rules.schema['title'].lower()}"
        yield _Violation(path, *_words(rules.schema, error, subject))


def _joined(path: tuple[Any, ...]) -> str:
    steps = (f"[{step}]" if type(step) is int else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _required(judge: Any, names: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError("", path=(name,))


def _items(judge: Any, each: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
    if isinstance(value, list):
        fits = fast_path.fits(each)  # else 100,000 good items cost seconds before the bad one
        for number, item in enumerate(value):
            if not fits(item):
                yield from judge.descend(item, each, path=number)


def _others(judge: Any, each: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name in [name for name in value if name not in known]:
            if each is False:
                yield ValidationError("", path=(name,))
            else:
                yield from judge.descend(value[name], each, path=name)


_Judge: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"required": _required, "items": _items, "additionalProperties": _others},
)
"""jsonschema's own, but the name of a missing or unknown member is part of the error's path."""


_TYPES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
}

_GIVEN = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    NoneType: "null",
    datetime.date: "a date (put it in quotes)",  # as YAML reads api_version: 2024-02-01
    datetime.datetime: "a date (put it in quotes)",
}

_LIMITS: dict[str, Callable[[Any], str]] = {
    "enum": lambda names: f"one of {', '.join(repr(name) for name in names if name is not None)}",
    "minimum": lambda least: f"at least {least}",
    "exclusiveMinimum": lambda least: f"more than {least}",
    "maximum": lambda most: f"at most {most}",
    "minItems": lambda least: f"at least {least} item{'s' * (least > 1)}",
    "minLength": lambda least: f"at least {least} character{'s' * (least > 1)}",
}


def _words(root: Schema, error: ValidationError, subject: str) -> tuple[str, str]:
    """Return the message and OpenAI's code for *error*, which is about *subject*."""
    schema: Any = error.schema
    if error.validator == "required":
        wanted = _expected(schema["properties"][error.path[-1]])
        found = f"Missing required parameter: {subject}. It must be {wanted}."
        return found + _misspelt(error), _MISSING
    if error.validator == "additionalProperties":
        return f"Unknown parameter: {subject}. {_advice(root, error)}", "unknown_parameter"
    if error.validator == "type":
        given = _GIVEN.get(type(error.instance), "something else")
        wanted = _expected(schema)
        return f"Invalid type for {subject}: expected {wanted}, but got {given}.", "invalid_type"
    limit = _LIMITS.get(str(error.validator), lambda _: _expected(schema))
    return f"Invalid value for {subject}: expected {limit(error.validator_value)}.", "invalid_value"


_MISSING = "missing_required_parameter"


def _misspelt(error: ValidationError) -> str:
    """Return a sentence on the unknown key that may be meant for the missing one, or nothing."""
    schema, instance, missing = error.schema, error.instance, str(error.path[-1])
    assert isinstance(schema, dict) and isinstance(instance, dict)
    unknown = (name for name in instance if name not in schema["properties"])
    near = difflib.get_close_matches(missing, [str(n)[:80] for n in islice(unknown, 50)], n=1)
    return f" '{near[0]}' is unknown; did you mean '{missing}'?" if near else ""


def _expected(schema: Schema) -> str:
    if "expected" in schema:
        return str(schema["expected"])
    types = schema["type"]
    names = [types] if isinstance(types, str) else types
    *first, last = (_TYPES[name] for name in names if name != "null")
    return f"{', '.join(first)} or {last}" if first else last


def _advice(root: Schema, error: ValidationError) -> str:
    """Return a sentence with the place where the unknown name is known, or the nearest name."""
    schema: Any = error.schema
    name, known = str(error.path[-1]), schema.get("properties", {})
    near = _places(root, known, name)
    if root.get("closed_sections"):
        near += _places(root, root["properties"], name)
    near += difflib.get_close_matches(name, known, n=1)
    return f"Did you mean '{near[0]}'?" if near else "Remove it, or correct its name or its place."


def _places(root: Schema, parts: Mapping[str, Schema], name: str) -> list[str]:
    """Return where *name* is a member of one of *parts*, as `part.name`."""
    members = {
        part: _resolved(root, schema).get("properties", {}) for part, schema in parts.items()
    }
    return [f"{part}.{name}" for part, known in members.items() if name in known]


def _unserved(
    root: Schema, schema: Schema, value: Any, path: tuple[Any, ...]
) -> Iterator[tuple[Any, ...]]:
    schema = _resolved(root, schema)
    mark = schema.get("unsupported", ())
    if mark is True or value in mark:
        if value not in (None, [], {}):
            yield path
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _unserved(root, _member(schema, key), member, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unserved(root, schema.get("items", {}), item, (*path, number))


def _read(root: Schema, schema: Schema, value: Any) -> Any:
    schema = _resolved(root, schema)
    if isinstance(value, dict):
        return {key: _read(root, _member(schema, key), member) for key, member in value.items()}
    if isinstance(value, list):
        return [_read(root, schema.get("items", {}), item) for item in value]
    if not isinstance(value, str) or not re.search(schema.get("pattern", _NOTHING), value):
        return value
    if value.startswith("os.environ/"):
        return value
    if "boolean" in schema["type"]:
        return value.strip().lower() == "true"
    return int(value) if "integer" in schema["type"] else float(value)


_NOTHING = "(?!)"


def _resolved(root: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    members = {**target.get("properties", {}), **schema.get("properties", {})}
    return {**target, **schema, "properties": members}


def _member(schema: Schema, key: Any) -> Schema:
    part = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return part if isinstance(part, dict) else {}
