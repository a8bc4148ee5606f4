"""Gemini's streams as chunks of chat completions, however their bytes are cut."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from testing import samples

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects.gemini import reply as gemini_reply

SAMPLES = samples.names("gemini", "stream_")


def sent(events: Iterable[Any], end: str = "\r\n\r\n") -> bytes:
    """Return *events* as Google sends them."""
    return "".join(f"data: {json.dumps(e, ensure_ascii=False)}{end}" for e in events).encode()


def chunks(pieces: Iterable[bytes], model: str = "gemini-2.5-flash") -> list[Any]:
    return list(gemini_reply.chunks(iter(pieces), Deployment("g", "gemini", model, "x")))


def event(*parts: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [*parts]}, **more}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": "m"}


def joined(events: Iterable[Any]) -> dict[int, Any]:
    """Return the messages and finish reasons that *events* make, by the index of the choice."""
    made: dict[int, Any] = {}
    for each in events:
        for choice in each["choices"]:
            message, _ = made.get(choice["index"], ({}, None))
            for key, value in choice["delta"].items():
                if isinstance(value, list):
                    message[key] = message.get(key, []) + value
                elif isinstance(value, str):
                    message[key] = (message.get(key) or "") + value
                else:
                    message[key] = value
            made[choice["index"]] = (message, choice["finish_reason"])
    return made


@pytest.mark.parametrize("name", SAMPLES)
def test_a_stream_becomes_chunks_that_openais_types_take(name: str) -> None:
    given = samples.sample("gemini", name)

    got = chunks([sent(given["events"])], given["model"])

    assert got == given["chunks"]
    for chunk in got:
        ChatCompletionChunk.model_validate(chunk)


@pytest.mark.parametrize("end", ["\r\n\r\n", "\n\n"])
@pytest.mark.parametrize("name", SAMPLES)
def test_bytes_may_come_one_by_one(name: str, end: str) -> None:
    given = samples.sample("gemini", name)
    data = sent(given["events"], end)

    got = chunks((data[at : at + 1] for at in range(len(data))), given["model"])

    assert got == given["chunks"]


@pytest.mark.parametrize("name", SAMPLES)
def test_bytes_may_be_cut_anywhere(name: str) -> None:
    given = samples.sample("gemini", name)
    data = sent(given["events"])

    for cut in range(1, len(data)):
        assert chunks([data[:cut], data[cut:]], given["model"]) == given["chunks"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_finish_is_told_once_and_last(name: str) -> None:
    choices = [
        choice for chunk in samples.sample("gemini", name)["chunks"] for choice in chunk["choices"]
    ]

    reasons = [choice["finish_reason"] for choice in choices]

    finishes = len({choice["index"] for choice in choices})
    assert all(reasons[-finishes:])
    assert not any(reasons[:-finishes])


@pytest.mark.parametrize("name", SAMPLES)
def test_bytes_that_end_before_the_finish_are_cut_short(name: str) -> None:
    given = samples.sample("gemini", name)
    unfinished = [
        {
            **each,
            "candidates": [
                {key: value for key, value in candidate.items() if key != "finishReason"}
                for candidate in each.get("candidates", [])
            ],
            "promptFeedback": {},
        }
        for each in given["events"]
    ]

    with pytest.raises(errors.CutShort):
        chunks([sent(unfinished)])


@pytest.mark.parametrize("data", [b"", b": keep-alive\n\n", sent([{"usageMetadata": {}}])])
def test_a_stream_without_an_answer_is_cut_short(data: bytes) -> None:
    with pytest.raises(errors.CutShort):
        chunks([data])


def test_one_choice_of_two_without_a_finish_is_cut_short() -> None:
    events = [event({"text": "a"}, reason="STOP"), event({"text": "b"}, index=1)]

    with pytest.raises(errors.CutShort):
        chunks([sent(events)])


@pytest.mark.parametrize("cut", range(3, 40))
def test_what_came_before_the_cut_is_yielded(cut: int) -> None:
    data = sent([event({"text": "Half"}), event({"text": " of it"}, reason="STOP")], "\n\n")
    got = []

    with pytest.raises(errors.CutShort):
        for chunk in gemini_reply.chunks(iter([data[:-cut]]), Deployment("g", "gemini", "m", "x")):
            got.append(chunk)

    assert joined(got)[0] == ({"role": "assistant", "content": "Half", "refusal": None}, None)


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_error_inside_the_stream_is_raised_with_its_status(wrapped: bool) -> None:
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    data = sent([event({"text": "Half"}), [error] if wrapped else error])
    stream = gemini_reply.chunks(iter([data]), Deployment("g", "gemini", "m", "x"))

    got = [next(stream), next(stream)]
    with pytest.raises(errors.UpstreamError) as caught:
        next(stream)

    assert joined(got)[0][0]["content"] == "Half"
    assert (caught.value.status, caught.value.code, caught.value.message) == (
        503,
        "UNAVAILABLE",
        "Overloaded.",
    )


def test_an_answer_that_came_to_nothing_is_an_error_at_its_end() -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        chunks([sent([event(reason="MALFORMED_FUNCTION_CALL")])])

    assert caught.value.status == 502


def test_the_stream_is_read_no_further_than_asked() -> None:
    pieces = iter([sent([event({"text": "a"})]), sent([event({"text": "b"}, reason="STOP")])])
    stream = gemini_reply.chunks(pieces, Deployment("g", "gemini", "m", "x"))

    next(stream)
    stream.close()

    assert len(list(pieces)) == 1


PARTS = st.lists(
    st.one_of(
        st.builds(lambda text: {"text": text}, st.text()),
        st.builds(lambda text: {"text": text, "thought": True}, st.text()),
        st.builds(
            lambda name, args: {"functionCall": {"name": name, "args": args}},
            st.text(),
            st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
        ),
    )
)


@given(st.lists(PARTS, min_size=1), st.integers(1, 60))
def test_a_stream_joined_is_the_whole_answer(told: list[list[Any]], size: int) -> None:
    events = [*(event(*parts) for parts in told), event(reason="STOP")]
    whole = event(*(part for parts in told for part in parts), reason="STOP")
    data = sent(events)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    message, reason = joined(chunks(pieces))[0]

    wanted = gemini_reply.completion(whole, Deployment("g", "gemini", "m", "x"))["choices"][0]
    said = {**wanted["message"], "content": wanted["message"]["content"] or ""}
    if "tool_calls" in said:
        said["tool_calls"] = [{"index": at, **call} for at, call in enumerate(said["tool_calls"])]
    assert (message, reason) == (said, wanted["finish_reason"])
