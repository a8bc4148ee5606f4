from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from ollama import ChatResponse
from ollama import EmbedResponse
from ollama import GenerateResponse
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import tool_call

from llmgate import errors
from llmgate.fronts.ollama import reply


def ticking(*seconds: float) -> Callable[[], float]:
    return iter(seconds).__next__


def streamed(*chunks: Any, say: reply.Say = reply.chat_line) -> list[Any]:
    elapsed = itertools.count(1.0).__next__
    return [json.loads(line) if line else None for line in reply.lines(say, elapsed)(chunks)]


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return {"id": "x", "created": 1700000000, "model": "gpt", "choices": [choice]}


HEAD = {"model": "gpt", "created_at": "2023-11-14T22:13:20.000000Z"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4}


def test_a_whole_answer() -> None:
    said = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"}
    choice = {"index": 0, "message": said, "finish_reason": "length"}
    choice["logprobs"] = {"content": [{"token": "Hi", "logprob": -1.0}]}
    whole = {"created": 1700000000, "model": "gpt", "choices": [choice], "usage": USAGE}

    found = reply.whole(reply.chat_line, ticking(2.5))(whole)

    assert found == {
        **HEAD,
        "message": {"role": "assistant", "content": "Hi", "thinking": "Hm"},
        "logprobs": [{"token": "Hi", "logprob": -1.0}],
        "done": True,
        "done_reason": "length",
        "total_duration": 2500000000,
        "load_duration": 0,
        "prompt_eval_duration": 0,
        "eval_duration": 2500000000,
        "prompt_eval_count": 3,
        "eval_count": 4,
    }
    ChatResponse.model_validate(found)
    generated = reply.whole(reply.generate_line, ticking(1.0))(whole)
    assert (generated["response"], generated["thinking"]) == ("Hi", "Hm")
    GenerateResponse.model_validate(generated)


def test_a_refusal_is_text_and_no_finish_is_a_stop() -> None:
    message = {"role": "assistant", "content": None, "refusal": "No."}
    found = reply.whole(reply.generate_line, ticking(1.0))({"choices": [{"message": message}]})

    assert (found["response"], found["done_reason"], found["model"]) == ("No.", "stop", "")
    assert "eval_count" not in found


def test_tool_calls_have_objects_as_arguments() -> None:
    call = tool_call("weather", {"city": "Ulm"})
    whole = chat_completion(None, tool_calls=[call])
    whole["choices"][0]["message"]["tool_calls"].append({"function": {"name": "now"}})

    found = reply.whole(reply.chat_line, ticking(1.0))(whole)

    assert found["message"]["tool_calls"] == [
        {"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Ulm"}}},
        {"function": {"name": "now", "arguments": {}}},
    ]
    assert found["done_reason"] == "stop"


def test_a_stream_of_lines() -> None:
    found = streamed(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning": "Hm"}),
        {},
        chunk({"content": "Hi"}, logprobs={"content": [{"token": "Hi"}]}),
        chunk({}, "stop"),
        {"choices": [], "usage": USAGE},
    )

    empty = {"role": "assistant", "content": ""}
    assert found == [
        {**HEAD, "message": {**empty, "thinking": "Hm"}, "done": False},
        None,
        {
            **HEAD,
            "message": {**empty, "content": "Hi"},
            "logprobs": [{"token": "Hi"}],
            "done": False,
        },
        {
            **HEAD,
            "message": empty,
            "done": True,
            "done_reason": "stop",
            "total_duration": 2000000000,
            "load_duration": 0,
            "prompt_eval_duration": 1000000000,
            "eval_duration": 1000000000,
            "prompt_eval_count": 3,
            "eval_count": 4,
        },
    ]


def test_a_streamed_call_comes_whole() -> None:
    call = tool_call("weather", {"city": "Ulm"})

    *lines, last = streamed(*chat_chunks("Hi", tool_calls=[call]))

    assert [line["message"] for line in lines if "tool_calls" in line["message"]] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Ulm"}}}
            ],
        }
    ]
    assert (last["done"], last["done_reason"]) == (True, "stop")


def test_a_stream_without_an_end_is_an_error() -> None:
    with pytest.raises(errors.CutShort):
        streamed(chunk({"content": "Hi"}))


def test_an_error_has_ollamas_shape() -> None:
    assert reply.written_error(errors.BadUpstream("no")) == b'{"error":"no"}\n'


def test_vectors_come_in_order() -> None:
    rows = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    found = reply.embedded(ticking(0.5))({"model": "m", "data": rows, "usage": USAGE})

    assert found == {
        "model": "m",
        "embeddings": [[1.0], [2.0]],
        "total_duration": 500000000,
        "load_duration": 0,
        "prompt_eval_count": 3,
    }
    EmbedResponse.model_validate(found)
    assert "prompt_eval_count" not in reply.embedded(ticking(0.5))({"data": rows})
    assert reply.embedding({"data": rows}) == {"embedding": [1.0]}
