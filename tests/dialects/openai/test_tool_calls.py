from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.dialects.openai import tool_calls
from llmgate.dialects.openai.tool_calls import Calls

ONE, TWO = '{"a":"1"}', '{"a":"2"}'


def piece(text: Any = "", id: Any = None, name: Any = None, **more: Any) -> dict[str, Any]:
    """Return a piece of a call, less what is None."""
    function = {"name": name, "arguments": text}
    found = {"id": id, **more, "function": function}
    function = {key: value for key, value in function.items() if value is not None}
    return {key: value for key, value in found.items() if value is not None} | {
        "function": function
    }


def joined(*chunks: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return (id, name, arguments) of the calls, read by index as OpenAI's clients do."""
    calls, found = Calls(), {}
    for chunk in chunks:
        for got in calls.pieces(chunk):
            kept = found.setdefault(got["index"], ["", "", ""])
            kept[0] += got.get("id", "")
            kept[1] += got["function"].get("name", "")
            kept[2] += got["function"]["arguments"]
    return [tuple(found[at]) for at in sorted(found)]  # type: ignore[misc]


BOTH = [("call_a", "f", ONE), ("call_b", "f", TWO)]


@pytest.mark.parametrize("place", [{"index": 0}, {}, {"index": None}])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_new_id_begins_a_new_call_whatever_the_index(place: Any, size: int) -> None:
    chunks = []
    for id, name, text in BOTH:
        chunks.append([piece("", id, name, **place)])
        chunks += [[piece(text[at : at + size], **place)] for at in range(0, len(text), size)]

    assert joined(*chunks) == BOTH


def test_two_calls_in_one_chunk_stay_two() -> None:
    assert joined([piece(ONE, "call_a", "f", index=0), piece(TWO, "call_b", "f", index=0)]) == BOTH


def test_an_id_in_every_piece_is_one_call() -> None:
    chunks = [[piece(text, "call_a", name, index=0)] for text, name in (("", "f"), (ONE, None))]

    assert joined(*chunks) == BOTH[:1]


def test_interleaved_pieces_go_by_their_index() -> None:
    chunks = [
        [piece(ONE[:5], "call_a", "f", index=0)],
        [piece(TWO[:5], "call_b", "f", index=1)],
        [piece(ONE[5:], index=0)],
        [piece(TWO[5:], index=1)],
    ]

    assert joined(*chunks) == BOTH


def test_one_id_at_two_indices_is_two_calls() -> None:
    first, second = joined([piece(ONE, "x", "f", index=0), piece(TWO, "x", "g", index=1)])

    assert (first, second[1:]) == (("x", "f", ONE), ("g", TWO))
    assert second[0].startswith("call_")


@pytest.mark.parametrize("place", [{}, {"index": 0}])
def test_calls_without_ids_are_told_apart_by_complete_arguments(place: Any) -> None:
    first, second = joined(
        [piece(ONE[:4], None, "f", **place)],
        [piece(ONE[4:], "", "f", **place)],
        [piece(TWO, None, "f", **place)],
    )

    assert (first[1:], second[1:]) == (("f", ONE), ("f", TWO))
    assert first[0] != second[0]
    assert first[0].startswith("call_")


def test_ids_differ_from_turn_to_turn() -> None:
    turns = [joined([piece(ONE, None, "f", index=0)])[0][0] for _ in range(2)]

    assert turns[0] != turns[1]


def test_a_call_waits_for_its_name() -> None:
    calls = Calls()

    assert calls.pieces([piece(ONE[:4], "call_a", None, index=0)]) == []
    (got,) = calls.pieces([piece(ONE[4:], None, "f", index=0)])
    assert got == {
        "index": 0,
        "id": "call_a",
        "type": "function",
        "function": {"name": "f", "arguments": ONE},
    }
    assert calls.unnamed() == []


def test_a_call_whose_name_never_comes_is_shown_at_the_end() -> None:
    calls = Calls()
    calls.pieces([piece(ONE, None, None, index=0)])

    (got,) = calls.unnamed()

    assert got["function"] == {"name": "", "arguments": ONE}


def test_an_id_that_comes_late_does_not_begin_a_call() -> None:
    (got,) = joined(
        [piece("", None, "f", index=0)],
        [piece(ONE[:4], "late", None, index=0)],
        [piece(ONE[4:], "late", None, index=0)],
    )

    assert got[1:] == ("f", ONE)


def test_a_name_that_comes_after_an_id_of_its_own_belongs_to_the_call() -> None:
    chunks = [[piece("", None, None, index=0)], [piece(ONE, "call_a", "f", index=0)]]

    (got,) = joined(*chunks)

    assert got[1:] == ("f", ONE)


def test_a_changing_id_goes_on_with_arguments_that_are_not_complete() -> None:
    (got,) = joined(
        [piece(ONE[:4], "x1", "f", index=0)],
        [piece(ONE[4:], "x2", None, index=0)],
    )

    assert got == ("x1", "f", ONE)


@pytest.mark.parametrize("text", ["", ONE])
def test_a_new_id_without_a_name_begins_a_call_that_waits(text: str) -> None:
    calls = Calls()
    calls.pieces([piece(ONE, "x1", "f", index=0)])

    assert calls.pieces([piece(text, "x2", None, index=0)]) == []
    assert len(calls.unnamed()) == 1


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("{}", "{}"), (None, ""), ({"a": "é"}, '{"a":"é"}'), ([1, 2], "[1,2]"), (7, "7")],
)
def test_arguments_are_text(given: Any, wanted: str) -> None:
    assert tool_calls.arguments(given) == wanted


def test_other_members_of_a_call_are_kept() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "S"}}}
    calls = Calls()

    (first,) = calls.pieces([piece(ONE, "a", "f", index=0, **signed)])
    (more,) = calls.pieces([piece("", None, None, index=0, **signed)])

    assert first["extra_content"] == more["extra_content"] == signed["extra_content"]


def test_a_number_is_an_id() -> None:
    assert joined([piece(ONE, 7, "f", index=0)]) == [("7", "f", ONE)]


def test_open_calls_lack_arguments() -> None:
    calls = Calls()
    assert not calls
    assert not calls.is_open()

    calls.pieces([piece("", "a", "f", index=0)])
    assert calls.is_open()
    calls.pieces([piece(ONE[:3], index=0)])
    assert calls.is_open()
    calls.pieces([piece(ONE[3:], index=0)])
    assert calls
    assert not calls.is_open()
    assert not calls.is_open()


def test_whole_calls_have_ids_of_their_own_and_text() -> None:
    given = [
        {"id": "a", "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "a", "type": "function", "function": {"name": "g", "arguments": None}},
        {"function": {"name": "h"}, "x": 1},
    ]

    first, second, third = tool_calls.whole(given)

    assert first == {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}'},
    }
    assert second["function"] == {"name": "g", "arguments": ""}
    assert third["function"] == {"name": "h", "arguments": ""}
    assert len({first["id"], second["id"], third["id"]}) == 3
    assert third["x"] == 1


@pytest.mark.parametrize("call", [{}, {"function": {"arguments": "{}"}}])
def test_a_whole_call_without_a_name_is_malformed(call: Any) -> None:
    with pytest.raises(KeyError):
        tool_calls.whole([call])


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=2), min_size=1),
    st.integers(1, 9),
    st.sampled_from(["right", "zero", "none"]),
)
def test_any_calls_come_through_in_any_pieces(given_: Any, size: int, kind: str) -> None:
    wanted, chunks = [], []
    for at, arguments in enumerate(given_):
        text = json.dumps(arguments)
        place = {"right": {"index": at}, "zero": {"index": 0}, "none": {}}[kind]
        wanted.append((f"id{at}", "f", text))
        chunks.append([piece("", f"id{at}", "f", **place)])
        chunks += [[piece(text[n : n + size], **place)] for n in range(0, len(text), size)]

    assert joined(*chunks) == wanted
