"""Whole answers that are none, or too much (U8, U9, U12, U13, U17, U23, U24), and refusals."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import API_KEY
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import RESET
from testing.upstream import Answer
from testing.upstream import Repeat
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import gzip_bomb
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse

AppFor = Callable[..., FlaskClient]
BAD = (502, "upstream_error", "bad_upstream_response", None)
CUT_SHORT = (502, "upstream_error", "upstream_cut_short", None)
TOO_LARGE = (502, "upstream_error", "response_too_large", None)
HTML = {"content-type": "text/html; charset=utf-8"}
GZIP = {"content-type": "application/json", "content-encoding": "gzip"}
IMAGE = {"model": "dall-e-3", "prompt": "An otter"}
SPEECH = {"model": "tts-1", "input": "Hi", "voice": "alloy"}
SECRET = "the words of the upstream"


# No answer of this API


@pytest.mark.fault("U8", "U9", "U23", "U24")
@pytest.mark.parametrize(
    ("planned", "wanted"),
    [
        (json_answer(b'{"a":'), BAD),
        (json_answer(b""), BAD),
        (json_answer(b"null"), BAD),
        (json_answer(b"[]"), BAD),
        (json_answer(b'"the words of the upstream"'), BAD),
        (json_answer(b"{}"), BAD),
        (json_answer({"choices": SECRET}), BAD),
        (json_answer({"detail": SECRET}), BAD),
        (json_answer(b"[" * 100_000), TOO_LARGE),
        (json_answer(b"9" * 5000), BAD),
        (json_answer(json.dumps(chat_completion()).encode("utf-16")), BAD),
        (answer([SECRET.encode()], headers={"content-type": "text/plain"}), BAD),
        (answer([b"<html>the words of the upstream"], headers=HTML), BAD),
        (answer([SECRET.encode()], headers={}), BAD),
        (sse(chat_chunks(SECRET)), BAD),
        (json_answer(b'{"a": 1}xx', headers={"content-encoding": "gzip"}), BAD),
        (answer([], status=204), BAD),
        (answer([], status=304), (502, "upstream_error", "upstream_redirect_refused", None)),
        (answer([], status=600), BAD),
        (answer([], status=999), BAD),
        (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), BAD),
        (raw(b"the words of the upstream\r\n\r\n"), BAD),
        (raw(b"HTTP/1.1 200 OK\r\nx: ", Repeat(b"x" * 65536)), BAD),
        (raw(b"HTTP/1.1 200 OK\r\n", Repeat(b"x: y\r\n" * 1000)), BAD),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), BAD),
        (answer([b'{"choices":', CUT], headers={"content-length": "999"}), CUT_SHORT),
        (answer([b'{"choices":', CUT], framing="chunked"), CUT_SHORT),
        (answer([b'{"choices":', RESET], framing="chunked"), CUT_SHORT),
    ],
)
def test_what_is_no_answer_is_a_502_that_does_not_repeat_it(
    client: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    planned: Answer,
    wanted: tuple[int, str, str, None],
) -> None:
    upstream.plays(planned)

    got = posted(client, asks())

    assert failed(got) == wanted
    assert SECRET.encode() not in got.data
    assert len(upstream.requests) == 1
    assert [(line["status"], line["error_code"]) for line in lines] == [(wanted[0], wanted[2])]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi"}),
        ("/v1/moderations", {"input": "Hi"}),
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"}),
    ],
)
def test_an_answer_of_another_operation_is_none(
    client: FlaskClient, upstream: Upstream, path: str, body: Any
) -> None:
    upstream.plays(json_answer({"object": "list"}))

    assert failed(posted(client, body, path)) == BAD


@pytest.mark.fault("U9")
@pytest.mark.parametrize(
    ("path", "body"), [("images/generations", IMAGE), ("audio/speech", SPEECH)]
)
@pytest.mark.parametrize(
    "planned",
    [
        answer([b"<html>"], headers=HTML),
        json_answer(b""),
        answer([], headers={"content-type": "audio/mpeg"}),
        answer([], status=204),
    ],
)
def test_pages_and_nothing_are_no_files(
    client: FlaskClient, upstream: Upstream, path: str, body: Any, planned: Answer
) -> None:
    upstream.plays(planned)

    assert failed(posted(client, body, f"/v1/{path}")) == BAD


@pytest.mark.fault("U7")
def test_an_error_with_status_200_is_an_error(client: FlaskClient, upstream: Upstream) -> None:
    error = error_body("Slow down", "rate_limit_error", "model", "rate_limit_exceeded")
    upstream.plays(json_answer(error))

    got = [
        failed(posted(client, body, path))
        for path, body in [(CHAT, asks()), ("/v1/images/generations", IMAGE)]
    ]

    assert got == [(429, "rate_limit_error", "rate_limit_exceeded", "model")] * 2


def test_what_breaks_in_a_file_breaks_the_clients_connection_too(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    mp3 = {"content-type": "audio/mpeg"}
    upstream.plays(answer([b"ID3" * 1000, CUT], headers=mp3, framing="chunked"))

    with pytest.raises(ConnectionResetError, match="ended before it was complete"):
        posted(client, SPEECH, "/v1/audio/speech")

    (line,) = lines
    assert (line["status"], line["error_code"]) == (200, "upstream_cut_short")


# Where it went, or would go


@pytest.mark.fault("U17", "S6")
def test_a_redirect_is_not_followed(client: FlaskClient, upstream: Upstream) -> None:
    with Upstream() as trap:
        for status in (301, 302, 303, 307, 308):
            upstream.plays(answer([], status=status, headers={"location": trap.url + "/v1"}))

            got = posted(client, asks())

            assert failed(got) == (502, "upstream_error", "upstream_redirect_refused", None)
            assert trap.url.encode() not in got.data
        assert trap.connections == 0


# Too much


@pytest.mark.fault("U12")
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_answer_larger_than_the_cap_is_given_up(
    client: FlaskClient, upstream: Upstream, framing: Any
) -> None:
    block = b"x" * 1_000_000
    upstream.plays(
        answer(
            [b'"', Repeat(block, 100), b'"'],
            headers={"content-type": "application/json"},
            framing=framing,
        )
    )

    got = posted(client, asks())

    assert failed(got) == TOO_LARGE
    assert upstream.requests[0].closed_by_peer.wait(5)


@pytest.mark.fault("F15")
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("stream", [False, True])
def test_json_of_many_values_is_refused_before_it_is_parsed(
    client: FlaskClient, upstream: Upstream, framing: Any, stream: bool
) -> None:
    headers = {"content-type": "application/json"}
    upstream.plays(
        answer([b"[", Repeat(b"[]," * 100_000, 100), b"0]"], headers=headers, framing=framing)
    )
    tracemalloc.start(1)

    got = posted(client, asks(stream=stream))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert failed(got) == TOO_LARGE
    assert peak < 4 * 30_000_000


@pytest.mark.fault("F15")
def test_an_event_of_many_values_is_refused_before_it_is_parsed(
    client: FlaskClient, upstream: Upstream
) -> None:
    event = [b"data: [", Repeat(b"[]," * 100_000, 40), b"0]\n\n"]
    upstream.plays(answer(event, headers={"content-type": "text/event-stream"}, framing="chunked"))

    assert failed(posted(client, asks(stream=True))) == TOO_LARGE


@pytest.mark.fault("U13")
def test_a_bomb_is_unpacked_no_further_than_the_cap(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(answer([gzip_bomb(100_000_000)], headers=GZIP))
    tracemalloc.start(1)

    got = posted(client, asks())

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert failed(got) == TOO_LARGE
    assert peak < 100_000_000


@pytest.mark.fault("U13")
def test_a_bomb_in_a_refusal_is_not_unpacked_either(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(answer([gzip_bomb(20_000_000)], status=400, headers=GZIP))
    tracemalloc.start(1)

    got = posted(client, asks())

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert failed(got) == (400, "invalid_request_error", None, None)
    assert peak < 5_000_000


def test_a_compressed_answer_is_unpacked(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion(), compress=True))

    got = posted(client, asks())

    assert got.get_json()["choices"] == chat_completion()["choices"]
    assert "Content-Encoding" not in got.headers
    assert upstream.requests[0].headers["accept-encoding"] == "identity"


# Refusals


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529]
)
def test_a_refusal_keeps_its_status_and_its_words(
    client: FlaskClient, upstream: Upstream, lines: list[Any], status: int
) -> None:
    error = error_body("It says so.", "some_type", "messages[0]", "some_code")
    upstream.plays(json_answer(error, status))

    got = posted(client, asks())

    assert (got.status_code, got.get_json()) == (status, error)
    assert got.headers["x-llmgate-provider"] == "openai"
    (line,) = lines
    assert (line["status"], line["error"], line["error_code"]) == (
        status,
        "It says so.",
        "some_code",
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "server_error"),
        (529, "server_error"),
    ],
)
@pytest.mark.parametrize(
    "body", [b"<html>the words of the upstream</html>", b"", b"null", b"[]", b'{"a"', b"[" * 99_999]
)
def test_a_refusal_without_words_gets_openais(
    client: FlaskClient, upstream: Upstream, status: int, kind: str, body: bytes
) -> None:
    upstream.plays(answer([body], status=status, headers=HTML))

    got = posted(client, asks())

    assert failed(got) == (status, kind, None, None)
    assert SECRET.encode() not in got.data


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": "a text"}, "a text", None),
        ({"detail": "a detail"}, "a detail", None),
        ({"message": "a message", "code": 7}, "a message", None),
        ({"error": {"message": {"why": 1}}}, '{"why": 1}', None),
        ({"object": "error", "message": "m", "type": "T"}, "m", None),
        (
            error_body("This model's maximum context length is 8192 tokens."),
            "This model's maximum context length is 8192 tokens.",
            "context_length_exceeded",
        ),
    ],
)
def test_a_refusal_in_another_shape_is_understood(
    client: FlaskClient, upstream: Upstream, body: Any, message: str, code: str | None
) -> None:
    upstream.plays(json_answer(body, 400))

    got = posted(client, asks())

    error = got.get_json()["error"]
    assert (got.status_code, error["message"], error["code"]) == (400, message, code)


def test_a_refusal_that_breaks_off_keeps_its_status(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(answer([b'{"error":', CUT], status=400, headers={"content-length": "99"}))

    assert failed(posted(client, asks())) == (400, "invalid_request_error", None, None)


def test_a_refusal_that_never_ends_keeps_its_status(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(answer([b'{"error":', Repeat(b" ", pause=60)], status=400, framing="chunked"))
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url, timeout=0.2)]})

    assert failed(posted(client, asks())) == (400, "invalid_request_error", None, None)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "7"},
        {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"},
        {"retry-after-ms": "1500", "x-should-retry": "true"},
    ],
)
def test_a_refusal_says_when_to_come_again(
    client: FlaskClient, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(json_answer(error_body(), 429, headers))

    got = posted(client, asks())

    assert {name: got.headers[name] for name in headers} == headers


def test_no_other_header_of_a_refusal_is_shown(client: FlaskClient, upstream: Upstream) -> None:
    headers = {"set-cookie": "a=b", "server": "secret", "retry-after": "1\x00", "www": API_KEY}
    upstream.plays(json_answer(error_body(), 400, headers))

    got = posted(client, asks())

    assert not {"Set-Cookie", "Server", "Retry-After", "Www"} & set(got.headers.keys())
