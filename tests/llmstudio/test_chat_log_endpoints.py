"""LLMstudio's tracking: who may read what was said, and only if it is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import sse

AppFor = Callable[..., FlaskClient]
CHAT = "/api/engine/chat/openai"
LOGS = "/api/tracking/logs"
BODY: Any = {"model": "gpt-4o", "chat_input": "Hi", "session_id": "s1", "api_key": "sk-mine"}


@pytest.fixture
def tracked(app_for: AppFor, upstream: Upstream, tmp_path: Path) -> FlaskClient:
    """A gateway that keeps what is said."""
    upstream.answers = lambda seen: sse(chat_chunks("Hello"))
    settings = {"tracking": str(tmp_path / "chats.db")}
    return app_for(config_for(upstream) | {"llmgate_settings": settings})


def test_chats_are_kept_whole_and_streamed_with_their_metrics(tracked: FlaskClient) -> None:
    posted(tracked, BODY, CHAT)
    posted(tracked, {**BODY, "is_stream": True, "session_id": "s2"}, CHAT)
    posted(tracked, {**BODY, "is_stream": True}, f"/llmstudio/v1{CHAT}")

    got = tracked.get(LOGS).get_json()

    assert [row["session_id"] for row in got] == ["s1", "s2", "s1"]
    assert {row["chat_output"] for row in got} == {"Hello"}
    assert got[0]["deployment"] == "gpt-4o-2024-08-06"
    assert got[0]["metrics"]["tokens_estimated"] is True
    assert "sk-mine" not in str(got)


def test_a_session_is_read_by_its_name(tracked: FlaskClient) -> None:
    for session_id in ("s1", "s2", "s1"):
        posted(tracked, {**BODY, "session_id": session_id}, CHAT)

    old = tracked.get("/api/tracking/logs_by_session?session_id=s1").get_json()
    new = tracked.get("/llmstudio/v1/api/tracking/logs/s1?skip=1&limit=5000").get_json()

    assert [row["log_id"] for row in old] == [1, 3]
    assert [row["log_id"] for row in new] == [3]


def test_clients_keep_rows_of_their_own(tracked: FlaskClient) -> None:
    got = tracked.post(LOGS, json={"chat_input": "Hi", "provider": "openai"}).get_json()

    assert (got["log_id"], got["chat_input"], got["model"]) == (1, "Hi", None)
    assert tracked.get(LOGS).get_json() == [got]


@pytest.mark.parametrize(
    "path",
    [f"{LOGS}?skip=-1", f"{LOGS}?limit=many", f"{LOGS}?limit=²", "/api/tracking/logs_by_session"],
)
def test_a_query_that_does_not_fit_is_refused(tracked: FlaskClient, path: str) -> None:
    got = tracked.get(path)

    assert got.status_code == 422
    assert got.get_json()["detail"][0]["loc"][0] == "query"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_tracking_there_is_nothing(client: FlaskClient, method: str) -> None:
    got = client.open(LOGS, method=method, json={} if method == "POST" else None)

    assert got.status_code == 404
    assert "llmgate_settings.tracking" in got.get_json()["detail"]


def test_tracking_needs_the_key(app_for: AppFor, upstream: Upstream, tmp_path: Path) -> None:
    sections = {
        "general_settings": {"master_key": "sk-master"},
        "llmgate_settings": {"tracking": str(tmp_path / "chats.db")},
    }
    client = app_for(config_for(upstream) | sections)

    assert client.get(LOGS).status_code == 401
    assert client.get(LOGS, auth=("any", "sk-master")).get_json() == []
