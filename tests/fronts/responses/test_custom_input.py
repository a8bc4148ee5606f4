from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.fronts.responses import custom_input

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(ANY_TEXT, st.booleans(), st.lists(st.integers(1, 7), min_size=1))
def test_the_string_is_decoded_wherever_it_is_cut(
    text: str, ascii_only: bool, sizes: list[int]
) -> None:
    arguments = json.dumps({"input": text}, ensure_ascii=ascii_only)
    decoder = custom_input.Decoder()

    pieces, at = [], 0
    for turn in range(len(arguments)):
        size = sizes[turn % len(sizes)]
        pieces.append(decoder.feed(arguments[at : at + size]))
        at += size

    assert "".join(pieces) == text
    assert decoder.text() == text
    assert custom_input.text_of(arguments) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", ""),
        ("{}", ""),
        ("bare text", "bare text"),
        ('"quoted"', "quoted"),
        ("[1]", "[1]"),
        ('{"patch": "p"}', "p"),
        ('{"patch": "p", "more": "q"}', '{"patch": "p", "more": "q"}'),
        ('{"more": "q", "input": "p"}', "p"),
        ('{"input": 5}', '{"input": 5}'),
        ('{"input": "cut sh', "cut sh"),
        ('{"input": "a\\ud800b"}', "a�b"),
        ('{"input": "a\\udc00"}', "a�"),
        ('{"input": "a\\ud800\\u0041"}', "a�A"),
        ('{"input": "a\\/\\b\\f\\r\\t\\"\\\\"}', 'a/\b\f\r\t"\\'),
        ('{"input": "a\\ud800', "a"),
    ],
)
def test_arguments_of_all_kinds_have_a_text(arguments: str, text: str) -> None:
    assert custom_input.text_of(arguments) == text
