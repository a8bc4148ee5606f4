"""/ui/playground: a chat with the login's own key, metered as those of the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from testing.browser import ADMIN
from testing.browser import Browser
from testing.inprocess import asks
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import usage
from testing.upstream import Upstream
from testing.upstream import json_answer
from testing.upstream import sse
from werkzeug.test import TestResponse

Make = Callable[..., dict[str, Any]]


def chat(browser: Browser, token: str | None = None, **body: Any) -> TestResponse:
    token = browser.token("/ui/playground") if token is None else token
    return browser.client.post(
        "/ui/playground/chat", json=asks(**body), headers={"X-CSRF-Token": token}, buffered=True
    )


def test_models_for_chat_are_offered_and_others_are_not(admin: Browser) -> None:
    page = admin.get("/ui/playground").text

    assert "<option>gpt-4o</option>" in page
    assert "text-embedding-3-small" not in page and "whisper-1" not in page


def test_a_chat_is_streamed_with_a_summary_at_its_end(
    admin: Browser, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Hi", " there", usage=usage(1000, 1000))))

    got = chat(admin)

    blocks = got.text.strip().split("\n\n")
    assert got.content_type.startswith("text/event-stream")
    assert blocks[-2] == "data: [DONE]"
    name, data = blocks[-1].split("\n")
    summary = json.loads(data.removeprefix("data: "))
    assert name == "event: llmgate"
    assert summary["cost_usd"] == pytest.approx(0.0125)
    assert (summary["deployment"], summary["attempts"]) == ("openai/gpt-4o", 1)
    assert summary["usage"]["prompt_tokens"] == 1000
    assert (lines[-1]["endpoint"], lines[-1]["caller"]) == ("/ui/playground/chat", "master")
    assert lines[-1]["request_id"] == summary["request_id"]


def test_a_key_pays_for_its_chats_and_uses_its_models_alone(
    browser: Browser, make: Make, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Hi", usage=usage(1000, 1000))))
    made = make(models=["gpt-4o"])
    browser.log_in(made["key"])
    assert "gpt-4o-mini" not in browser.get("/ui/playground").text

    assert chat(browser).status_code == 200
    refused = chat(browser, model="gpt-4o-mini")

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (
        403,
        "key_model_access_denied",
    )
    assert lines[-2]["caller"] == made["token"]
    spent = browser.client.get("/key/info", query_string={"key": made["key"]}, headers=ADMIN)
    assert spent.get_json()["info"]["spend"] == pytest.approx(0.0125)


def test_a_key_that_may_not_call_chats_has_no_playground(browser: Browser, make: Make) -> None:
    browser.log_in(make(allowed_routes=["/v1/embeddings"])["key"])

    assert chat(browser).get_json()["error"]["code"] == "route_not_allowed"


def test_an_error_is_json_with_the_providers_words(admin: Browser, upstream: Upstream) -> None:
    upstream.plays(json_answer({"error": {"message": "No such thing", "type": "x"}}, 400))

    got = chat(admin)

    assert (got.status_code, "No such thing" in got.get_json()["error"]["message"]) == (400, True)


def test_without_a_login_or_its_token_nothing_is_sent(
    browser: Browser, admin: Browser, upstream: Upstream
) -> None:
    assert chat(admin, token="0" * 64).status_code == 403
    assert chat(admin, token="").status_code == 403
    stranger = Browser(browser.client.application.test_client())

    got = stranger.client.post("/ui/playground/chat", json=asks(), headers=ADMIN)

    assert (got.status_code, got.get_json()["error"]["code"]) == (401, "login_required")
    assert upstream.requests == []
