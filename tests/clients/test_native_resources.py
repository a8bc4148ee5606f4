"""Official SDKs and what their clients keep at Anthropic and Google, with the gateway's keys."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
import requests
from google import genai
from testing import anthropic_samples
from testing.answers import Answer
from testing.answers import answer
from testing.answers import json_answer
from testing.gateway import Gateway
from testing.upstream import Seen
from testing.upstream import Upstream

KEY = "sk-gate-0001"
FILE = {
    "name": "files/abc",
    "uri": "https://g.example/v1beta/files/abc",
    "mimeType": "text/plain",
    "state": "ACTIVE",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as up:
        yield up


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[Gateway]:
    config = {
        "model_list": [
            {
                "model_name": "gemini",
                "litellm_params": {
                    "model": "gemini/gemini-2.5-flash",
                    "api_base": f"{upstream.url}/v1beta",
                    "api_key": "g-up",
                },
            },
            {
                "model_name": "claude",
                "litellm_params": {
                    "model": "anthropic/claude-sonnet-4-5",
                    "api_base": upstream.url,
                    "api_key": "a-up",
                },
            },
        ],
        "router_settings": {"num_retries": 0},
    }
    with Gateway(config, env={"LLMGATE_MASTER_KEY": KEY}) as gate:
        yield gate


@pytest.fixture(autouse=True)
def forgotten(upstream: Upstream) -> None:
    upstream.reset()


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=gateway.url, max_retries=0) as client:
        yield client


@pytest.fixture
def google(gateway: Gateway) -> Iterator[genai.Client]:
    with genai.Client(api_key=KEY, http_options={"base_url": gateway.url}) as client:
        yield client


def batch(upstream: Upstream) -> dict[str, Any]:
    counts = {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}
    return {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": counts,
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-01-02T00:00:00Z",
        "results_url": f"{upstream.url}/v1/messages/batches/msgbatch_1/results",
    }


def test_message_batches_are_anthropics(
    upstream: Upstream, claude: anthropic.Anthropic, gateway: Gateway
) -> None:
    message = anthropic_samples.message("text")
    result = {"custom_id": "a", "result": {"type": "succeeded", "message": message}}

    def answers(seen: Seen) -> Answer:
        assert seen.headers["x-api-key"] == "a-up"
        if seen.path.endswith("/results"):
            line = json.dumps(result).encode() + b"\n"
            return answer([line], headers={"content-type": "application/x-jsonl"})
        if seen.method == "GET" and seen.path.endswith("/batches"):
            page = {"data": [batch(upstream)], "has_more": False}
            return json_answer({**page, "first_id": "msgbatch_1", "last_id": "msgbatch_1"})
        return json_answer(batch(upstream))

    upstream.answers = answers
    params: Any = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": []}

    made = claude.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
    listed = list(claude.messages.batches.list())
    results = list(claude.messages.batches.results(made.id))

    assert made.results_url == f"{gateway.url}/v1/messages/batches/msgbatch_1/results"
    assert listed[0].results_url == made.results_url
    assert results[0].custom_id == "a"
    assert [(seen.method, seen.path) for seen in upstream.requests] == [
        ("POST", "/v1/messages/batches"),
        ("GET", "/v1/messages/batches"),
        ("GET", "/v1/messages/batches/msgbatch_1"),
        ("GET", "/v1/messages/batches/msgbatch_1/results"),
    ]


def test_files_with_anthropics_header_are_anthropics(
    upstream: Upstream, claude: anthropic.Anthropic, gateway: Gateway
) -> None:
    file = {
        "id": "file_1",
        "type": "file",
        "filename": "a.txt",
        "mime_type": "text/plain",
        "size_bytes": 2,
        "created_at": "2026-01-01T00:00:00Z",
    }
    upstream.plays(json_answer(file))

    made = claude.beta.files.upload(file=("a.txt", io.BytesIO(b"hi"), "text/plain"))

    assert made.id == "file_1"
    assert upstream.requests[0].path.partition("?")[0] == "/v1/files"
    assert b"hi" in upstream.requests[0].body
    shown = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    wrong = requests.get(f"{gateway.url}/v1/files/a%24%7Bb%7D", headers=shown, timeout=9)
    assert wrong.json()["type"] == "error"
    openais = requests.get(f"{gateway.url}/v1/files", headers={"x-api-key": KEY}, timeout=9)
    assert openais.status_code >= 400
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("root", ["", "/gemini"])
def test_an_upload_to_google_leads_through_the_gateway(
    upstream: Upstream, gateway: Gateway, root: str
) -> None:
    def answers(seen: Seen) -> Answer:
        assert seen.headers["x-goog-api-key"] == "g-up"
        assert KEY not in seen.path
        if seen.headers["x-goog-upload-command"] == "start":
            place = f"{upstream.url}/upload/v1/files?key=g-up&upload_id=u1&protocol=resumable"
            return json_answer({}, headers={"x-goog-upload-url": place})
        assert seen.path == "/upload/v1/files?upload_id=u1&protocol=resumable"
        assert seen.body == b"hello"
        return json_answer({"file": FILE}, headers={"x-goog-upload-status": "final"})

    upstream.answers = answers
    options: Any = {"base_url": gateway.url + root}

    with genai.Client(api_key=KEY, http_options=options) as google:
        got = google.files.upload(file=io.BytesIO(b"hello"), config={"mime_type": "text/plain"})

    assert got.name == "files/abc"
    assert upstream.requests[0].path == "/upload/v1/files"
    assert len(upstream.requests) == 2


def test_an_upload_elsewhere_is_refused(upstream: Upstream, gateway: Gateway) -> None:
    place = "https://elsewhere.example/upload?upload_id=u1"
    upstream.plays(json_answer({}, headers={"x-goog-upload-url": place}))

    got = requests.post(
        f"{gateway.url}/upload/v1beta/files", headers={"x-goog-api-key": KEY}, json={}, timeout=9
    )

    assert (got.status_code, "x-goog-upload-url" in got.headers) == (502, False)
    assert "another host" in got.json()["error"]["message"]


def test_googles_files_and_caches_are_googles(upstream: Upstream, google: genai.Client) -> None:
    cache = {"name": "cachedContents/c1", "model": "models/gemini-2.5-flash"}
    upstream.plays(json_answer({"files": [FILE]}), json_answer(cache), json_answer({}))

    files = list(google.files.list())
    made = google.caches.create(model="gemini-2.5-flash", config={"ttl": "60s"})
    google.caches.delete(name="cachedContents/c1")

    assert [file.name for file in files] == ["files/abc"]
    assert made.name == "cachedContents/c1"
    assert [(seen.method, seen.path) for seen in upstream.requests] == [
        ("GET", "/v1/files"),
        ("POST", "/v1/cachedContents"),
        ("DELETE", "/v1/cachedContents/c1"),
    ]


def test_every_claude_is_there_below_anthropic(upstream: Upstream, gateway: Gateway) -> None:
    upstream.plays(json_answer(anthropic_samples.message("text")))
    asked: Any = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}

    with anthropic.Anthropic(
        api_key=KEY, base_url=f"{gateway.url}/anthropic", max_retries=0
    ) as client:
        client.messages.create(model="claude-opus-9-9", **asked)
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(model="no-claude", **asked)
    with (
        anthropic.Anthropic(api_key=KEY, base_url=gateway.url, max_retries=0) as client,
        pytest.raises(anthropic.NotFoundError),
    ):
        client.messages.create(model="claude-opus-9-9", **asked)

    assert [seen.json["model"] for seen in upstream.requests] == ["claude-opus-9-9"]
