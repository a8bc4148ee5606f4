"""/v1/messages where Anthropic's SDK does not go: paths, keys, methods, headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing import anthropic_samples as samples
from testing.answers import json_answer
from testing.gateway import config_for
from testing.gateway import deployment
from testing.inprocess import posted
from testing.openai_bodies import chat_completion
from testing.openai_bodies import error_body
from testing.upstream import Upstream

ASKED: dict[str, Any] = {
    "model": "gpt-4o",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
}
PATHS = ("/v1/messages", "/messages", "/anthropic/v1/messages", "/anthropic/messages")
SECRET = "sk-master-1234"


@pytest.fixture
def locked(upstream: Upstream, app_for: Callable[..., FlaskClient]) -> FlaskClient:
    return app_for(config_for(upstream), LLMGATE_MASTER_KEY=SECRET)


@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers(upstream: Upstream, client: FlaskClient, path: str) -> None:
    upstream.plays(json_answer(chat_completion("Moin")))

    got = posted(client, ASKED, path)
    counted = posted(client, {k: ASKED[k] for k in ("model", "messages")}, f"{path}/count_tokens")

    assert (got.status_code, got.get_json()["content"]) == (200, [{"type": "text", "text": "Moin"}])
    assert counted.get_json() == {"input_tokens": 5, "estimated": True}


@pytest.mark.parametrize("header", [{"x_api_key": SECRET}, {"Authorization": f"Bearer {SECRET}"}])
def test_a_key_is_read_from_either_header(
    upstream: Upstream, locked: FlaskClient, header: dict[str, str]
) -> None:
    upstream.plays(json_answer(chat_completion("Moin")))

    assert posted(locked, ASKED, "/v1/messages", **header).status_code == 200


@pytest.mark.parametrize("path", [*PATHS, "/v1/messages/count_tokens"])
@pytest.mark.parametrize("header", [{}, {"x_api_key": "wrong"}])
def test_a_wrong_key_is_told_in_anthropics_shape(
    locked: FlaskClient, path: str, header: dict[str, str]
) -> None:
    got = posted(locked, ASKED, path, **header)

    body = got.get_json()
    assert (got.status_code, body["type"]) == (401, "error")
    assert body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("POST", "/v1/messages/other", 404, "not_found_error"),
        ("GET", "/anthropic/v1/messages/batches", 404, "not_found_error"),
    ],
)
def test_what_is_not_there_is_told_in_anthropics_shape(
    client: FlaskClient, method: str, path: str, status: int, kind: str
) -> None:
    got = client.open(path, method=method)

    assert (got.status_code, got.get_json()["error"]["type"]) == (status, kind)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_what_is_no_json_is_told_in_anthropics_shape(client: FlaskClient, body: bytes) -> None:
    got = posted(client, body, "/v1/messages")

    assert (got.status_code, got.get_json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("choices", [[], [{}], [{"message": {"tool_calls": [5]}}]])
def test_an_answer_of_another_shape_is_the_upstreams_fault(
    client: FlaskClient, upstream: Upstream, choices: list[Any]
) -> None:
    upstream.plays(json_answer({"choices": choices}))

    got = posted(client, ASKED, "/v1/messages")

    assert (got.status_code, got.get_json()["error"]["type"]) == (502, "api_error")


def test_an_upstreams_529_stays_one(
    upstream: Upstream, app_for: Callable[..., FlaskClient]
) -> None:
    entry = deployment("claude", upstream.url, "anthropic/claude-opus-4-1", api_base=upstream.url)
    client = app_for({"model_list": [entry], "router_settings": {"num_retries": 0}})
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.plays(json_answer(error, 529))

    got = posted(client, {**ASKED, "model": "claude"}, "/v1/messages")

    assert (got.status_code, got.get_json()) == (529, error)


def test_a_key_of_the_upstream_is_not_shown(upstream: Upstream, client: FlaskClient) -> None:
    upstream.plays(json_answer(error_body("sk-upstream-secret is no key", code="x"), 401))

    got = posted(client, ASKED, "/v1/messages")

    assert got.get_json()["error"]["message"] == "*** is no key"


def test_a_group_of_both_kinds_is_served_by_either(
    upstream: Upstream, app_for: Callable[..., FlaskClient]
) -> None:
    entries = [
        deployment("mixed", upstream.url, "anthropic/claude-opus-4-1", api_base=upstream.url),
        deployment("mixed", upstream.url, "openai/gpt-4o"),
    ]
    client = app_for({"model_list": entries})
    seen = set()

    upstream.answers = lambda asked: (
        json_answer(samples.message("text"))
        if asked.path == "/v1/messages"
        else json_answer(chat_completion("Moin"))
    )
    for _ in range(20):
        got = posted(client, {**ASKED, "model": "mixed"}, "/v1/messages")
        assert (got.status_code, got.get_json()["type"]) == (200, "message")
        seen.add(got.headers["x-llmgate-provider"])

    assert seen == {"anthropic", "openai"}


def test_the_log_tells_of_usage(upstream: Upstream, app_for: Any, lines: list[Any]) -> None:
    entry = deployment("claude", upstream.url, "anthropic/claude-opus-4-1", api_base=upstream.url)
    upstream.plays(json_answer(samples.message("text")))

    posted(app_for({"model_list": [entry]}), {**ASKED, "model": "claude"}, "/v1/messages")

    (line,) = lines
    usage = samples.message("text")["usage"]
    assert line["usage"]["prompt_tokens"] == usage["input_tokens"]
    assert line["usage"]["completion_tokens"] == usage["output_tokens"]
    assert line["cost"] > 0


def test_every_answer_has_the_request_id_that_the_sdks_read(
    upstream: Upstream, client: FlaskClient
) -> None:
    upstream.plays(json_answer(chat_completion("Moin")))

    good = posted(client, ASKED, "/v1/messages")
    bad = posted(client, b"{", "/v1/messages")

    assert good.headers["request-id"] == good.headers["x-request-id"]
    assert bad.headers["request-id"] == bad.headers["x-request-id"]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": []}]},
        {"type": "image", "source": "x"},
    ],
)
def test_wrong_types_are_the_clients_fault(client: FlaskClient, block: dict[str, Any]) -> None:
    turns = [{"role": "user", "content": [block]}]

    got = posted(client, {**ASKED, "messages": turns}, "/v1/messages")

    assert got.status_code == 400
    assert "messages[0].content[0]" in got.get_json()["error"]["message"]
