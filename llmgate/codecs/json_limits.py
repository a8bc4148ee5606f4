"""The structure of JSON, counted in its bytes before it is parsed.

Three bytes (`[],`) become more than 60 bytes of Python objects, so a limit of bytes alone does not
limit memory or time. All functions are linear in the size of the data, valid JSON or not.
"""

from __future__ import annotations

import re

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # possessive: never tried again
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")


def exceeds_values(data: bytes, most: int) -> bool:
    """Return whether *data* has more than *most* arrays, objects and commas outside strings."""
    return len(data) > most and _count(data) > most and _count(_STRING.sub(b"", data)) > most


def exceeds_depth(data: bytes, most: int) -> bool:
    """Return whether *data* is nested more than *most* levels deep, or has unpaired brackets.

    Each round removes the innermost level. Objects count as arrays: whether a bracket is closed by
    its own kind is the parser's question.
    """
    if data.count(b"[") + data.count(b"{") <= most:
        return False
    brackets = _STRING.sub(b"", data).translate(_AS_ARRAYS, _NOT_BRACKETS)
    for _ in range(most):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _count(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")
