from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.codecs import json_cost

LARGE = 10**12


def memory(data: bytes) -> int:
    """Return the least limit that *data* does not exceed."""
    low, high = 0, 2**40
    while low < high:
        middle = (low + high) // 2
        if json_cost.exceeds(data, middle, LARGE):
            low = middle + 1
        else:
            high = middle
    return low


def allocated(data: bytes) -> int:
    """Return how many bytes parsing *data* has allocated at most."""
    tracemalloc.start()
    json.loads(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    "item",
    [
        b"[]",
        b"[[]]",
        b"{}",
        b'{"a":1}',
        b'{"a":1,"b":2}',
        b"300",
        b"1.5",
        b"null",
        b'"ab"',
        b'"a longer text, with commas, [brackets] and \\"quotes\\""',
        b'{"index":0,"delta":{"content":"x"}}',
        '"\u00e9\u00e9"'.encode(),
        b"12345678901234567890123",
    ],
)
def test_the_estimate_covers_what_parsing_allocates(item: bytes) -> None:
    data = b"[" + b",".join([item] * 20_000) + b"]"

    assert allocated(data) <= 1.1 * memory(data)


def test_the_estimate_covers_distinct_keys() -> None:
    data = json.dumps({f"{at:x}": 0 for at in range(50_000)}, separators=(",", ":")).encode()

    assert allocated(data) <= 1.5 * memory(data)


def test_numbers_and_text_cost_a_few_times_their_bytes() -> None:
    vectors = b"[" + b",".join([b"[" + b",".join([b"-0.01234567"] * 1000) + b"]"] * 50) + b"]"
    text = json.dumps(
        {"text": 'Well, [this] is {text}: "quoted", \\ and so on. ' * 20_000}
    ).encode()

    assert memory(vectors) < 6 * len(vectors)
    assert memory(text) < 2.1 * len(text)


STRINGS = st.text(st.sampled_from('ab"\\[]{},:\u00e9\n'), max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=20,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    is_container = isinstance(value, dict | list)
    return is_container + max([depth(each) for each in inner], default=0)


@given(VALUES, st.booleans())
def test_the_depth_is_counted_outside_of_strings(value: Any, is_ascii: bool) -> None:
    data = json.dumps(value, ensure_ascii=is_ascii).encode()

    assert not json_cost.exceeds(data, LARGE, depth(value))
    assert depth(value) == 0 or json_cost.exceeds(data, LARGE, depth(value) - 1)


@given(VALUES)
def test_a_window_may_end_anywhere(value: Any) -> None:
    data = json.dumps(value).encode()
    whole = b"".join(json_cost._windows(data))
    before, json_cost._WINDOW = json_cost._WINDOW, 3
    try:
        cut = b"".join(json_cost._windows(data))
    finally:
        json_cost._WINDOW = before

    assert sorted(cut) == sorted(whole)
    assert cut.replace(b'"', b"") == whole.replace(b'"', b"")


@pytest.mark.parametrize("data", [b"[],", b'"",', b'{"":{', b'"\\"', b'"a', b"\\", b"]}"])
def test_the_time_is_linear(data: bytes) -> None:
    def seconds(size: int) -> float:
        body = data * (size // len(data))
        begun = time.process_time()
        json_cost.exceeds(body, LARGE, LARGE)
        json_cost.exceeds(body, LARGE, 0)
        return time.process_time() - begun

    assert seconds(4_000_000) < 8 * max(0.05, seconds(1_000_000))


def test_a_costly_response_is_refused_with_its_cause() -> None:
    json_cost.check(b"[" * 200 + b"]" * 200)

    with pytest.raises(errors.BadUpstream, match="too many values") as caught:
        json_cost.check(b"[" + b"[]," * 3_000_000 + b"0]")
    assert caught.value.code == "response_too_large"
    with pytest.raises(errors.BadUpstream):
        json_cost.check(b"[" * 201 + b"]" * 201)
