"""Addresses in answers lead through the gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Answer
from llmgate.pipeline import passthrough_links

LINKS = passthrough_links.Links("https://up.example", "http://gate:4000/anthropic", "sk-1/2")
JSON = {"content-type": "application/json"}


def answer(body: Any = None, **headers: str) -> tuple[Answer, list[bool]]:
    """Return an answer, and where its closing is noted."""
    closed: list[bool] = []
    pieces = iter([json.dumps(body).encode()])
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(200, JSON | named, pieces, lambda: closed.append(True)), closed


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://up.example/v1/messages/batches", True),
        ("https://up.example/v1/messages/batches?limit=2", True),
        ("https://up.example/v1/messages/batches/b1/cancel", True),
        ("https://up.example/v1/messages/batches/b1/results", False),
        ("https://up.example/v1/messages", False),
    ],
)
def test_batches_have_addresses(url: str, wanted: bool) -> None:
    assert passthrough_links.may_have(answer()[0], url) is wanted
    assert passthrough_links.may_have(answer(x_goog_upload_url="u")[0], url)


def test_the_results_of_batches_are_at_the_gateway() -> None:
    given = {
        "data": [{"results_url": "https://up.example/v1/messages/batches/b/results"}, {"x": 1}]
    }

    got = passthrough_links.replaced(answer(given, content_length="9")[0], LINKS)

    data = b"".join(got.pieces)
    link = "http://gate:4000/anthropic/v1/messages/batches/b/results"
    assert json.loads(data) == {"data": [{"results_url": link}, {"x": 1}]}
    assert got.headers["content-length"] == str(len(data))


@pytest.mark.parametrize("query", ["key=AIza&upload_id=u", "upload_id=u&key=AIza"])
def test_an_upload_has_the_clients_key(query: str) -> None:
    given, _ = answer(x_goog_upload_url=f"https://up.example/upload?{query}")

    got = passthrough_links.replaced(given, LINKS).headers["x-goog-upload-url"]

    assert got.startswith("http://gate:4000/anthropic/upload?upload_id=u&")
    assert got.endswith("&key=sk-1%2F2")
    assert "AIza" not in got
    assert "sk-1" not in repr(LINKS)


@pytest.mark.parametrize("link", ["https://up.example.evil/upload", "http://other/upload"])
def test_an_address_of_another_host_is_refused(link: str) -> None:
    given, closed = answer(x_goog_upload_url=link)

    with pytest.raises(errors.BadUpstream):
        passthrough_links.replaced(given, LINKS)

    assert closed == [True]
