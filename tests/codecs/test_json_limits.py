from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from llmgate.codecs import json_limits

VALUES = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a",[]{}\\:')),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def values(value: Any) -> int:
    """Return the arrays, objects and commas of *value* as JSON."""
    if not isinstance(value, list | dict):
        return 0
    items = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(0, len(items) - 1) + sum(map(values, items))


def depth(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    items = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, items), default=0)


@given(VALUES)
def test_values_outside_strings_are_counted(value: Any) -> None:
    data = json.dumps(value).encode()

    assert not json_limits.exceeds_values(data, values(value))
    assert json_limits.exceeds_values(data, values(value) - 1)


@given(VALUES)
@example({"": []})
def test_levels_outside_strings_are_counted(value: Any) -> None:
    data = json.dumps(value).encode()

    assert not json_limits.exceeds_depth(data, depth(value))
    assert json_limits.exceeds_depth(data, depth(value) - 1) is (depth(value) > 0)


def test_deep_nesting_is_seen_without_recursion() -> None:
    assert json_limits.exceeds_depth(b"[" * 100_000, 100)
    assert json_limits.exceeds_depth(b"[" * 101 + b"]" * 101, 100)
    assert not json_limits.exceeds_depth(b"[" * 100 + b"]" * 100, 100)


@pytest.mark.fault("F15")
@pytest.mark.parametrize("piece", [b'"', b'\\"', b'"\\', b"[", b"[],", b'{"a":', b'"a",', b"]["])
def test_a_megabyte_of_anything_takes_no_time(piece: bytes) -> None:
    data = b'"' + piece * (1_000_000 // len(piece))
    began = time.process_time()

    json_limits.exceeds_values(data, 10)
    json_limits.exceeds_depth(data, 100)

    assert time.process_time() - began < 1.5
