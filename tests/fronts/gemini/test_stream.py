from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import tool_call
from testing.openai_bodies import usage

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Deployment
from llmgate.dialects.gemini import contents as gemini_contents
from llmgate.dialects.openai import wire as openai_wire
from llmgate.fronts.gemini import reply as front_reply
from llmgate.fronts.gemini import stream as front_stream
from llmgate.fronts.gemini import thoughts as front_thoughts

HEAD = {"modelVersion": "gpt-4o-2024-08-06", "responseId": "chatcmpl-9NoYhS2G0fswot0b6QpoQgmRQMaIf"}

DEPLOYMENT = Deployment("g", "openai", "gpt-4o", "https://x/v1")


def responses(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = list(front_stream.responses(chunks))
    for each in filter(None, found):
        types.GenerateContentResponse.model_validate(each)
    return found


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def told(index: int = 0, *parts: Any, **more: Any) -> dict[str, Any]:
    content = {"parts": list(parts), "role": "model"} if parts else {"role": "model"}
    return {"content": content, "index": index, **more}


def test_chunks_are_responses_and_the_last_one_says_why_and_what() -> None:
    assert responses(chat_chunks("Mo", "in", usage=usage(9, 2))) == [
        {"candidates": [told(0, {"text": "Mo"})], **HEAD},
        {"candidates": [told(0, {"text": "in"})], **HEAD},
        {
            "candidates": [told(0, finishReason="STOP")],
            **HEAD,
            "usageMetadata": {
                "promptTokenCount": 9,
                "candidatesTokenCount": 2,
                "totalTokenCount": 11,
            },
        },
    ]


def test_calls_come_whole_at_the_end() -> None:
    calls = [tool_call("f", {"a": "ü"}), tool_call("g", {}, "call_2")]

    assert responses(chat_chunks(tool_calls=calls)) == [
        {
            "candidates": [
                told(
                    0,
                    {
                        "functionCall": {"id": "call_1", "name": "f", "args": {"a": "ü"}},
                        "thoughtSignature": gemini_contents.UNSIGNED,
                    },
                    {"functionCall": {"id": "call_2", "name": "g", "args": {}}},
                    finishReason="STOP",
                )
            ],
            **HEAD,
        }
    ]


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    begun = {"id": "a", "function": {"name": "f", "arguments": '{"x":'}}

    got = responses(
        [
            chunk(tool_calls=[begun]),
            chunk(
                tool_calls=[
                    {"function": {"arguments": "1}"}},
                    {"id": "b", "function": {"name": "g"}},
                ]
            ),
            chunk("tool_calls", tool_calls=[{"id": "b"}]),
        ]
    )

    calls = [part["functionCall"] for part in got[-1]["candidates"][0]["content"]["parts"]]
    assert calls == [
        {"id": "a", "name": "f", "args": {"x": 1}},
        {"id": "b", "name": "g", "args": {}},
    ]


def test_several_choices_are_several_candidates() -> None:
    got = responses(chat_chunks("a", n=2))

    assert [each["candidates"] for each in got] == [
        [told(0, {"text": "a"})],
        [told(1, {"text": "a"})],
        [told(0, finishReason="STOP"), told(1, finishReason="STOP")],
    ]


def test_thoughts_are_told_as_they_come_and_signed_at_their_end() -> None:
    signed = {"type": "thinking", "signature": "s", "index": 0}

    got = responses(
        [
            chunk(reasoning_content="H"),
            chunk(reasoning="m"),
            chunk(thinking_blocks=[signed]),
            chunk(refusal="No"),
            chunk("stop"),
        ]
    )

    assert [each["candidates"][0] for each in got] == [
        told(0, {"text": "H", "thought": True}),
        told(0, {"text": "m", "thought": True}),
        told(
            0,
            {"text": "", "thought": True, "thoughtSignature": front_thoughts.signature(signed)},
        ),
        told(0, {"text": "No"}),
        told(0, finishReason="SAFETY"),
    ]


def test_pauses_and_probabilities_go_on() -> None:
    said = chunk(content="a")
    said["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -1}]}

    assert responses([{}, said, chunk("length")]) == [
        {},
        {
            "candidates": [
                told(
                    0,
                    {"text": "a"},
                    **front_reply.log_probabilities(said["choices"][0]["logprobs"]),
                )
            ]
        },
        {"candidates": [told(0, finishReason="MAX_TOKENS")]},
    ]


@pytest.mark.parametrize("chunks", [[], [chunk(content="a")], chat_chunks("a", n=2)[:-1]])
def test_what_has_no_end_was_cut_short(chunks: list[dict[str, Any]]) -> None:
    with pytest.raises(errors.CutShort):
        responses(chunks)


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(1, 7))
def test_a_stream_says_what_the_whole_says(pieces: list[str], size: int) -> None:
    data = b"".join(sse.encoded(each) for each in chat_chunks(*pieces)) + sse.DONE
    cut = [data[at : at + size] for at in range(0, len(data), size)]

    got = responses(list(openai_wire.chunks(iter(cut), DEPLOYMENT)))

    texts = [p["text"] for e in got if e for p in e["candidates"][0]["content"].get("parts", [])]
    assert "".join(texts) == "".join(pieces)


@pytest.mark.parametrize(
    ("blocks", "wanted"),
    [
        ([], []),
        ([b""], []),
        ([b'data: {"a":1}\n\n'], [{"a": 1}]),
        (
            [b'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\n', b"\n\n", b"data: []\n\n"],
            [{"a": 1}, {"b": 2}, []],
        ),
    ],
)
def test_events_are_a_list_of_json(blocks: list[bytes], wanted: Any) -> None:
    assert json.loads(b"".join(front_stream.array(blocks))) == wanted


def test_each_event_of_a_list_comes_at_once() -> None:
    assert list(front_stream.array([b'data: {"a":1}\n\n', b"data: 2\n\n"])) == [
        b'[{"a":1}',
        b",\r\n2",
        b"]\n",
    ]
