from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletion
from openai.types.chat import ChatCompletionChunk
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import completion
from testing.upstream import tool_call
from testing.upstream import usage

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.contract import Upload
from llmgate.dialects.openai import wire as openai_wire

DEPLOYMENT = Deployment("g", "openai", "gpt-4o", "https://api.example.com/v1")


# -- requests


def test_a_body_is_compact_json_in_its_own_order() -> None:
    body = {"z": 1, "a": [{"b": None}], "text": "ü\u2028😀"}

    assert openai_wire.encoded(body) == '{"z":1,"a":[{"b":null}],"text":"ü\u2028😀"}'.encode()


def test_a_lone_surrogate_stays_an_escape() -> None:
    assert openai_wire.encoded({"text": "\ud800ü"}) == b'{"text":"\\ud800\\u00fc"}'


def test_the_same_body_is_the_same_bytes() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "tools": [{"b": 1, "a": 2}]}

    assert openai_wire.encoded(body) == openai_wire.encoded(json.loads(openai_wire.encoded(body)))


def test_json_is_posted() -> None:
    call = openai_wire.json_call("https://x/y", {"a": 1})

    assert call == Call("POST", "https://x/y", {"Content-Type": "application/json"}, b'{"a":1}')


def test_a_form_is_posted_with_its_boundary(tmp_path: Any) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    with path.open("rb") as file:
        body = {"file": Upload("a.wav", "audio/wav", file, 4), "model": "whisper-1"}

        call = openai_wire.form_call("https://x/y", body)
        data = b"".join(call.data)

    boundary = call.headers["Content-Type"].removeprefix("multipart/form-data; boundary=")
    assert len(call.data) == len(data)
    assert data.startswith(f"--{boundary}\r\n".encode())
    assert b"RIFF" in data


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"stream": False}, {"stream": False}),
        ({}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        (
            {"stream_options": None, "stream": True},
            {"stream_options": {"include_usage": True}, "stream": True},
        ),
        (
            {"stream": True, "stream_options": {"include_usage": False, "x": 1}},
            {"stream": True, "stream_options": {"include_usage": True, "x": 1}},
        ),
    ],
)
def test_usage_is_asked_for_in_every_stream(body: Any, wanted: Any) -> None:
    before = json.dumps(body)

    assert openai_wire.with_usage(body) == wanted
    assert json.dumps(body) == before


@pytest.mark.parametrize(
    ("options", "wanted"),
    [(None, False), ({}, False), ({"include_usage": True}, True), ({"include_usage": None}, False)],
)
def test_a_client_wants_usage_if_it_says_so(options: Any, wanted: bool) -> None:
    assert openai_wire.usage_wanted({"stream_options": options}) is wanted


# -- usage


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (None, {}),
        ([], {}),
        ({}, {}),
        ({"prompt_tokens": None, "completion_tokens": True, "total_tokens": 3}, {}),
        ({"prompt_tokens": -1, "completion_tokens": "4"}, {}),
        (
            {"prompt_tokens": 3, "completion_tokens": 0},
            {"prompt_tokens": 3, "completion_tokens": 0},
        ),
        ({"input_tokens": 3, "output_tokens": 4}, {"prompt_tokens": 3, "completion_tokens": 4}),
        ({"type": "duration", "seconds": 2.5}, {"seconds": 2.5}),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": []},
            {"prompt_tokens": 3},
        ),
        (
            {
                "prompt_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 2},
                "completion_tokens": 8,
                "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 1},
            },
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "cached_tokens": 4,
                "audio_prompt_tokens": 2,
                "reasoning_tokens": 5,
                "audio_completion_tokens": 1,
            },
        ),
        (  # DeepSeek
            {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5},
            {"prompt_tokens": 9, "cached_tokens": 4},
        ),
        (  # responses, transcriptions
            {
                "input_tokens": 9,
                "input_tokens_details": {"cached_tokens": 4},
                "input_token_details": {"audio_tokens": 3},
                "output_tokens_details": {"reasoning_tokens": 1},
                "cache_creation_input_tokens": 2,
            },
            {
                "prompt_tokens": 9,
                "cache_creation_tokens": 2,
                "cached_tokens": 4,
                "audio_prompt_tokens": 3,
                "reasoning_tokens": 1,
            },
        ),
    ],
)
def test_usage_is_read_in_every_spelling(said: Any, wanted: Any) -> None:
    assert openai_wire.usage({"usage": said}) == wanted


# -- errors


CONTEXT = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (  # OpenAI
            {
                "error": {
                    "message": "You exceeded your current quota",
                    "type": "insufficient_quota",
                    "param": None,
                    "code": "insufficient_quota",
                }
            },
            Failure("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        ),
        (
            {"error": {"message": "bad", "type": "invalid_request_error", "param": "messages[0]"}},
            Failure("bad", "invalid_request_error", None, "messages[0]"),
        ),
        (  # Groq
            {
                "error": {
                    "message": "The model `x` does not exist",
                    "type": "invalid_request_error",
                    "code": "model_not_found",
                }
            },
            Failure("The model `x` does not exist", "invalid_request_error", "model_not_found"),
        ),
        (  # Mistral
            {
                "object": "error",
                "message": "Invalid model: x",
                "type": "invalid_model",
                "param": None,
                "code": "1500",
            },
            Failure("Invalid model: x", "invalid_model", "1500"),
        ),
        (  # Mistral, for a body that it does not take
            {"object": "error", "message": {"detail": [{"loc": ["body"]}]}, "type": "invalid"},
            Failure('[{"loc": ["body"]}]', "invalid"),
        ),
        ({"detail": "Not authenticated"}, Failure("Not authenticated")),  # FastAPI
        (
            {"detail": [{"loc": ["body", "n"], "msg": "field required"}]},
            Failure("body.n: field required", param="n"),
        ),
        (  # vLLM, older and newer
            {"object": "error", "message": "no model", "type": "NotFoundError", "code": 404},
            Failure("no model", "NotFoundError"),
        ),
        (
            {"error": {"message": "no model", "type": "NotFoundError", "code": 404}},
            Failure("no model", "NotFoundError"),
        ),
        ({"error": "model 'x' not found"}, Failure("model 'x' not found")),  # Ollama
        ({"error": ["busy"], "error_type": "overloaded"}, Failure("busy")),  # Hugging Face
        (  # Google's imitation of OpenAI answers with a list
            [{"error": {"code": 404, "message": "no model", "status": "NOT_FOUND"}}],
            Failure("no model"),
        ),
        (  # xAI
            {"code": "Client specified an invalid argument", "error": "Incorrect API key"},
            Failure("Incorrect API key"),
        ),
        (  # Azure's front door
            {"statusCode": 401, "message": "Access denied due to invalid subscription key."},
            Failure("Access denied due to invalid subscription key."),
        ),
        (  # Azure's filter
            {
                "error": {
                    "message": "The response was filtered due to the content management policy",
                    "code": "content_filter",
                    "param": "prompt",
                    "type": None,
                }
            },
            Failure(
                "The response was filtered due to the content management policy",
                None,
                "content_policy_violation",
                "prompt",
            ),
        ),
        ({"detail": {"error": "No such model"}}, Failure("No such model")),  # DeepInfra
        ({"error": None, "message": "m"}, Failure("m")),
        ({"error": True, "message": "m"}, Failure("m")),
        ({"error": {"detail": "d", "code": True}}, Failure("d")),
        ({"error": {"error": "e", "param": ["x"]}}, Failure("e")),
        ({"error": {}}, Failure("")),
        ("quota exceeded", Failure("quota exceeded")),
        ([], Failure("")),
        ({}, Failure("")),
        (None, Failure("")),
        (7, Failure("")),
        ({"error": CONTEXT}, Failure(CONTEXT, code="context_length_exceeded", status=400)),
        (
            {"error": {"message": CONTEXT, "code": 400}},
            Failure(CONTEXT, code="context_length_exceeded", status=400),
        ),
    ],
)
def test_an_error_is_read_in_every_shape(body: Any, wanted: Failure) -> None:
    assert openai_wire.failure(body) == wanted


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"type": "rate_limit_error"}, 429),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": "insufficient_quota"}, 429),
        ({"type": "invalid_request_error"}, 400),
        ({"type": "authentication_error"}, 401),
        ({"type": "permission_error"}, 403),
        ({"type": "overloaded_error"}, 503),
        ({"type": "service_unavailable"}, 503),
        ({"type": "server_error"}, 502),
        ({"type": "invalid_request_error", "code": 413}, 413),
        ({"code": "1500"}, 502),
        ({}, 502),
    ],
)
def test_an_error_in_a_stream_has_the_status_it_stands_for(error: Any, status: int) -> None:
    got = openai_wire.stream_error({"error": {"message": "m", "param": "p", **error}})

    assert (got.status, got.message, got.param) == (status, "m", "p")
    assert got.type == (error.get("type") or errors.type_of(status))


def test_an_error_in_a_stream_without_words_has_some() -> None:
    assert openai_wire.stream_error({"error": {"x": 1}}).message.startswith("The upstream reported")


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({"error": {"message": "m"}}, True),
        ({"error": "m"}, True),
        ({"object": "error", "message": "m"}, True),
        ({"error": None, "choices": []}, False),
        ({"error": {"message": "m"}, "choices": [{}]}, True),  # OpenRouter, in mid-stream
        ({"choices": [{"delta": {}, "finish_reason": "error"}]}, True),
        ({"choices": [{"delta": {}, "finish_reason": "abort"}]}, True),
        ({"choices": [{"delta": {}, "error": {"message": "m"}}]}, True),
        ({"choices": [{"delta": {}, "finish_reason": "stop"}, None]}, False),
        ({"choices": []}, False),
    ],
)
def test_an_error_is_told_from_a_chunk(event: Any, wanted: bool) -> None:
    assert openai_wire.is_error(event) is wanted


@pytest.mark.parametrize(
    ("name", "reply", "wanted"),
    [
        ("chat", {"error": {"message": "m"}}, True),
        ("chat", {"error": {"message": "m"}, "choices": [{}]}, True),
        ("chat", [{"error": {"message": "m"}}], True),
        ("chat", {"error": None, "choices": [{}]}, False),
        ("embeddings", {"error": "m", "detail": 1}, True),
        ("embeddings", {"error": None, "data": []}, False),
        ("embeddings", [], False),
        ("responses", {"error": {"message": "m"}, "output": [], "status": "failed"}, False),
        ("responses", {}, False),
    ],
)
def test_a_refusal_is_told_from_a_reply(name: str, reply: Any, wanted: bool) -> None:
    assert openai_wire.is_refusal(name, reply) is wanted


@pytest.mark.parametrize(
    ("name", "reply", "wanted"),
    [
        ("chat", {"choices": []}, True),
        ("chat", {"choices": None}, False),
        ("chat", {"data": []}, False),
        ("embeddings", {"data": [1]}, True),
        ("moderations", {"results": {}}, False),
        ("responses", {"output": []}, True),
        ("images_generations", {}, True),
        ("images_generations", [], False),
        ("chat", None, False),
    ],
)
def test_a_reply_has_the_list_that_its_operation_promises(
    name: str, reply: Any, wanted: bool
) -> None:
    assert openai_wire.is_reply(name, reply) is wanted


# -- streams


def streamed(events: Iterable[Any], done: bool = True) -> bytes:
    return b"".join(map(sse.encoded, events)) + (sse.DONE if done else b"")


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_chunks_are_read_however_the_bytes_are_cut(size: int) -> None:
    events = chat_chunks("Hel", "lo", usage=usage(), n=2)
    data = streamed(events)

    pieces = (data[at : at + size] for at in range(0, len(data), size))

    assert list(openai_wire.chunks(pieces, DEPLOYMENT)) == events


@given(st.lists(st.text()), st.text(), st.integers(1, 60))
def test_any_text_and_any_arguments_come_through(
    texts: list[str], arguments: str, size: int
) -> None:
    events = chat_chunks("x", *texts, tool_calls=[tool_call("f", arguments)], usage=usage())
    data = streamed(events)

    pieces = (data[at : at + size] for at in range(0, len(data), size))

    assert list(openai_wire.chunks(pieces, DEPLOYMENT)) == events


ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates too


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.none() | st.integers()))
def test_any_body_is_written_so_that_it_is_read_as_it_was(body: dict[str, Any]) -> None:
    assert json.loads(openai_wire.encoded(body)) == body


def test_chunks_end_at_the_last_event_even_if_more_follows() -> None:
    events = chat_chunks("x")

    got = list(openai_wire.chunks(iter([streamed(events), streamed(events)]), DEPLOYMENT))

    assert got == events


def test_a_stream_that_finished_needs_no_done() -> None:
    events = chat_chunks("x")

    assert list(openai_wire.chunks(iter([streamed(events, done=False)]), DEPLOYMENT)) == events


@pytest.mark.parametrize("kept", range(4))
def test_a_stream_that_did_not_finish_was_cut_short(kept: int) -> None:
    events = chat_chunks("Hel", "lo")[:kept]
    got = openai_wire.chunks(iter([streamed([event], done=False) for event in events]), DEPLOYMENT)

    assert [next(got) for _ in events] == events
    with pytest.raises(errors.CutShort):
        next(got)


def test_an_error_in_a_stream_is_raised_after_what_came_before() -> None:
    events = chat_chunks("x")[:2]
    got = openai_wire.chunks(
        iter([streamed([*events, {"error": {"message": "m", "type": "overloaded"}}])]), DEPLOYMENT
    )

    assert [next(got) for _ in events] == events
    with pytest.raises(errors.UpstreamError) as caught:
        next(got)
    assert (caught.value.status, caught.value.message) == (503, "m")


# -- a whole reply as a stream


def joined(events: list[Any]) -> Any:
    """Return the reply that *events* make, as a client joins them."""
    reply = {key: value for key, value in events[0].items() if key != "choices"}
    reply["object"] = "chat.completion"
    choices: dict[int, Any] = {}
    for event in events:
        reply.update({"usage": event["usage"]} if "usage" in event else {})
        for choice in event["choices"]:
            kept = choices.setdefault(choice["index"], {"message": {}})
            kept["message"].update(choice["delta"])
            kept.update({key: value for key, value in choice.items() if key != "delta"})
    for choice in choices.values():
        for call in choice["message"].get("tool_calls", ()):
            del call["index"]
    return {**reply, "choices": list(choices.values())}


@pytest.mark.parametrize(
    "reply",
    [
        chat_completion("Hello"),
        chat_completion("Hello", n=3, finish_reason="length"),
        chat_completion(tool_calls=[tool_call(id="a"), tool_call(id="b")]),
        chat_completion(
            choices=[
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "a", "reasoning_content": "r"},
                    "logprobs": {"content": [{"token": "a", "logprob": 0.0}]},
                    "finish_reason": "stop",
                    "content_filter_results": {},
                }
            ]
        ),
        {key: value for key, value in chat_completion().items() if key != "usage"},
    ],
)
def test_a_whole_reply_comes_back_from_its_chunks(reply: Any) -> None:
    before = json.dumps(reply)

    events = list(openai_wire.chunks_from_reply(reply))

    assert joined(json.loads(json.dumps(events))) == reply
    assert json.dumps(reply) == before


def test_the_chunks_of_a_whole_reply_are_what_openai_sends() -> None:
    events = list(openai_wire.chunks_from_reply(chat_completion(tool_calls=[tool_call()])))

    assert [ChatCompletionChunk.model_validate(event) for event in events]
    assert [event["choices"][0]["finish_reason"] for event in events[:2]] == [None, "tool_calls"]
    assert events[0]["choices"][0]["delta"]["tool_calls"][0]["index"] == 0
    assert events[2]["choices"] == []
    assert ChatCompletion.model_validate(joined(events))


def test_a_whole_text_completion_is_its_own_chunk() -> None:
    reply = completion("Hello")

    first, last = openai_wire.chunks_from_reply(reply)

    assert Completion.model_validate(first).choices[0].text == "Hello"
    assert first["choices"] == reply["choices"]
    assert (last["object"], last["usage"]) == ("text_completion", reply["usage"])
