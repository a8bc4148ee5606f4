"""What the log says was used where the upstream did not get to say it: an estimate, marked so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import completion_chunks
from testing.upstream import event
from testing.upstream import sse
from testing.upstream import usage

AppFor = Callable[..., FlaskClient]
TURN = {"role": "user", "content": "a" * 40}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
CHUNKS = chat_chunks("Hel", "lo")
CUT_CHAT = sse([*CHUNKS[:3], CUT])
CUT_TEXT = sse([completion_chunks("a")[0], CUT])
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 21, "output_tokens": 1},
}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
CUT_MESSAGE = sse(
    [
        event({"type": "message_start", "message": MESSAGE}, "message_start"),
        event(BLOCK, "content_block_start"),
        *[event(DELTA, "content_block_delta")] * 6,
        CUT,
    ]
)
CUT_RESPONSE = sse(
    [
        event({"type": "response.created", "response": {"id": "resp_1"}}, "response.created"),
        event({"type": "response.output_text.delta", "delta": "x"}, "response.output_text.delta"),
        CUT,
    ]
)
MESSAGES = {"max_tokens": 9, "messages": [TURN]}


@pytest.fixture
def routed(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """An app with an OpenAI, a Groq and an Anthropic model."""
    models = {"gpt-4o": "openai/gpt-4o", "llama": "groq/llama-3.3-70b"}
    models |= {"openai/gpt-4o": "openai/gpt-4o", "claude": "anthropic/claude-sonnet-4-5"}
    found = [deployment(name, upstream.url, model) for name, model in models.items()]
    settings = {"disable_cooldowns": True}
    return shared_app_for({"model_list": found, "router_settings": settings})


@pytest.mark.parametrize(
    ("path", "body", "planned", "prompt"),
    [
        (CHAT, asks(), CUT_CHAT, 5),
        (CHAT, asks(messages=[{"role": "system", "content": "a" * 40}, TURN]), CUT_CHAT, 28),
        (CHAT, asks(messages=[{"role": "user", "content": [PICTURE]}]), CUT_CHAT, 1604),
        ("/v1/completions", {"model": "gpt-4o", "prompt": "Hi"}, CUT_TEXT, 1),
        ("/v1/completions", {"model": "gpt-4o", "prompt": [1, 2, 3]}, CUT_TEXT, 3),
        ("/v1/completions", {"model": "llama", "prompt": "a" * 40}, CUT_CHAT, 14),
        ("/v1/responses", {"model": "gpt-4o", "input": "Hi"}, CUT_RESPONSE, 1),
        ("/v1/responses", {"model": "llama", "input": "Hi", "instructions": "Ok"}, CUT_CHAT, 9),
        ("/v1/messages", {"model": "llama", "system": "a" * 40, **MESSAGES}, CUT_CHAT, 28),
        ("/api/engine/chat/openai", {"model": "gpt-4o", "chat_input": "Hi"}, CUT_CHAT, 5),
    ],
)
def test_a_stream_cut_short_has_an_estimate_of_its_prompt(
    routed: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    path: str,
    body: Any,
    planned: Answer,
    prompt: int,
) -> None:
    upstream.plays(planned)

    with suppress(ConnectionResetError):
        posted(routed, {**body, "stream": True, "is_stream": True}, path)

    (line,) = lines
    assert line["error_code"] == "upstream_cut_short"
    assert line["usage"]["prompt_tokens"] == prompt
    assert line["usage"]["completion_tokens"] >= 0
    assert line["usage_estimated"] is True


def test_what_was_said_at_the_beginning_is_not_all(
    routed: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(CUT_MESSAGE)

    posted(routed, {**MESSAGES, "model": "claude", "stream": True}, "/v1/messages")

    (line,) = lines
    assert line["usage"]["prompt_tokens"] == 21
    assert line["usage"]["completion_tokens"] >= 6
    assert line["usage_estimated"] is True


def test_a_stream_that_falls_silent_has_one_too(
    routed: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([CHUNKS[0], HANG]))

    posted(routed, asks(stream=True, stream_timeout=0.2))

    assert lines[0]["usage"] == {"prompt_tokens": 5, "completion_tokens": 1}


def test_what_was_said_at_the_end_stays(
    routed: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([*chat_chunks("Hel", "lo", usage=usage()), CUT], done=False))

    posted(routed, asks(stream=True))

    (line,) = lines
    assert (line["usage"]["prompt_tokens"], line["usage"]["completion_tokens"]) == (9, 12)
    assert "usage_estimated" not in line
