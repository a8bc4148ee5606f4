"""Checks a JSON body against the types of an official SDK, strictly: no member is unknown.

    faults({"role": "user", "content": "hi", "x": 1}, ChatCompletionUserMessageParam)
    == ["x: unknown member"]

The SDKs' TypedDicts describe what a provider accepts, member by member; pydantic reads their
`Iterable`s lazily, so it would not look inside. Types that are not JSON's (files) match anything.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from functools import cache
from typing import Any
from typing import NamedTuple

_LISTS: tuple[Any, ...] = (list, Iterable, Sequence)
_MAPPINGS: tuple[Any, ...] = (dict, Mapping)
_SCALARS: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
    types.NoneType: (types.NoneType,),
}


class _Member(NamedTuple):
    """A member of an object: its type, and whether it must be there."""

    kind: Any
    required: bool


def faults(value: Any, kind: Any, path: str = "") -> list[str]:
    """Return what is wrong with *value* as a *kind*, each with its path; empty: it fits."""
    if hasattr(kind, "__required_keys__"):  # a TypedDict, of typing or of typing_extensions
        return list(_of_object(value, kind, path))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Required, typing.NotRequired, typing.Annotated):
        return faults(value, arguments[0], path)
    if origin in (typing.Union, types.UnionType):
        return min((faults(value, each, path) for each in arguments), key=len)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{path}: {value!r} is none of {arguments}"]
    return list(_of_container(value, origin or kind, arguments, path))


def _of_container(value: Any, origin: Any, arguments: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with a list, an object of any names, or a scalar."""
    if origin in _LISTS:
        if not isinstance(value, list):
            yield f"{path}: not a list"
        else:
            for index, each in enumerate(value):
                yield from faults(each, arguments[0] if arguments else Any, f"{path}[{index}]")
    elif origin in _MAPPINGS:
        if not isinstance(value, dict):
            yield f"{path}: not an object"
        else:
            for name, each in value.items():
                yield from faults(each, arguments[1] if arguments else Any, _join(path, name))
    elif origin in _SCALARS and not _is_scalar(value, origin):
        yield f"{path}: {type(value).__name__} instead of {origin.__name__}"


def _is_scalar(value: Any, kind: Any) -> bool:
    """Return whether *value* is of *kind*; a boolean is not a number."""
    return isinstance(value, _SCALARS[kind]) and (kind is bool or not isinstance(value, bool))


def _of_object(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with an object of known members."""
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    members = _members(kind)
    for name, each in value.items():
        if name in members:
            yield from faults(each, members[name].kind, _join(path, name))
        else:
            yield f"{_join(path, name)}: unknown member"
    for name, member in members.items():
        if member.required and name not in value:
            yield f"{_join(path, name)}: missing"


@cache
def _members(kind: Any) -> Mapping[str, _Member]:
    """Return the members of a TypedDict by their names on the wire."""
    found = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        origin = typing.get_origin(hint)
        # `__required_keys__` does not know `Required` in annotations that are strings.
        required = origin is typing.Required or name in kind.__required_keys__
        found[_alias(hint) or name] = _Member(hint, required and origin is not typing.NotRequired)
    return found


def _alias(hint: Any) -> str | None:
    """Return the name on the wire where it is not that of the type."""
    if typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        return _alias(typing.get_args(hint)[0])
    notes = getattr(hint, "__metadata__", ())
    return next((note.alias for note in notes if getattr(note, "alias", None)), None)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
