from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects.openai import normalize
from llmgate.dialects.openai import stream as openai_stream

DEPLOYMENT = Deployment("g", "custom_openai", "m", "https://x/v1")
HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "real"}
CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {**HEAD, "choices": [choice], **more}


def normal(*events: Any, done: bool = True, size: int = 10_000) -> list[Any]:
    """Return the chunks of a stream of *events*, its bytes cut after each *size*."""
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    data += b"data: [DONE]\n\n" if done else b""
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return list(openai_stream.chunks(pieces, DEPLOYMENT))


def deltas(chunks: list[Any]) -> list[Any]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def ends(chunks: list[Any]) -> list[Any]:
    found = (choice["finish_reason"] for chunk in chunks for choice in chunk["choices"])
    return [finish for finish in found if finish]


# -- what needs no repair


def test_plain_chunks_are_not_even_copied() -> None:
    stream = normalize.Normalizer("m")
    stream.chunk(chunk({"role": "assistant", "content": ""}))
    stream.chunk(chunk({"content": "Hel"}))
    plain = chunk({"content": "lo"})

    assert stream.chunk(plain) is plain


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_openais_own_chunks_stay_as_they_are(size: int) -> None:
    events = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, "stop"),
        {**HEAD, "choices": [], "usage": {**USED, "total_tokens": 12}},
    ]

    assert normal(*events, size=size) == events


USED = {"prompt_tokens": 5, "completion_tokens": 7}


# -- text and reasoning


def test_a_list_of_content_becomes_text_and_reasoning() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}

    got = deltas(normal(chunk({"content": [thinking]}), chunk({"content": "Hello"}, "stop")))

    assert got == [{"reasoning_content": "hmm"}, {"content": "Hello"}]


def test_reasoning_has_one_name_and_its_details_are_kept() -> None:
    details = [{"type": "reasoning.encrypted", "data": "E"}]

    got = deltas(normal(chunk({"reasoning": "hmm", "reasoning_details": details}, "stop")))

    assert got == [{"reasoning_content": "hmm", "reasoning_details": details}]


def test_think_tags_become_reasoning() -> None:
    texts = ["<th", "ink>hm", "m</think>\n", "\nHello"]
    got = deltas(normal(*(chunk({"content": text}) for text in texts), chunk({}, "stop")))

    assert "".join(delta.get("reasoning_content", "") for delta in got) == "hmm"
    assert "".join(delta.get("content", "") for delta in got) == "Hello"


def test_text_between_the_pieces_of_a_call_comes_after_it() -> None:
    first = {**CALL, "function": {"name": "f", "arguments": '{"a":'}}
    got = deltas(
        normal(
            chunk({"tool_calls": [first]}),
            chunk({"content": "\n"}),
            chunk({"reasoning": "hmm"}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
            chunk({"content": "x"}),
            chunk({}, "tool_calls"),
        )
    )

    assert [sorted(delta) for delta in got] == [
        ["tool_calls"],
        [],
        [],
        ["tool_calls"],
        ["content", "reasoning_content"],
        [],
    ]
    assert (got[4]["content"], got[4]["reasoning_content"]) == ("\nx", "hmm")


def test_text_that_waits_for_a_call_comes_with_the_end() -> None:
    first = {**CALL, "function": {"name": "f", "arguments": ""}}

    got = deltas(normal(chunk({"tool_calls": [first]}), chunk({"content": "x"}), chunk({}, "stop")))

    assert [delta.get("content") for delta in got] == [None, None, "x"]


@pytest.mark.parametrize("done", [True, False])
def test_text_within_a_call_that_ends_the_choice_comes_last(done: bool) -> None:
    first = {**CALL, "function": {"name": "f", "arguments": '{"a":'}}
    last = {"index": 0, "function": {"arguments": "1}"}}

    got = normal(
        chunk({"tool_calls": [first]}),
        chunk({"content": "x"}),
        chunk({"tool_calls": [last]}, "tool_calls"),
        done=done,
    )

    assert [sorted(delta) for delta in deltas(got)] == [
        ["tool_calls"],
        [],
        ["tool_calls"],
        ["content"],
    ]
    assert ends(got) == ["tool_calls"]


# -- heads, ends and errors


def test_an_answer_has_an_id_and_a_model_and_a_time() -> None:
    choice = {"delta": {"content": "x"}}

    first, second, third = normal({"choices": [choice]}, {"choices": [choice]})

    assert first["id"] == second["id"] == third["id"] != ""
    assert (first["model"], first["created"]) == ("m", 0)
    assert first["choices"][0]["index"] == 0
    assert third["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]


def test_a_whole_message_in_a_chunk_is_read() -> None:
    choice = {"message": {"content": "x"}, "finish_reason": "stop"}

    assert deltas(normal({**HEAD, "choices": [choice]})) == [{"content": "x"}]


@pytest.mark.parametrize(
    ("delta", "wanted"), [({"content": "x"}, "stop"), ({"tool_calls": [CALL]}, "tool_calls")]
)
def test_done_ends_a_stream_without_a_finish_reason(delta: Any, wanted: str) -> None:
    assert ends(normal(chunk(delta))) == [wanted]


@pytest.mark.parametrize("events", [[], [chunk({"content": "x"})]])
def test_a_stream_without_done_and_without_an_end_was_cut(events: list[Any]) -> None:
    with pytest.raises(errors.CutShort):
        normal(*events, done=False)


def test_a_stream_needs_no_done_after_the_end_of_every_choice() -> None:
    assert ends(normal(chunk({"content": "x"}, "stop"), done=False)) == ["stop"]


def test_done_alone_is_no_answer() -> None:
    assert normal() == []


@pytest.mark.parametrize(
    ("given_", "calls", "wanted"),
    [
        (None, False, None),
        ("", False, None),
        ("stop", False, "stop"),
        ("stop", True, "tool_calls"),
        ("EOS", False, "stop"),
        ("eos_token", True, "tool_calls"),
        ("max_tokens", True, "length"),
        ("model_length", False, "length"),
        ("sensitive", False, "content_filter"),
        ("tool_use", True, "tool_calls"),
        ("odd", False, "odd"),
    ],
)
def test_finish_reasons_are_openais(given_: Any, calls: bool, wanted: Any) -> None:
    assert normalize.finish_reason(given_, calls) == wanted


GONE = {"code": 502, "message": "Provider disconnected"}


@pytest.mark.parametrize(
    "event",
    [
        chunk({"content": ""}, "error", error=GONE),
        chunk({}, "error", error=GONE),
        {"error": GONE, "choices": []},
        [{"error": GONE}],
        {**HEAD, "choices": [{"delta": {}, "error": GONE}]},
    ],
)
def test_an_error_is_raised_wherever_it_stands(event: Any) -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        normal(chunk({"role": "assistant"}), chunk({"content": "x"}), event)

    assert (caught.value.status, caught.value.message) == (502, "Provider disconnected")


def test_a_failed_finish_without_an_error_is_one() -> None:
    with pytest.raises(errors.UpstreamError):
        normal(chunk({"content": "x"}), chunk({"content": "y"}), chunk({}, "error"))


@pytest.mark.parametrize("event", [["x"], 7, None])
def test_an_event_of_another_shape_is_a_malformed_stream(event: Any) -> None:
    with pytest.raises(AttributeError):
        normal(event)


def test_usage_is_found_in_a_choice() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "usage": USED}

    (got,) = normal({**HEAD, "choices": [choice]})

    assert got["usage"] == {**USED, "total_tokens": 12}


def test_invalid_usage_is_no_usage() -> None:
    used = {"prompt_tokens": "many"}

    assert normal(chunk({"content": "x"}, "stop", usage=used))[0]["usage"] is None
    assert normalize.reply(whole({"content": "x"}, usage=used), DEPLOYMENT)["usage"] is None


def test_chunks_of_text_completions_are_not_changed() -> None:
    choices = [
        {"index": 0, "text": text, "finish_reason": end}
        for text, end in (("x", None), ("", "stop"))
    ]

    got = normal(*({**HEAD, "choices": [choice]} for choice in choices), done=False)

    assert [chunk["choices"][0] for chunk in got] == choices


def test_choices_are_apart() -> None:
    both = [{"index": at, "delta": {"tool_calls": [CALL]}} for at in (0, 1)]

    got = normal({**HEAD, "choices": both}, {**HEAD, "choices": None})

    assert [choice["index"] for chunk in got for choice in chunk["choices"]] == [0, 1, 0, 1]
    assert ends(got) == ["tool_calls"] * 2


@given(st.lists(st.text()), st.integers(1, 80))
def test_any_text_comes_through_however_it_is_cut(texts: list[str], size: int) -> None:
    texts = ["x", *texts]

    got = normal(*(chunk({"content": text}) for text in texts), chunk({}, "stop"), size=size)

    assert "".join(delta.get("content", "") for delta in deltas(got)) == "".join(texts)


# -- whole replies


def whole(message: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "c", "model": "real", "choices": [choice], **more}


def test_a_whole_reply_of_openai_stays_as_it_is() -> None:
    message = {"role": "assistant", "content": "Hello", "refusal": None}
    reply = whole(message, usage={**USED, "total_tokens": 12})

    assert normalize.reply(reply, DEPLOYMENT) == reply


def test_a_whole_reply_has_what_its_readers_index() -> None:
    reply = {"choices": [{"message": {"content": None}}], "usage": USED}

    got = normalize.reply(reply, DEPLOYMENT)

    assert got["id"].startswith("chatcmpl-")
    assert got["model"] == "m"
    assert got["usage"]["total_tokens"] == 12
    assert got["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
    ]


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"content": "<think>hmm</think>Hello"}, {"reasoning_content": "hmm", "content": "Hello"}),
        (
            {"content": "Hello", "reasoning": "hmm"},
            {"reasoning_content": "hmm", "content": "Hello"},
        ),
        (
            {"content": [{"type": "thinking", "thinking": "hmm"}]},
            {"reasoning_content": "hmm", "content": None},
        ),
        (None, {"content": ""}),
    ],
)
def test_a_whole_message_has_text_and_reasoning(message: Any, wanted: Any) -> None:
    (choice,) = normalize.reply(whole(message), DEPLOYMENT)["choices"]

    assert choice["message"] == {"role": "assistant", **wanted}


def test_whole_calls_end_in_tool_calls() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}

    (choice,) = normalize.reply(whole({"tool_calls": [call]}), DEPLOYMENT)["choices"]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'


def test_a_choice_of_a_text_completion_stays_as_it_is() -> None:
    choice = {"text": "x", "finish_reason": "eos"}

    assert normalize.reply({"choices": [choice]}, DEPLOYMENT)["choices"] == [choice]


@pytest.mark.parametrize(
    "reply",
    [
        whole({"content": "x"}, "error", error=GONE),
        {"choices": [{"message": {}, "finish_reason": "error", "error": GONE}]},
        [{"error": GONE}],
    ],
)
def test_an_error_in_a_whole_reply_is_raised(reply: Any) -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        normalize.reply(reply, DEPLOYMENT)

    assert caught.value.status == 502
