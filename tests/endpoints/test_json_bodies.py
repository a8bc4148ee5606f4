"""What a request body may be: read with care, refused with a reason, never a 500."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

AppFor = Callable[..., FlaskClient]
NO_JSON = (400, "invalid_request_error", "invalid_json", "body")
TOO_LARGE = (413, "invalid_request_error", "request_too_large", None)
MEDIA = (415, "invalid_request_error", "unsupported_media_type", None)
MESSAGES = b'"messages":[{"role":"user","content":"Hi"}]'


def having(extra: bytes) -> bytes:
    """Return a good body with the member *extra*."""
    return b'{"model":"gpt-4o",' + MESSAGES + b"," + extra + b"}"


def nested(levels: int) -> bytes:
    """Return a good body nested so deep."""
    inner = levels - 1
    return having(b'"x":' + b'{"a":[' * (inner // 2) + b"[]" * (inner % 2) + b"]}" * (inner // 2))


def refused(client: FlaskClient, upstream: Upstream, body: Any) -> tuple[Any, ...]:
    """Return how *body* is refused; nothing of it has gone upstream."""
    got = posted(client, body)
    assert b"Traceback" not in got.data
    assert upstream.requests == []
    return failed(got)


# No JSON that could be used


@pytest.mark.fault("C13", "C14", "C16", "C17")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"hello",
        b"{'model': 'gpt-4o'}",
        b'{"model":"gpt-4o"} x',
        b'{"model":"gpt-4o",}',
        b'{"model":"a\nb"}',
        b"model=gpt-4o&messages=Hi",
        b"null",
        b"true",
        b"7",
        b'"gpt-4o"',
        b"[]",
        b'[{"model":"gpt-4o"}]',
        having(b'"temperature":NaN'),
        having(b'"temperature":Infinity'),
        having(b'"temperature":-Infinity'),
        having(b'"temperature":1e999'),
        having(b'"temperature":-1e999'),
        having(b'"seed":' + b"9" * 5000),
        having(b'"x":"\xff"'),
        having(b'"x":"\xed\xa0\x80"'),
        b"\xff" + having(b'"x":1'),
        having(b'"x":1').decode().encode("utf-16"),
        having(b'"x":1').decode().encode("utf-16-le"),
        having(b'"x":1').decode().encode("utf-32"),
        b"\x00" + having(b'"x":1'),
        b"\x1f\x8b\x08\x00",
        nested(102),
        nested(1000),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_usable_json_is_refused(
    client: FlaskClient, upstream: Upstream, body: bytes
) -> None:
    assert refused(client, upstream, body) == NO_JSON


def test_a_refusal_does_not_speak_of_python(client: FlaskClient) -> None:
    got = [
        posted(client, having(b'"seed":' + digits)).get_json()["error"]["message"]
        for digits in (b"9" * 5000, b"1e999", b"NaN")
    ]

    assert got == [
        "Invalid JSON in request body: a number is too large.",
        "Invalid JSON in request body: a number is too large.",
        "Invalid JSON in request body: NaN is not a valid JSON number.",
    ]


@pytest.mark.fault("C15", "C16", "C17", "S21")
@pytest.mark.parametrize(
    "body",
    [
        having(b'"x":1'),
        b"\xef\xbb\xbf" + having(b'"x":1'),
        b"\r\n\t " + having(b'"x":1') + b"\n",
        having(b'"x":"\\ud800"'),
        having(b'"x":"\\u0000"'),
        having(b'"x":-0.0'),
        having(b'"x":1e308'),
        having(b'"x":' + b"9" * 4000),
        having(b'"x":1,"x":2'),
        having('"x":"\u2028\U0001f9a6"'.encode()),
        nested(90),
    ],
)
def test_what_is_odd_but_json_arrives_upstream(
    client: FlaskClient, upstream: Upstream, body: bytes
) -> None:
    upstream.plays(json_answer(chat_completion()))

    got = posted(client, body)

    assert got.status_code == 200
    assert upstream.requests[0].json == json.loads(body)


# JSON of another shape


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "model", "missing_required_parameter"),
        ({"messages": []}, "model", "missing_required_parameter"),
        ({"model": "gpt-4o"}, "messages", "missing_required_parameter"),
        (asks(model=None), "model", "invalid_type"),
        (asks(model=""), "model", "invalid_value"),
        (asks(model=7), "model", "invalid_type"),
        (asks(model=["gpt-4o"]), "model", "invalid_type"),
        (asks(model={"a": 1}), "model", "invalid_type"),
        (asks(messages=[]), "messages", "invalid_value"),
        (asks(messages=None), "messages", "invalid_type"),
        (asks(messages="Hi"), "messages", "invalid_type"),
        (asks(messages={"role": "user"}), "messages", "invalid_type"),
        (asks(messages=["Hi"]), "messages[0]", "invalid_type"),
        (asks(messages=[{}]), "messages[0].role", "missing_required_parameter"),
        (asks(messages=[{"role": 7}]), "messages[0].role", "invalid_type"),
        (
            asks(messages=[{"role": "user", "content": 7}]),
            "messages[0].content",
            "invalid_type",
        ),
        (
            asks(messages=[{"role": "user", "content": [{"text": "Hi"}]}]),
            "messages[0].content[0].type",
            "missing_required_parameter",
        ),
        (asks(stream="yes"), "stream", "invalid_type"),
        (asks(stream=1), "stream", "invalid_type"),
        (asks(stream_options=[]), "stream_options", "invalid_type"),
        (asks(temperature="hot"), "temperature", "invalid_type"),
        (asks(max_tokens=1.5), "max_tokens", "invalid_type"),
        (asks(n=0), "n", "invalid_value"),
        (asks(tools={}), "tools", "invalid_type"),
        (asks(tags="a"), "tags", "invalid_type"),
        (asks(user=7), "user", "invalid_type"),
    ],
)
def test_json_of_another_shape_is_refused_naming_the_place(
    client: FlaskClient, upstream: Upstream, body: Any, param: str, code: str
) -> None:
    assert refused(client, upstream, body) == (400, "invalid_request_error", code, param)


def test_a_refusal_does_not_repeat_the_value(client: FlaskClient) -> None:
    got = posted(client, asks(messages="a secret prompt"))

    assert b"a secret prompt" not in got.data


@pytest.mark.parametrize("name", ["api_base", "base_url", "model_list"])
def test_an_address_of_the_clients_own_is_refused(
    client: FlaskClient, upstream: Upstream, name: str
) -> None:
    value: Any = {"model_list": [{}]}.get(name, "http://x")

    got = refused(client, upstream, asks(**{name: value}))

    assert got == (403, "permission_error", "client_address_not_allowed", name)


@pytest.mark.parametrize("key", ["os.environ/OPENAI_API_KEY", "oidc/x", "a b", "é", "a\r\nb: c"])
def test_a_key_of_the_clients_own_is_the_key_itself(
    client: FlaskClient, upstream: Upstream, key: str
) -> None:
    got = refused(client, upstream, asks(api_key=key))

    assert got == (400, "invalid_request_error", None, "api_key")


# Too large


@pytest.fixture
def small(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway that takes bodies of 10 kB."""
    upstream.plays(json_answer(chat_completion()))
    return shared_app_for(
        config_for(upstream) | {"llmgate_settings": {"max_body_mb": 10_000 / 2**20}}
    )


def sized(size: int) -> bytes:
    """Return a good body of *size* bytes."""
    start = having(b'"x":"')[:-1]
    return start + b"x" * (size - len(start) - 2) + b'"}'


def test_a_body_of_the_largest_size_is_taken(small: FlaskClient) -> None:
    assert posted(small, sized(10_000)).status_code == 200


def test_a_body_above_the_largest_size_is_refused(small: FlaskClient, upstream: Upstream) -> None:
    assert refused(small, upstream, sized(10_001)) == TOO_LARGE


@pytest.mark.fault("C12")
def test_a_body_above_the_largest_size_is_not_read(small: FlaskClient) -> None:
    unread = io.BytesIO(b"x" * 20_000)

    got = small.post(
        CHAT,
        input_stream=unread,
        content_type="application/json",
        headers={"Content-Length": "20000"},
    )

    assert failed(got) == TOO_LARGE
    assert unread.tell() == 0


def chunked(client: FlaskClient, body: bytes) -> Any:
    """Return the answer to a *body* of unknown length."""
    return client.post(
        CHAT,
        input_stream=io.BytesIO(body),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        buffered=True,
    )


@pytest.mark.fault("C8")
def test_a_body_of_unknown_length_is_read_up_to_the_largest_size(small: FlaskClient) -> None:
    got = chunked(small, sized(10_000)), chunked(small, sized(10_001))

    assert got[0].status_code == 200
    assert failed(got[1]) == TOO_LARGE


@pytest.mark.fault("C9")
def test_a_body_shorter_than_it_says_is_refused(client: FlaskClient) -> None:
    got = client.post(
        CHAT,
        input_stream=io.BytesIO(having(b'"x":1')),
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": "9999"},
    )

    assert failed(got) == (400, "invalid_request_error", None, None)


# Dressed as something else


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "text/plain",
        "application/x-www-form-urlencoded",
    ],
)
def test_json_is_read_whatever_curl_calls_it(
    client: FlaskClient, upstream: Upstream, kind: str
) -> None:
    upstream.plays(json_answer(chat_completion()))

    got = posted(client, asks(), Content_Type=kind)

    assert got.status_code == 200
    assert upstream.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data; boundary=x", "application/xml", "application/octet-stream", "a/b; x"],
)
def test_what_is_called_something_else_is_refused(
    client: FlaskClient, upstream: Upstream, kind: str
) -> None:
    got = posted(client, asks(), Content_Type=kind)

    assert failed(got) == MEDIA
    assert upstream.requests == []


@pytest.mark.fault("S17")
@pytest.mark.parametrize("coding", ["br", "compress", "gzip, identity", "BR"])
def test_an_unknown_coding_is_refused(client: FlaskClient, upstream: Upstream, coding: str) -> None:
    got = posted(client, asks(), Content_Encoding=coding)

    assert failed(got) == MEDIA
    assert upstream.requests == []


def test_an_uncompressed_body_may_say_so(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))

    assert posted(client, asks(), Content_Encoding="identity").status_code == 200
