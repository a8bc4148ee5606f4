"""Compressed request bodies: as the same body uncompressed, never more than the limit."""

from __future__ import annotations

import gzip
import importlib
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import failed
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

from llmgate import errors
from llmgate.endpoints import content_coding

ZSTD = content_coding._zstd()
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
LARGE = {**CHAT, "messages": [{"role": "user", "content": "many words " * 20_000}]}


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("GZIP ", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", ZSTD.compress),
    ("identity", bytes),
]


def sent(client: FlaskClient, data: bytes, coding: str, path: str = "/v1/chat/completions") -> Any:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    return client.post(path, data=data, headers=headers)


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
@pytest.mark.parametrize("body", [CHAT, LARGE])
def test_a_compressed_body_is_read(
    coding: str, compress: Any, body: Any, client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(json_answer(chat_completion()))

    got = sent(client, compress(json.dumps(body).encode()), coding)

    assert got.status_code == 200
    assert upstream.requests[0].json["messages"] == body["messages"]
    assert "content-encoding" not in upstream.requests[0].headers


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", ZSTD.compress)])
def test_several_members_are_one_body(coding: str, compress: Any, client: FlaskClient) -> None:
    data = json.dumps({**CHAT, "model": "nobody"}).encode()

    got = sent(client, compress(data[:20]) + compress(data[20:]), coding)

    assert got.get_json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(("coding", "compress"), CODINGS[:-1])
def test_a_body_that_is_cut_or_damaged_is_refused(
    coding: str, compress: Any, client: FlaskClient
) -> None:
    data = compress(json.dumps(CHAT).encode())

    for broken in (data[:-3], b"", b"\xff" * 40, data + b"\xff" * 9):
        status, _, _, param = failed(sent(client, broken, coding))
        assert (status, param) == (400, "body")


@pytest.mark.parametrize("coding", ["br", "gzip, zstd", "compress", "gzip;q=1"])
def test_other_codings_are_refused_with_those_that_are_known(
    coding: str, client: FlaskClient
) -> None:
    got = sent(client, b"x", coding)

    assert got.status_code == 415
    assert got.headers["Accept-Encoding"] == "gzip, deflate, zstd"


def test_zstd_without_its_package_is_a_415_with_the_package(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    got = sent(client, ZSTD.compress(b"{}"), "zstd")

    assert got.status_code == 415
    assert "pip install 'llmgate[zstd]'" in got.get_json()["error"]["message"]
    assert got.headers["Accept-Encoding"] == "gzip, deflate"


def test_a_body_above_the_limit_is_refused_however_small_it_was_sent(
    shared_app_for: Callable[..., FlaskClient], upstream: Upstream
) -> None:
    client = shared_app_for({**config_for(upstream), "llmgate_settings": {"max_body_mb": 0.1}})
    data = json.dumps(LARGE).encode()

    for coding, compress in CODINGS[:-1]:
        assert failed(sent(client, compress(data), coding))[0] == 413


@pytest.mark.fault("S17")
@pytest.mark.parametrize(("coding", "compress"), [*CODINGS[3:6], CODINGS[0]])
def test_a_bomb_ends_at_its_ratio(coding: str, compress: Any) -> None:
    bomb, size = compress(bytes(50_000_000)), 0
    name = coding.strip().lower()

    with pytest.raises(errors.TooLarge):
        for piece in content_coding.decoded([bomb], name, errors.TooLarge("x")):
            size += len(piece)
            assert len(piece) <= 65536

    assert size <= 1024 * 1024 + 200 * len(bomb)


def test_a_window_larger_than_http_allows_is_refused() -> None:
    parameter = ZSTD.CompressionParameter
    options = {parameter.window_log: 27, parameter.content_size_flag: 0}
    inner = ZSTD.ZstdCompressor(options=options)
    data = inner.compress(b"x" * 100) + inner.flush()

    with pytest.raises(errors.InvalidRequest):
        list(content_coding.decoded([data], "zstd", errors.TooLarge("x")))


@pytest.mark.parametrize(("coding", "compress"), CODINGS[:-1])
def test_a_forwarded_body_is_decompressed_too(
    coding: str, compress: Any, client: FlaskClient, upstream: Upstream
) -> None:
    upstream.plays(json_answer({"object": "list"}))
    body = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "x": "y" * 900}

    with sent(client, compress(json.dumps(body).encode()), coding, "/v1/batches") as got:
        assert got.status_code == 200

    assert upstream.requests[0].json == body


def test_a_compressed_form_is_refused(client: FlaskClient) -> None:
    got = client.post(
        "/v1/audio/transcriptions",
        data=gzip.compress(b"x"),
        content_type="multipart/form-data; boundary=b",
        headers={"Content-Encoding": "gzip"},
    )

    assert got.status_code == 415


@pytest.mark.fault("F13")
@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", ZSTD.compress)])
def test_a_body_of_many_empty_members_is_refused(
    coding: str, compress: Any, client: FlaskClient
) -> None:
    got = sent(client, compress(b"") * 2000, coding)

    assert failed(got)[0] == 400
