from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.accounting import token_estimate

TURN = {"role": "user", "content": "a" * 40}
PICTURE = {"type": "image", "source": {"type": "base64", "data": "A" * 100_000}}


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({}, 0),
        (None, 0),
        ("", 0),
        ("abc", 1),
        ({"prompt": "a" * 40}, 10),
        ({"model": "a" * 40, "user": "u" * 40, "temperature": 1}, 0),
        ({"messages": [TURN]}, 14),
        ({"messages": [TURN, TURN]}, 28),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a" * 40}]}]}, 14),
        ({"system": "a" * 40, "messages": [TURN]}, 24),
        ({"contents": [{"parts": [{"text": "a" * 40}]}]}, 10),
        ({"systemInstruction": {"parts": [{"text": "a" * 40}]}}, 10),
        ({"contents": [{"parts": [{"inlineData": {"data": "A" * 9999}}]}]}, 1600),
        ({"contents": [{"parts": [{"functionCall": {"name": "now", "args": {"a": "b"}}}]}]}, 3),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, 1604),
        ({"tools": [{"name": "now", "input_schema": {"type": ["object"]}}]}, 5),
        ({"prompt": "é" * 40}, 20),
        ({"prompt": "\ud800"}, 1),
        ({"prompt": [1, 2, 3]}, 3),
        ({"input": [[1, 2], [3]]}, 3),
        ({"input": ["abc", True, None, 1.5]}, 1),
    ],
)
def test_what_a_model_reads_is_counted(request_: Any, wanted: int) -> None:
    assert token_estimate.tokens(request_) == wanted


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["content", "text", "type", "input", "x"]), x)
        ),
    )
)
def test_anything_has_an_estimate(value: Any) -> None:
    assert token_estimate.tokens({"messages": value}) >= 0
