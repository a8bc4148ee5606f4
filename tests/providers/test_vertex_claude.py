"""Claude at Vertex AI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.providers.vertex_claude import VERTEX_CLAUDE

MODEL = "claude-sonnet-4-5@20250929"
DEPLOYMENT = Deployment(
    "g",
    "vertex_ai_claude",
    MODEL,
    "https://us-east5-aiplatform.googleapis.com/v1",
    settings={"vertex_project": "p", "vertex_location": "us-east5"},
)
MODELS = (
    "https://us-east5-aiplatform.googleapis.com/v1"
    "/projects/p/locations/us-east5/publishers/anthropic/models"
)
MESSAGE = {
    "id": "msg_vrtx_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello!"},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
]


def sent() -> Any:
    """Return the pieces of a stream."""
    return iter(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in EVENTS
    )


@pytest.mark.parametrize(("stream", "method"), [(False, "rawPredict"), (True, "streamRawPredict")])
def test_a_chat_is_anthropics_body_with_a_version_and_without_the_model(
    stream: bool, method: str
) -> None:
    body = {"model": "g", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}

    got = VERTEX_CLAUDE.operations["chat"].build(body, DEPLOYMENT)

    wanted = anthropic_wire.messages_from_chat(body, MODEL)
    del wanted["model"]
    assert got.url == f"{MODELS}/{MODEL}:{method}"
    assert json.loads(bytes(got.data)) == {"anthropic_version": "vertex-2023-10-16", **wanted}


def test_a_native_message_goes_as_it_is_but_for_the_model() -> None:
    body = {"model": "g", "max_tokens": 5, "messages": [], "anthropic_version": "vertex-x"}

    got = VERTEX_CLAUDE.operations["messages"].build(body, DEPLOYMENT)

    assert got.url == f"{MODELS}/{MODEL}:rawPredict"
    assert json.loads(bytes(got.data)) == {
        "anthropic_version": "vertex-x",
        "max_tokens": 5,
        "messages": [],
    }


def test_tokens_are_counted_by_a_model_of_that_name() -> None:
    got = VERTEX_CLAUDE.operations["count_tokens"].build({"model": "g", "messages": []}, DEPLOYMENT)

    assert got.url == f"{MODELS}/count-tokens:rawPredict"
    assert json.loads(bytes(got.data)) == {
        "anthropic_version": "vertex-2023-10-16",
        "model": MODEL,
        "messages": [],
    }


def test_answers_are_read_as_anthropics() -> None:
    chat, messages = (VERTEX_CLAUDE.operations[name] for name in ("chat", "messages"))
    assert chat.stream is not None
    assert messages.stream is not None

    reply = chat.parse(MESSAGE, DEPLOYMENT)
    chunks = list(chat.stream(sent(), DEPLOYMENT))
    events = list(messages.stream(sent(), DEPLOYMENT))

    assert reply == anthropic_wire.chat_from_message(MESSAGE)
    assert chunks == list(anthropic_wire.chunks(sent()))
    assert events == list(anthropic_wire.whole(anthropic_wire.decoded(sent())))


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow."}},
            Failure("Slow.", "rate_limit_error", "rate_limit_exceeded"),
        ),
        (
            [{"error": {"code": 404, "message": "No.", "status": "NOT_FOUND"}}],
            Failure("No.", code="model_not_found"),
        ),
    ],
)
def test_errors_are_anthropics_or_googles(body: Any, wanted: Failure) -> None:
    assert VERTEX_CLAUDE.failure(body) == wanted
