from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from openai.types.chat import ChatCompletionChunk
from testing import eventstreams

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.dialects.bedrock import reply as bedrock_reply
from llmgate.dialects.openai import wire as openai_wire

SAMPLES = Path(__file__).parents[2] / "samples" / "bedrock"
HERE = Deployment(
    "chat", "bedrock", "converse/anthropic.claude-sonnet-4-5-20250929-v1:0", "http://x"
)
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


TEXT = eventstreams.stream(sample("stream_text")["events"])
TOOLS = eventstreams.stream(sample("stream_tools")["events"])
THOUGHTS = [
    {
        "type": "thinking",
        "thinking": "Two cities: two calls.",
        "signature": "EqoBCkgIARABGAIiQL==",
    },
    {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
]
TRACE = {"guardrail": {"modelOutput": ["Hello"], "actionReason": "No action."}}
USAGE = {
    "prompt_tokens": 310,
    "completion_tokens": 20,
    "total_tokens": 330,
    "prompt_tokens_details": {"cached_tokens": 100},
    "cache_creation_input_tokens": 200,
}


def reply(said: dict[str, Any]) -> dict[str, Any]:
    before = deepcopy(said)
    got = bedrock_reply.reply(said, HERE)
    assert said == before
    assert got.pop("id").startswith("chatcmpl-")
    return got


def said(*blocks: dict[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "metrics": {"latencyMs": 1},
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        **more,
    }


def completed(message: dict[str, Any], finish: str, usage: Any, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "refusal": None, **message}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [choice],
        "usage": usage,
        **more,
    }


def test_a_text_is_a_completion() -> None:
    usage = {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}

    got = reply(sample("reply_text")["reply"])

    assert got == completed({"content": "Grüezi!"}, "stop", usage)


def test_calls_thinking_citations_and_the_cache_are_told_in_openais_words() -> None:
    got = reply(sample("reply_tools")["reply"])

    calls = [
        {
            "id": "tooluse_A1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Zürich", "days": [1, 2]}'},
        },
        {"id": "tooluse_B2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ]
    message = {
        "content": "I look it up: Météo",
        "reasoning_content": "Two cities: two calls.",
        "thinking_blocks": THOUGHTS,
        "tool_calls": calls,
    }
    assert got == completed(
        message,
        "tool_calls",
        USAGE,
        service_tier="default",
        trace=TRACE,
        additionalModelResponseFields={"stop_sequence": None},
    )


def test_usage_is_metered_with_what_the_cache_did() -> None:
    got = openai_wire.usage(reply(sample("reply_tools")["reply"]))

    assert got == {
        "prompt_tokens": 310,
        "completion_tokens": 20,
        "cached_tokens": 100,
        "cache_creation_tokens": 200,
    }


@pytest.mark.parametrize("name", ["reply_text", "reply_tools"])
def test_replies_are_what_openais_sdk_takes(name: str) -> None:
    got = bedrock_reply.reply(sample(name)["reply"], HERE)

    ChatCompletion.model_validate(got, strict=True)


def test_two_replies_have_two_ids() -> None:
    two = [bedrock_reply.reply(sample("reply_text")["reply"], HERE)["id"] for _ in range(2)]

    assert two[0] != two[1]


STOPS = [
    ("end_turn", "stop"),
    ("stop_sequence", "stop"),
    ("max_tokens", "length"),
    ("model_context_window_exceeded", "length"),
    ("tool_use", "tool_calls"),
    ("guardrail_intervened", "content_filter"),
    ("content_filtered", "content_filter"),
    ("not_known_yet", "stop"),
]


@pytest.mark.parametrize(("reason", "wanted"), STOPS)
def test_every_reason_to_stop_is_one_of_openais(reason: str, wanted: str) -> None:
    got = reply(said({"text": "a"}, stop=reason))

    assert got["choices"][0]["finish_reason"] == wanted


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_an_unusable_answer_is_an_error_and_no_end(reason: str) -> None:
    with pytest.raises(errors.BadUpstream, match=reason):
        bedrock_reply.reply(said({"text": "a"}, stop=reason), HERE)

    with pytest.raises(errors.BadUpstream, match=reason):
        chunks(eventstreams.stream([("messageStop", {"stopReason": reason})]))


def answer(name: str = "json_tool_call", id: str = "t1", /, **given: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": id, "name": name, "input": given}}


def test_an_answer_in_a_tools_clothes_is_unwrapped() -> None:
    got = reply(said({"text": "Here: "}, answer(a="é"), stop="tool_use"))["choices"][0]

    assert got["finish_reason"] == "stop"
    assert got["message"] == {"role": "assistant", "content": '{"a": "é"}', "refusal": None}


def test_an_answer_beside_calls_leaves_the_calls_to_be_made() -> None:
    got = reply(said(answer(a=1), answer("now", "t2"), stop="tool_use"))["choices"][0]

    assert got["finish_reason"] == "tool_calls"
    assert got["message"]["content"] == '{"a": 1}'
    assert [call["id"] for call in got["message"]["tool_calls"]] == ["t2"]


def test_thinking_without_a_signature_is_only_text() -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm"}}}

    got = reply(said(thought, {"text": "a"}))["choices"][0]["message"]

    assert got == {"role": "assistant", "content": "a", "refusal": None, "reasoning_content": "Hm"}


def test_nothing_said_is_null() -> None:
    assert reply(said())["choices"][0]["message"]["content"] is None


def chunks(*pieces: bytes) -> list[dict[str, Any]]:
    got = list(bedrock_reply.chunks(iter(pieces), HERE))
    (id,) = {chunk.pop("id") for chunk in got}
    assert id.startswith("chatcmpl-")
    return got


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**HEAD, "choices": [choice]}


HEAD = {"object": "chat.completion.chunk", "created": 0, "model": MODEL}
START = chunk({"role": "assistant", "content": "", "refusal": None})
TEXT_CHUNKS = [
    START,
    chunk({"content": "Grü"}),
    chunk({"content": "ezi 🙂"}),
    chunk({}, "stop"),
    {
        **HEAD,
        "choices": [],
        "usage": {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11},
    },
]


def called(index: int, **more: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [{"index": index, **more}]})


def begun(index: int, id: str, name: str) -> dict[str, Any]:
    return called(index, id=id, type="function", function={"name": name, "arguments": ""})


TOOLS_CHUNKS = [
    START,
    chunk({"reasoning_content": "Two cities: "}),
    chunk({"reasoning_content": "two calls."}),
    chunk({"thinking_blocks": [{"index": 0, **THOUGHTS[0]}]}),
    chunk({"thinking_blocks": [{"index": 1, **THOUGHTS[1]}]}),
    chunk({"content": "I look it up."}),
    begun(0, "tooluse_A1", "weather"),
    called(0, function={"arguments": '{"city": "Zü'}),
    called(0, function={"arguments": 'rich"}'}),
    begun(1, "tooluse_B2", "now"),
    called(1, function={"arguments": "{}"}),
    chunk({}, "tool_calls"),
    {**HEAD, "choices": [], "usage": USAGE, "service_tier": "flex", "trace": TRACE},
]


def test_a_streamed_text_is_chunks() -> None:
    assert chunks(TEXT) == TEXT_CHUNKS


def test_streamed_thinking_and_calls_are_chunks() -> None:
    assert chunks(TOOLS) == TOOLS_CHUNKS


def test_one_cut_anywhere_changes_nothing() -> None:
    for at in range(1, len(TOOLS)):
        assert chunks(TOOLS[:at], TOOLS[at:]) == TOOLS_CHUNKS, at


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_chunks_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    assert chunks(*eventstreams.cut(TOOLS, size)) == TOOLS_CHUNKS


@pytest.mark.parametrize("data", [TEXT, TOOLS])
def test_chunks_are_what_openais_sdk_takes(data: bytes) -> None:
    for got in bedrock_reply.chunks(iter([data]), HERE):
        ChatCompletionChunk.model_validate(got, strict=True)


def test_an_end_anywhere_before_the_last_byte_is_an_error() -> None:
    for at in range(len(TEXT)):
        with pytest.raises(errors.CutShort):
            list(bedrock_reply.chunks(iter([TEXT[:at]]), HERE))


@pytest.mark.parametrize("events", [sample("stream_text")["events"][:-1], []])
def test_an_end_between_two_events_is_noticed(events: Any) -> None:
    with pytest.raises(errors.CutShort, match="before it was complete"):
        list(bedrock_reply.chunks(iter([eventstreams.stream(events)]), HERE))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("throttlingException", 429),
        ("modelStreamErrorException", 502),
        ("internalServerException", 500),
        ("validationException", 400),
        ("serviceUnavailableException", 503),
    ],
)
def test_an_exception_in_the_midst_is_raised_after_what_came_before(kind: str, status: int) -> None:
    data = eventstreams.stream(sample("stream_text")["events"][:2])
    found = bedrock_reply.chunks(iter([data + eventstreams.exception(kind, "No.")]), HERE)

    assert [next(found)["choices"], next(found)["choices"]] == [
        START["choices"],
        TEXT_CHUNKS[1]["choices"],
    ]
    with pytest.raises(errors.UpstreamError) as caught:
        next(found)
    assert (caught.value.status, caught.value.message) == (status, "No.")


@pytest.mark.parametrize(("reason", "wanted"), STOPS)
def test_every_reason_to_stop_a_stream_is_one_of_openais(reason: str, wanted: str) -> None:
    end = sample("stream_text")["events"][-1]

    got = chunks(eventstreams.stream([("messageStop", {"stopReason": reason}), end]))

    assert got[0] == chunk({}, wanted)


def opened(at: int, name: str) -> tuple[str, Any]:
    used = {"toolUseId": f"t{at}", "name": name}
    return "contentBlockStart", {"contentBlockIndex": at, "start": {"toolUse": used}}


def added(at: int, **delta: Any) -> tuple[str, Any]:
    return "contentBlockDelta", {"contentBlockIndex": at, "delta": delta}


def closed(at: int) -> tuple[str, Any]:
    return "contentBlockStop", {"contentBlockIndex": at}


def streamed(*events: tuple[str, Any], stop: str = "tool_use") -> list[dict[str, Any]]:
    end = sample("stream_text")["events"][-1]
    got = chunks(eventstreams.stream([*events, ("messageStop", {"stopReason": stop}), end]))
    return got[:-1]


def test_a_streamed_answer_in_a_tools_clothes_is_unwrapped() -> None:
    got = streamed(
        opened(0, "json_tool_call"),
        added(0, toolUse={"input": '{"a"'}),
        added(0, toolUse={"input": ""}),
        added(0, toolUse={"input": ": 1}"}),
        closed(0),
    )

    assert got == [chunk({"content": '{"a"'}), chunk({"content": ": 1}"}), chunk({}, "stop")]


def test_a_streamed_answer_beside_calls_leaves_the_calls_to_be_made() -> None:
    got = streamed(opened(0, "json_tool_call"), closed(0), opened(1, "now"), closed(1))

    assert got == [
        begun(0, "t1", "now"),
        called(0, function={"arguments": "{}"}),
        chunk({}, "tool_calls"),
    ]


def test_what_is_not_known_yet_is_passed_over() -> None:
    got = streamed(
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}),
        added(0, image={"source": {"bytes": "AA=="}}),
        closed(0),
        ("somethingNew", {}),
        added(1, reasoningContent={"text": ""}),
        closed(1),
        stop="end_turn",
    )

    assert got == [chunk({}, "stop")]


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5), st.integers(1, 50))
def test_any_text_arrives_unchanged(texts: list[str], size: int) -> None:
    events = [added(0, text=text) for text in texts]
    ends = sample("stream_text")["events"][-2:]

    got = chunks(*eventstreams.cut(eventstreams.stream([*events, *ends]), size))

    assert [each["choices"][0]["delta"]["content"] for each in got[:-2]] == texts


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON), st.integers(5, 50), st.booleans())
def test_any_arguments_arrive_unchanged(
    arguments: dict[str, Any], size: int, escaped: bool
) -> None:
    written = json.dumps(arguments, ensure_ascii=escaped)
    parts = [written[at : at + size] for at in range(0, len(written), size)]

    whole = reply(said(answer("now", **arguments), stop="tool_use"))["choices"][0]["message"]
    pieces = streamed(
        opened(0, "now"), *(added(0, toolUse={"input": part}) for part in parts), closed(0)
    )

    joined = "".join(
        each["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
        for each in pieces[:-1]
    )
    assert json.loads(joined) == arguments
    assert json.loads(whole["tool_calls"][0]["function"]["arguments"]) == arguments
