"""Speech as bytes, transcriptions in every format that OpenAI writes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.inprocess import chunks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import HANG
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import transcription
from werkzeug.test import TestResponse

SPEECH = {"model": "tts-1", "input": "Hello there!", "voice": "alloy"}
MP3 = b"ID3\x04" + bytes(range(256)) * 40
SRT = "1\n00:00:00,000 --> 00:00:01,000\nGrüße!\n\n"


def transcribed(
    client: FlaskClient, path: str = "audio/transcriptions", **more: Any
) -> TestResponse:
    """Return the answer to an upload with more fields."""
    form = {"model": "whisper-1", "file": (io.BytesIO(b"RIFF"), "a.wav", "audio/wav"), **more}
    return client.post(f"/v1/{path}", data=form, buffered=True)


# Speech


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_speech_is_the_upstreams_bytes(
    client: FlaskClient, upstream: Upstream, framing: Any
) -> None:
    pieces = [MP3[at : at + 1000] for at in range(0, len(MP3), 1000)]
    upstream.plays(answer(pieces, headers={"content-type": "audio/mpeg"}, framing=framing))

    got = posted(client, {**SPEECH, "speed": 1.5, "response_format": "mp3"}, "/v1/audio/speech")

    assert (got.status_code, got.content_type, got.data) == (200, "audio/mpeg", MP3)
    assert upstream.requests[0].json == {**SPEECH, "speed": 1.5, "response_format": "mp3"}


def test_speech_flows_before_it_is_whole(client: FlaskClient, upstream: Upstream) -> None:
    mp3 = {"content-type": "audio/mpeg"}
    upstream.plays(answer([MP3[:1000], HANG], headers=mp3, framing="chunked"))

    with client.post("/v1/audio/speech", json=SPEECH) as got:
        assert next(iter(got.response)) == MP3[:1000]

    assert upstream.requests[0].closed_by_peer.wait(1)


def test_speech_is_paid_by_the_character(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(answer([MP3], headers={"content-type": "audio/mpeg"}))

    got = posted(client, SPEECH, "/v1/audio/speech")

    assert got.headers["x-llmgate-cost"] == "0.00018"
    (line,) = lines
    assert (line["usage"], line["cost"]) == ({"characters": 12}, pytest.approx(0.00018))


def test_speech_may_come_as_events(client: FlaskClient, upstream: Upstream) -> None:
    events = [{"type": "speech.audio.delta", "audio": "SUQz"}, {"type": "speech.audio.done"}]
    upstream.plays(sse(events, done=False))

    got = posted(client, {**SPEECH, "stream_format": "sse"}, "/v1/audio/speech")

    assert got.headers["Cache-Control"] == "no-cache, no-transform"
    assert chunks(got) == events


@pytest.mark.parametrize("kind", ["audio/mpeg\x00", "\xff", "a\tb", ""])
def test_a_content_type_that_is_none_does_no_harm(
    client: FlaskClient, upstream: Upstream, kind: str
) -> None:
    upstream.plays(answer([MP3], headers={"content-type": kind}))

    got = posted(client, SPEECH, "/v1/audio/speech")

    assert (got.status_code, got.data) == (200, MP3)
    assert got.content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("input", None, "invalid_type"),
        ("input", "", "invalid_value"),
        ("input", ["a"], "invalid_type"),
        ("voice", 7, "invalid_type"),
        ("voice", "", "invalid_value"),
        ("speed", "fast", "invalid_type"),
        ("speed", 0, "invalid_value"),
    ],
)
def test_a_bad_wish_is_refused(client: FlaskClient, name: str, value: Any, code: str) -> None:
    got = posted(client, {**SPEECH, name: value}, "/v1/audio/speech")

    assert failed(got) == (400, "invalid_request_error", code, name)


@pytest.mark.parametrize("name", SPEECH)
def test_what_speech_needs_is_asked_for(client: FlaskClient, name: str) -> None:
    body = {key: value for key, value in SPEECH.items() if key != name}

    got = posted(client, body, "/v1/audio/speech")

    assert failed(got) == (400, "invalid_request_error", "missing_required_parameter", name)


# Transcriptions


@pytest.mark.parametrize("path", ["audio/transcriptions", "audio/translations"])
@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/plain; charset=utf-8", SRT),
        ("text/plain", ""),
        ("text/vtt", "WEBVTT\n\n"),
        ("application/json", '{"text":"Grüße!" , "duration":2.0}'),
        ("application/x-subrip", SRT),
    ],
)
def test_a_transcript_is_the_upstreams_bytes(
    client: FlaskClient, upstream: Upstream, path: str, kind: str, data: str
) -> None:
    upstream.plays(answer([data.encode()], headers={"content-type": kind}))

    got = transcribed(client, path, response_format="srt")

    assert (got.status_code, got.content_type, got.text) == (200, kind, data)
    (seen,) = upstream.requests
    assert seen.path == f"/v1/{path}"
    assert seen.parts["response_format"].content == b"srt"


@pytest.mark.parametrize(
    "prefix", ["", "/v1", "/openai/v1", "/openai/deployments/whisper-1", "/deployments/whisper-1"]
)
@pytest.mark.parametrize("name", ["transcriptions", "translations"])
def test_a_transcript_is_below_every_prefix(
    client: FlaskClient, upstream: Upstream, prefix: str, name: str
) -> None:
    upstream.plays(json_answer(transcription()))
    form = {"model": "whisper-1", "file": (io.BytesIO(b"RIFF"), "a.wav")}

    got = client.post(f"{prefix}/audio/{name}?api-version=2024-10-21", data=form, buffered=True)

    assert got.get_json() == transcription()


def test_a_transcript_is_paid_by_the_second(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer(transcription()))

    transcribed(client)

    (line,) = lines
    assert (line["usage"], line["cost"]) == ({"seconds": 2}, pytest.approx(0.0002))


def test_a_transcript_may_come_as_events(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    events = [
        {"type": "transcript.text.delta", "delta": "Hi"},
        {
            "type": "transcript.text.done",
            "text": "Hi",
            "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 3},
        },
    ]
    upstream.plays(sse(events, done=False))

    got = transcribed(client, stream="true")

    assert chunks(got) == events
    (line,) = lines
    assert line["stream"] is True
    assert line["usage"] == {"prompt_tokens": 14, "completion_tokens": 3}


def test_an_error_as_the_first_event_is_a_failure(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse([error_body("Slow", "rate_limit_error", code="rate_limit_exceeded")]))

    got = transcribed(client, stream="true")

    assert failed(got) == (429, "rate_limit_error", "rate_limit_exceeded", None)
