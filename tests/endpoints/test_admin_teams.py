from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import config_for
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer
from werkzeug.test import TestResponse

MASTER = "sk-master-0001"
ADMIN = {"Authorization": f"Bearer {MASTER}"}


@pytest.fixture
def app(app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path) -> FlaskClient:
    upstream.plays(json_answer(chat_completion()))
    given = config_for(upstream) | {"general_settings": {"master_key": MASTER}}
    return app_for(given, LLMGATE_DATA_DIR=str(tmp_path / "data"))


def admin(app: FlaskClient, path: str, **given: Any) -> dict[str, Any]:
    got = posted(app, given, path, **ADMIN)
    assert got.status_code == 200, got.text
    found: dict[str, Any] = got.get_json()
    return found


def chat(app: FlaskClient, key: str, **over: Any) -> TestResponse:
    return posted(app, asks(max_tokens=12, **over), Authorization=f"Bearer {key}")


def test_the_keys_of_a_team_share_its_budget(app: FlaskClient) -> None:
    admin(app, "/team/new", team_id="red", max_budget=0.0005, budget_duration="7d")
    keys = [admin(app, "/key/generate", team_id="red")["key"] for _ in range(2)]

    while (got := chat(app, keys[0])).status_code == 200:
        pass

    assert failed(got)[:2] == failed(chat(app, keys[1]))[:2] == (422, "budget_exceeded")
    assert "Team 'red' may spend $0.0005" in got.get_json()["error"]["message"]
    shown = app.get("/team/info?team_id=red", headers=ADMIN).get_json()
    assert 0 < shown["team_info"]["spend"] <= 0.0005
    assert len(shown["keys"]) == 2
    admin(app, "/team/update", team_id="red", max_budget=1)
    assert chat(app, keys[1]).status_code == 200


def test_a_key_has_no_more_models_than_its_team(app: FlaskClient) -> None:
    admin(app, "/team/new", team_id="red", models=["gpt-4o"])
    key = admin(app, "/key/generate", team_id="red", models=["gpt-4o", "gpt-4o-mini"])["key"]

    assert chat(app, key).status_code == 200
    assert failed(chat(app, key, model="gpt-4o-mini"))[2] == "key_model_access_denied"


def test_a_blocked_team_is_refused_at_once(app: FlaskClient) -> None:
    admin(app, "/team/new", team_id="red")
    key = admin(app, "/key/generate", team_id="red")["key"]
    assert chat(app, key).status_code == 200

    assert admin(app, "/team/block", team_id="red")["blocked"] is True
    assert chat(app, key).status_code == 401
    assert admin(app, "/team/unblock", team_id="red")["blocked"] is False
    assert chat(app, key).status_code == 200


def test_the_rate_limit_of_a_team_is_that_of_all_its_keys(app: FlaskClient) -> None:
    admin(app, "/team/new", team_id="red", rpm_limit=2)
    keys = [admin(app, "/key/generate", team_id="red")["key"] for _ in range(3)]

    assert [chat(app, key).status_code for key in keys] == [200, 200, 429]


def test_a_deleted_team_takes_its_keys_with_it(app: FlaskClient) -> None:
    admin(app, "/team/new", team_id="red")
    key = admin(app, "/key/generate", team_id="red")["key"]

    assert admin(app, "/team/delete", team_ids=["red"]) == {"deleted_teams": ["red"]}

    assert chat(app, key).status_code == 401
    assert app.get("/team/list", headers=ADMIN).get_json() == []
    assert posted(app, {"team_ids": ["red"]}, "/team/delete", **ADMIN).status_code == 404
