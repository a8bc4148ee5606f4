from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
import requests
from testing import workers
from testing.gateway import Gateway
from testing.sockets import asked
from testing.sockets import received_until
from testing.upstream import Pause
from testing.upstream import Repeat
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import head
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.workers import chat

from llmgate.inbound import keepalive

CHAT = "/v1/chat/completions"
COMMENT = ": keepalive\n\n"
SILENCE = Pause(0.35)
BUSY = json.dumps(error_body("busy", code="overloaded")).encode()
LATE_ERROR = raw(
    SILENCE,
    head(400, {"content-type": "application/json", "content-length": str(len(BUSY))}),
    BUSY,
)
CHUNKS = chat_chunks("Hel", "lo")
SILENT = sse([SILENCE, *CHUNKS[:2], SILENCE, *CHUNKS[2:]])
LATE = json.dumps(chat_completion()).encode()
SILENT_WHOLE = answer([SILENCE, LATE], headers={"content-type": "application/json"})


@pytest.fixture(scope="module", params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that beats after 0.1 s of silence."""
    with workers.gateway(session_upstream, request.param) as found:
        yield found


def posted(gate: Gateway, body: Any, path: str = CHAT, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(gate.url + path, json=body, headers=named)


# -- streams


@pytest.mark.fault("U4")
def test_a_silent_stream_gets_comments(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT)

    reply = posted(gate, chat(stream=True), x_request_id="mine")

    before, _, rest = reply.text.partition("data: ")
    between = rest.replace(COMMENT, "")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache, no-transform"
    assert reply.headers["x-request-id"] == "mine"
    assert before == COMMENT * (len(before) // len(COMMENT)) and before.count(COMMENT) >= 2
    assert rest.count(COMMENT) >= 2
    assert between.count("data: ") == len(CHUNKS)  # the first was taken off
    assert between.endswith("data: [DONE]\n\n")


def test_a_stream_that_is_never_silent_gets_none(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(sse(CHUNKS * 5, pause=0.02))

    reply = posted(gate, chat(stream=True))

    assert COMMENT not in reply.text
    assert reply.headers["x-llmgate-model"] == "gpt-4o"


def test_an_error_after_the_first_beat_is_told_in_the_stream(
    gate: Gateway, upstream: Upstream
) -> None:
    upstream.plays(LATE_ERROR)

    reply = posted(gate, chat(stream=True))

    assert reply.status_code == 200
    (event,) = [e for e in reply.text.split("\n\n") if e.startswith("data: ")]
    assert json.loads(event[6:])["error"]["code"] == "overloaded"


def test_the_status_is_true_as_long_as_there_was_no_beat(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(error_body("no"), 400))

    assert posted(gate, chat(stream=True)).status_code == 400
    assert posted(gate, chat()).status_code == 400


def test_anthropics_wire_gets_pings(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT)

    text = posted(gate, {**chat(stream=True), "max_tokens": 9}, "/v1/messages").text

    ping = 'event: ping\ndata: {"type": "ping"}\n\n'
    before, _, rest = text.partition("event: message_start")
    assert before == ping * before.count(ping) and ping in before
    assert ping in rest
    assert COMMENT not in text


def test_an_error_on_anthropics_wire_is_told_as_theirs(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(LATE_ERROR)

    text = posted(gate, {**chat(stream=True), "max_tokens": 9}, "/v1/messages").text

    event = text.split("\n\n")[-2]
    assert event.startswith("event: error\ndata: ")
    assert json.loads(event.partition("data: ")[2])["type"] == "error"


# -- whole answers


@pytest.mark.fault("P22")
def test_a_late_answer_comes_after_spaces(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT_WHOLE)

    reply = posted(gate, chat())

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.text.startswith(" ")
    assert reply.json()["choices"] == chat_completion()["choices"]


@pytest.mark.fault("P22")
def test_a_late_error_comes_after_spaces(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(LATE_ERROR)

    reply = posted(gate, chat())

    assert (reply.status_code, reply.json()["error"]["code"]) == (200, "overloaded")


@pytest.mark.parametrize("streams", [False, True])
def test_a_client_can_refuse_beats(streams: bool, gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(LATE_ERROR)

    reply = posted(gate, chat(stream=streams), x_llmgate_heartbeat="off")

    assert reply.status_code == 400


def test_binary_answers_get_none(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(answer([SILENCE, b"\xff\xfbmp3"], headers={"content-type": "audio/mpeg"}))

    body = {"model": "tts-1", "input": "Hi", "voice": "alloy"}
    reply = posted(gate, body, "/v1/audio/speech")

    assert (reply.status_code, reply.content) == (200, b"\xff\xfbmp3")


def test_they_can_be_turned_off(upstream: Upstream) -> None:
    upstream.plays(LATE_ERROR)

    with workers.gateway(upstream, workers.WORKERS[0], heartbeat=False) as gate:
        assert posted(gate, chat()).status_code == 400


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, (20, 15, 25)),
        ("off", (0, 0, 0)),
        (" OFF ", (0, 0, 0)),
        ("0", (0, 0, 0)),
        ("10", (10, 15, 10)),
        ("0.001", (20, 15, 25)),
        ("nan", (20, 15, 25)),
        ("soon", (20, 15, 25)),
    ],
)
def test_what_a_client_says_of_them(header: str | None, wanted: tuple[float, ...]) -> None:
    assert tuple(keepalive.times_from_header(header, keepalive.Times())) == wanted


# -- one client does not hold up the others


def test_a_client_that_does_not_read_does_not_stop_the_beats(
    gate: Gateway, upstream: Upstream
) -> None:
    flood = sse([CHUNKS[0], Repeat(b": " + b"x" * 65536 + b"\n\n", 200), Pause(3)])
    upstream.answers = lambda seen: flood if seen.json["user"] == "deaf" else SILENT
    with asked(gate.url + CHAT, chat(stream=True, user="deaf")) as deaf:
        received_until(deaf, b"data:")

        reply = posted(gate, chat(stream=True, user="other"))

    assert reply.text.count(COMMENT) >= 4


# -- the SDKs


def test_openais_sdk_reads_silent_streams(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT)
    client = openai.OpenAI(api_key="any", base_url=gate.url + "/v1", max_retries=0)

    with client, client.chat.completions.create(**chat(stream=True)) as stream:
        said = [chunk.choices[0].delta.content for chunk in stream]

    assert "".join(filter(None, said)) == "Hello"


def test_openais_sdk_reads_late_answers(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT_WHOLE)

    with openai.OpenAI(api_key="any", base_url=gate.url + "/v1", max_retries=0) as client:
        found = client.chat.completions.create(**chat())

    assert found.choices[0].message.content == chat_completion()["choices"][0]["message"]["content"]


def test_openais_sdk_raises_late_errors_of_streams(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(LATE_ERROR)
    client = openai.OpenAI(api_key="any", base_url=gate.url + "/v1", max_retries=0)

    with (
        client,
        pytest.raises(openai.APIError, match="busy"),
        client.chat.completions.create(**chat(stream=True)) as stream,
    ):
        list(stream)


def test_anthropics_sdk_reads_silent_streams(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT)
    client = anthropic.Anthropic(api_key="any", base_url=gate.url, max_retries=0)

    with client, client.messages.stream(**chat(), max_tokens=9) as stream:
        said = stream.get_final_text()

    assert said == "Hello"


def test_anthropics_sdk_reads_late_answers(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT_WHOLE)

    with anthropic.Anthropic(api_key="any", base_url=gate.url, max_retries=0) as client:
        found = client.messages.create(**chat(), max_tokens=9)

    assert found.content[0].type == "text"


def test_the_first_beat_is_on_time(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(SILENT)
    begun = time.monotonic()

    with asked(gate.url + CHAT, chat(stream=True)) as sock:
        received_until(sock, COMMENT.encode())

    assert 0.05 < time.monotonic() - begun < 0.2
