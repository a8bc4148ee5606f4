from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.chat import ChatCompletionChunk
from testing.samples import names
from testing.samples import sample

from llmgate import errors
from llmgate.codecs import sse
from llmgate.dialects.others import ollama

HEAD = {
    "id": "chatcmpl-20250707203253844124",
    "object": "chat.completion.chunk",
    "created": 1751920373,
    "model": "llama3.2",
}
TIMES = {
    "total_duration": 174560334,
    "load_duration": 101397084,
    "prompt_eval_duration": 13074791,
    "eval_duration": 52479709,
}
USAGE = {"prompt_tokens": 11, "completion_tokens": 18, "total_tokens": 29}
USER = {"role": "user", "content": "Hi"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def stream(lines: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def chunks(data: bytes, *cuts: int) -> list[dict[str, Any]]:
    edges = [0, *cuts, len(data)]
    return list(ollama.chat_chunks(data[a:b] for a, b in itertools.pairwise(edges)))


def body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [USER], **more}


def sent(**more: Any) -> dict[str, Any]:
    return ollama.chat_body(body(**more))


def test_a_chat_body_becomes_ollamas() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"zoom":2}'}}
    tool = {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Look closely.",
            "parameters": {"type": "object", "properties": {"zoom": {"type": "integer"}}},
        },
    }
    given_ = {
        "model": "qwen3-vl",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "boss"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which city "},
                    {"type": "text", "text": "is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "A photo.",
                "tool_calls": [call],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "Köln"},
            {"role": "user", "content": "Sure?"},
        ],
        "tools": [tool],
        "tool_choice": "auto",
        "response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": schema}},
        "reasoning_effort": "minimal",
        "max_tokens": 50,
        "stop": "END",
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 7,
        "num_ctx": 8192,
        "presence_penalty": 0.1,
        "options": {"frequency_penalty": 0.2},
        "logprobs": True,
        "top_logprobs": 2,
        "keep_alive": "10m",
    }
    before = json.dumps(given_)

    got = ollama.chat_body(given_)

    assert got == sample("ollama", "request_chat")["request"]
    assert json.dumps(given_) == before


@pytest.mark.parametrize(
    ("more", "added"),
    [
        ({}, {}),
        ({"stream": None}, {}),
        ({"max_completion_tokens": 3}, {"options": {"num_predict": 3}}),
        ({"max_tokens": 3, "options": {"num_predict": 4}}, {"options": {"num_predict": 4}}),
        ({"temperature": 0}, {"options": {"temperature": 0}}),
        ({"temperature": None, "options": None}, {}),
        ({"response_format": {"type": "json_object"}}, {"format": "json"}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_schema"}}, {}),
        ({"response_format": {"type": "json_object"}, "format": "x"}, {"format": "x"}),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"reasoning_effort": "high"}, {}),
        ({"reasoning_effort": "high", "model": "gpt-oss"}, {"think": "high", "model": "gpt-oss"}),
        ({"reasoning_effort": "xhigh", "model": "qwen3"}, {"think": "max", "model": "qwen3"}),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"reasoning_effort": "high", "think": True}, {"think": True}),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, {"think": True}),
        ({"thinking": {"type": "disabled"}}, {"think": False}),
        (
            {"keep_alive": 0, "truncate": False, "x": 1},
            {"keep_alive": 0, "truncate": False, "x": 1},
        ),
        ({"tools": []}, {}),
    ],
)
def test_parameters_become_ollamas(more: Any, added: Any) -> None:
    assert sent(**more) == body(**{"stream": False, **added})


def test_a_choice_of_no_tool_offers_none() -> None:
    tool = {"type": "function", "function": {"name": "f"}}

    assert sent(tools=[tool], tool_choice="none") == body(stream=False)


FORCED: list[Any] = ["required", {"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize("choice", FORCED)
def test_a_choice_that_forces_a_call_is_refused(choice: Any) -> None:
    tool = {"type": "function", "function": {"name": "f"}}

    with pytest.raises(errors.InvalidRequest, match="additional_drop_params") as caught:
        sent(tools=[tool], tool_choice=choice)

    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize("choice", FORCED)
def test_a_choice_that_forces_a_call_can_be_left_out(choice: Any) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]

    assert ollama.unforced({"tools": tools, "tool_choice": choice}) == {"tools": tools}


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_other_choices_stay(choice: Any) -> None:
    given_ = {"tools": [], "tool_choice": choice}

    assert ollama.unforced(given_) is given_


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"role": "system", "content": "x"}, {"content": "x"}),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "data:;base64,QQ=="}]},
            {"content": "", "images": ["QQ=="]},
        ),
        (
            {
                "role": "user",
                "images": ["AA=="],
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}
                ],
            },
            {"content": "", "images": ["AA==", "QQ=="]},
        ),
        (
            {"role": "tool", "tool_call_id": "?", "content": "1"},
            {"content": "1", "tool_call_id": "?"},
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]},
            {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
        ),
    ],
)
def test_messages_become_ollamas(message: Any, wanted: Any) -> None:
    got = ollama.chat_body({"model": "m", "messages": [USER, message]})

    assert got["messages"][1:] == [{"role": message["role"], **wanted}]


def test_an_answer_of_a_function_is_one_of_a_tool() -> None:
    got = ollama.chat_body(
        {"model": "m", "messages": [{"role": "function", "name": "f", "content": "1"}]}
    )

    assert got["messages"] == [{"role": "tool", "content": "1", "tool_name": "f"}]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]},
        {"role": "user", "content": [{"type": "image_url"}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
        {"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "f"}}]},
    ],
)
def test_what_ollama_lacks_is_refused(message: Any) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        ollama.chat_body({"model": "m", "messages": [message]})

    assert caught.value.param == "messages"


def test_a_reply_is_a_completion() -> None:
    got = ollama.chat_reply(sample("ollama", "reply_text")["reply"])

    ChatCompletion.model_validate(got)
    hallo = {"token": "Hallo", "logprob": -2.0, "bytes": [72, 97, 108, 108, 111]}
    token = {"token": "Grüße", "logprob": -0.25, "bytes": list("Grüße".encode())}
    bare = {"token": ", 世界 🌍", "logprob": -1.0, "bytes": None, "top_logprobs": []}
    assert got == {
        **HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Grüße, 世界 🌍", "refusal": None},
                "logprobs": {
                    "content": [{**token, "top_logprobs": [hallo]}, bare],
                    "refusal": None,
                },
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
        **TIMES,
    }


@pytest.mark.parametrize(
    ("name", "message", "finish"),
    [
        ("thinking", {"content": "Hel", "reasoning_content": "The user greets."}, "length"),
        (
            "tools",
            {
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_k1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Köln"}'},
                    },
                    {
                        "id": "call_20250707203253844124_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Bonn"}'},
                    },
                ],
            },
            "tool_calls",
        ),
    ],
)
def test_replies_keep_what_was_said(name: str, message: Any, finish: str) -> None:
    got = ollama.chat_reply(sample("ollama", f"reply_{name}")["reply"])

    ChatCompletion.model_validate(got)
    choice = got["choices"][0]
    assert choice["message"] == {"role": "assistant", "refusal": None, **message}
    assert choice["finish_reason"] == finish


def test_a_bare_reply_is_still_a_completion() -> None:
    got = ollama.chat_reply({"model": "m", "message": {}})

    ChatCompletion.model_validate(got)
    assert (got["created"], got["choices"][0]["message"]["content"]) == (0, "")
    assert got["usage"]["total_tokens"] == 0


def chunk(delta: Any, logprobs: Any = None, finish: Any = None, **head: Any) -> Any:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return {**HEAD, **head, "choices": [choice]}


def test_a_stream_is_chunks() -> None:
    got = chunks(stream(sample("ollama", "stream_text")["lines"]))

    assert got == [
        chunk({"role": "assistant", "content": "Grüße"}),
        chunk({"content": ", 世界 🌍"}),
        chunk({}, finish="stop"),
        {**HEAD, "choices": [], "usage": USAGE, **TIMES},
    ]


def test_thoughts_are_apart_from_text() -> None:
    got = chunks(stream(sample("ollama", "stream_thinking")["lines"]))

    token = {"token": "Hel", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    started = {"role": "assistant", "content": "", "reasoning_content": "The user "}
    assert got == [
        chunk(started, model="qwen3"),
        chunk({"reasoning_content": "greets."}, model="qwen3"),
        chunk({"content": "Hel"}, {"content": [token], "refusal": None}, model="qwen3"),
        chunk({"content": "lo"}, model="qwen3"),
        chunk({}, finish="length", model="qwen3"),
        {
            **HEAD,
            "model": "qwen3",
            "choices": [],
            "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
        },
    ]


def test_tool_calls_stream_whole() -> None:
    got = chunks(stream(sample("ollama", "stream_tools")["lines"]))

    def call(index: int, id: str, arguments: str) -> Any:
        function = {"name": "weather", "arguments": arguments}
        return [{"index": index, "id": id, "type": "function", "function": function}]

    first = call(0, "call_k1", '{"city":"Köln"}')
    second = call(1, "call_20250707203253844124_1", "{}")
    assert got[:-1] == [
        chunk({"role": "assistant", "content": "", "tool_calls": first}),
        chunk({"tool_calls": second}),
        chunk({}, finish="tool_calls"),
    ]


STREAMS = names("ollama", "stream_")


@pytest.mark.parametrize("name", STREAMS)
def test_a_cut_at_every_byte_changes_nothing(name: str) -> None:
    data = stream(sample("ollama", name)["lines"])
    whole = chunks(data)

    assert all(ChatCompletionChunk.model_validate(event) for event in whole)
    assert all(chunks(data, at) == whole for at in range(1, len(data)))
    assert chunks(data, *range(1, len(data))) == whole
    assert chunks(data.rstrip()) == whole
    assert chunks(data.replace(b"\n", b"\r\n\n")) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_ends_anywhere_before_its_end_is_cut_short(name: str) -> None:
    data = stream(sample("ollama", name)["lines"]).rstrip()

    for at in range(len(data)):
        with pytest.raises(errors.CutShort):
            chunks(data[:at])


def test_an_error_in_the_stream_is_raised() -> None:
    first, *_ = sample("ollama", "stream_text")["lines"]

    with pytest.raises(errors.UpstreamError, match="llama runner") as caught:
        chunks(stream([first, {"error": "llama runner process has terminated"}]))

    assert (caught.value.status, caught.value.code) == (502, None)


def test_an_error_in_the_stream_keeps_its_kind() -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        chunks(stream([{"error": "the input length exceeds the context length"}]))

    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")


def test_logprobs_without_text_are_still_told() -> None:
    token = {"token": "x", "logprob": -1.0}
    lines = [
        {"model": "llama3.2", "message": {"content": "a"}},
        {"model": "llama3.2", "logprobs": [token]},
        {"model": "llama3.2", "done": True},
    ]

    got = chunks(stream(lines))

    listed = {"content": [{**token, "bytes": None, "top_logprobs": []}], "refusal": None}
    assert got[1]["choices"][0] == chunk({}, listed)["choices"][0]


def test_a_line_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LARGEST_EVENT", 100)

    with pytest.raises(errors.BadUpstream, match="more than 100 bytes"):
        list(ollama.lines([b"x" * 60, b"x" * 60]))


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(1, 60))
def test_any_text_comes_through(texts: list[str], size: int) -> None:
    said = [{"model": "m", "message": {"content": text}, "done": False} for text in texts]
    data = b"".join(
        json.dumps(line).encode() + b"\n" for line in [*said, {"model": "m", "done": True}]
    )

    got = chunks(data, *range(size, len(data), size))

    assert [event["choices"][0]["delta"].get("content") for event in got[:-2]] == texts


@given(st.dictionaries(st.text(), JSON))
def test_tool_calls_come_back_as_they_were(arguments: dict[str, Any]) -> None:
    said = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}],
    }

    message = ollama.chat_reply({"model": "m", "message": said})["choices"][0]["message"]
    got = ollama.chat_body({"model": "m", "messages": [USER, message]})["messages"][1]

    assert got == said


@given(st.binary(min_size=1, max_size=200), st.integers(1, 20))
def test_any_bytes_give_the_same_lines_however_cut(data: bytes, size: int) -> None:
    cut = [data[at : at + size] for at in range(0, len(data), size)]

    assert list(ollama.lines(cut)) == list(ollama.lines([data]))


def test_an_embeddings_body_becomes_ollamas() -> None:
    given_ = {
        "model": "all-minilm",
        "input": ["one", "two"],
        "dimensions": 2,
        "encoding_format": "base64",
        "truncate": False,
        "keep_alive": "10m",
        "num_ctx": 512,
    }

    got = ollama.embed_body(given_)

    assert got == sample("ollama", "embed")["request"]
    assert ollama.embed_body({"model": "m", "input": "a"}) == {"model": "m", "input": ["a"]}


def test_vectors_are_embeddings() -> None:
    got = ollama.embeddings_reply(sample("ollama", "embed")["reply"])

    CreateEmbeddingResponse.model_validate(got)
    assert got == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -0.25]},
            {"object": "embedding", "index": 1, "embedding": [0.125, 1.0]},
        ],
        "model": "all-minilm",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
        "total_duration": 14143917,
        "load_duration": 1019500,
    }


def test_embeddings_without_a_count_count_nothing() -> None:
    got = ollama.embeddings_reply({"model": "m", "embeddings": []})

    assert got["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"error": "model 'x' not found"}, "model_not_found", 404),
        ({"error": 'model "x" not found, try pulling it first'}, "model_not_found", 404),
        ({"error": "the input length exceeds the context length"}, "context_length_exceeded", 400),
        (
            {"error": {"message": "input exceeds maximum context length"}},
            "context_length_exceeded",
            400,
        ),
        ({"error": "unauthorized", "signin_url": "https://a"}, None, None),
        ("gone", None, None),
        ({}, None, None),
    ],
)
def test_errors_are_told_in_openais_words(body: Any, code: Any, status: Any) -> None:
    got = ollama.failure(body)

    assert (got.code, got.status) == (code, status)
    said = body.get("error") if isinstance(body, dict) else body
    assert got.message == ((said["message"] if isinstance(said, dict) else said) or "")
