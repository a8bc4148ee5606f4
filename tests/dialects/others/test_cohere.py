from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.chat import ChatCompletionChunk
from testing.samples import names
from testing.samples import sample

from llmgate import errors
from llmgate.dialects.others import cohere
from llmgate.dialects.others import cohere_search
from llmgate.dialects.others import cohere_stream

ID = "b7f3a2c4-5d16-4e8f-9a0b-1c2d3e4f5a6b"
STREAMS = [name for name in names("cohere", "stream_") if name != "stream_failed"]
WEATHER = [
    {"id": "weather_a1", "type": "function", "function": {"name": "weather", "arguments": city}}
    for city in ('{"city":"Köln"}',)
]
USER = {"role": "user", "content": "Hi"}


def stream(events: Iterable[Any]) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        for event in events
    )


def chunks(data: bytes, *cuts: int) -> list[dict[str, Any]]:
    edges = [0, *cuts, len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    return list(cohere_stream.chunks(iter(pieces), "command"))


def body(**more: Any) -> dict[str, Any]:
    return {"model": "command-a-reasoning", "messages": [USER], **more}


def sent(**more: Any) -> dict[str, Any]:
    return cohere.chat_body(body(**more))


THINKING_1024 = {"type": "enabled", "token_budget": 1024}


def test_a_chat_body_becomes_coheres() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    image = {"url": "data:image/png;base64,AAAA", "detail": "low"}
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
    given_ = {
        "model": "command-a-reasoning-08-2025",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 40,
        "max_tokens": 10,
        "max_completion_tokens": 50,
        "stop": "END",
        "seed": 7,
        "presence_penalty": None,
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "boss"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which city is this?"},
                    {"type": "image_url", "image_url": image},
                ],
            },
            {
                "role": "assistant",
                "content": "I will look.",
                "reasoning_content": "A photo.",
                "tool_calls": [call],
            },
            {
                "role": "tool",
                "tool_call_id": "c1",
                "content": [{"type": "text", "text": "Köln"}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Köln."}]},
            {"role": "user", "content": "Sure?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": "Look closely.", "strict": True},
            },
            {"type": "function", "function": {"name": "guess"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": schema}},
        "reasoning_effort": "low",
        "documents": ["Köln lies on the Rhine."],
        "safety_mode": "STRICT",
    }
    before = json.dumps(given_)

    got = cohere.chat_body(given_)

    assert got == sample("cohere", "request_chat")["request"]
    assert json.dumps(given_) == before


@pytest.mark.parametrize(
    ("more", "added"),
    [
        ({}, {}),
        ({"max_tokens": 3}, {"max_tokens": 3}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"response_format": {"type": "text"}}, {"response_format": {"type": "text"}}),
        (
            {"response_format": {"type": "json_object"}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {"response_format": {"type": "json_schema"}},
            {"response_format": {"type": "json_object", "json_schema": None}},
        ),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9}, "reasoning_effort": "none"},
            {"thinking": {"type": "enabled", "token_budget": 9}},
        ),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"output_config": {"effort": "low"}}, {"thinking": THINKING_1024}),
        ({"thinking": {"token_budget": 5}}, {"thinking": {"token_budget": 5}}),
        ({"tool_choice": "none"}, {}),
        ({"k": 3, "p": 0.5, "citation_options": {"mode": "OFF"}}, None),
    ],
)
def test_parameters_become_coheres(more: Any, added: Any) -> None:
    assert sent(**more) == body(**(more if added is None else added))


@pytest.mark.parametrize(
    ("choice", "wanted"), [("auto", None), ("none", "NONE"), ("required", "REQUIRED")]
)
def test_a_tool_choice_becomes_coheres(choice: str, wanted: str | None) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}

    got = sent(tools=[tool], tool_choice=choice)

    assert got == body(tools=[tool], **({"tool_choice": wanted} if wanted else {}))


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"role": "assistant", "content": None, "refusal": "No."}, {"content": "No."}),
        (
            {"role": "assistant", "content": "Hi", "reasoning_content": "Greet."},
            {
                "content": [
                    {"type": "thinking", "thinking": "Greet."},
                    {"type": "text", "text": "Hi"},
                ]
            },
        ),
        (
            {"role": "assistant", "tool_calls": WEATHER, "citations": []},
            {"tool_calls": WEATHER, "citations": []},
        ),
        (
            {"role": "tool", "tool_call_id": "c", "content": None},
            {"content": "", "tool_call_id": "c"},
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://a/b.png"}]},
            {"content": [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}]},
        ),
    ],
)
def test_messages_become_coheres(message: Any, wanted: Any) -> None:
    got = cohere.chat_body({"model": "m", "messages": [USER, message]})

    assert got["messages"][1:] == [{"role": message["role"], **wanted}]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": [{"role": "function", "name": "f", "content": "1"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "custom"}]}]}, "messages"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools"),
    ],
)
def test_what_cohere_lacks_is_refused(more: Any, param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        sent(**more)

    assert caught.value.param == param


def test_a_reply_is_a_completion() -> None:
    got = cohere.chat_reply(sample("cohere", "reply_text")["reply"], "command")

    ChatCompletion.model_validate(got)
    assert got == {
        "id": ID,
        "object": "chat.completion",
        "created": 0,
        "model": "command",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Grüße, 世界 🌍", "refusal": None},
                "logprobs": {
                    "content": [
                        {
                            "token": "Grüße",
                            "logprob": -0.75,
                            "bytes": list("Grüße".encode()),
                            "top_logprobs": [],
                        },
                        {
                            "token": ", 世界 🌍",
                            "logprob": -1.0,
                            "bytes": list(", 世界 🌍".encode()),
                            "top_logprobs": [],
                        },
                    ],
                    "refusal": None,
                },
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 71,
            "completion_tokens": 9,
            "total_tokens": 80,
            "prompt_tokens_details": {"cached_tokens": 64},
            "billed_units": {
                "input_tokens": 5,
                "output_tokens": 7,
                "search_units": None,
                "classifications": None,
            },
        },
    }


@pytest.mark.parametrize(
    ("name", "message", "finish"),
    [
        ("thinking", {"content": "Hel", "reasoning_content": "The user greets."}, "length"),
        (
            "tools",
            {
                "content": "I will look up both cities.",
                "tool_calls": sample("cohere", "reply_tools")["reply"]["message"]["tool_calls"],
            },
            "tool_calls",
        ),
        (
            "cited",
            {
                "content": "It rains in Köln.",
                "citations": sample("cohere", "reply_cited")["reply"]["message"]["citations"],
            },
            "stop",
        ),
    ],
)
def test_replies_keep_what_was_said(name: str, message: Any, finish: str) -> None:
    got = cohere.chat_reply(sample("cohere", f"reply_{name}")["reply"], "command")

    ChatCompletion.model_validate(got)
    choice = got["choices"][0]
    assert choice["message"] == {"role": "assistant", "refusal": None, **message}
    assert choice["finish_reason"] == finish


@pytest.mark.parametrize(("calls", "content"), [(WEATHER, None), (None, "")])
def test_nothing_said_is_null_beside_calls_and_else_empty(calls: Any, content: Any) -> None:
    said = {"id": "i", "finish_reason": "COMPLETE", "message": {"tool_calls": calls}}

    got = cohere.chat_reply(said, "m")

    assert got["choices"][0]["message"]["content"] == content
    assert got["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def test_billed_tokens_stand_in_for_all_where_there_are_no_others() -> None:
    used = {"billed_units": {"input_tokens": 2.0, "output_tokens": 3.0}}
    said = {"id": "i", "finish_reason": "COMPLETE", "message": {}, "usage": used}

    assert cohere.chat_reply(said, "m")["usage"]["total_tokens"] == 5


@pytest.mark.parametrize(("reason", "status"), [("ERROR", 500), ("TIMEOUT", 504)])
def test_a_failed_generation_is_an_error(reason: str, status: int) -> None:
    with pytest.raises(errors.UpstreamError, match=reason) as caught:
        cohere.chat_reply({"id": "i", "finish_reason": reason, "message": {}}, "m")

    assert caught.value.status == status


def test_an_unknown_finish_is_told_as_it_is() -> None:
    said = {"id": "i", "finish_reason": "PAUSED", "message": {}}

    assert cohere.chat_reply(said, "m")["choices"][0]["finish_reason"] == "paused"


def test_what_is_paid_for_is_what_cohere_bills() -> None:
    got = cohere.chat_reply(sample("cohere", "reply_text")["reply"], "command")

    assert cohere.usage(got) == {"prompt_tokens": 5, "completion_tokens": 7}
    assert cohere.usage({"choices": []}) == {}
    assert cohere.usage({"usage": {"prompt_tokens": 3}}) == {"prompt_tokens": 3}


def test_a_stream_is_chunks() -> None:
    got = chunks(stream(sample("cohere", "stream_text")["events"]))

    head = {"id": ID, "object": "chat.completion.chunk", "created": 0, "model": "command"}
    logprobs = {
        "content": [
            {
                "token": ", 世界 🌍",
                "logprob": -1.0,
                "bytes": list(", 世界 🌍".encode()),
                "top_logprobs": [],
            }
        ],
        "refusal": None,
    }
    source = {"id": "doc:0", "title": "Greetings"}
    citation = {
        "start": 0,
        "end": 5,
        "text": "Grüße",
        "sources": [{"type": "document", "id": "doc:0", "document": source}],
        "content_index": 0,
        "type": "TEXT_CONTENT",
    }
    deltas: list[Any] = [
        ({"role": "assistant", "content": ""}, None, None),
        ({"content": "Grüße"}, None, None),
        ({"content": ", 世界 🌍"}, logprobs, None),
        ({"citations": [citation]}, None, None),
        ({}, None, "stop"),
    ]
    usage = {
        "prompt_tokens": 71,
        "completion_tokens": 9,
        "total_tokens": 80,
        "prompt_tokens_details": {"cached_tokens": 16},
        "billed_units": {"input_tokens": 5, "output_tokens": 7},
    }
    assert got == [
        *(
            {
                **head,
                "choices": [{"index": 0, "delta": delta, "logprobs": lp, "finish_reason": finish}],
            }
            for delta, lp, finish in deltas
        ),
        {**head, "choices": [], "usage": usage},
    ]


def deltas(events: Iterable[Any]) -> list[Any]:
    return [choice["delta"] for event in events for choice in event["choices"]]


def test_thoughts_are_apart_from_text() -> None:
    got = deltas(chunks(stream(sample("cohere", "stream_thinking")["events"])))

    assert got == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "The user "},
        {"reasoning_content": "greets."},
        {"content": "Hel"},
        {},
    ]


def test_tool_calls_stream() -> None:
    got = deltas(chunks(stream(sample("cohere", "stream_tools")["events"])))

    def begun(index: int, id: str) -> Any:
        function = {"name": "weather", "arguments": ""}
        call = {"index": index, "id": id, "type": "function", "function": function}
        return {"tool_calls": [call]}

    def more(index: int, text: str) -> Any:
        return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}

    assert got == [
        {"role": "assistant", "content": ""},
        {"content": "I will look up"},
        {"content": " both cities."},
        begun(0, "weather_a1"),
        more(0, '{"city":'),
        more(0, '"Köln"}'),
        begun(1, "weather_b2"),
        more(1, '{"city":"Bonn"}'),
        {},
    ]


@pytest.mark.parametrize("name", STREAMS)
def test_a_cut_at_every_byte_changes_nothing(name: str) -> None:
    data = stream(sample("cohere", name)["events"])
    whole = chunks(data)

    assert all(ChatCompletionChunk.model_validate(chunk) for chunk in whole)
    assert all(chunks(data, at) == whole for at in range(1, len(data)))
    assert chunks(data, *range(1, len(data))) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_ends_anywhere_before_its_end_is_cut_short(name: str) -> None:
    *events, _ = sample("cohere", name)["events"]
    data = stream(events)

    for at in range(len(data) + 1):
        with pytest.raises(errors.CutShort):
            chunks(data[:at])


def test_done_before_the_end_of_the_message_is_cut_short() -> None:
    with pytest.raises(errors.CutShort):
        chunks(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("event", "status", "message"),
    [
        (sample("cohere", "stream_failed")["events"][-1], 500, "the model stumbled"),
        ({"type": "message-end", "delta": {"finish_reason": "TIMEOUT"}}, 504, "TIMEOUT"),
        ({"type": "message-end", "delta": {}}, 500, "ERROR"),
        ({"type": "error", "message": "overloaded"}, 502, "overloaded"),
    ],
)
def test_an_error_in_the_stream_is_raised(event: Any, status: int, message: str) -> None:
    with pytest.raises(errors.UpstreamError, match=message) as caught:
        chunks(stream([event]))

    assert caught.value.status == status


def test_an_error_without_a_type_is_raised() -> None:
    with pytest.raises(errors.UpstreamError, match="invalid api token") as caught:
        chunks(b'data: {"message":"invalid api token"}\n\n')

    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")


@given(st.lists(st.text(min_size=1)), st.integers(1, 60))
def test_any_text_comes_through(texts: list[str], size: int) -> None:
    start, begin, *_, end = sample("cohere", "stream_text")["events"]
    said = [
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}
        for text in texts
    ]
    data = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n" for event in [start, begin, *said, end]
    )

    got = deltas(chunks(data, *range(size, len(data), size)))

    assert [delta["content"] for delta in got[1:-1]] == texts


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.text(),
)
@example({}, " ")
def test_tool_calls_come_back_as_they_were(arguments: Any, plan: str) -> None:
    function = {"name": "f", "arguments": json.dumps(arguments)}
    said = {
        "role": "assistant",
        "tool_plan": plan,
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }
    reply = {"id": "i", "finish_reason": "TOOL_CALL", "message": said}

    message = cohere.chat_reply(reply, "m")["choices"][0]["message"]
    got = cohere.chat_body({"model": "m", "messages": [USER, message]})["messages"][1]

    kept = arguments if isinstance(arguments, dict) else None
    text = got["tool_calls"][0]["function"].pop("arguments")
    assert json.loads(text) == wrapped(arguments, kept)
    function.pop("arguments")
    blank = {} if plan.strip() else {"tool_plan": ""}  # text of nothing but spaces is left out
    assert {"tool_plan": "", **got} == said | blank


def wrapped(arguments: Any, kept: Any) -> Any:
    """Return what is sent for *arguments*: an object."""
    if arguments is None:
        return {}
    return {"INVALID_JSON": json.dumps(arguments)} if kept is None else kept


def test_an_embeddings_body_becomes_coheres() -> None:
    given_ = {
        "model": "embed-v4.0",
        "input": ["one", "two"],
        "dimensions": 256,
        "encoding_format": "base64",
        "input_type": "search_query",
        "truncate": "END",
    }

    got = cohere_search.embed_body(given_, "search_document")

    assert got == sample("cohere", "embed")["request"]


def test_an_input_type_is_taken_from_the_deployment() -> None:
    got = cohere_search.embed_body({"model": "m", "input": "one"}, "clustering")

    assert got == {
        "model": "m",
        "texts": ["one"],
        "input_type": "clustering",
        "embedding_types": ["float"],
    }


def test_images_are_embedded_as_images() -> None:
    image = "data:image/png;base64,AAAA"

    got = cohere_search.embed_body({"model": "m", "input": [image]}, "search_document")

    assert (got["input_type"], got["images"], "texts" in got) == ("image", [image], False)


@pytest.mark.parametrize(
    ("name", "vectors", "tokens"),
    [("embed", [[0.5, -0.25], [0.125, 1.0]], 2), ("embed_images", [[1, -2]], 64)],
)
def test_vectors_are_embeddings(name: str, vectors: Any, tokens: int) -> None:
    got = cohere_search.embeddings_reply(sample("cohere", name)["reply"], "embed")

    CreateEmbeddingResponse.model_validate(got)
    assert got == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": vector}
            for at, vector in enumerate(vectors)
        ],
        "model": "embed",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def test_embeddings_without_meta_count_nothing() -> None:
    got = cohere_search.embeddings_reply({"embeddings": {"float": [[1.0]]}}, "m")

    assert got["usage"]["prompt_tokens"] == 0


def test_documents_to_rank_become_texts() -> None:
    given_ = {
        "model": "rerank-v3.5",
        "query": "Where is it wet?",
        "documents": [{"text": "Köln: rain"}, {"city": "Bonn"}],
        "top_n": 1,
        "max_tokens_per_doc": 100,
        "return_documents": True,
    }

    got = cohere_search.rerank_body(given_)

    assert got == sample("cohere", "rerank")["request"]
    assert cohere_search.rerank_body({"documents": ["a"]}) == {"documents": ["a"]}


def test_a_rerank_is_billed_by_search() -> None:
    reply = sample("cohere", "rerank")["reply"]

    assert cohere_search.rerank_usage(reply) == {"search_units": 1}
    assert cohere_search.rerank_usage({"results": []}) == {}


@pytest.mark.parametrize("case", sample("cohere", "errors")["errors"])
def test_errors_are_told_in_openais_words(case: Any) -> None:
    got = cohere.failure(case["body"])

    assert got.message == next(
        case["body"][key] for key in ("message", "detail", "error") if key in case["body"]
    )
    assert (got.type, got.code, got.param, got.status) == (
        case["type"],
        case["code"],
        case["param"],
        case["as"],
    )


@pytest.mark.parametrize(
    ("body", "message"), [("gone", "gone"), ({}, ""), ({"message": {"a": 1}}, '{"a": 1}')]
)
def test_errors_of_another_shape_still_have_a_message(body: Any, message: str) -> None:
    assert cohere.failure(body).message == message


def test_results_get_their_documents() -> None:
    reply = {
        "id": "r",
        "results": [
            {"index": 1, "relevance_score": 0.5},
            {"index": 0, "relevance_score": 0.25, "document": None},
            {"index": 0, "document": {"text": "own"}},
            {"index": 2},
            "strange",
        ],
    }

    got = cohere_search.with_documents(reply, ["a", {"title": "b"}])

    assert got == {
        "id": "r",
        "results": [
            {"index": 1, "relevance_score": 0.5, "document": {"title": "b"}},
            {"index": 0, "relevance_score": 0.25, "document": {"text": "a"}},
            {"index": 0, "document": {"text": "own"}},
            {"index": 2},
            "strange",
        ],
    }
    assert cohere_search.with_documents({"id": "r"}, ["a"]) == {"id": "r"}
