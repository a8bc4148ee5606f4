"""Uploads onto a disk that has no room: real files, limited by the system."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.upstream import Upstream
from testing.upstream import json_answer

SIZE = 600_000
FORM = "multipart/form-data; boundary=b"


def form(size: int, **fields: str) -> bytes:
    """Return a form with *fields* and a file of *size* bytes."""
    part = '--b\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    parts = [part.format(name, "", value) for name, value in fields.items()]
    parts.append(part.format("file", '; filename="a.wav"', "x" * size))
    return "".join([*parts, "--b--\r\n"]).encode()


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may have more than 100 KB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.fault("F16")
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/files", {"purpose": "batch"}),
        ("/v1/audio/transcriptions", {"model": "whisper-1"}),
    ],
)
@pytest.mark.usefixtures("full_disk")
def test_an_upload_onto_a_full_disk_is_507_and_may_be_retried(
    client: FlaskClient, path: str, fields: dict[str, Any], lines: list[Any]
) -> None:
    got = client.post(path, data=form(SIZE, **fields), content_type=FORM, buffered=True)

    assert (got.status_code, got.get_json()["error"]["code"]) == (507, "insufficient_storage")
    assert (got.headers["Retry-After"], got.headers["x-should-retry"]) == ("30", "true")
    assert lines[-1]["cause"] == "writing a temporary file failed: File too large"


@pytest.mark.fault("F16")
@pytest.mark.usefixtures("full_disk")
def test_a_small_upload_needs_no_disk(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer({"text": "Hi"}))
    data = form(1000, model="whisper-1")

    got = client.post("/v1/audio/transcriptions", data=data, content_type=FORM, buffered=True)

    assert got.status_code == 200


def test_too_many_parts_are_not_too_many_bytes(client: FlaskClient) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
    data = part * 500 + b"--b--\r\n"

    got = client.post("/v1/audio/transcriptions", data=data, content_type=FORM, buffered=True)

    assert got.status_code == 413
    assert got.get_json()["error"]["message"].startswith("The form has more than 100 parts")
