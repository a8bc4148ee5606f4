"""Streams that stop, break, lie or dribble after a good start (U4-U7, U10, U11, U24, U25)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import DONE
from testing.inprocess import asks
from testing.inprocess import chunks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import RESET
from testing.upstream import Answer
from testing.upstream import Pause
from testing.upstream import Repeat
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import completion
from testing.upstream import cut_up
from testing.upstream import error_body
from testing.upstream import event
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.upstream import usage

AppFor = Callable[..., FlaskClient]
SAID = chat_chunks("Hel", "lo")
WIRE = b"".join(map(event, [*SAID, DONE]))


def in_band(code: str, type: str = "upstream_error") -> Any:
    """Return what an error in a stream is like, whatever its message says."""
    return {"error": {"message": ANY_TEXT, "type": type, "param": None, "code": code}}


class _AnyText:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(other)


ANY_TEXT = _AnyText()


# Broken after the first event


@pytest.mark.fault("U5")
@pytest.mark.parametrize("end", [CUT, RESET])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_cut_stream_ends_with_an_error_and_without_done(
    client: FlaskClient, upstream: Upstream, lines: list[Any], end: Any, chunked: bool
) -> None:
    upstream.plays(sse([*SAID[:2], end], chunked=chunked))

    got = posted(client, asks(stream=True))

    assert got.status_code == 200
    assert chunks(got) == [*SAID[:2], in_band("upstream_cut_short")]
    assert len(upstream.requests) == 1
    assert [(line["status"], line["error_code"]) for line in lines] == [(200, "upstream_cut_short")]


@pytest.mark.fault("U5")
def test_a_stream_cut_within_a_chunk_of_its_framing_is_cut_short(
    client: FlaskClient, upstream: Upstream
) -> None:
    begun = b"ff\r\n" + event(SAID[1])[:40]
    upstream.plays(sse([SAID[0], CUT]), raw(*sse([SAID[0]], done=False).steps[:2], begun, CUT))

    got = [chunks(posted(client, asks(stream=True))) for _ in range(2)]

    assert got == [[SAID[0], in_band("upstream_cut_short")]] * 2


def test_a_stream_whose_framing_makes_no_sense_ends_with_an_error(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(raw(*sse([SAID[0]], done=False).steps[:2], Pause(0.05), b"xyz\r\n"))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [SAID[0], in_band("bad_upstream_response")]


def test_a_stream_shorter_than_its_content_length_is_cut_short(
    client: FlaskClient, upstream: Upstream
) -> None:
    headers = {"content-type": "text/event-stream", "content-length": "99999"}
    upstream.plays(answer([event(SAID[0]), CUT], headers=headers))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [SAID[0], in_band("upstream_cut_short")]


@pytest.mark.fault("U4")
@pytest.mark.parametrize("compress", [False, True])
def test_a_stream_that_falls_silent_ends_with_an_error(
    app_for: AppFor, upstream: Upstream, lines: list[Any], compress: bool
) -> None:
    upstream.plays(sse([*SAID[:2], HANG], compress=compress))
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url, timeout=0.2)]})

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*SAID[:2], in_band("upstream_timeout")]
    assert upstream.requests[0].closed_by_peer.wait(5)
    assert len(upstream.requests) == 1
    assert [line["error_code"] for line in lines] == ["upstream_timeout"]


def test_an_error_in_mid_stream_is_the_last_event(client: FlaskClient, upstream: Upstream) -> None:
    error = error_body("Overloaded", "server_error", code="overloaded")
    upstream.plays(sse([SAID[0], error, SAID[1]]))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [SAID[0], error]


def test_an_error_in_the_block_of_a_chunk_comes_after_the_chunk(
    client: FlaskClient, upstream: Upstream
) -> None:
    error = error_body("Overloaded", "server_error", code="overloaded")
    upstream.plays(sse([SAID[0], event(SAID[1]) + event(error) + event(SAID[2])]))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [SAID[0], SAID[1], error]


@pytest.mark.fault("U11")
def test_an_event_that_never_ends_is_given_up(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse([SAID[0], b"data: ", Repeat(b"x" * 1_000_000)]))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [SAID[0], in_band("bad_upstream_response")]
    assert upstream.requests[0].closed_by_peer.wait(5)


def test_what_a_broken_stream_used_is_estimated(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([*SAID[:3], CUT]))

    posted(client, asks(stream=True, messages=[{"role": "user", "content": "x" * 400}]))

    (line,) = lines
    assert line["usage"] == {"prompt_tokens": 104, "completion_tokens": 3}
    assert line["usage_estimated"] is True


# Ends that are good enough


@pytest.mark.fault("U6")
def test_a_finished_stream_without_done_is_complete(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(SAID, done=False))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*SAID, DONE]
    assert "error" not in lines[0]


def test_a_finished_stream_without_its_last_blank_line_is_complete(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse([*SAID[:-1], event(SAID[-1]).rstrip()], done=False))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*SAID, DONE]


@pytest.mark.fault("U6")
def test_a_finish_reason_is_never_invented(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse(SAID[:-1], done=False))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*SAID[:-1], in_band("upstream_cut_short")]


def test_done_without_a_finish_reason_is_passed_on(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse(SAID[:-1]))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*SAID[:-1], DONE]


def test_nothing_that_follows_done_is_passed_on(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(sse([*SAID, DONE, SAID[0]]))

    got = posted(client, asks(stream=True))

    assert chunks(got) == [*SAID, DONE]


def test_the_connection_of_a_finished_stream_is_kept(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse(SAID))

    for _ in range(3):
        posted(client, asks(stream=True))

    assert len({seen.connection for seen in upstream.requests}) == 1


@pytest.mark.fault("F10")
def test_a_finished_stream_does_not_wait_for_the_end_of_its_framing(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse([*SAID, DONE, HANG], done=False))

    begun = time.monotonic()
    got = posted(client, asks(stream=True))

    assert chunks(got) == [*SAID, DONE]
    assert time.monotonic() - begun < 5


# Cut and dressed anyhow


@pytest.mark.parametrize("size", [1, 2, 7, 100, 5000])
def test_events_cut_anywhere_arrive_as_the_same_bytes(
    client: FlaskClient, upstream: Upstream, size: int
) -> None:
    upstream.plays(sse(cut_up(WIRE, size), done=False))

    got = posted(client, asks(stream=True))

    assert got.data == WIRE


@pytest.mark.fault("U25")
def test_chunks_of_one_byte_cost_little(client: FlaskClient, upstream: Upstream) -> None:
    text = event(chat_chunks("x" * 8_000)[1])
    upstream.plays(sse([SAID[0], *cut_up(text), SAID[-1]]))
    began = time.process_time()

    got = posted(client, asks(stream=True))

    assert got.data == event(SAID[0]) + text + event(SAID[-1]) + event(DONE)
    assert time.process_time() - began < 2  # of the upstream's own work, most of it


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_events_with_other_line_ends_are_passed_on(
    client: FlaskClient, upstream: Upstream, end: bytes
) -> None:
    wire = WIRE.replace(b"\n", end)
    upstream.plays(sse(cut_up(wire, 100), done=False))

    got = posted(client, asks(stream=True))

    assert got.data == wire


def test_comments_before_the_first_event_do_not_make_a_success(
    client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(sse([b": OPENROUTER PROCESSING\n\n", b":\n\n", error_body(code="overloaded")]))

    got = posted(client, asks(stream=True))

    assert failed(got) == (503, "server_error", "overloaded", None)


def test_comments_between_events_are_passed_on(client: FlaskClient, upstream: Upstream) -> None:
    wire = event(SAID[0]) + b": keep-alive\n\n" + WIRE.removeprefix(event(SAID[0]))
    upstream.plays(sse([b": before\n\n", wire], done=False))

    got = posted(client, asks(stream=True))

    assert got.data == wire


@pytest.mark.fault("U10")
@pytest.mark.parametrize("number", [1, 3])
def test_bytes_that_are_no_utf_8_are_passed_on_untouched(
    client: FlaskClient, upstream: Upstream, number: int
) -> None:
    events = [event(each) for each in [*SAID, DONE]]
    events[number] = events[number].replace(b"gpt-4o", b"\xff\xc3\xe2\x80")
    upstream.plays(sse(events, done=False))

    got = posted(client, asks(stream=True))

    assert got.data == b"".join(events)


@pytest.mark.fault("U10")
def test_separators_of_unicode_do_not_cut_an_event(client: FlaskClient, upstream: Upstream) -> None:
    text = json.dumps(chat_chunks("a\u2028b\u0085c\x0bd")[1], ensure_ascii=False)
    wire = f"data: {text}\n\n".encode()
    upstream.plays(sse([wire, SAID[-1]]))

    got = posted(client, asks(stream=True))

    assert got.data == wire + event(SAID[-1]) + event(DONE)


@pytest.mark.parametrize("bytes_each", [1, 1000])
def test_a_compressed_stream_is_unpacked_as_it_comes(
    client: FlaskClient, upstream: Upstream, bytes_each: int
) -> None:
    upstream.plays(sse(cut_up(WIRE, bytes_each), done=False, compress=True))

    got = posted(client, asks(stream=True))

    assert got.data == WIRE
    assert "Content-Encoding" not in got.headers


# What is no stream of events


@pytest.mark.fault("U24")
def test_a_whole_completion_becomes_a_stream(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer(chat_completion("Hello")))

    got = posted(client, asks(stream=True))

    *said, done = chunks(got)
    assert got.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert [chunk["object"] for chunk in said] == ["chat.completion.chunk"] * len(said)
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in said) == "Hello"
    assert [c["choices"][0]["finish_reason"] for c in said] == [None, "stop"]
    assert done == DONE
    assert lines[0]["usage"]["completion_tokens"] == usage()["completion_tokens"]


def test_a_whole_text_completion_becomes_a_stream(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(completion("Hello")))
    body = {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi", "stream": True}

    *said, done = chunks(posted(client, body, "/v1/completions"))

    assert [(c["object"], c["choices"]) for c in said] == [
        ("text_completion", completion("Hello")["choices"])
    ]
    assert done == DONE


@pytest.mark.fault("U7")
@pytest.mark.parametrize(
    ("planned", "wanted"),
    [
        (
            json_answer(error_body("No", "invalid_request_error", code="x")),
            (400, "invalid_request_error", "x", None),
        ),
        (json_answer({"detail": "x"}), (502, "upstream_error", "bad_upstream_response", None)),
        (json_answer([]), (502, "upstream_error", "bad_upstream_response", None)),
        (json_answer(b'{"a":'), (502, "upstream_error", "bad_upstream_response", None)),
        (
            answer([b"<html>data: {}\n\n"], headers={"content-type": "text/html"}),
            (502, "upstream_error", "bad_upstream_response", None),
        ),
        (
            answer([b"hello"], headers={"content-type": "text/plain"}),
            (502, "upstream_error", "upstream_cut_short", None),
        ),
        (answer([], headers={}), (502, "upstream_error", "upstream_cut_short", None)),
        (sse([], done=False), (502, "upstream_error", "upstream_cut_short", None)),
        (sse([b": nothing\n\n"], done=False), (502, "upstream_error", "upstream_cut_short", None)),
        (sse([CUT]), (502, "upstream_error", "upstream_cut_short", None)),
        (sse(["no JSON"]), (502, "upstream_error", "bad_upstream_response", None)),
        (sse([b"data: {\n\n"]), (502, "upstream_error", "bad_upstream_response", None)),
        (
            sse([error_body("Slow down", "rate_limit_error", code="rate_limit_exceeded")]),
            (429, "rate_limit_error", "rate_limit_exceeded", None),
        ),
        (sse([error_body(code=None)]), (502, "server_error", None, None)),
        (sse([{"error": {"message": "m", "code": 503}}]), (503, "server_error", None, None)),
        (sse([{"error": "a text"}]), (502, "server_error", None, None)),
    ],
)
def test_what_fails_before_the_first_event_has_the_status_of_a_failure(
    client: FlaskClient,
    upstream: Upstream,
    lines: list[Any],
    planned: Answer,
    wanted: tuple[int, str, str | None, str | None],
) -> None:
    upstream.plays(planned)

    got = posted(client, asks(stream=True))

    assert failed(got) == wanted
    assert [line["status"] for line in lines] == [wanted[0]]


# The client's end


def test_the_upstream_is_closed_when_the_client_leaves(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([SAID[0], HANG]))
    reply = client.post(CHAT, json=asks(stream=True))
    assert next(iter(reply.response)) == event(SAID[0])
    assert lines == []

    reply.close()

    assert upstream.requests[0].closed_by_peer.wait(1)
    (line,) = lines
    assert (line["status"], line["aborted"], line["usage_estimated"]) == (200, True, True)
    assert "error" not in line
