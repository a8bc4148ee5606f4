"""watsonx.ai's chat and embeddings, as OpenAI's SDK shall read them."""

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
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.dialects.others import watsonx

MODEL = "ibm/granite-4-h-small"
DEPLOYMENT = Deployment("g", "watsonx", MODEL, "https://x")
USER = {"role": "user", "content": "Hi"}


def stream(events: Iterable[Any]) -> bytes:
    return b"".join(
        f"id: {at}\nevent: message\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        for at, event in enumerate(events, 1)
    )


def chunks(data: bytes, *cuts: int) -> list[dict[str, Any]]:
    edges = [0, *cuts, len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    return list(watsonx.chat_chunks(iter(pieces), DEPLOYMENT))


def sent(**more: Any) -> dict[str, Any]:
    return watsonx.chat_body({"model": "g", "messages": [USER], **more}, MODEL)


def test_an_effort_of_anthropics_is_for_models_that_reason() -> None:
    body = {"messages": [USER], "output_config": {"effort": "low"}}

    assert "reasoning_effort" not in watsonx.chat_body(body, MODEL)
    assert watsonx.chat_body(body, "openai/gpt-oss-120b")["reasoning_effort"] == "low"


@pytest.mark.parametrize("name", names("watsonx", "reply_"))
def test_a_reply_is_a_chat_completion(name: str) -> None:
    reply = sample("watsonx", name)["reply"]

    got = watsonx.chat_reply(reply, MODEL)

    ChatCompletion.model_validate(got, strict=True)
    assert got["choices"][0]["message"] == reply["choices"][0]["message"]
    assert got["model"] == MODEL


@pytest.mark.parametrize("name", names("watsonx", "stream_"))
def test_a_stream_is_of_chat_completion_chunks(name: str) -> None:
    got = chunks(stream(sample("watsonx", name)["events"]))

    for chunk in got:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    assert (got[-1]["choices"], got[-1]["usage"]["total_tokens"]) == ([], 41)


@pytest.mark.parametrize("name", names("watsonx", "stream_"))
def test_bytes_may_be_cut_anywhere(name: str) -> None:
    data = stream(sample("watsonx", name)["events"])
    whole = chunks(data)

    assert all(chunks(data, at) == whole for at in range(1, len(data)))
    assert chunks(data, *range(1, len(data))) == whole


def test_an_empty_piece_makes_a_pause() -> None:
    data = stream(sample("watsonx", "stream_text")["events"])

    got = list(watsonx.chat_chunks(iter([data, b""]), DEPLOYMENT))

    assert [bool(chunk) for chunk in got] == [True] * 5 + [False]


def test_what_is_cut_short_is_said_to_be() -> None:
    with pytest.raises(errors.CutShort):
        chunks(stream(sample("watsonx", "stream_text")["events"][:2]))


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [("stop", "stop"), ("length", "length"), ("time_limit", "length"), (None, None)],
)
def test_a_choice_ends_for_a_reason_of_openais(reason: str | None, wanted: str | None) -> None:
    got = watsonx.chat_reply({"choices": [{"finish_reason": reason}]}, MODEL)

    assert got["choices"] == [{"finish_reason": wanted}]


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_a_choice_that_failed_is_an_error(reason: str) -> None:
    with pytest.raises(errors.UpstreamError, match=reason) as caught:
        watsonx.chat_reply({"choices": [{"finish_reason": reason}]}, MODEL)

    assert caught.value.status == 502


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (
            {
                "errors": [{"code": "token_quota_reached", "message": "No more."}],
                "status_code": 403,
            },
            (429, "insufficient_quota", "insufficient_quota", "No more."),
        ),
        (
            {"errors": [{"code": "downstream_error", "message": "Oh."}], "status_code": 500},
            (500, "server_error", "downstream_error", "Oh."),
        ),
        ({"errors": [{"code": "x", "message": "Oh."}]}, (502, "server_error", "x", "Oh.")),
        (
            {"errors": [{"code": "x"}], "status_code": 200},
            (502, "server_error", "x", "The upstream reported an error in its stream."),
        ),
    ],
)
def test_an_error_in_a_stream_is_raised(event: Any, wanted: Any) -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        chunks(stream([*sample("watsonx", "stream_text")["events"][:2], event]))

    found = caught.value
    assert (found.status, found.type, found.code, found.message) == wanted


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_comes_through(text: str, arguments: dict[str, str]) -> None:
    function = {"name": "f", "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "c0", "type": "function", "function": function}
    choice = {
        "index": 0,
        "delta": {"content": text, "tool_calls": [call]},
        "finish_reason": "tool_calls",
    }

    (got,) = chunks(stream([{"id": "c", "choices": [choice]}]))

    assert got["choices"] == [choice]


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_message_is_sent_unchanged(text: str, arguments: dict[str, str]) -> None:
    function = {"name": "f", "arguments": json.dumps(arguments)}
    call = {"id": "c", "type": "function", "function": function}
    message = {"role": "assistant", "content": "x" + text, "tool_calls": [call]}

    assert sent(messages=[USER, message]) == {"messages": [USER, message]}


def test_a_body_is_in_watsonxs_words() -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "Hm.", "audio": None}

    got = sent(
        messages=[USER, message],
        stream=True,
        stop="END",
        max_tokens=5,
        temperature=None,
        seed=1,
        time_limit=1000,
    )

    assert got == {
        "messages": [USER, {"role": "assistant", "content": None}],
        "stop": ["END"],
        "max_completion_tokens": 5,
        "seed": 1,
        "time_limit": 1000,
    }


TOOLS = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
NAMED = {"type": "function", "function": {"name": "b"}}


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", {"tools": TOOLS, "tool_choice_option": "auto"}),
        ("required", {"tools": TOOLS, "tool_choice_option": "required"}),
        (NAMED, {"tools": TOOLS, "tool_choice": NAMED}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [NAMED]},
            },
            {"tools": TOOLS[1:], "tool_choice_option": "required"},
        ),
    ],
)
def test_a_choice_of_tools_is_an_option_or_a_tool(choice: Any, wanted: Any) -> None:
    assert sent(tools=TOOLS, tool_choice=choice) == {"messages": [USER], **wanted}


def test_a_choice_without_tools_is_an_option() -> None:
    assert sent(tool_choice="none") == {"messages": [USER], "tool_choice_option": "none"}


def test_embeddings_are_openais() -> None:
    got = watsonx.embeddings_reply(sample("watsonx", "embeddings")["reply"], "slate")

    CreateEmbeddingResponse.model_validate(got, strict=True)
    assert [row["embedding"] for row in got["data"]] == [[0.5, 0.25], [1.0, 2.0]]
    assert got["usage"]["prompt_tokens"] == 10


def test_inputs_are_texts() -> None:
    parameters = {"truncate_input_tokens": 512}
    body = {"model": "g", "input": [9906], "encoding_format": "base64", "parameters": parameters}

    assert watsonx.embed_body(body) == {"inputs": ["Hello"], "parameters": parameters}


def told(code: str, message: str = "Why.") -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}], "trace": "1", "status_code": 400}


LONG = (
    "Invalid input argument for Model 'm': the number of input tokens 9210 cannot exceed the"
    " total tokens limit 8192 for this model"
)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            told("authentication_token_expired"),
            Failure("Why.", "authentication_error", "invalid_api_key"),
        ),
        (
            told("authorization_rejected"),
            Failure("Why.", "authentication_error", "invalid_api_key"),
        ),
        (
            told("model_not_supported"),
            Failure("Why.", "invalid_request_error", "model_not_found", "model"),
        ),
        (
            told("token_quota_reached"),
            Failure("Why.", "insufficient_quota", "insufficient_quota", status=429),
        ),
        (
            told("user_authorization_failed"),
            Failure("Why.", "permission_error", "permission_denied"),
        ),
        (told("invalid_input_argument", LONG), Failure(LONG, None, "context_length_exceeded")),
        (told("json_type_error"), Failure("Why.", None, "json_type_error")),
        ({"errors": []}, Failure("")),
        (
            {"error": {"message": "Why.", "code": "x"}},
            Failure("Why.", None, "x"),
        ),
        (["no"], Failure("no")),
    ],
)
def test_an_error_is_told_in_openais_words(body: Any, wanted: Failure) -> None:
    assert watsonx.failure(body) == wanted
