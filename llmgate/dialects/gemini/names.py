"""The names of Google's JSON, which may be written as `generationConfig` or `generation_config`.

Source: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

_FREE = frozenset(
    """args response parameters parametersJsonSchema responseSchema responseJsonSchema
    _responseJsonSchema labels data text""".split()
)
"""Members whose value is the client's own, or is read elsewhere: its names stay as they are."""


def camel(key: str) -> str:
    """Return a *key* such as `top_k` as Google's JSON writes it: `topK`."""
    first, *others = key.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def spelled(body: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return *body* with those of its members that are *known*, and all in them, in camel case."""
    made: dict[str, Any] = {}
    for key, value in body.items():
        name = camel(key)
        if name in known:
            made[name] = value if name in _FREE else _inner(value)
        else:
            made[key] = value
    return made


def _inner(value: Any) -> Any:
    """Return *value* with the names in it in camel case."""
    if isinstance(value, list):
        return [_inner(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    named = ((key if key in _FREE else camel(key), item) for key, item in value.items())
    return {name: item if name in _FREE else _inner(item) for name, item in named}
