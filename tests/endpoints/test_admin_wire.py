"""Requests as LiteLLM's clients send them, and the rows that LiteLLM 1.106 answers with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import posted
from testing.upstream import Upstream

MASTER = "sk-master-0001"
ADMIN = {"Authorization": f"Bearer {MASTER}"}
PAIRS = json.loads((Path(__file__).parents[1] / "samples/litellm_keys.json").read_bytes())
CHANGING = {"key", "token", "token_id", "key_name", "expires", "created_at", "updated_at"}
CHANGING |= {"settings_updated_at", "budget_reset_at"}


@pytest.fixture
def app(app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path) -> FlaskClient:
    given = config_for(upstream) | {"general_settings": {"master_key": MASTER}}
    return app_for(given, LLMGATE_DATA_DIR=str(tmp_path / "data"))


def alike(value: Any) -> Any:
    """Return *value* with a mark in place of what differs from one day to the next."""
    if isinstance(value, dict):
        marked = {name: bool(item) if name in CHANGING else item for name, item in value.items()}
        return [[name, alike(item)] for name, item in marked.items()]  # the order counts
    if isinstance(value, list):
        return [alike(each) for each in value]
    return value


def test_the_recorded_requests_get_the_recorded_answers(app: FlaskClient) -> None:
    for pair in PAIRS:
        if pair["method"] == "POST":
            got = posted(app, pair["request"], pair["path"], **ADMIN)
        else:
            got = app.get(pair["path"], headers=ADMIN)

        answer = got.get_json()
        assert got.status_code == pair["status"], (pair, answer)
        if pair["status"] == 200:
            assert alike(answer) == alike(pair["response"]), pair["path"]
        else:
            assert answer["error"]["param"] == pair["param"], pair["path"]
