from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent

from llmgate import errors
from llmgate.fronts import signatures
from llmgate.fronts.responses import input as front_input
from llmgate.fronts.responses import stream as front_stream
from llmgate.fronts.responses import wire as front_wire

EVENT: pydantic.TypeAdapter[ResponseStreamEvent] = pydantic.TypeAdapter(ResponseStreamEvent)
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
SUMMARY = {"model": "m", "reasoning": {"summary": "auto"}}


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return {"id": "c", "model": "m-1", "choices": [choice]}


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk({}, "stop")
USED = {"id": "c", "model": "m-1", "choices": [], "usage": USAGE}


def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": "f"} if "id" in more else {})}
    return {"tool_calls": [{"index": index, "function": function, **more}]}


def events(*chunks: Any, request: Any = None) -> list[dict[str, Any]]:
    got = list(front_stream.response_events(iter(chunks), request or {"model": "m"}, "resp_x", 7))
    assert [event["sequence_number"] for event in got] == list(range(len(got)))
    for event in got:
        EVENT.validate_python(event)
    return got


def bare(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "sequence_number"}


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **more}


def message(at: int, *parts: Any, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"msg_x_{at}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": list(parts),
    }


def test_text_is_written_as_openai_does() -> None:
    got = events(ROLE, chunk({"content": "Hé"}), chunk({"content": "llo"}), STOP, USED)

    begun = front_wire.front_output.begun({"model": "m"}, "resp_x", 7, "m-1")
    place = {"item_id": "msg_x_0", "output_index": 0, "content_index": 0}
    whole = {
        "id": "c",
        "model": "m-1",
        "choices": [{"message": {"content": "Héllo"}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    ended = front_wire.response_from_chat(whole, {"model": "m"}, "resp_x", 7)
    assert [bare(event) for event in got] == [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": message(0, status="in_progress"),
        },
        {"type": "response.content_part.added", **place, "part": text("")},
        {"type": "response.output_text.delta", **place, "delta": "Hé", "logprobs": []},
        {"type": "response.output_text.delta", **place, "delta": "llo", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "Héllo", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": text("Héllo")},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": message(0, text("Héllo")),
        },
        {"type": "response.completed", "response": ended},
    ]


def test_calls_are_written_as_openai_does() -> None:
    got = events(
        ROLE,
        chunk({"content": "Wait."}),
        chunk(call(0, "", id="a", x=1)),
        chunk(call(0, '{"b":')),
        chunk(call(0, "1}")),
        chunk({}, "tool_calls"),
    )

    item = {
        "id": "fc_x_1",
        "type": "function_call",
        "status": "in_progress",
        "call_id": "a",
        "name": "f",
        "arguments": "",
        "x": 1,
    }
    place = {"item_id": "fc_x_1", "output_index": 1}
    done = {**item, "status": "completed", "arguments": '{"b":1}'}
    assert [bare(event) for event in got[8:-1]] == [
        {"type": "response.output_item.added", "output_index": 1, "item": item},
        {"type": "response.function_call_arguments.delta", **place, "delta": '{"b":'},
        {"type": "response.function_call_arguments.delta", **place, "delta": "1}"},
        {
            "type": "response.function_call_arguments.done",
            **place,
            "name": "f",
            "arguments": '{"b":1}',
        },
        {"type": "response.output_item.done", "output_index": 1, "item": done},
    ]
    assert got[-1]["response"]["output"] == [message(0, text("Wait.")), done]
    assert got[-1]["response"]["usage"]["total_tokens"] == 0


def test_pieces_of_several_calls_may_come_in_turns() -> None:
    got = events(
        chunk(
            {"tool_calls": [*call(0, "", id="a")["tool_calls"], *call(1, "", id="b")["tool_calls"]]}
        ),
        chunk(call(1, "[1")),
        chunk(call(0, "{")),
        chunk(call(1, "]")),
        chunk(call(0, "}")),
        chunk({}, "tool_calls"),
    )

    output = got[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("a", "{}"), ("b", "[1]")]


def test_a_call_without_id_and_index_is_named_after_its_place() -> None:
    got = events(chunk({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}), STOP)

    assert got[-1]["response"]["output"][0]["call_id"] == "call_x_0"


def kinds(got: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in got]


@pytest.mark.parametrize(
    ("request_", "frame", "name", "index", "key"),
    [
        (None, "content_part", "reasoning_text", "content_index", "content"),
        (SUMMARY, "reasoning_summary_part", "reasoning_summary_text", "summary_index", "summary"),
    ],
)
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_are_written_as_openai_does(
    request_: Any, frame: str, name: str, index: str, key: str, field: str
) -> None:
    got = events(
        chunk({"role": "assistant", field: "H"}),
        chunk({field: "m."}),
        chunk({"content": "Hi"}),
        STOP,
        request=request_,
    )

    assert kinds(got)[2:10] == [
        "output_item.added",
        f"{frame}.added",
        f"{name}.delta",
        f"{name}.delta",
        f"{name}.done",
        f"{frame}.done",
        "output_item.done",
        "output_item.added",
    ]
    place = {"item_id": "rs_x_0", "output_index": 0, index: 0}
    assert bare(got[4]) == {"type": f"response.{name}.delta", **place, "delta": "H"}
    assert bare(got[6]) == {"type": f"response.{name}.done", **place, "text": "Hm."}
    thought, said = got[-1]["response"]["output"]
    assert thought[key][0]["text"] == "Hm."
    assert said == message(1, text("Hi"))


def test_signed_thinking_goes_along() -> None:
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]

    got = events(
        chunk({"reasoning_content": "Hm."}),
        chunk({"thinking_blocks": blocks}),
        chunk({"content": "Hi"}),
        chunk({"thinking_blocks": [{"type": "redacted_thinking", "data": "d"}]}),
        STOP,
    )

    first, _, last = got[-1]["response"]["output"]
    assert signatures.unsealed(first["encrypted_content"]) == {"thinking_blocks": blocks}
    assert first["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert (last["summary"], "content" in last, "encrypted_content" in last) == ([], False, True)


def test_a_refusal_is_a_part_of_the_message() -> None:
    got = events(chunk({"content": "Hm"}), chunk({"refusal": "No."}), STOP)

    assert kinds(got)[3:-1] == [
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]
    refusal = {"type": "refusal", "refusal": "No."}
    assert got[-1]["response"]["output"] == [message(0, text("Hm"), refusal)]


def test_text_after_a_call_is_a_message_of_its_own() -> None:
    got = events(chunk(call(0, "{}", id="a")), chunk({"content": "Hi"}), STOP)

    assert [item["type"] for item in got[-1]["response"]["output"]] == ["function_call", "message"]


def test_log_probabilities_are_told_with_the_text() -> None:
    tokens = {"content": [{"token": "Hi", "logprob": -1.0, "bytes": None, "top_logprobs": []}]}
    told = [{"token": "Hi", "logprob": -1.0, "bytes": [], "top_logprobs": []}]

    got = events(chunk({"content": "Hi"}, logprobs=tokens), STOP)

    assert got[4]["logprobs"] == told
    assert got[5]["logprobs"] == told
    assert got[-1]["response"]["output"] == [message(0, text("Hi", logprobs=told))]


def test_nothing_said_is_an_empty_message() -> None:
    got = events(ROLE, STOP)

    assert got[-1]["type"] == "response.completed"
    assert got[-1]["response"]["output"] == [message(0, text(""))]


def test_an_answer_that_was_cut_is_incomplete() -> None:
    got = events(chunk({"content": "H"}), chunk(call(0, "{", id="a")), chunk({}, "length"), USED)

    assert got[-1]["type"] == "response.incomplete"
    ended = got[-1]["response"]
    assert ended["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in ended["output"]] == ["completed", "incomplete"]


def test_other_choices_are_left_out() -> None:
    other = {"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}

    got = events(chunk({"content": "Hi"}), {"model": "m", "choices": [other]}, STOP)

    assert got[-1]["response"]["output"] == [message(0, text("Hi"))]


def broken(error: errors.GateError, *chunks: Any) -> Iterator[Any]:
    yield from chunks
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UpstreamError("slow down", status=429), "rate_limit_exceeded"),
        (errors.UpstreamError("oops", status=500), "server_error"),
        (errors.CutShort("gone"), "server_error"),
    ],
)
def test_what_fails_midway_ends_with_a_failure(error: errors.GateError, code: str) -> None:
    chunks = broken(error, chunk({"reasoning_content": "Hm."}), chunk({"content": "Hi"}), USED)

    got = list(front_stream.response_events(chunks, {"model": "m"}, "resp_x", 7))

    EVENT.validate_python(got[-1])
    ended = got[-1]["response"]
    assert got[-1]["type"] == "response.failed"
    assert (ended["status"], ended["error"]) == ("failed", {"code": code, "message": error.message})
    assert [item["type"] for item in ended["output"]] == ["reasoning"]
    assert ended["usage"]["total_tokens"] == 13


def test_chunks_without_an_end_are_a_failure() -> None:
    got = events(chunk({"content": "Hi"}))

    assert got[-1]["type"] == "response.failed"
    assert got[-1]["response"]["error"]["code"] == "server_error"


def test_what_fails_before_the_first_chunk_is_raised() -> None:
    error = errors.UpstreamError("no", status=503)

    with pytest.raises(errors.UpstreamError):
        next(front_stream.response_events(broken(error), {}, "resp_x", 7))


def test_no_chunks_at_all_are_cut_short() -> None:
    with pytest.raises(errors.CutShort):
        next(front_stream.response_events(iter(()), {}, "resp_x", 7))


def test_closing_the_events_closes_the_chunks() -> None:
    closed = []

    def chunks() -> Iterator[Any]:
        try:
            yield ROLE
            yield STOP
        finally:
            closed.append(True)

    got = front_stream.response_events(chunks(), {}, "resp_x", 7)
    next(got)
    got.close()

    assert closed == [True]


def test_events_are_not_changed_after_they_were_yielded() -> None:
    chunks = [chunk({"content": "Hi"}), chunk(call(0, "{}", id="a")), STOP, USED]
    got = []

    for event in front_stream.response_events(iter(chunks), {}, "resp_x", 7):
        got.append((event, repr(event)))

    assert all(repr(event) == was for event, was in got)


PIECES = st.lists(
    st.one_of(
        st.tuples(st.just("reasoning_content"), st.text(min_size=1)),
        st.tuples(st.just("content"), st.text(min_size=1)),
        st.tuples(st.integers(0, 2), st.text(min_size=1)),
    ),
    max_size=12,
)


@given(PIECES, st.booleans())
def test_whatever_is_said_arrives(pieces: list[tuple[Any, str]], summary: bool) -> None:
    chunks = [
        chunk({kind: piece}) if isinstance(kind, str) else chunk(call(kind, piece, id=f"c{kind}"))
        for kind, piece in pieces
    ]

    got = events(*chunks, STOP, request=SUMMARY if summary else None)

    assert got[-1]["type"] == "response.completed"
    back = front_input.messages(got[-1]["response"]["output"])
    for kind in ("content", "reasoning_content"):
        told = "".join(piece for name, piece in pieces if name == kind)
        assert "".join(_texts(m.get(kind)) for m in back) == told
    for index in range(3):
        told = "".join(piece for name, piece in pieces if name == index)
        calls = [c for m in back for c in m.get("tool_calls", ()) if c["id"] == f"c{index}"]
        assert "".join(c["function"]["arguments"] for c in calls) == told


def _texts(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return content or ""


def test_a_signed_call_follows_reasoning_that_carries_its_signature() -> None:
    extra = {"google": {"thought_signature": "S"}}

    got = events(
        chunk({"content": "Wait."}),
        chunk(call(0, "{}", id="a", extra_content=extra)),
        chunk({}, "tool_calls"),
    )

    output = got[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "reasoning", "function_call"]
    assert signatures.unsealed(output[1]["encrypted_content"]) == {"calls": {"a": extra}}


def test_details_of_reasoning_are_joined_and_carried() -> None:
    pieces = [{"type": "reasoning.text", "index": 0, "text": text_} for text_ in ("a", "b")]
    signed = {"type": "reasoning.text", "index": 0, "text": None, "signature": "S"}
    secret = {"type": "reasoning.encrypted", "index": 0, "data": "E"}

    got = events(
        *(chunk({"reasoning": it["text"], "reasoning_details": [it]}) for it in pieces),
        chunk({"reasoning_details": [signed, secret]}),
        chunk({"content": "Hi"}),
        STOP,
    )

    carried = signatures.unsealed(got[-1]["response"]["output"][0]["encrypted_content"])
    assert carried["reasoning_details"] == [{**signed, "text": "ab"}, secret]


CUSTOM = {
    "model": "m",
    "tools": [{"type": "custom", "name": "patch"}, {"type": "shell"}],
}


def test_a_custom_tools_input_streams_as_text() -> None:
    pieces = ['{"inp', 'ut": "a', "\\", "n\\ud83d", '\\ude00"', "}"]

    got = events(
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "patch"}}]}),
        *(chunk(call(0, piece)) for piece in pieces),
        chunk({}, "tool_calls"),
        request=CUSTOM,
    )

    kinds = [event["type"] for event in got if "custom_tool_call_input" in event["type"]]
    deltas = [event["delta"] for event in got if event["type"].endswith("input.delta")]
    assert deltas == ["a", "\n", "\U0001f600"]
    assert kinds[-1] == "response.custom_tool_call_input.done"
    assert got[-1]["response"]["output"] == [
        {
            "id": "ctc_x_0",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "a",
            "name": "patch",
            "input": "a\n\U0001f600",
        }
    ]


def test_a_call_of_a_shell_has_no_pieces() -> None:
    got = events(
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "shell"}}]}),
        chunk(call(0, '{"commands": ["ls"]}')),
        chunk({}, "tool_calls"),
        request=CUSTOM,
    )

    assert [event["type"] for event in got[2:]] == [
        "response.output_item.added",
        "response.output_item.done",
        "response.completed",
    ]
    assert got[-1]["response"]["output"][0]["action"]["commands"] == ["ls"]


def test_a_call_begins_when_its_name_is_known() -> None:
    nameless = {"index": 0, "id": "a", "function": {"arguments": "{"}}

    got = events(
        chunk({"tool_calls": [nameless]}),
        chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "}"}}]}),
        chunk({}, "tool_calls"),
    )

    item = got[-1]["response"]["output"][0]
    assert (item["call_id"], item["name"], item["arguments"]) == ("a", "f", "{}")


def test_a_call_without_a_name_is_still_a_call() -> None:
    nameless = {"index": 0, "id": "a", "function": {"arguments": "{}"}}

    got = events(chunk({"tool_calls": [nameless]}), chunk({}, "tool_calls"))

    assert got[-1]["response"]["output"][0]["arguments"] == "{}"
