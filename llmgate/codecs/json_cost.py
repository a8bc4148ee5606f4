"""The cost of a JSON text, known before it is parsed: its structure is counted, not its bytes.

A megabyte of `[],[],...` needs 30 MB as Python objects, a megabyte of text one. Counting takes a
few C-speed passes for a body of any usual shape; only a body that seems too costly is looked at
more closely (brackets and commas within strings cost nothing). Linear in bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from llmgate import errors

MAX_MEMORY = 256 * 1024 * 1024
"""The maximum memory in bytes that a response of an upstream may need when parsed."""

MAX_DEPTH = 200
"""The maximum nesting of a response of an upstream."""

_WINDOW = 256 * 1024
_COSTS = ((b"[", 88), (b"{", 184), (b",", 40), (b":", 110), (b'"', 30))
"""Bytes that CPython allocates per character of the structure: a list, a dict, an item, a member
(with its key), half a string. Measured by tests/codecs/test_json_cost.py."""

_MAX_COST = max(cost for _, cost in _COSTS)
_STRUCTURE = b'"[]{},:'
_OTHERS = bytes(set(range(256)) - set(_STRUCTURE))
_STEPS = {**dict.fromkeys(b"[{", 1), **dict.fromkeys(b"]}", -1), **dict.fromkeys(b",:", 0)}


def check(data: bytes, max_memory: int = MAX_MEMORY, max_depth: int = MAX_DEPTH) -> None:
    """Raise BadUpstream if the JSON *data* of an upstream is too costly to parse."""
    if exceeds(data, max_memory, max_depth):
        raise errors.BadUpstream(
            "The upstream's JSON has too many values, or is nested too deeply.",
            code="response_too_large",
        )


def exceeds(data: bytes, max_memory: int, max_depth: int) -> bool:
    """Return whether parsing *data* may need more than *max_memory* bytes, or nests deeper.

    *data* need not be valid JSON.
    """
    has_room = len(data) * (_MAX_COST + 2) <= max_memory
    is_small = has_room or _memory(data) + 2 * len(data) <= max_memory
    if is_small and data.count(b"[") + data.count(b"{") <= max_depth:
        return False
    memory, depth = 2 * len(data), 0
    for structure in _windows(data):
        memory += _memory(structure)
        levels = list(
            accumulate(map(_STEPS.__getitem__, structure.replace(b'"', b"")), initial=depth)
        )
        if memory > max_memory or max(levels) > max_depth:
            return True
        depth = levels[-1]
    return False


def _memory(structure: bytes) -> int:
    """Return the bytes that the objects of *structure* need."""
    return sum(cost * structure.count(mark) for mark, cost in _COSTS)


def _windows(data: bytes) -> Iterator[bytes]:
    """Yield the characters of *data* that are structure, not content of strings, in pieces."""
    if b"\\" in data:  # escapes are within strings: without them, each quote begins or ends one
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    data = data.translate(None, _OTHERS)
    is_inside = 0
    for at in range(0, len(data), _WINDOW):
        parts = data[at : at + _WINDOW].split(b'"')
        yield b"".join(parts[is_inside::2]) + b'"' * (len(parts) - 1)
        is_inside ^= (len(parts) - 1) & 1
