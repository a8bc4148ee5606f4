"""The tables of the options of a configuration, for docs_tables.py, and how a table is written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgate import config
from llmgate.inbound import cors

ROOT = Path(__file__).resolve().parents[1]
Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(names: Iterable[str], between: str = ", ") -> str:
    """Return *names* as code."""
    return between.join(f"`{name}`" for name in names)


_SETTINGS = config.load(None, {})
_RULES = _SETTINGS.router
DEFAULTS: Mapping[str, Any] = {
    "num_retries": _RULES.policy.retries,
    "timeout": _RULES.timeout,
    "request_timeout": _RULES.timeout,
    "routing_strategy": _RULES.strategy,
    "allowed_fails": _RULES.allowed_fails,
    "cooldown_time": _RULES.cooldown_time,
    "max_fallbacks": _RULES.fallbacks.most,
    "max_body_mb": _SETTINGS.max_body // config.MEGABYTE,
    "max_upload_mb": _SETTINGS.max_upload // config.MEGABYTE,
    "first": _SETTINGS.beats.first,
    "every": _SETTINGS.beats.every,
    "whole": _SETTINGS.beats.whole,
    "max_age": cors.Rules(()).max_age,
    "weight": 1,
}
"""The default of each option, by its name."""

_TYPES = {
    "flag": "true or false",
    "boolean": "true or false",
    "count": "whole number",
    "integer": "whole number",
    "amount": "number",
    "number": "number",
    "texts": "list of texts",
    "map": "mapping",
    "object": "mapping",
    "array": "list",
    "string": "text",
    "prices": "mapping",
}


def _schema() -> Any:
    return json.loads((ROOT / "schemas" / "config.json").read_text(encoding="utf-8"))


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type of an option in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _TYPES.get(name, name)
    given = schema.get("type", [])
    names = [given] if isinstance(given, str) else given
    return " or ".join(_TYPES.get(name, name) for name in names if name != "null")


def _about(schema: Mapping[str, Any]) -> str:
    """Return what an option does, empty if the schema has no description."""
    refused = schema.get("unsupported", ())
    choices = [each for each in schema.get("enum", ()) if each and each not in refused]
    words = f" One of {code(choices)}." if choices else ""
    return f"{schema.get('description', '')}{words}"


def options(*steps: str) -> str:
    """Return the table of the options that *steps* lead to."""
    node = _schema()
    for step in steps:
        node = node["items"] if step == "[]" else node["properties"][step]
    return table(("option", "type", "default", "what it does"), _options(node, ""))


def _options(node: Mapping[str, Any], above: str) -> Iterator[Row]:
    plain = []
    for name, schema in node["properties"].items():
        if schema.get("unsupported") is True or name in ("litellm_params", "model_info"):
            continue
        about = _about(schema)
        if about:
            yield f"`{above}{name}`", _type(schema), _default(name), about
        else:
            plain.append(name)
        if "properties" in schema:
            yield from _options(schema, f"{name}.")
    if plain:
        yield code(plain), "", "", _PLAIN[plain[0]]


_PLAIN = {
    "top_p": "Defaults for requests, like every other body parameter here.",
    "max_tokens": "Shown at /model/info.",
}
"""What the options without a description do, by the first of them."""


def _default(name: str) -> str:
    """Return the default of the option called *name*, empty if there is none."""
    default = DEFAULTS.get(name, "")
    return f"{default:g}" if isinstance(default, float) else f"{default}"
