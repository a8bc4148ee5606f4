"""What the log says of an upstream whose answer was of no use: enough for whoever is on call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import API_KEY
from testing.gateway import deployment
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import refused_url
from testing.upstream import sse

from llmgate import contract
from llmgate.upstream.excerpt import ResponseExcerpt

AppFor = Callable[..., FlaskClient]
HTML = {"content-type": "text/html; charset=utf-8"}
TEXT = {"content-type": "text/plain"}
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title><style>a{b:c}</style></head>\n"
    b"<body><center><h1>502 Bad Gateway</h1></center><hr>nginx/1.2&nbsp;&amp; co</body></html>"
)
WORDS = "502 Bad Gateway 502 Bad Gateway nginx/1.2 & co"
PROMPT = "Tell me, please, what my colleague Rosalind earns."


def told(lines: list[Any]) -> Any:
    """Return what the only line says of the upstream."""
    (line,) = lines
    return line["upstream"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_page_is_told_with_its_place_its_status_and_its_words(
    client: FlaskClient, upstream: Upstream, lines: list[Any], status: int, stream: bool
) -> None:
    upstream.plays(answer([PAGE], status=status, headers={**HTML, "x-request-id": "req-7"}))

    posted(client, asks(stream=stream))

    assert told(lines) == {
        "host": upstream.url.removeprefix("http://"),
        "status": status,
        "content_type": "text/html; charset=utf-8",
        "request_id": "req-7",
        "said": WORDS,
    }


@pytest.mark.parametrize(
    ("planned", "said"),
    [
        (json_answer(b""), "(empty)"),
        (answer([], status=204), "(empty)"),
        (json_answer(b"[]"), "(a JSON array of 0)"),
        (json_answer(b"null"), "(JSON, neither object nor array)"),
        (json_answer({"answer": "Rosalind", "no name": 1}), "(a JSON object: answer)"),
        (json_answer({"x": 1}, 500), "(a JSON object: x)"),
        (json_answer(b'{"a": "Rosalind'), "(15 bytes of JSON, incomplete)"),
        (json_answer(b"[" * 9999), "(many bytes of JSON, incomplete)"),
        (
            answer([b'{"choices":', CUT], framing="chunked"),
            "(11 bytes of JSON, incomplete)",
        ),
        (answer([b"Rosalind"], headers=TEXT), "(8 bytes of text/plain)"),
        (answer([b"no healthy upstream"], status=503, headers=TEXT), "no healthy upstream"),
        (answer([b"\xff\xfe\x00"], status=503, headers={}), "(3 bytes of no content type)"),
        (answer([b"<html></html>"], status=503, headers=HTML), "(no text)"),
        (sse(chat_chunks("Rosalind")), "(events)"),
    ],
)
def test_what_may_be_an_answer_is_told_by_its_kind_alone(
    client: FlaskClient, upstream: Upstream, lines: list[Any], planned: Answer, said: str
) -> None:
    upstream.plays(planned)

    posted(client, asks())

    assert told(lines)["said"] == said
    assert "Rosalind" not in str(lines)


def test_a_stream_that_breaks_off_is_told_of(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse([chat_chunks("Rosalind")[0], CUT]))

    posted(client, asks(stream=True))

    assert (told(lines)["status"], told(lines)["said"]) == (200, "(events)")


@pytest.mark.parametrize(
    "page",
    [
        f"<html>Your request was: {PROMPT}",
        f"<html>{PROMPT.upper()}".replace(" ", "\n"),
        f"<html>blocked: {PROMPT[8:32]}...",
        "<html>Tell me, please, what my <b>colleague</b> did",
        "<html>pin 1234 is wrong",
        f"<html>{PROMPT}".replace(",", "&#44;"),
    ],
)
def test_a_page_that_repeats_the_prompt_is_not_told(
    client: FlaskClient, upstream: Upstream, lines: list[Any], page: str
) -> None:
    upstream.plays(answer([page.encode()], status=500, headers=HTML))
    said = [{"role": "system", "content": "1234"}, {"role": "user", "content": PROMPT}]

    posted(client, asks(messages=said))

    assert told(lines)["said"] == "(not shown: it repeats the request)"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (f"<html>bad key {API_KEY}", "bad key ***"),
        ("<html>bad key sk-proj-0123456789abcdef", "bad key ***"),
        ("<html>token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 expired", "token *** expired"),
        ("<html>" + "Bad Gateway! " * 1000, ("Bad Gateway! " * 16)[:200]),
        ("<html>a\n\r\n\tb\u2028c", "a b c"),
        ("<script>var x = 1;", ""),
    ],
)
def test_a_page_is_told_on_one_line_without_secrets(
    client: FlaskClient, upstream: Upstream, lines: list[Any], page: str, said: str
) -> None:
    upstream.plays(answer([page.encode()], status=500, headers=HTML))

    posted(client, asks())

    assert told(lines)["said"] == (said or "(no text)")


def test_a_refusal_that_was_understood_is_told_once(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer(error_body("It broke."), 500, {"cf-ray": "8f"}))

    posted(client, asks())

    assert told(lines) == {
        "host": upstream.url.removeprefix("http://"),
        "status": 500,
        "content_type": "application/json",
        "request_id": "8f",
    }
    assert lines[0]["error"] == "It broke."


@pytest.mark.parametrize("planned", [raw(HANG), None])
def test_an_upstream_without_an_answer_is_named(
    app_for: AppFor, upstream: Upstream, lines: list[Any], planned: Answer | None
) -> None:
    url = refused_url() if planned is None else upstream.url
    entry = deployment("gpt-4o", url.replace("//", "//user:pass@"), timeout=0.2, num_retries=0)
    upstream.plays(planned or raw(HANG))

    posted(app_for({"model_list": [entry]}), asks())

    assert told(lines) == {"host": url.removeprefix("http://")}


def test_a_success_and_a_refusal_of_ours_tell_nothing_of_it(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(json_answer(chat_completion()))

    posted(client, asks())
    posted(client, asks(model="none"))

    assert [line["status"] for line in lines] == [200, 404]
    assert [line for line in lines if "upstream" in line] == []


def test_a_long_request_is_not_looked_through() -> None:
    excerpt = ResponseExcerpt()
    excerpt.record_request("https://api.example.com/v1")
    page = answer_of(PAGE)
    list(excerpt.record_response(page).pieces)

    fields = excerpt.log_fields(True, {"input": "x" * 1_100_000}, ())

    assert fields["said"].startswith("(not shown: the req")


def answer_of(data: bytes) -> Any:
    """Return an answer with *data*, a refusal."""
    return contract.Answer(500, {"content-type": "text/html"}, iter([data]), lambda: None)
