"""Forms with files: what a client uploads is what the upstream receives."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.inprocess import failed
from testing.sockets import connected
from testing.sockets import received
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import transcription
from werkzeug.test import TestResponse

AppFor = Callable[..., FlaskClient]
PATH = "/v1/audio/transcriptions"
INCOMPLETE = (400, "invalid_request_error", None, None)
TOO_LARGE = (413, "invalid_request_error", "request_too_large", None)
ODD = bytes(range(256)) * 5 + b"\r\n--x\r\n\r\n--x--\r\n"


def part(name: str, content: bytes | str, filename: str | None = None, kind: str = "") -> bytes:
    """Return one part of a form; *name* and *filename* as they stand on the wire."""
    head = f'Content-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {kind}" if kind else ""
    data = content if isinstance(content, bytes) else content.encode()
    return (
        b"--b0undary\r\n" + head.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + data + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    """Return a whole form."""
    return b"".join(parts) + b"--b0undary--\r\n"


SPOKEN = part("file", ODD, "speech.mp3", "audio/mpeg")
MODEL = part("model", "whisper-1")


def sent(client: FlaskClient, body: bytes, path: str = PATH, **more: Any) -> TestResponse:
    """Return the answer to a form."""
    kind = "multipart/form-data; boundary=b0undary"
    return client.post(path, data=body, content_type=kind, buffered=True, **more)


def fields_of(seen: Seen) -> list[tuple[str, bytes]]:
    """Return each part's head, less its boundary, with its content, in their order."""
    boundary = b"--" + seen.headers["content-type"].partition("boundary=")[2].encode()
    assert seen.body.endswith(boundary + b"--\r\n")
    parts = seen.body.removesuffix(boundary + b"--\r\n").split(boundary + b"\r\n")[1:]
    found = [each.removesuffix(b"\r\n").partition(b"\r\n\r\n") for each in parts]
    return [(head.decode(), content) for head, _, content in found]


@pytest.fixture(autouse=True)
def answered(upstream: Upstream) -> None:
    upstream.plays(json_answer(transcription()))


# What arrives


def test_the_upstream_receives_the_same_file_and_fields(
    client: FlaskClient, upstream: Upstream
) -> None:
    fields = [
        part("response_format", "verbose_json"),
        part("timestamp_granularities[]", "word"),
        part("timestamp_granularities[]", "segment"),
        part("prompt", "Zwei Läufe,\r\n--b0undar"),
        part("something_new", ""),
    ]

    got = sent(client, form(MODEL, *fields, SPOKEN))

    assert got.get_json() == transcription()
    (seen,) = upstream.requests
    assert seen.path == "/v1/audio/transcriptions"
    assert seen.headers["authorization"] == "Bearer sk-upstream-secret"
    assert fields_of(seen) == [
        ('Content-Disposition: form-data; name="model"', b"whisper-1"),
        ('Content-Disposition: form-data; name="response_format"', b"verbose_json"),
        ('Content-Disposition: form-data; name="timestamp_granularities[]"', b"word"),
        ('Content-Disposition: form-data; name="timestamp_granularities[]"', b"segment"),
        (
            'Content-Disposition: form-data; name="prompt"',
            "Zwei Läufe,\r\n--b0undar".encode(),
        ),
        ('Content-Disposition: form-data; name="something_new"', b""),
        (
            'Content-Disposition: form-data; name="file"; filename="speech.mp3"\r\n'
            "Content-Type: audio/mpeg",
            ODD,
        ),
    ]


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000, 1_000_000])
def test_a_file_of_any_size_arrives_whole(
    client: FlaskClient, upstream: Upstream, size: int
) -> None:
    content = (ODD * (size // len(ODD) + 1))[:size]

    sent(client, form(MODEL, part("file", content, "a.mp3", "audio/mpeg")))

    (seen,) = upstream.requests
    assert seen.parts["file"] == ("a.mp3", "audio/mpeg", content)
    assert seen.headers["content-length"] == str(len(seen.body))


def test_several_files_of_one_name_arrive_in_their_order(
    client: FlaskClient, upstream: Upstream
) -> None:
    images = [part("image[]", bytes([n]) * 9, f"{n}.png", "image/png") for n in range(3)]

    words = [part("prompt", "x"), part("model", "dall-e-3")]

    got = sent(client, form(*words, *images), "/v1/images/edits")

    assert got.status_code == 200
    assert fields_of(upstream.requests[0])[2:] == [
        (
            f'Content-Disposition: form-data; name="image[]"; filename="{n}.png"\r\n'
            "Content-Type: image/png",
            bytes([n]) * 9,
        )
        for n in range(3)
    ]


@pytest.mark.fault("S16")
@pytest.mark.parametrize(
    ("given", "arrived"),
    [
        ("speech.mp3", "speech.mp3"),
        ("Grüße \U0001f9a6.mp3", "Grüße \U0001f9a6.mp3"),
        ("a b;c=d,e.mp3", "a b;c=d,e.mp3"),
        ("/etc/passwd", "passwd"),
        ("../../x.mp3", "x.mp3"),
        ("C:\\\\dir\\\\x.mp3", "x.mp3"),
        ('a\\"; name=\\"b.mp3', "a_; name=_b.mp3"),
        ("a%22%0d%0aX: y.mp3", "a_%0d%0aX: y.mp3"),
        ("a\tb\x7fc.mp3", "a_b_c.mp3"),
        ("x" * 300 + ".mp3", "x" * 255),
        ("", None),
    ],
)
def test_a_file_name_cannot_break_out(
    client: FlaskClient, upstream: Upstream, given: str, arrived: str | None
) -> None:
    got = sent(client, form(MODEL, part("file", ODD, given, "audio/mpeg")))

    assert got.status_code == 200
    heads = [head for head, content in fields_of(upstream.requests[0]) if content == ODD]
    wanted = "file" if arrived is None else arrived
    assert heads == [
        f'Content-Disposition: form-data; name="file"; filename="{wanted}"\r\n'
        "Content-Type: audio/mpeg"
    ]


@pytest.mark.parametrize("name", ['a\\"; x=\\"y', "a\tb", "a\x00b", "x" * 300])
def test_a_field_name_cannot_break_out(client: FlaskClient, upstream: Upstream, name: str) -> None:
    got = sent(client, form(MODEL, part(name, "1"), SPOKEN))

    assert got.status_code == 200
    heads = [head for head, _ in fields_of(upstream.requests[0])]
    assert len(heads) == 3
    assert all(head.count("\r\n") == (head.count("filename") > 0) for head in heads)


@pytest.mark.parametrize(
    ("kind", "arrived"),
    [
        ("audio/x-m4a", "audio/x-m4a"),
        ("audio/webm; codecs=opus", "audio/webm"),
        ("", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("a/b\tc", "application/octet-stream"),
    ],
)
def test_a_files_type_is_a_type(
    client: FlaskClient, upstream: Upstream, kind: str, arrived: str
) -> None:
    sent(client, form(MODEL, part("file", ODD, "a.mp3", kind)))

    assert upstream.requests[0].parts["file"].content_type == arrived


def test_a_second_attempt_sends_the_same_file(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(
        json_answer(error_body(), 503, {"retry-after": "0"}), json_answer(transcription())
    )
    long = ODD * 100

    got = sent(app_for(config_for(upstream)), form(MODEL, part("file", long, "a.mp3", "a/b")))

    assert got.status_code == 200
    first, second = upstream.requests
    assert first.parts["file"].content == second.parts["file"].content == long


# What stays here


def test_what_is_the_gates_own_goes_no_further(
    client: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    own = [part("user", "u1"), part("tags", "a,b"), part("metadata", "notes"), part("timeout", "9")]

    sent(client, form(MODEL, *own, SPOKEN))

    assert {*upstream.requests[0].parts} == {"model", "user", "file"}
    (line,) = lines
    assert (line["user"], line["tags"], line["metadata"]) == ("u1", ["a", "b"], "notes")


@pytest.mark.parametrize("name", ["api_base", "base_url"])
def test_an_address_in_a_form_is_refused(
    client: FlaskClient, upstream: Upstream, name: str
) -> None:
    got = sent(client, form(MODEL, part(name, "http://x"), SPOKEN))

    assert failed(got) == (403, "permission_error", "client_address_not_allowed", name)
    assert upstream.requests == []


# What is refused


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (form(SPOKEN), (400, "invalid_request_error", "missing_required_parameter", "model")),
        (form(MODEL), (400, "invalid_request_error", "missing_required_parameter", "file")),
        (
            form(MODEL, part("file", "text")),
            (400, "invalid_request_error", "missing_required_parameter", "file"),
        ),
        (
            form(MODEL, MODEL, SPOKEN),
            (400, "invalid_request_error", "invalid_type", "model"),
        ),
        (
            form(part("model", ""), SPOKEN),
            (400, "invalid_request_error", "invalid_value", "model"),
        ),
        (
            form(part("model", b"whisper-1", "m.txt"), SPOKEN),
            (400, "invalid_request_error", "invalid_type", "model"),
        ),
        (
            form(MODEL, part("metadata", b"x", "m.txt"), SPOKEN),
            (400, "invalid_request_error", "invalid_type", "metadata"),
        ),
        (
            form(MODEL, part("temperature", "hot"), SPOKEN),
            (400, "invalid_request_error", "invalid_value", "temperature"),
        ),
        (
            form(part("model", "gpt-99"), SPOKEN),
            (404, "invalid_request_error", "model_not_found", "model"),
        ),
        (form(MODEL, part("file", ODD, "\udcff.mp3")), INCOMPLETE),
        (form(MODEL, part("\udcff", "x"), SPOKEN), INCOMPLETE),
        (b"", (400, "invalid_request_error", "missing_required_parameter", "model")),
        (b"hello", INCOMPLETE),
        (MODEL + SPOKEN, INCOMPLETE),
        (form(MODEL, SPOKEN)[:-5], INCOMPLETE),
        (form(MODEL, SPOKEN)[:300], INCOMPLETE),
        (b"--b0undary\r\n\r\n\r\n" + form(MODEL, SPOKEN), INCOMPLETE),
        (form(*[part(f"f{n}", "") for n in range(200)]), TOO_LARGE),
        (form(MODEL, part("prompt", "x" * 2_000_000), SPOKEN), TOO_LARGE),
    ],
)
def test_a_form_that_is_none_is_refused(
    client: FlaskClient, upstream: Upstream, body: bytes, wanted: tuple[Any, ...]
) -> None:
    got = sent(client, body)

    assert failed(got) == wanted
    assert upstream.requests == []


@pytest.mark.parametrize("name", ["model", "metadata", "user", "prompt", "tags", "n"])
def test_an_image_form_with_a_file_for_a_text_is_refused(
    client: FlaskClient, upstream: Upstream, name: str
) -> None:
    picture = part("image", ODD, "a.png", "image/png")
    words = [part("prompt", "x"), part("model", "dall-e-3")]

    got = sent(client, form(*words, picture, part(name, b"x", "x.txt")), "/v1/images/edits")

    assert failed(got) == (400, "invalid_request_error", "invalid_type", name)
    assert upstream.requests == []


@pytest.mark.parametrize(
    "kind",
    ["application/json", "", "multipart/form-data", "multipart/mixed; boundary=b0undary", "text/x"],
)
def test_what_is_called_no_form_is_refused(
    client: FlaskClient, upstream: Upstream, kind: str
) -> None:
    got = client.post(PATH, data=form(MODEL, SPOKEN), content_type=kind, buffered=True)

    assert failed(got)[0] in (400, 415)
    assert upstream.requests == []


@pytest.mark.fault("S17")
def test_a_compressed_form_is_refused(client: FlaskClient) -> None:
    got = sent(client, form(MODEL, SPOKEN), headers={"Content-Encoding": "gzip"})

    assert failed(got) == (415, "invalid_request_error", "unsupported_media_type", None)


# Too large


@pytest.fixture
def small(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway that takes uploads of 10 kB."""
    return shared_app_for(
        config_for(upstream) | {"llmgate_settings": {"max_upload_mb": 10_000 / 2**20}}
    )


def sized(size: int) -> bytes:
    """Return a good form of *size* bytes."""
    empty = form(MODEL, part("file", b"", "a.mp3", "audio/mpeg"))
    return form(MODEL, part("file", b"x" * (size - len(empty)), "a.mp3", "audio/mpeg"))


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_is_taken_up_to_the_largest_size(small: FlaskClient, chunked: bool) -> None:
    terminated = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}

    def answer(size: int) -> TestResponse:
        if not chunked:
            return sent(small, sized(size))
        kind = "multipart/form-data; boundary=b0undary"
        return small.post(
            PATH,
            input_stream=io.BytesIO(sized(size)),
            content_type=kind,
            environ_overrides={**terminated, "CONTENT_LENGTH": ""},
            buffered=True,
        )

    assert answer(10_000).status_code == 200
    assert failed(answer(10_001)) == TOO_LARGE
    assert failed(answer(100_000)) == TOO_LARGE


def test_an_upload_does_not_lie_in_the_workers_memory(gateway: Gateway, upstream: Upstream) -> None:
    body = form(MODEL, part("file", b"x" * 30_000_000, "a.mp3", "audio/mpeg"))
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        f"content-type: multipart/form-data; boundary=b0undary\r\ncontent-length: "
    ).encode()
    small = form(MODEL, part("file", b"x" * 300_000, "a.mp3", "audio/mpeg"))
    with connected(gateway.url, head + b"%d\r\n\r\n" % len(small) + small) as sock:
        received(sock)
    before = gateway.peak_memory()

    with connected(gateway.url, head + b"%d\r\n\r\n" % len(body) + body) as sock:
        got = received(sock)

    assert got.startswith(b"HTTP/1.1 200 ")
    assert len(upstream.requests[-1].parts["file"].content) == 30_000_000
    assert gateway.peak_memory() - before < 5_000_000
