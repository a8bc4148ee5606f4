"""Databricks' chat, as OpenAI's SDK shall read it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from openai.types.chat import ChatCompletionChunk
from testing.samples import names
from testing.samples import sample

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.dialects.others import databricks

DEPLOYMENT = Deployment("g", "databricks", "m", "https://x")


def stream(events: Iterable[Any], done: bool = True) -> bytes:
    data = b"".join(
        f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events
    )
    return data + b"data: [DONE]\n\n" * done


def chunks(data: bytes, *cuts: int) -> list[dict[str, Any]]:
    edges = [0, *cuts, len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    return [chunk for chunk in databricks.chat_chunks(iter(pieces), DEPLOYMENT) if chunk]


def streamed(name: str) -> list[dict[str, Any]]:
    return chunks(stream(sample("databricks", name)["events"]))


def said(found: list[dict[str, Any]], member: str) -> str:
    deltas = [choice["delta"] for chunk in found for choice in chunk["choices"]]
    return "".join(delta.get(member) or "" for delta in deltas)


@pytest.mark.parametrize("name", names("databricks", "reply_"))
def test_a_reply_is_a_chat_completion(name: str) -> None:
    got = databricks.chat_reply(sample("databricks", name)["reply"], DEPLOYMENT)

    ChatCompletion.model_validate(got, strict=True)


def test_a_plain_reply_stays_as_it_is() -> None:
    reply = sample("databricks", "reply_tools")["reply"]

    assert databricks.chat_reply(reply, DEPLOYMENT) == reply


def test_parts_become_a_text_and_its_reasoning() -> None:
    got = databricks.chat_reply(sample("databricks", "reply_thinking")["reply"], DEPLOYMENT)

    assert got["id"].startswith("chatcmpl-")
    assert got["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello!",
        "reasoning_content": "A greeting. ",
    }


def test_parts_without_reasoning_are_a_text() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    choice = {"index": 0, "message": {"content": content}, "finish_reason": "stop"}

    got = databricks.chat_reply({"id": "c", "choices": [choice]}, DEPLOYMENT)

    assert got["choices"][0]["message"] == {"role": "assistant", "content": "ab"}


@pytest.mark.parametrize("name", names("databricks", "stream_"))
def test_a_stream_is_of_chat_completion_chunks(name: str) -> None:
    for chunk in streamed(name):
        ChatCompletionChunk.model_validate(chunk, strict=True)


@pytest.mark.parametrize("name", names("databricks", "stream_"))
def test_usage_is_told_once_at_the_end(name: str) -> None:
    *others, last = streamed(name)

    events = sample("databricks", name)["events"]
    assert not any("usage" in chunk for chunk in others)
    assert (last["choices"], last["usage"]) == ([], events[-1]["usage"])
    assert len({chunk["id"] for chunk in (*others, last)}) == 1


def test_a_stream_without_usage_has_no_chunk_of_it() -> None:
    event = {**sample("databricks", "stream_text")["events"][-1], "usage": None}

    (got,) = chunks(stream([event]))

    assert got["choices"] == event["choices"]


def test_a_streams_parts_become_text_and_reasoning() -> None:
    got = streamed("stream_thinking")

    assert (said(got, "content"), said(got, "reasoning_content")) == ("Hello!", "A greeting. ")


@pytest.mark.parametrize("name", names("databricks", "stream_"))
def test_bytes_may_be_cut_anywhere(name: str) -> None:
    data = stream(sample("databricks", name)["events"])
    whole = chunks(data)

    assert all(chunks(data, at) == whole for at in range(1, len(data)))
    assert chunks(data, *range(1, len(data))) == whole


def test_an_empty_piece_makes_a_pause() -> None:
    data = stream(sample("databricks", "stream_text")["events"])

    got = list(databricks.chat_chunks(iter([data[:-14], b"", data[-14:]]), DEPLOYMENT))

    assert [bool(chunk) for chunk in got] == [True] * 4 + [False, True]


def test_what_is_cut_short_is_said_to_be() -> None:
    events = sample("databricks", "stream_text")["events"][:-1]

    with pytest.raises(errors.CutShort):
        chunks(stream(events, done=False))


def test_an_error_in_a_stream_is_raised() -> None:
    event = {"error": {"message": "Busy", "code": "503"}}

    with pytest.raises(errors.UpstreamError, match="Busy") as caught:
        chunks(stream([event]))

    assert caught.value.status == 503


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_comes_through(text: str, thought: str, arguments: dict[str, str]) -> None:
    summary = [{"type": "summary_text", "text": thought}]
    content = [{"type": "reasoning", "summary": summary}, {"type": "text", "text": text}]
    function = {"name": "f", "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "c0", "type": "function", "function": function}
    choice = {
        "index": 0,
        "delta": {"content": content, "tool_calls": [call]},
        "finish_reason": "stop",
    }

    (got,) = chunks(stream([{"id": "c", "choices": [choice]}]))

    delta = got["choices"][0]["delta"]
    assert (delta.get("content", ""), delta.get("reasoning_content", "")) == (text, thought)
    assert delta["tool_calls"] == [call]


def test_members_that_it_refuses_are_not_sent() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "name": "a",
        "refusal": None,
        "annotations": [],
        "reasoning_content": "Hm.",
        "tool_calls": [{"id": "c"}],
    }
    body = {
        "model": "m",
        "messages": [USER, message, {"role": "tool", "tool_call_id": "c", "content": "x"}],
        "max_completion_tokens": 5,
        "thinking": {"type": "enabled"},
        "tools": [{"type": "function", "function": {"name": "f"}, "defer_loading": True}],
    }

    assert databricks.chat_body(body, "databricks-claude") == {
        "model": "m",
        "messages": [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
            {"role": "tool", "tool_call_id": "c", "content": "x"},
        ],
        "max_tokens": 5,
        "thinking": {"type": "enabled"},
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }


USER = {"role": "user", "content": "Hi"}


def test_a_body_without_a_limit_gets_none() -> None:
    assert databricks.chat_body({"messages": [USER]}, "m") == {"messages": [USER]}


@pytest.mark.parametrize(
    ("model", "body", "wanted"),
    [
        ("databricks-claude", {"thinking": {"type": "adaptive"}}, {}),
        ("databricks-gpt-oss-120b", {"thinking": {"type": "enabled"}}, {}),
        (
            "databricks-gpt-oss-120b",
            {"thinking": {"type": "enabled", "budget_tokens": 9000}},
            {"reasoning_effort": "high"},
        ),
        (
            "databricks-gpt-oss-120b",
            {"output_config": {"effort": "low"}},
            {"reasoning_effort": "low"},
        ),
        ("databricks-llama", {"output_config": {"effort": "low"}}, {}),
        ("databricks-llama", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ],
)
def test_an_effort_is_sent_in_the_words_of_the_model(model: str, body: Any, wanted: Any) -> None:
    got = databricks.chat_body({"messages": [USER], **body}, model)

    assert got == {"messages": [USER], **wanted}


def test_cache_marks_are_for_claude_alone() -> None:
    part = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    body = {"messages": [{"role": "user", "content": [part]}]}

    assert databricks.chat_body(body, "databricks-claude") == body
    assert databricks.chat_body(body, "m") == {"messages": [USER]}


LONG = "Bad request: rpc error: code = InvalidArgument desc = prompt is too long"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            {"error_code": "BAD_REQUEST", "message": 'Bad request: json: unknown field "x"'},
            Failure('Bad request: json: unknown field "x"', None, "BAD_REQUEST"),
        ),
        (
            {"error_code": "BAD_REQUEST", "message": LONG},
            Failure(LONG, None, "context_length_exceeded", status=400),
        ),
        (
            {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "The given endpoint is not there"},
            Failure(
                "The given endpoint is not there",
                "invalid_request_error",
                "model_not_found",
                "model",
                404,
            ),
        ),
        (
            {"error_code": "PERMISSION_DENIED", "message": "You may not query it."},
            Failure("You may not query it.", "permission_error", "permission_denied"),
        ),
        (
            {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "Exceeded workspace rate limit"},
            Failure("Exceeded workspace rate limit", "rate_limit_error", "rate_limit_exceeded"),
        ),
        (
            {"error_code": 403, "message": "Invalid access token. [ReqId: 1]"},
            Failure(
                "Invalid access token. [ReqId: 1]",
                "authentication_error",
                "invalid_api_key",
                status=401,
            ),
        ),
        (
            {
                "error": "Received error from openai",
                "external_model_message": {
                    "error": {"message": "No quota", "type": "insufficient_quota", "code": "q"}
                },
            },
            Failure("No quota", "insufficient_quota", "q"),
        ),
        ({"error": "no"}, Failure("no")),
        (["no"], Failure("no")),
    ],
)
def test_an_error_is_told_in_openais_words(body: Any, wanted: Failure) -> None:
    assert databricks.failure(body) == wanted
