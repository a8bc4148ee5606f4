"""An upstream that drips (U16): a byte now and then is no reason to wait for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Pause
from testing.upstream import Repeat
from testing.upstream import Step
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import event
from testing.upstream import image
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse

AppFor = Callable[..., FlaskClient]
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
WHOLE = json.dumps(chat_completion()).encode()
HEAD = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200
TIMEOUT = (504, "upstream_error", "upstream_timeout", None)
IMAGE = {"model": "gpt-4o", "prompt": "An otter"}


def dripping(data: bytes) -> list[bytes | Step]:
    """Return *data* byte by byte, each well within the longest silence."""
    found: list[bytes | Step] = []
    for at in range(len(data)):
        found += [data[at : at + 1], Pause(0.02)]
    return found


@pytest.fixture
def patient(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway that gives a request 0.4 s in all."""
    given = {"model_list": [deployment("gpt-4o", upstream.url, num_retries=0, timeout=0.4)]}
    settings = {"disable_cooldowns": True, "timeout": 0.4}
    return shared_app_for({**given, "router_settings": settings})


@pytest.mark.fault("U16")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "planned",
    [
        raw(*dripping(HEAD)),
        raw(*dripping(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 90)),
        raw(*dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 20)),
        answer(dripping(WHOLE), headers={**JSON, "content-length": f"{len(WHOLE)}"}),
        answer(dripping(WHOLE), headers=JSON, framing="chunked"),
        answer(dripping(WHOLE), headers=JSON, framing="close"),
        answer(dripping(event(chat_chunks("x")[0])), headers=EVENTS, framing="chunked"),
        answer(dripping(b": wait\n\n" * 20), headers=EVENTS, framing="chunked"),
    ],
)
def test_an_answer_that_drips_is_given_up(
    patient: FlaskClient, upstream: Upstream, lines: list[Any], planned: Answer, stream: bool
) -> None:
    upstream.plays(planned)
    begun = time.monotonic()

    got = posted(patient, asks(stream=stream))

    assert failed(got) == TIMEOUT
    assert 0.3 < time.monotonic() - begun < 1.5
    assert upstream.requests[0].closed_by_peer.wait(2)
    assert [line["error_code"] for line in lines] == ["upstream_timeout"]


@pytest.mark.fault("U16")
def test_a_refusal_that_drips_keeps_its_status(patient: FlaskClient, upstream: Upstream) -> None:
    words = json.dumps(error_body("It broke. " * 9)).encode()
    upstream.plays(answer(dripping(words), status=500, headers=JSON, framing="chunked"))
    begun = time.monotonic()

    assert failed(posted(patient, asks())) == (500, "server_error", None, None)
    assert time.monotonic() - begun < 1.5


def test_a_whole_answer_that_is_passed_on_has_no_more_time(
    patient: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    data = json.dumps(image()).encode() + b" " * 200
    upstream.plays(answer(dripping(data), headers=JSON, framing="chunked"))
    begun = time.monotonic()

    with pytest.raises(ConnectionResetError):
        posted(patient, IMAGE, "/v1/images/generations")

    assert time.monotonic() - begun < 1.5
    assert [line["error_code"] for line in lines] == ["upstream_timeout"]


def test_a_stream_that_has_begun_may_last(patient: FlaskClient, upstream: Upstream) -> None:
    first, *rest = chat_chunks("Hel", "lo")
    pieces = [event(first), *dripping(b": wait\n\n" * 5)]
    pieces += [event(each) for each in rest] + [event("[DONE]")]
    upstream.plays(answer(pieces, headers=EVENTS, framing="chunked"))
    begun = time.monotonic()

    got = posted(patient, asks(stream=True))

    assert got.data.endswith(b"data: [DONE]\n\n")
    assert time.monotonic() - begun > 0.6


STREAM_LIMIT = {"code": "stream_time_limit", "type": "timeout_error", "param": None}


@pytest.mark.fault("U16")
@pytest.mark.parametrize(
    "endless",
    [
        [Repeat(b": wait\n\n")],  # without a pause
        [Repeat(event(chat_chunks("x")[0]))],
        dripping(b": wait\n\n" * 50),
        [HANG],
    ],
)
def test_a_stream_ends_at_its_time_limit(
    app_for: AppFor, upstream: Upstream, lines: list[Any], endless: list[Any]
) -> None:
    own = {"stream_max_seconds": 0.4, "heartbeat": {"first": 0.1, "every": 0.1}}
    client = app_for(config_for(upstream) | {"llmgate_settings": own})
    first = event(chat_chunks("Hello")[0])
    upstream.plays(answer([first, *endless], headers=EVENTS, framing="chunked"))
    begun = time.monotonic()

    got = posted(client, asks(stream=True))

    assert 0.4 < time.monotonic() - begun < 3
    assert got.data.startswith(first) and b"[DONE]" not in got.data
    told = json.loads(got.data.rstrip().rpartition(b"data: ")[2])["error"]
    assert told.pop("message").startswith("The stream has reached the gateway's limit of 0.4 s.")
    assert told == STREAM_LIMIT
    assert upstream.requests[0].closed_by_peer.wait(2)
    assert [line["error_code"] for line in lines] == ["stream_time_limit"]


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        ("/v1/messages", {"max_tokens": 9}, b'"type":"error"'),
        ("/v1/responses", {"input": "Hi"}, b'"response.failed"'),
        ("/openai/v1/chat/completions", {}, b'"stream_time_limit"'),
    ],
)
def test_every_api_tells_of_the_time_limit_in_its_own_way(
    app_for: AppFor, upstream: Upstream, path: str, body: dict[str, Any], shape: bytes
) -> None:
    models = [deployment("gpt-4o", upstream.url, "groq/some")]  # it speaks chat only
    if path.startswith("/openai/"):
        models = [deployment("gpt-4o", upstream.url)]
    client = app_for({"model_list": models}, LLMGATE_STREAM_MAX_SECONDS="0.3")
    pieces = [event(chat_chunks("Hello")[0]), *dripping(b": wait\n\n" * 50)]
    upstream.plays(answer(pieces, headers=EVENTS, framing="chunked"))
    asked = {**asks(stream=True), **body}
    if "input" in body:
        del asked["messages"]

    got = posted(client, asked, path).data

    assert shape in got.replace(b'": ', b'":') and b"reached the gateway's limit" in got


def test_a_stream_that_is_long_is_no_fault_of_its_deployment(
    app_for: AppFor, upstream: Upstream
) -> None:
    router = {"allowed_fails": 0, "num_retries": 0}
    own = {"stream_max_seconds": 0.2}
    given = config_for(upstream) | {"router_settings": router, "llmgate_settings": own}
    client = app_for(given)
    upstream.plays(sse([chat_chunks("Hello")[0], HANG]))
    posted(client, asks(stream=True))
    upstream.plays(json_answer(chat_completion()))

    assert posted(client, asks()).status_code == 200


def test_a_kept_connection_is_used_again_after_a_slow_head(
    patient: FlaskClient, upstream: Upstream
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    whole = head + b"%d\r\n\r\n" % len(WHOLE) + WHOLE
    upstream.plays(raw(whole[:30], Pause(0.1), whole[30:]))

    got = [posted(patient, asks()).status_code for _ in range(3)]

    assert got == [200] * 3
    assert upstream.requests[0].path == CHAT
