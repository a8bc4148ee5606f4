from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from testing import responses_bodies as bodies

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Deployment
from llmgate.dialects.responses import items
from llmgate.dialects.responses import stream
from llmgate.fronts.responses import stream as front_stream

EVENT: pydantic.TypeAdapter[ResponseStreamEvent] = pydantic.TypeAdapter(ResponseStreamEvent)
DEPLOYMENT = Deployment("g", "openai", "o3-pro", "https://x")
PLACE = {"item_id": "i", "output_index": 0}


def wire(events: Iterable[Any]) -> bytes:
    return b"".join(sse.encoded(event, event["type"]) for event in events)


def chunks(events: Iterable[Any], size: int = 0) -> list[Any]:
    data = wire(events)
    step = size or len(data) or 1
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    found = [each for each in stream.chunks(iter(pieces), DEPLOYMENT) if each]
    for each in found:
        if '"custom"' not in json.dumps(each):  # the SDK's type of a piece knows functions alone
            ChatCompletionChunk.model_validate(each)
    return found


def events(*given: Any, last: str = "completed", **over: Any) -> list[dict[str, Any]]:
    """Return a whole stream with the *given* events in its middle, as the SDK reads it."""
    over = {"usage": {**bodies.response()["usage"]}, **over}
    details = {"cached_tokens": 8, "cache_write_tokens": 0}
    over["usage"] = {**over["usage"], "input_tokens_details": details}
    begun = bodies.response(output=[], status="in_progress", usage=None)
    found = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *given,
        {"type": f"response.{last}", "response": bodies.response(status=last, **over)},
    ]
    found = [{**event, "sequence_number": at} for at, event in enumerate(found)]
    for event in found:
        EVENT.validate_python(event)
    return found


def deltas(found: Iterable[Any]) -> list[Any]:
    """Return what the chunks between the first and the end add."""
    return [each["choices"][0]["delta"] for each in found if each["choices"]][1:-1]


def added(item: Any, at: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": at, "item": item}


def done(item: Any, at: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": at, "item": item}


def call(arguments: str, **more: Any) -> dict[str, Any]:
    given = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f"}
    return {**given, "arguments": arguments, "status": "completed", **more}


def custom(text: str) -> dict[str, Any]:
    return {"type": "custom_tool_call", "id": "c", "call_id": "call_2", "name": "p", "input": text}


@pytest.mark.parametrize("size", [0, 1, 7, 64])
def test_a_text_is_streamed(size: int) -> None:
    got = chunks(bodies.events("Mo", "in"), size)

    assert deltas(got) == [{"content": "Mo"}, {"content": "in"}]
    assert got[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert got[-2]["choices"][0]["finish_reason"] == "stop"
    assert (got[-1]["choices"], got[-1]["usage"]["total_tokens"]) == ([], 50)
    assert {(each["id"], each["model"], each["created"]) for each in got} == {
        (bodies.ID, "gpt-4o-2024-08-06", 1756315696)
    }


def test_calls_are_streamed_by_their_own_numbers() -> None:
    def piece(text: str, at: int) -> dict[str, Any]:
        place = {"item_id": "i", "output_index": at}
        return {"type": "response.function_call_arguments.delta", **place, "delta": text}

    middle = [
        added(call(""), 1),
        piece('{"a":', 1),
        added(call("", call_id="call_9"), 3),
        piece("{}", 3),
        piece("1}", 1),
        done(call('{"a":1}'), 1),
        added(custom(""), 4),
        {
            "type": "response.custom_tool_call_input.delta",
            "item_id": "i",
            "output_index": 4,
            "delta": "x",
        },
        done(custom("x"), 4),
    ]

    got = chunks(events(*middle))

    assert [delta["tool_calls"][0] for delta in deltas(got)] == [
        {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "function": {"name": "f", "arguments": ""},
        },
        {"index": 0, "function": {"arguments": '{"a":'}},
        {
            "index": 1,
            "id": "call_9",
            "type": "function",
            "function": {"name": "f", "arguments": ""},
        },
        {"index": 1, "function": {"arguments": "{}"}},
        {"index": 0, "function": {"arguments": "1}"}},
        {"index": 2, "id": "call_2", "type": "custom", "custom": {"name": "p", "input": ""}},
        {"index": 2, "custom": {"input": "x"}},
    ]
    assert got[-2]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("item", [call('{"a":1}'), custom("x")])
@pytest.mark.parametrize("begins", ["empty", "whole", "never"])
def test_a_call_without_pieces_is_whole(item: Any, begins: str) -> None:
    name = "input" if item["type"] == "custom_tool_call" else "arguments"
    begun = {"empty": [added({**item, name: ""})], "whole": [added(item)], "never": []}[begins]

    got = deltas(chunks(events(*begun, done(item))))

    inner = "custom" if name == "input" else "function"
    assert "".join(delta["tool_calls"][0][inner][name] for delta in got) == item[name]
    assert got[0]["tool_calls"][0]["id"] == item["call_id"]


def test_reasoning_is_streamed_with_what_must_be_sent_back() -> None:
    summary = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "ENC"}

    def part(at: int) -> list[dict[str, Any]]:
        place = {**PLACE, "summary_index": at}
        text = summary[at]["text"]
        blank = {"type": "summary_text", "text": ""}
        return [
            {"type": "response.reasoning_summary_part.added", **place, "part": blank},
            {"type": "response.reasoning_summary_text.delta", **place, "delta": text},
        ]

    blank = {"type": "reasoning", "id": "rs_1", "summary": []}
    second = {**item, "id": "rs_2"}
    got = deltas(chunks(events(added(blank), *part(0), *part(1), done(item), done(second, 1))))

    assert [delta.get("reasoning_content") for delta in got] == ["a", "\n\n", "b", None, "a\n\nb"]
    assert got[3]["reasoning_details"] == items.details(item, 0)
    assert got[4]["reasoning_details"] == items.details(second, 3)


def test_reasoning_in_full_is_streamed() -> None:
    piece = {"type": "response.reasoning_text.delta", **PLACE, "content_index": 0, "delta": "t"}
    empty = {"type": "reasoning", "id": "rs_1", "summary": []}

    assert deltas(chunks(events(piece, done(empty), done(empty, 1)))) == [
        {"reasoning_content": "t"}
    ]


def test_a_refusal_and_citations_are_streamed() -> None:
    place = {**PLACE, "content_index": 0}
    cited = {"url": "https://x", "title": "X", "start_index": 0, "end_index": 1}
    note = {"type": "response.output_text.annotation.added", **place, "annotation_index": 0}
    path = {"type": "file_path", "file_id": "file-1", "index": 0}

    got = chunks(
        events(
            {"type": "response.refusal.delta", **place, "delta": "no"},
            {**note, "annotation": {"type": "url_citation", **cited}},
            {**note, "annotation": path},
        )
    )

    citation = {"type": "url_citation", "url_citation": cited}
    assert deltas(got) == [{"refusal": "no"}, {"annotations": [citation]}]


@pytest.mark.parametrize(
    ("content", "delta"),
    [
        ([{"type": "output_text", "text": "all", "annotations": []}], [{"content": "all"}]),
        ([{"type": "refusal", "refusal": "no"}], [{"content": "no"}]),
        ([], []),
    ],
)
def test_a_message_without_pieces_is_whole(content: Any, delta: Any) -> None:
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}

    assert deltas(chunks(events(done({**item, "content": content})))) == delta


def test_log_probabilities_are_streamed() -> None:
    token = {"token": "a", "bytes": [97], "logprob": -0.1, "top_logprobs": []}
    piece = {"type": "response.output_text.delta", **PLACE, "content_index": 0, "delta": "a"}
    given = events({**piece, "logprobs": [{"token": "a", "logprob": -0.1}]})
    given[2]["logprobs"] = [token]

    assert chunks(given)[1]["choices"][0]["logprobs"] == {"content": [token]}


def test_other_items_and_events_add_nothing() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    search["action"] = {"type": "search", "query": "q"}  # type: ignore[assignment]
    progress = {"type": "response.web_search_call.searching", **PLACE}

    assert deltas(chunks(events(added(search), progress, done(search)))) == []


def test_a_limit_ends_it() -> None:
    over = {"incomplete_details": {"reason": "max_output_tokens"}}

    assert chunks(events(last="incomplete", **over))[-2]["choices"][0]["finish_reason"] == "length"


FAILED = {"code": "rate_limit_exceeded", "message": "slow down"}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.failed", "response": {"error": FAILED}},
        {"type": "error", **FAILED, "param": None},
        {"type": "error", "error": {"type": "tokens", **FAILED}},
    ],
)
def test_a_failure_is_an_error(event: Any) -> None:
    with pytest.raises(errors.UpstreamError, match="slow down") as caught:
        chunks([bodies.events("a")[0], event])

    assert caught.value.status == 429


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_a_stream_without_its_end_is_cut_short(kept: int) -> None:
    with pytest.raises(errors.CutShort):
        chunks(bodies.events("a")[:kept])


def test_done_after_the_end_of_nothing_is_no_end() -> None:
    with pytest.raises(errors.CutShort):
        list(stream.chunks(iter([b"data: [DONE]\n\n"]), DEPLOYMENT))


def test_a_beginning_of_the_least_is_named_by_the_deployment() -> None:
    least = [
        {"type": "response.created", "response": {}},
        {"type": "response.completed", "response": {}},
    ]

    assert chunks(least)[0]["model"] == "o3-pro"


@given(
    texts=st.lists(st.text(min_size=1), max_size=4),
    thought=st.text(),
    arguments=st.lists(st.text(min_size=1), max_size=3),
    size=st.integers(1, 400),
)
def test_what_the_front_writes_is_read_as_it_was(
    texts: list[str], thought: str, arguments: list[str], size: int
) -> None:
    def chunk(delta: Any, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "model": "m", "choices": [choice]}

    made: list[Any] = [chunk({"role": "assistant", "reasoning_content": thought})]
    made += [chunk({"content": text}) for text in texts]
    function = {"name": "f", "arguments": ""}
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    calls += [{"index": 0, "function": {"arguments": piece}} for piece in arguments]  # type: ignore[list-item]
    made += [chunk({"tool_calls": [call]}) for call in calls]
    made.append(chunk({}, "tool_calls"))

    got = deltas(
        chunks(front_stream.response_events(iter(made), {"model": "m"}, "resp_1", 1), size)
    )

    assert "".join(delta.get("content", "") for delta in got) == "".join(texts)
    assert "".join(delta.get("reasoning_content", "") for delta in got) == thought
    named = [delta["tool_calls"][0]["function"] for delta in got if "tool_calls" in delta]
    assert "".join(each["arguments"] for each in named) == "".join(arguments)


def test_pauses_are_passed_on() -> None:
    data = wire(bodies.events("a"))

    assert {} in list(stream.chunks(iter([data[:40], b"", data[40:]]), DEPLOYMENT))
    assert json.loads(data.split(b"\n\n")[0].partition(b"data: ")[2])["type"] == "response.created"
