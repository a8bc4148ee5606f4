from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from testing import anthropic_samples as samples

from llmgate import errors
from llmgate.dialects.anthropic import wire as anthropic_wire


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def chunks(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(anthropic_wire.chunks_from_events(events))


def deltas(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks(events) for choice in chunk["choices"]]


def joined(found: list[dict[str, Any]], name: str) -> str:
    return "".join(delta.get(name) or "" for delta in found)


def calls(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    made: list[list[str]] = []
    for delta in found:
        for call in delta.get("tool_calls", ()):
            if call["index"] == len(made):
                made.append([call["id"], call["function"]["name"], ""])
            made[call["index"]][2] += call["function"]["arguments"]
    return [(id, name, arguments) for id, name, arguments in made]


def stream(*blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text = samples.events("text")
    return [text[0], *(event for block in blocks for event in block), *text[-2:]]


def test_a_text_comes_role_first_and_usage_last() -> None:
    head = {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "claude-sonnet-4-5-20250929",
    }
    said = [
        {"role": "assistant", "content": ""},
        {"content": "Grüezi"},
        {"content": " 👋 \u2028mi"},
        {"content": "tenand\n\n!"},
    ]

    got = chunks(samples.events("text"))

    assert got == [
        *(
            {
                **head,
                "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
            }
            for delta in said
        ),
        {
            **head,
            "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
        },
        {
            **head,
            "choices": [],
            "usage": {
                "prompt_tokens": 25,
                "completion_tokens": 15,
                "total_tokens": 40,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 0},
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 0,
                    "ephemeral_1h_input_tokens": 0,
                },
                "service_tier": "standard",
                "inference_geo": "global",
            },
        },
    ]


@pytest.mark.parametrize("name", samples.STREAMS)
def test_chunks_are_what_the_sdk_reads(name: str) -> None:
    for chunk in chunks(samples.events(name)):
        ChatCompletionChunk.model_validate(chunk)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize("name", samples.STREAMS)
def test_chunks_are_the_same_however_the_bytes_are_cut(name: str, size: int) -> None:
    data = samples.stream(samples.events(name))

    got = list(anthropic_wire.chunks(iter(cut(data, size))))

    assert got == chunks(samples.events(name))


@pytest.mark.parametrize("name", samples.STREAMS)
def test_one_cut_anywhere_changes_nothing(name: str) -> None:
    data = samples.stream(samples.events(name))
    wanted = chunks(samples.events(name))

    for at in range(1, len(data)):
        assert list(anthropic_wire.chunks([data[:at], data[at:]])) == wanted


@pytest.mark.parametrize("name", samples.STREAMS)
def test_an_end_before_message_stop_is_an_error(name: str) -> None:
    events = samples.events(name)

    for end in range(len(events)):
        with pytest.raises(errors.CutShort):
            chunks(events[:end])


def test_bytes_that_end_inside_the_last_event_are_an_error() -> None:
    data = samples.stream(samples.events("text"))

    with pytest.raises(errors.CutShort):
        list(anthropic_wire.chunks([data[: data.rindex(b"message_stop")]]))


def test_what_follows_the_end_is_not_read() -> None:
    data = samples.stream(samples.events("text"))

    assert len(list(anthropic_wire.chunks([data, b"data: nonsense\n\n"]))) == 6


def test_calls_in_parallel_have_ids_names_and_arguments() -> None:
    got = deltas(samples.events("tools"))

    assert joined(got, "content") == "I look both up."
    assert calls(got) == [
        ("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "weather", '{"city": "Zürich", "days": 2}'),
        ("toolu_01A09q90qw90lq917835lq9", "clock", "{}"),
    ]
    assert chunks(samples.events("tools"))[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_may_come_with_all_its_arguments() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": [1, "é"]}}

    got = deltas(
        stream(
            [
                {"type": "content_block_start", "index": 0, "content_block": block},
                {"type": "content_block_stop", "index": 0},
            ]
        )
    )

    assert calls(got) == [("a", "f", '{"x":[1,"é"]}')]


def test_thinking_is_read_at_once_and_kept_whole_with_its_signature() -> None:
    events = samples.events("thinking")
    signature = events[4]["delta"]["signature"]

    got = deltas(events)

    assert joined(got, "reasoning_content") == "27 is 3·9, so no prime."
    assert [block for delta in got for block in delta.get("thinking_blocks", ())] == [
        {
            "index": 0,
            "type": "thinking",
            "thinking": "27 is 3·9, so no prime.",
            "signature": signature,
        },
        {"index": 1, "type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"},
    ]
    assert joined(got, "content") == "27 is not prime."


def test_thinking_that_is_not_shown_is_kept_too() -> None:
    got = deltas(samples.events("omitted_thinking"))

    assert joined(got, "reasoning_content") == ""
    assert [block["thinking"] for delta in got for block in delta.get("thinking_blocks", ())] == [
        ""
    ]


def test_blocks_may_begin_with_something_in_them() -> None:
    text = {"type": "text", "text": "Hi", "citations": None}
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "s"}

    got = deltas(
        stream(
            [
                {"type": "content_block_start", "index": 0, "content_block": thinking},
                {"type": "content_block_stop", "index": 0},
            ],
            [
                {"type": "content_block_start", "index": 1, "content_block": text},
                {"type": "content_block_stop", "index": 1},
            ],
        )
    )

    assert joined(got, "reasoning_content") == "Hm"
    assert joined(got, "content") == "Hi"
    assert got[2]["thinking_blocks"] == [{"index": 0, **thinking}]


def test_cached_and_thinking_tokens_are_told() -> None:
    usage = chunks(samples.events("thinking"))[-1]["usage"]

    assert usage["prompt_tokens"] == 2530
    assert usage["total_tokens"] == 2590
    assert usage["prompt_tokens_details"] == {"cached_tokens": 2000, "cache_creation_tokens": 500}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 41}


def test_zeros_at_the_end_hide_no_tokens() -> None:
    events = samples.events("text")
    events[-2]["usage"]["input_tokens"] = 0

    assert chunks(events)[-1]["usage"]["prompt_tokens"] == 25


def test_a_refusal_is_a_content_filter_with_its_reason() -> None:
    last = chunks(samples.events("refusal"))[-2]["choices"][0]

    assert last["finish_reason"] == "content_filter"
    assert last["delta"] == {"refusal": "This request could enable cyber harm."}


def test_tools_that_servers_run_leave_only_their_text() -> None:
    got = deltas(samples.events("web_search"))

    assert joined(got, "content") == "I look it up.Sun."
    assert calls(got) == []


def test_events_of_later_versions_are_left_out() -> None:
    events = samples.events("text")
    new: list[dict[str, Any]] = [
        {"type": "content_block_glow", "index": 0},
        {"type": "content_block_start", "index": 9, "content_block": {"type": "song"}},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "note_delta"}},
        {"type": "content_block_stop", "index": 9},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": None},
    ]

    assert chunks([*events[:3], *new, *events[3:]]) == chunks(events)


@pytest.mark.parametrize("failure", samples.failures(), ids=lambda f: f["body"]["error"]["type"])
def test_an_error_in_the_stream_is_raised_with_its_status(failure: dict[str, Any]) -> None:
    events = samples.events("text")
    data = samples.stream([*events[:5], {**failure["body"], "type": "error"}])
    seen = []

    with pytest.raises(errors.UpstreamError) as raised:
        for chunk in anthropic_wire.chunks([data]):
            seen.append(chunk)

    assert len(seen) == 3
    assert raised.value.status == (failure["told_status"] or failure["status"])
    assert raised.value.message == failure["body"]["error"]["message"]
    assert raised.value.type == failure["type"]
    assert raised.value.code == failure["code"]


@pytest.mark.parametrize("event", [{"type": "error"}, {"type": "error", "error": {}}])
def test_an_error_without_words_is_still_one(event: dict[str, Any]) -> None:
    with pytest.raises(errors.UpstreamError) as raised:
        chunks([event])

    assert raised.value.status == 502
    assert raised.value.message == "The upstream reported an error in its stream."


def test_the_events_of_the_native_wire_come_as_they_are_less_pings() -> None:
    events = samples.events("text")

    got = list(anthropic_wire.whole(anthropic_wire.decoded([samples.stream(events)])))

    assert got == [event for event in events if event["type"] != "ping"]


@given(st.lists(st.text()), st.integers(1, 50))
def test_any_text_arrives_as_it_was(texts: list[str], size: int) -> None:
    events = samples.events("text")
    said = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    data = b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in [*events[:2], *said, *events[6:]]
    )

    got = [c["delta"] for chunk in anthropic_wire.chunks(cut(data, size)) for c in chunk["choices"]]

    assert joined(got, "content") == "".join(texts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), JSON), st.data())
def test_any_arguments_arrive_as_they_were(input: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(input)
    at = data.draw(st.integers(0, len(text)))
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    parts = [
        {"type": "content_block_delta", "index": 0, "delta": delta}
        for delta in (
            {"type": "input_json_delta", "partial_json": text[:at]},
            {"type": "input_json_delta", "partial_json": text[at:]},
        )
    ]

    got = deltas(
        stream(
            [
                {"type": "content_block_start", "index": 0, "content_block": block},
                *parts,
                {"type": "content_block_stop", "index": 0},
            ]
        )
    )

    assert calls(got) == [("a", "f", text)]
