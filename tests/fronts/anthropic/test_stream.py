from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import anthropic as sdk
import httpx2
import pydantic
import pytest
from anthropic import types
from hypothesis import given
from hypothesis import strategies as st
from testing import anthropic_samples as samples

from llmgate import errors
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.fronts import signatures
from llmgate.fronts.anthropic import wire as front_wire

EVENT: pydantic.TypeAdapter[types.RawMessageStreamEvent] = pydantic.TypeAdapter(
    types.RawMessageStreamEvent
)


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def call(index: int | None, arguments: str = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments}
    if "name" in more:
        function["name"] = more.pop("name")
    at = {} if index is None else {"index": index}
    return {**at, **more, "function": function}


def events(*chunks: dict[str, Any]) -> list[dict[str, Any]]:
    found = list(front_wire.message_events(chunks, "claude-x"))
    check(found)
    return found


def check(found: list[dict[str, Any]]) -> None:
    """Check that *found* is a sequence such as Anthropic sends."""
    kinds = [event["type"] for event in found]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    blocks = found[1:-2]
    opened = [event["index"] for event in blocks if event["type"] == "content_block_start"]
    assert opened == list(range(len(opened)))
    open_block = None
    for event in blocks:
        EVENT.validate_python(event)
        if event["type"] == "content_block_start":
            assert open_block is None
            open_block = event["index"]
        assert event["index"] == open_block
        if event["type"] == "content_block_stop":
            open_block = None
    assert open_block is None


def read(found: Iterable[dict[str, Any]]) -> Any:
    """Return the message that the official SDK makes of events."""
    data = samples.stream(found)
    told = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=told, content=data))
    with (
        httpx2.Client(transport=transport) as http,
        sdk.Anthropic(api_key="k", http_client=http) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[]) as stream,
    ):
        return stream.get_final_message()


def content(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks = json.loads(read(found).model_dump_json(exclude_none=True))["content"]
    return [
        {key: value for key, value in block.items() if key != "parsed_output"} for block in blocks
    ]


def test_a_text_is_the_full_sequence() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
    }

    got = events(
        chunk(role="assistant", content=""),
        chunk(content="Hel"),
        chunk(content="lo"),
        chunk("stop"),
        {**chunk(), "choices": [], "usage": usage},
    )

    assert got == [
        {
            "type": "message_start",
            "message": {
                "id": "chatcmpl-1",
                "type": "message",
                "role": "assistant",
                "model": "claude-x",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 0,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": 0,
                },
            },
        },
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hel"},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 4,
                "output_tokens": 2,
            },
        },
        {"type": "message_stop"},
    ]


def test_the_official_sdk_reads_usage_and_reason() -> None:
    got = read(events(chunk(content="x"), chunk("length")))

    assert got.stop_reason == "max_tokens"
    assert got.usage.output_tokens == 0


def test_calls_one_after_the_other_are_streamed_as_they_come() -> None:
    got = events(
        chunk(tool_calls=[call(0, id="a", name="f")]),
        chunk(tool_calls=[call(0, '{"x":')]),
        chunk(tool_calls=[call(0, " 1}")]),
        chunk(tool_calls=[call(1, "{}", id="b", name="g")]),
        chunk("tool_calls"),
    )

    assert content(got) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    assert got[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_told_by_turns_come_one_after_the_other() -> None:
    got = events(
        chunk(tool_calls=[call(0, id="a", name="f"), call(1, id="b", name="g")]),
        chunk(tool_calls=[call(1, '{"y":'), call(0, '{"x":')]),
        chunk(tool_calls=[call(2, "{}", id="c", name="h")]),
        chunk(tool_calls=[call(0, " 1}"), call(1, " 2}")]),
        chunk("stop"),
    )

    assert content(got) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"y": 2}},
        {"type": "tool_use", "id": "c", "name": "h", "input": {}},
    ]
    assert got[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_without_index_or_id_are_told_apart_as_well_as_can_be() -> None:
    got = events(
        chunk(tool_calls=[call(None, "{}", id="a", name="f")]),
        chunk(tool_calls=[call(None, "{}", id="b", name="g"), {"index": 7}]),
        chunk("tool_calls"),
    )

    assert [(block["id"], block["name"]) for block in content(got)] == [
        ("a", "f"),
        ("b", "g"),
        ("call_chatcmpl-1_2", ""),
    ]


@pytest.mark.parametrize(
    "between", [{"content": "x"}, {"tool_calls": [call(1, "{}", id="b", name="g")]}]
)
def test_a_call_that_goes_on_after_its_end_is_an_error(between: dict[str, Any]) -> None:
    with pytest.raises(errors.BadUpstream, match="after its end"):
        events(
            chunk(tool_calls=[call(0, "{}", id="a", name="f")]),
            chunk(**between),
            chunk(tool_calls=[call(0, "{}")]),
        )


def test_text_may_follow_a_call() -> None:
    got = events(
        chunk(content="a"),
        chunk(tool_calls=[call(0, "{}", id="a", name="f")]),
        chunk(content=[{"type": "text", "text": "b"}]),
        chunk("stop"),
    )

    assert [block["type"] for block in content(got)] == ["text", "tool_use", "text"]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thinking_comes_before_the_text(name: str) -> None:
    got = events(chunk(**{name: "Hm"}), chunk(**{name: "m"}), chunk(content="Hi"), chunk("stop"))

    assert content(got) == [
        {"type": "thinking", "thinking": "Hmm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


def test_partial_blocks_of_thinking_without_signature_add_nothing() -> None:
    partial = {"type": "thinking", "thinking": "Hm", "signature": ""}
    signed = {"type": "thinking", "thinking": "", "signature": "s"}

    got = events(
        chunk(reasoning_content="Hm", thinking_blocks=[partial]),
        chunk(thinking_blocks=[signed]),
        chunk("stop"),
    )

    assert content(got) == [{"type": "thinking", "thinking": "Hm", "signature": "s"}]


def test_a_signed_block_alone_is_told_whole() -> None:
    block = {"type": "thinking", "thinking": "Hm", "signature": "s"}

    assert content(events(chunk(thinking_blocks=[block]), chunk("stop"))) == [block]


def test_a_refusal_is_text() -> None:
    got = events(chunk(refusal="No."), chunk("stop"))

    assert content(got) == [{"type": "text", "text": "No."}]


def test_a_filter_tells_why() -> None:
    got = events(chunk(content="To"), chunk("content_filter", refusal="Harm."))

    assert content(got) == [{"type": "text", "text": "To"}]
    assert got[-2]["delta"] == {
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": None, "explanation": "Harm."},
    }


def test_choices_but_the_first_and_chunks_without_any_are_left_out() -> None:
    other = chunk(content="x")
    other["choices"][0]["index"] = 1
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}

    got = events(first, other, chunk(content="a"), {"choices": [{"finish_reason": "stop"}]})

    assert content(got) == [{"type": "text", "text": "a"}]
    assert got[0]["message"]["id"] == "chatcmpl-1"


@pytest.mark.parametrize("chunks", [[], [chunk(content="x")], [{"usage": {}}]])
def test_an_end_that_no_chunk_tells_is_an_error(chunks: list[dict[str, Any]]) -> None:
    with pytest.raises(errors.CutShort):
        list(front_wire.message_events(chunks, "m"))


@pytest.mark.parametrize("name", samples.STREAMS)
def test_there_and_back_says_the_same(name: str) -> None:
    sample = [event for event in samples.events(name) if event["type"] != "ping"]
    chunks = anthropic_wire.chunks_from_events(sample)

    got = list(front_wire.message_events(chunks, sample[0]["message"]["model"]))

    check(got)
    ours, theirs = read(got), read(sample)
    assert (ours.id, ours.model, ours.stop_reason) == (theirs.id, theirs.model, theirs.stop_reason)
    assert _essence(ours) == _essence(theirs)
    for count in ("input_tokens", "output_tokens", "cache_read_input_tokens"):
        assert getattr(ours.usage, count) == getattr(theirs.usage, count)


def _essence(message: Any) -> list[Any]:
    blocks = json.loads(message.model_dump_json(exclude_none=True))["content"]
    told: list[Any] = []
    for block in blocks:
        if block["type"] == "text":
            if told and isinstance(told[-1], str):
                told[-1] += block["text"]
            else:
                told.append(block["text"])
        elif block["type"] == "tool_use":
            told.append((block["id"], block["name"], block["input"]))
        elif "thinking" in block["type"]:
            told.append({**block, "parsed_output": None})
    return told


PIECES = st.lists(
    st.one_of(
        st.builds(lambda t: {"content": t}, st.text()),
        st.builds(lambda t: {"reasoning_content": t}, st.text()),
        st.builds(
            lambda at, t: {"tool_calls": [call(at, t, id=f"c{at}", name="f")]},
            st.integers(0, 3),
            st.sampled_from(["", "{}", '{"x": ', '"é"', "}"]),
        ),
    ),
    max_size=20,
)


@given(PIECES)
def test_any_stream_is_a_sequence_such_as_anthropic_sends(pieces: list[dict[str, Any]]) -> None:
    try:
        got = events(*(chunk(**piece) for piece in pieces), chunk("stop"))
    except errors.BadUpstream as error:
        assert error.code == "bad_upstream_response"  # not that it was cut short
        return

    deltas = [event["delta"] for event in got if event["type"] == "content_block_delta"]
    for name, key in (("text", "content"), ("thinking", "reasoning_content")):
        wanted = "".join(piece.get(key, "") for piece in pieces)
        assert "".join(delta.get(name, "") for delta in deltas) == wanted
    for at in range(4):
        wanted = "".join(
            said["function"]["arguments"]
            for piece in pieces
            for said in piece.get("tool_calls", ())
            if said["index"] == at
        )
        assert _arguments(got, f"c{at}") == wanted


def _arguments(found: list[dict[str, Any]], id: str) -> str:
    at = [
        event["index"]
        for event in found
        if event["type"] == "content_block_start" and event["content_block"].get("id") == id
    ]
    return "".join(
        event["delta"].get("partial_json", "")
        for event in found
        if event["type"] == "content_block_delta" and event["index"] in at
    )


def test_text_within_a_call_waits_for_its_end() -> None:
    got = events(
        chunk(tool_calls=[call(0, id="a", name="f")]),
        chunk(content="\n"),
        chunk(tool_calls=[call(0, '{"x":')]),
        chunk(reasoning_content="Hm"),
        chunk(tool_calls=[call(0, "1}")]),
        chunk(tool_calls=[call(0, " ")]),
        chunk("stop"),
    )

    assert content(got) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "text", "text": "\n"},
        {"type": "thinking", "thinking": "Hm", "signature": ""},
    ]


def test_text_within_a_call_that_never_ends_is_kept() -> None:
    got = events(
        chunk(tool_calls=[call(0, id="a", name="f")]), chunk(content="x"), chunk("tool_calls")
    )

    assert [block["type"] for block in content(got)] == ["tool_use", "text"]


def test_a_call_begins_when_its_name_is_known() -> None:
    got = events(
        chunk(tool_calls=[call(0, '{"x":', id="a")]),
        chunk(tool_calls=[call(0, "1}", name="f")]),
        chunk("tool_calls"),
    )

    assert content(got) == [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]


def test_signatures_of_calls_are_in_thinking_before_them() -> None:
    extra = {"google": {"thought_signature": "S"}}
    signed = {**call(0, "{}", id="a", name="f"), "extra_content": extra}

    got = content(events(chunk(content="Hi"), chunk(tool_calls=[signed]), chunk("tool_calls")))

    assert [block["type"] for block in got] == ["text", "thinking", "tool_use"]
    assert signatures.unsealed(got[1]["signature"]) == {"calls": {"a": extra}}


def test_details_of_reasoning_are_carried_by_its_block() -> None:
    detail = {"type": "reasoning.text", "index": 0, "text": "Hm", "signature": "S"}

    got = content(
        events(chunk(reasoning="Hm", reasoning_details=[detail]), chunk(content="x"), chunk("stop"))
    )

    assert got[0]["thinking"] == "Hm"
    assert signatures.unsealed(got[0]["signature"]) == {"reasoning_details": [detail]}


def test_late_details_are_carried_at_the_end() -> None:
    detail = {"type": "reasoning.encrypted", "data": "E"}

    got = content(events(chunk(content="x"), chunk("stop", reasoning_details=[detail])))

    assert signatures.unsealed(got[1]["signature"]) == {"reasoning_details": [detail]}
