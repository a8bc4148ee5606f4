from __future__ import annotations

from typing import Any

import pytest

from llmgate.fronts import signatures

GOOGLE = {"google": {"thought_signature": "S", "grounding_metadata": {"big": 1}}}


def test_what_is_sealed_is_unsealed() -> None:
    members = {
        "thinking_blocks": [{"type": "thinking", "thinking": "é"}],
        "reasoning_details": [{"type": "reasoning.text"}],
        "extra_content": {"google": {"thought_signature": "S"}},
        "calls": {"a": {"x": 1}},
    }

    assert signatures.unsealed(signatures.sealed(members)) == members


def test_a_list_is_claudes_blocks() -> None:
    assert signatures.unsealed(signatures.sealed([{"a": 1}, 2])) == {"thinking_blocks": [{"a": 1}]}


@pytest.mark.parametrize(
    "text", [None, 1, "gAAAA", "llmgate:!", "llmgate:AAAA", "llmgate:bnVsbA==", "llmgate:é"]
)
def test_other_texts_carry_nothing(text: Any) -> None:
    assert signatures.unsealed(text) == {}


def test_members_of_wrong_types_are_empty() -> None:
    text = signatures.sealed({"thinking_blocks": 1, "calls": [], "unknown": 2})

    assert signatures.unsealed(text) == {"thinking_blocks": [], "calls": {}}


def test_a_number_carries_nothing() -> None:
    assert signatures.unsealed(signatures.sealed(1)) == {}


def test_signatures_are_collected_and_restored() -> None:
    carrier = signatures.Carrier()
    carrier.add({"thinking_blocks": [{"index": 0, "type": "t"}], "extra_content": GOOGLE})
    carrier.add({"reasoning_details": [{"type": "x", "index": 0, "data": "d"}]})
    carrier.add_call("a", {"extra_content": {"x": 1}})
    carrier.add_call("b", {})

    members = signatures.unsealed(signatures.sealed(carrier.take()))
    message: dict[str, Any] = {"role": "assistant"}
    calls = [{"id": "a"}, {"id": "b"}]
    signatures.restore(message, members)
    signatures.restore_calls(calls, members)

    assert message == {
        "role": "assistant",
        "thinking_blocks": [{"type": "t"}],
        "reasoning_details": [{"type": "x", "index": 0, "data": "d"}],
        "extra_content": {"google": {"thought_signature": "S"}},
    }
    assert calls == [{"id": "a", "extra_content": {"x": 1}}, {"id": "b"}]
    assert carrier.take() == {}


def test_nothing_is_restored_from_nothing() -> None:
    message: dict[str, Any] = {"role": "assistant"}
    signatures.restore(message, {})
    signatures.restore_calls([message], {})

    assert message == {"role": "assistant"}


def test_only_pieces_of_the_same_detail_are_joined() -> None:
    carrier = signatures.Carrier()
    for index, text in ((0, "a"), (0, "b"), (1, "c")):
        detail = {"type": "reasoning.summary", "index": index, "summary": text, "format": None}
        carrier.add({"reasoning_details": [detail]})

    texts = [detail["summary"] for detail in carrier.take()["reasoning_details"]]

    assert texts == ["ab", "c"]
