"""x-should-retry: on every error that the gateway answers with, `true` only where it may help."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import refused_url
from testing.upstream import sse
from werkzeug.test import TestResponse

from llmgate import errors
from llmgate.access import refusals
from llmgate.endpoints import spooled_bodies
from llmgate.inbound import admission
from llmgate.inbound import disconnect
from llmgate.pipeline import multi_model

AppFor = Callable[..., FlaskClient]
FRONTS = (CHAT, "/v1/messages", "/v1/responses", "/api/engine/chat/openai")
HTML = {"content-type": "text/html"}
AGAIN = {
    admission.Overloaded,
    errors.RateLimited,
    errors.RequestTimeout,
    errors.OutOfResources,
    errors.Unreachable,
    refusals.StoreUnavailable,
    spooled_bodies.StorageFailed,
    disconnect.ShuttingDown,
}


def kinds(above: type[errors.GateError]) -> Iterator[type[errors.GateError]]:
    """Yield *above* and all that are made of it."""
    yield above
    for kind in above.__subclasses__():
        yield from kinds(kind)


def said(reply: TestResponse) -> tuple[int, list[str]]:
    """Return the status of *reply*, and what it says of trying again."""
    return reply.status_code, reply.headers.getlist("x-should-retry")


def test_every_kind_says_whether_to_try_again() -> None:
    found = list(kinds(errors.GateError))

    assert {kind for kind in found if kind.retry} == AGAIN
    assert {multi_model.Superseded, disconnect.ClientDisconnected, errors.BadUpstream} < {*found}


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (400, None, "false"),
        (401, None, "false"),
        (403, None, "false"),
        (404, None, "false"),
        (408, None, "true"),
        (409, None, "true"),
        (413, None, "false"),
        (422, None, "false"),
        (429, None, "true"),
        (429, "rate_limit_exceeded", "true"),
        (429, "insufficient_quota", "false"),
        (500, None, "true"),
        (501, None, "false"),
        (502, None, "true"),
        (503, None, "true"),
        (504, None, "true"),
        (529, None, "true"),
    ],
)
def test_a_refusal_says_it_by_its_status(
    client: FlaskClient, upstream: Upstream, status: int, code: str | None, wanted: str
) -> None:
    upstream.plays(json_answer(error_body(code=code), status))

    assert said(posted(client, asks())) == (status, [wanted])


@pytest.mark.parametrize(("status", "word"), [(400, "true"), (429, "false"), (500, "false")])
def test_what_the_upstream_says_itself_goes_first(
    client: FlaskClient, upstream: Upstream, status: int, word: str
) -> None:
    upstream.plays(json_answer(error_body(), status, {"x-should-retry": word}))

    assert said(posted(client, asks())) == (status, [word])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "planned",
    [
        answer([b"<html>"], headers=HTML),
        answer([], status=204),
        answer([], status=302),
        json_answer(b""),
        json_answer(b"[]"),
        sse([], done=False),
        raw(b"nothing of HTTP\r\n\r\n"),
        raw(CUT),
        answer([b'{"choices":', CUT], framing="chunked"),
    ],
)
def test_an_answer_of_no_use_may_have_been_billed(
    client: FlaskClient, upstream: Upstream, planned: Answer, stream: bool
) -> None:
    upstream.plays(planned)

    assert said(posted(client, asks(stream=stream))) == (502, ["false"])


@pytest.mark.parametrize("path", FRONTS)
@pytest.mark.parametrize(
    ("make", "status", "wanted"),
    [
        (lambda up: raw(HANG), 504, "false"),
        (lambda up: json_answer(error_body(), 429), 429, "true"),
        (lambda up: None, 503, "true"),
    ],
)
def test_every_front_says_it(
    app_for: AppFor, upstream: Upstream, path: str, make: Any, status: int, wanted: str
) -> None:
    planned = make(upstream)
    upstream.plays(planned or raw(HANG))
    url = upstream.url if planned else refused_url()
    names = ("gpt-4o", "openai/gpt-4o")
    found = [deployment(name, url, timeout=0.2, num_retries=0) for name in names]
    client = app_for({"model_list": found})
    body = asks(max_tokens=9, input="Hi", chat_input="Hi", provider="openai")

    assert said(posted(client, body, path)) == (status, [wanted])


@pytest.mark.parametrize(
    ("method", "path", "data", "kind", "status"),
    [
        ("POST", CHAT, b"{", "application/json", 400),
        ("POST", CHAT, b"{}", "application/json", 400),
        ("POST", CHAT, b'{"model":"x","messages":[{"role":"user"}]}', "application/json", 404),
        ("POST", "/v1/nothing", b"", "application/json", 404),
        ("DELETE", CHAT, b"", "application/json", 405),
        ("POST", CHAT, b"<a/>", "text/xml", 415),
        ("POST", CHAT, b" " * 2_000_000, "application/json", 413),
        ("POST", "/v1/audio/transcriptions", b"", "application/json", 415),
    ],
)
def test_a_request_of_no_use_is_to_be_mended(
    app_for: AppFor, upstream: Upstream, method: str, path: str, data: bytes, kind: str, status: int
) -> None:
    client = app_for(config_for(upstream) | {"llmgate_settings": {"max_body_mb": 1}})

    got = client.open(path, method=method, data=data, content_type=kind)

    assert said(got) == (status, ["false"])


def test_a_wrong_key_is_to_be_mended(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for(config_for(upstream) | {"general_settings": {"master_key": "sk-123456"}})

    assert said(posted(client, asks())) == (401, ["false"])


def test_a_fault_of_ours_is_not_tried_again(
    client: FlaskClient, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.application.extensions, "llmgate", None)

    assert said(posted(client, asks())) == (500, ["false"])


def test_limits_that_are_reached_are_waited_for(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url, rpm=1)]})
    upstream.plays(json_answer(error_body(), 400))

    posted(client, asks())

    assert said(posted(client, asks())) == (429, ["true"])
