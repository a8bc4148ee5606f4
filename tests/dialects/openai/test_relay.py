from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing.upstream import chat_chunks
from testing.upstream import error_body
from testing.upstream import tool_call
from testing.upstream import usage

from llmgate import errors
from llmgate.codecs import sse
from llmgate.dialects.openai.relay import relayed

CHUNKS = chat_chunks("Hel", "lo\u2028 [DONE] ü", usage=usage(3, 4))
PLAIN = b"".join(map(sse.encoded, CHUNKS[:-1]))
ALONE = sse.encoded(CHUNKS[-1])
TALKATIVE = (
    PLAIN.replace(b"data: ", b"id: 1\r\nevent: message\r\ndata:", 1).replace(
        b"\n\n", b"\r\n\r\n", 2
    )
    + b": ping\n\n"
    + json.dumps(CHUNKS[0]).replace('": ', '" :\t').join(["data: ", "\n\n"]).encode()
)


def relay(
    pieces: Iterable[bytes], shows_usage: bool = False
) -> tuple[bytes, Any, dict[str, float]]:
    """Return the bytes that go on, the error after them, and the usage that was seen."""
    told: dict[str, float] = {}
    kept = b""
    try:
        for piece in relayed(pieces, shows_usage, told.update):
            kept += piece
    except errors.GateError as error:
        return kept, error, told
    return kept, None, told


def cuts(data: bytes) -> Iterable[list[bytes]]:
    """Return *data* cut once, at every place."""
    return ([data[:at], data[at:]] for at in range(1, len(data)))


@pytest.mark.parametrize("data", [PLAIN, TALKATIVE])
def test_every_byte_is_kept_wherever_they_are_cut(data: bytes) -> None:
    data += sse.DONE

    for pieces in cuts(data):
        assert relay(pieces) == (data, None, {})


@given(st.lists(st.text()), st.text(), st.integers(1, 60), st.booleans())
def test_every_byte_is_kept_whatever_is_said(
    texts: list[str], arguments: str, size: int, ascii: bool
) -> None:
    chunks = chat_chunks(*texts, tool_calls=[tool_call("f", arguments)])
    lines = (json.dumps(chunk, ensure_ascii=ascii) for chunk in chunks)
    data = "".join(f"data: {line}\n\n" for line in lines).encode() + sse.DONE

    got = relay(data[at : at + size] for at in range(0, len(data), size))

    assert got == (data, None, {})


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 100, 4096])
def test_every_byte_is_kept_however_small_the_pieces(size: int) -> None:
    data = PLAIN + sse.DONE

    got = relay(data[at : at + size] for at in range(0, len(data), size))

    assert got == (data, None, {})


def test_tool_calls_and_unknown_fields_are_kept() -> None:
    events = chat_chunks(tool_calls=[tool_call(arguments={"a": '"error":{'})], novelty={"x": [1]})
    data = b"".join(map(sse.encoded, events)) + sse.DONE

    assert relay([data]) == (data, None, {})


def test_usage_is_hidden_and_told_wherever_the_bytes_are_cut() -> None:
    for pieces in cuts(PLAIN + ALONE + sse.DONE):
        kept, error, told = relay(pieces)

        assert (kept, error) == (PLAIN + sse.DONE, None)
        assert (told["prompt_tokens"], told["completion_tokens"]) == (3, 4)


def test_usage_is_shown_to_those_who_ask() -> None:
    data = PLAIN + ALONE + sse.DONE

    kept, error, told = relay([data], shows_usage=True)

    assert (kept, error, told["prompt_tokens"]) == (data, None, 3)


@pytest.mark.parametrize("choices", [{"choices": []}, {"choices": None}, {}])
def test_usage_without_choices_is_hidden_however_it_is_written(choices: Any) -> None:
    event = {key: value for key, value in CHUNKS[-1].items() if key != "choices"}

    assert relay([PLAIN, sse.encoded({**event, **choices}), sse.DONE])[0] == PLAIN + sse.DONE


def test_usage_in_the_last_chunk_of_a_choice_is_told_and_kept() -> None:
    last = {**CHUNKS[-2], "usage": usage(3, 4)}
    data = sse.encoded(CHUNKS[0]) + sse.encoded(last) + sse.DONE

    kept, error, told = relay([data])

    assert (kept, error, told["completion_tokens"]) == (data, None, 4)


def test_azures_first_chunk_without_choices_is_kept() -> None:
    first = sse.encoded({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    data = first + PLAIN + sse.DONE

    assert relay([data]) == (data, None, {})


def test_comments_before_the_first_event_are_left_out() -> None:
    got = relay([b": OPENROUTER PROCESSING\n\n", b": again\n\n", PLAIN, sse.DONE])

    assert got == (PLAIN + sse.DONE, None, {})


def test_what_follows_the_end_is_left_out() -> None:
    assert relay([PLAIN + sse.DONE + PLAIN, PLAIN]) == (PLAIN + sse.DONE, None, {})


def test_a_stream_that_finished_gets_its_end() -> None:
    for pieces in cuts(PLAIN):
        assert relay(pieces) == (PLAIN + sse.DONE, None, {})


@pytest.mark.parametrize("kept", [b"", sse.encoded(CHUNKS[0]), sse.encoded(CHUNKS[0]) * 2])
@pytest.mark.parametrize("rest", [b"", b'data: {"cho', sse.encoded(CHUNKS[1])[:-4]])
def test_a_stream_that_did_not_finish_was_cut_short(kept: bytes, rest: bytes) -> None:
    got, error, _ = relay([kept + rest])

    assert got == kept
    assert isinstance(error, errors.CutShort)


@pytest.mark.parametrize("data", [b"", b": ping\n\n" * 3])
def test_a_stream_without_events_was_cut_short(data: bytes) -> None:
    assert isinstance(relay([data])[1], errors.CutShort)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (error_body("over", "rate_limit_error"), 429),
        ({"error": "over"}, 502),
        ({"object": "error", "message": "over", "type": "BadRequestError", "code": 400}, 400),
        ({"error": {"message": "over", "code": 503}, "choices": []}, 503),
    ],
)
def test_an_error_is_raised_after_what_came_before(event: Any, status: int) -> None:
    before = sse.encoded(CHUNKS[0]) + sse.encoded(CHUNKS[1])

    for pieces in cuts(before + sse.encoded(event) + PLAIN + sse.DONE):
        kept, error, _ = relay(pieces)

        assert kept == before
        assert isinstance(error, errors.UpstreamError)
        assert (error.status, error.message) == (status, "over")


def test_text_that_looks_like_an_error_is_none() -> None:
    said = chat_chunks('{"error": {"message": "x"}}', '"usage": {}', "[DONE]", "data: [DONE]\n\n")
    data = b"".join(map(sse.encoded, said)) + sse.DONE

    for pieces in cuts(data):
        assert relay(pieces) == (data, None, {})


def test_an_event_that_is_no_object_is_passed_on() -> None:
    data = b'data: ["usage", {"finish_reason":"stop"}]\n\n' + PLAIN + sse.DONE

    assert relay([data]) == (data, None, {})


def test_an_event_that_is_no_json_is_no_stream_of_ours() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        relay([b'data: {"finish_reason":"stop"\n\n'])


def test_members_beside_the_hidden_usage_survive() -> None:
    timings = {"prompt_ms": 1.5}
    data = PLAIN + sse.encoded({**CHUNKS[-1], "timings": timings}) + sse.DONE

    kept, error, told = relay([data])

    (*_, last, _) = kept.split(b"\n\n")[:-1]
    event = json.loads(last.removeprefix(b"data: "))
    assert error is None
    assert told["prompt_tokens"] == 3
    assert event["timings"] == timings
    assert "usage" not in event
    assert event["choices"] == [{"index": 0, "delta": {}, "finish_reason": None}]


def call(index: int, id: str | None, text: str, **more: str) -> dict[str, Any]:
    named = {"id": id} if id else {}
    return {"index": index, **named, "function": {**more, "arguments": text}}


def called(*pieces: Any) -> bytes:
    deltas = [{"tool_calls": [piece]} for piece in pieces]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    return b"".join(sse.encoded({"id": "c", "model": "m", "choices": [it]}) for it in choices)


def test_calls_that_share_an_index_get_their_own() -> None:
    data = called(
        call(0, "a", "", name="f"),
        call(0, None, "{}"),
        call(0, "b", "", name="f"),
        call(0, None, "[]"),
    )

    kept, _, _ = relay([data])

    events = [json.loads(it.removeprefix(b"data: ")) for it in kept.split(b"\n\n")[:-1]]
    pieces = [event["choices"][0]["delta"]["tool_calls"][0] for event in events]
    assert [piece["index"] for piece in pieces] == [0, 0, 1, 1]
    assert kept.startswith(data[: data.index(b'"b"') - 200])


def test_regular_calls_are_passed_through_as_they_came() -> None:
    data = called(
        call(0, "a", "", name="f"),
        call(0, None, "{}"),
        call(1, "b", "", name="f"),
        call(1, None, "[]"),
    )

    for pieces in cuts(data):
        assert relay(pieces)[0] == data


def test_a_list_of_content_becomes_text() -> None:
    content = [{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": "x"}]
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": "stop"}

    kept, _, _ = relay([PLAIN, sse.encoded({"id": "c", "choices": [choice]}), sse.DONE])

    assert b'"delta":{"content":"x","reasoning_content":"hmm"}' in kept


def test_an_error_beside_choices_ends_the_stream() -> None:
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    event = {"error": {"code": 502, "message": "gone"}, "choices": [choice]}

    kept, error, _ = relay([PLAIN[:-2] + b"\n\n", sse.encoded(event), sse.DONE])

    assert b"gone" not in kept
    assert isinstance(error, errors.UpstreamError)
    assert (error.status, error.message) == (502, "gone")
