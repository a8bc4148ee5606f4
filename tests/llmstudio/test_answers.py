"""The seed's sample is the oracle: 28 chunks, and times that lead to its metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing.upstream import chat_chunks
from testing.upstream import tool_call

from llmgate.llmstudio import answers as engine_answers
from llmgate.llmstudio import requests as engine_requests
from llmgate.llmstudio.answers import AnswerContext
from llmgate.llmstudio.answers import Bill

SAID = (
    "Hello! I am a virtual assistant here to help with any questions or tasks you may have. How"
    " can I assist you today?"
)
ASKED = "Hello! Who are you?"
USAGE = {"prompt_tokens": 6, "completion_tokens": 26}
LATENCY = 1.0556859970092773
FIRST = 0.8302950859069824
GAP = 0.008317514702125831
SAMPLE = {
    "id": "72f34d3b-f254-4950-9d6f-9f66e082fd2f",
    "choices": [
        {
            "finish_reason": "stop",
            "index": 0,
            "logprobs": None,
            "message": {
                "content": SAID,
                "role": "assistant",
                "function_call": None,
                "tool_calls": None,
            },
        }
    ],
    "created": 1718622757,
    "model": "gpt-3.5-turbo",
    "object": "chat.completion",
    "system_fingerprint": None,
    "usage": None,
    "session_id": None,
    "chat_input": ASKED,
    "chat_output": SAID,
    "context": [{"role": "user", "content": ASKED}],
    "provider": "openai",
    "timestamp": 1718622757.612226,
    "parameters": {
        "temperature": 1,
        "max_tokens": 2048,
        "top_p": 1,
        "frequency_penalty": 0,
        "presence_penalty": 0,
    },
    "metrics": {
        "input_tokens": 6,
        "output_tokens": 26,
        "total_tokens": 32,
        "cost_usd": 0.000061,
        "latency_s": LATENCY,
        "time_to_first_token_s": FIRST,
        "inter_token_latency_s": GAP,
        "tokens_per_second": 26.523038175483098,
    },
}


def pieces_of(text: str, count: int) -> list[str]:
    """Return *text* in so many pieces."""
    size = -(-len(text) // count)
    found = [text[at : at + size] for at in range(0, len(text), size)]
    return found + [""] * (count - len(found))


def clock_of(*times: float) -> Callable[[], float]:
    """Return a clock that shows *times*, then the last one for ever."""
    shown = list(times)
    return lambda: shown.pop(0) if len(shown) > 1 else shown[0]


def context(clock: Callable[[], float] = lambda: 1.0, **over: Any) -> AnswerContext:
    """Return the context of an answer to a request with *over*."""
    body = {"model": "gpt-3.5-turbo", "chat_input": ASKED, **over}
    return AnswerContext(
        request=engine_requests.engine_request(body, "openai"),
        id="72f34d3b-f254-4950-9d6f-9f66e082fd2f",
        clock=clock,
        now=lambda: 1718622757.612226,
        begun=0.0,
        first=lambda: None,
        bill=lambda estimate: Bill(USAGE, False, 6.1e-05),
        log=lambda answer: None,
    )


def chunks(*pieces: str, **over: Any) -> Iterator[Any]:
    """Return chunks as OpenAI sends them."""
    return iter(chat_chunks(*pieces, model="gpt-3.5-turbo-0125", created=1718622757, **over))


def whole(told: AnswerContext, events: Iterator[Any]) -> Any:
    [data] = engine_answers.whole(told, events)
    return json.loads(data)


def test_the_seeds_sample_is_what_its_chunks_and_times_make() -> None:
    times = [FIRST + at * GAP for at in range(28)]
    usage = {"prompt_tokens": 6, "completion_tokens": 26, "total_tokens": 32}
    events = chunks(*pieces_of(SAID, 26), usage=usage)

    got = whole(context(clock_of(*times, times[-1], LATENCY)), events)

    assert list(got) == list(SAMPLE)
    assert list(got["metrics"]) == list(SAMPLE["metrics"])  # type: ignore[call-overload]
    assert got["metrics"] == pytest.approx(SAMPLE["metrics"])
    assert {**got, "metrics": None} == {**SAMPLE, "metrics": None}
    assert got["metrics"]["tokens_per_second"] * got["metrics"]["latency_s"] == pytest.approx(28)


def test_one_chunk_has_no_gaps() -> None:
    event = next(chunks("Hi"))

    got = whole(context(clock_of(0.5, 0.5)), iter([event]))

    assert got["metrics"]["inter_token_latency_s"] == 0
    assert got["metrics"]["time_to_first_token_s"] == 0.5


def test_no_chunk_and_no_time_break_nothing() -> None:
    got = whole(context(lambda: 0.0), iter([]))

    assert got["metrics"]["time_to_first_token_s"] is None
    assert got["metrics"]["tokens_per_second"] is None
    assert got["choices"][0]["message"]["content"] == ""
    assert got["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_the_reason_of_the_end_is_the_upstreams(reason: str) -> None:
    got = whole(context(), chunks("Hi", finish_reason=reason))

    assert got["choices"][0]["finish_reason"] == reason


def test_text_in_the_first_chunk_is_not_lost() -> None:
    events = list(chunks(" there"))
    events[0]["choices"][0]["delta"]["content"] = "Hello"

    assert whole(context(), iter(events))["chat_output"] == "Hello there"


def test_several_tool_calls_stay_several() -> None:
    calls = [tool_call("f", '{"a": 1}', id="call_1"), tool_call("g", "{}", id="call_2")]

    got = whole(context(), chunks(tool_calls=calls))

    message = got["choices"][0]["message"]
    assert got["choices"][0]["finish_reason"] == "tool_calls"
    assert message["content"] is None
    assert [(c["id"], c["type"], c["function"]) for c in message["tool_calls"]] == [
        ("call_1", "function", {"arguments": '{"a": 1}', "name": "f"}),
        ("call_2", "function", {"arguments": "{}", "name": "g"}),
    ]
    assert got["chat_output"] == '{"a": 1}\n{}'


def of_delta(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}


def test_a_function_call_is_put_together() -> None:
    events = [
        of_delta({"role": "assistant", "function_call": {"name": "f", "arguments": ""}}),
        of_delta({"function_call": {"arguments": '{"a"'}}),
        of_delta({"function_call": {"arguments": ": 1}"}}),
        of_delta({}, "function_call"),
    ]

    got = whole(context(), iter(events))

    assert got["choices"][0] == {
        "finish_reason": "function_call",
        "index": 0,
        "logprobs": None,
        "message": {
            "content": None,
            "role": "assistant",
            "function_call": {"arguments": '{"a": 1}', "name": "f"},
            "tool_calls": None,
        },
    }
    assert got["chat_output"] == '{"a": 1}'


def test_a_refusal_and_thoughts_are_told_where_there_are_some() -> None:
    events = [of_delta({"reasoning_content": "Hm."}), of_delta({"refusal": "No."}, "stop")]

    got = whole(context(), iter(events))

    assert got["chat_output"] == "No."
    assert got["choices"][0]["message"] == {
        "content": "",
        "role": "assistant",
        "function_call": None,
        "tool_calls": None,
        "refusal": "No.",
        "reasoning_content": "Hm.",
    }


def test_only_the_first_choice_is_told() -> None:
    assert whole(context(), chunks("Hi", n=2))["chat_output"] == "Hi"


def test_the_log_is_told_of_the_complete_answer() -> None:
    logged: list[Any] = []

    list(engine_answers.text(context()._replace(log=logged.append), chunks("Hi")))

    assert [(row["chat_output"], row["deployment"]) for row in logged] == [
        ("Hi", "gpt-3.5-turbo-0125")
    ]


def test_text_is_what_the_model_says_and_nothing_else() -> None:
    firsts: list[int] = []
    told = context(is_stream=True)._replace(first=lambda: firsts.append(1))

    got = list(engine_answers.text(told, chunks("Hel", "", "lo", usage=USAGE)))

    assert got == [b"Hel", b"lo"]
    assert firsts


def test_the_tail_has_the_metrics_as_old_engines_write_them() -> None:
    told = context(clock_of(0.8302950859, 0.83, 0.84, LATENCY), has_end_token=True)

    got = list(engine_answers.text(told, chunks("Hi")))

    assert got[-1] == (
        b"<END_TOKEN>,input_tokens=6,output_tokens=26,cost_usd=6.1e-05,latency_s=1.05569"
        b",time_to_first_token_s=0.83030,inter_token_latency_s=0.00485,tokens_per_second=2.84"
    )


def test_estimates_are_marked() -> None:
    def bill(estimate: Mapping[str, float]) -> Bill:
        return Bill(estimate, True, None)

    told = context(has_end_token=True)._replace(bill=bill)

    metrics = whole(told, chunks("Hi there"))["metrics"]
    tail = list(engine_answers.text(told, chunks("Hi there")))[-1]

    assert (metrics["input_tokens"], metrics["output_tokens"]) == (5, 2)
    assert (metrics["cost_usd"], metrics["tokens_estimated"]) == (None, True)
    assert b"cost_usd=0," in tail
    assert tail.endswith(b",tokens_estimated=true")


def test_the_text_of_parts_is_estimated_too() -> None:
    context = [
        {"role": "user", "content": [{"type": "text", "text": "x" * 8}, {"type": "image_url"}, 1]},
        {"role": "assistant", "content": None},
    ]
    engine = engine_requests.engine_request({"model": "m", "chat_input": context}, "openai")

    assert engine_answers.estimate(engine, "abc") == {"prompt_tokens": 2, "completion_tokens": 1}


def test_calls_are_streamed_as_their_arguments() -> None:
    calls = [tool_call("f", '{"a": 1}', id="call_1")]

    got = b"".join(engine_answers.text(context(), chunks(tool_calls=calls)))

    assert got == b'{"a": 1}'


def test_no_character_is_cut_in_two() -> None:
    got = list(engine_answers.text(context(), chunks("né", "\ud83d", "\ude00!", "\ud83d")))

    assert got == ["né".encode(), "😀!".encode(), "\ufffd".encode()]


@given(st.lists(st.text()))
def test_any_text_is_told_as_it_is(texts: list[str]) -> None:
    told = engine_answers.text(context(), chunks(*texts))

    assert b"".join(told).decode() == "".join(texts)
    assert whole(context(), chunks(*texts))["chat_output"] == "".join(texts)


def test_half_a_character_that_is_never_completed_is_replaced() -> None:
    assert whole(context(), chunks("a\ud83d", "b"))["chat_output"] == "a\ufffdb"


def test_a_client_that_leaves_is_billed_what_it_got() -> None:
    bills: list[Any] = []

    def bill(estimate: Mapping[str, float]) -> Bill:
        bills.append(estimate)
        return Bill(estimate, True, None)

    pieces = engine_answers.text(context()._replace(bill=bill), chunks("Hello", "there"))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]

    assert bills == [{"prompt_tokens": 5, "completion_tokens": 2}]


def test_objects_are_chunks_and_the_last_one_has_the_metrics() -> None:
    told = context(is_stream=True)
    usage = {"prompt_tokens": 6, "completion_tokens": 26, "total_tokens": 32}

    got = [json.loads(data) for data in engine_answers.objects(told, chunks("Hi", usage=usage))]

    shared = {
        "id": SAMPLE["id"],
        "object": "chat.completion.chunk",
        "created": 1718622757,
        "model": "gpt-3.5-turbo",
        "chat_input": ASKED,
        "context": SAMPLE["context"],
        "provider": "openai",
        "deployment": "gpt-3.5-turbo-0125",
        "timestamp": SAMPLE["timestamp"],
        "parameters": SAMPLE["parameters"],
    }
    assert [each["chat_output_stream"] for each in got] == ["", "Hi", "", ""]
    assert [each["chat_output"] for each in got] == [None, None, None, "Hi"]
    assert got[1].items() >= {**shared, "metrics": None}.items()
    assert got[1]["choices"][0]["delta"] == {"content": "Hi"}
    assert got[-1] == {
        **shared,
        "choices": [],
        "usage": usage,
        "chat_output": "Hi",
        "chat_output_stream": "",
        "metrics": got[-1]["metrics"],
    }
    assert list(got[-1]["metrics"])[-2:] == ["reasoning_tokens", "cached_tokens"]


def test_a_complete_answer_of_1_x_has_usage_and_no_session() -> None:
    usage = {"prompt_tokens": 6, "completion_tokens": 26, "reasoning_tokens": 4}
    told = context()._replace(bill=lambda estimate: Bill(usage, False, 0.5))

    [data] = engine_answers.whole_v1(told, chunks("Hi"))

    got = json.loads(data)
    assert "session_id" not in got
    assert got["usage"] == {"prompt_tokens": 6, "completion_tokens": 26, "total_tokens": 32}
    assert (got["deployment"], got["chat_output_stream"]) == ("gpt-3.5-turbo-0125", "")
    assert (got["metrics"]["reasoning_tokens"], got["metrics"]["cached_tokens"]) == (4, 0)
