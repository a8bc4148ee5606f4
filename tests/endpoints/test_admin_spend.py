from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
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

from llmgate.endpoints import admin_spend
from llmgate.storage.database import TooSlow

MASTER = "sk-master-0001"
ADMIN = {"Authorization": f"Bearer {MASTER}"}


@pytest.fixture
def app(app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path) -> FlaskClient:
    upstream.plays(json_answer(chat_completion()))
    given = config_for(upstream, num_retries=0)
    given |= {"general_settings": {"master_key": MASTER}}
    return app_for(given, LLMGATE_DATA_DIR=str(tmp_path / "data"))


@pytest.fixture
def keys(app: FlaskClient) -> list[dict[str, Any]]:
    """Two keys, of which the first has been used twice and the second once."""
    posted(app, {"team_id": "red"}, "/team/new", **ADMIN)
    given: list[dict[str, Any]] = [
        {"key_alias": "a", "user_id": "ann", "team_id": "red"},
        {"key_alias": "b"},
    ]
    made: list[dict[str, Any]] = [
        posted(app, each, "/key/generate", **ADMIN).get_json() for each in given
    ]
    for key in (made[0], made[0], made[1]):
        body = asks(user="=cc", metadata={"tags": ["t1"]}) if key is made[0] else asks()
        sent = posted(app, body, Authorization=f"Bearer {key['key']}", X_Request_Id="r-1")
        assert sent.status_code == 200
    return made


def got(app: FlaskClient, path: str, key: str = MASTER) -> Any:
    answer = app.get(path, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_a_call_is_a_row_without_its_prompt(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    rows = got(app, "/spend/logs")

    assert len(rows) == 3
    shown = {name: rows[-1][name] for name in ("api_key", "user", "team_id", "end_user", "status")}
    assert shown == {
        "api_key": keys[0]["token"],
        "user": "ann",
        "team_id": "red",
        "end_user": "=cc",
        "status": "success",
    }
    assert rows[-1]["request_id"] == "r-1"
    assert rows[-1]["request_tags"] == ["t1"]
    assert rows[-1]["spend"] > 0
    assert rows[-1]["total_tokens"] == rows[-1]["prompt_tokens"] + rows[-1]["completion_tokens"]
    assert (rows[-1]["model_group"], rows[-1]["model"]) == ("gpt-4o", "openai/gpt-4o")


def test_calls_are_filtered(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    def count(query: str) -> int:
        return len(got(app, f"/spend/logs?{query}"))

    assert count(f"api_key={keys[0]['key']}") == count(f"api_key={keys[0]['token']}") == 2
    assert count("user_id=ann") == count("tag=t1") == count("end_user=%3Dcc") == 2
    assert (count("request_id=r-1"), count("request_id=r-2")) == (3, 0)
    assert (count("status_filter=failure"), count("model=gpt-4o")) == (0, 3)
    assert count("start_date=2020-01-01&end_date=2020-01-02&summarize=false") == 0


def test_calls_have_pages(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    first = got(app, "/spend/logs/v2?page_size=2")
    second = got(app, "/spend/logs/v2?page_size=2&page=2")
    by_cursor = got(app, f"/spend/logs/v2?page_size=2&before={first['next_before']}")

    assert (len(first["data"]), first["total"], first["total_pages"]) == (2, 3, 2)
    assert second["data"] == by_cursor["data"]
    assert len(second["data"]) == 1 and second["next_before"] is None
    assert failed(app.get("/spend/logs/v2?before=x", headers=ADMIN))[0] == 422


def test_spend_is_summed_by_day(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    a, b = (key["token"] for key in keys)

    (day,) = got(app, f"/spend/logs?start_date={today}&end_date={today}")
    (own,) = got(app, f"/spend/logs?start_date={today}&end_date={today}&api_key={a}")

    assert day["startTime"] == today
    assert day["spend"] == pytest.approx(day[a] + day[b]) == pytest.approx(3 * day[b])
    assert day["users"] == {"ann": day[a]}
    assert day["models"] == {"gpt-4o": day["spend"]}
    assert (own["spend"], own[a], own["users"]) == (day[a], day[a], {"ann": day[a]})


def test_an_export_runs_no_formula_of_a_client(
    app: FlaskClient, keys: list[dict[str, Any]]
) -> None:
    answer = app.get("/spend/logs?format=csv", headers=ADMIN)

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.content_type == "text/csv; charset=utf-8"
    assert [row["end_user"] for row in rows] == ["", "'=cc", "'=cc"]
    assert rows[0]["api_key"] == keys[1]["token"]
    assert float(rows[0]["spend"]) > 0


def test_who_spent_is_listed(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    one = got(app, "/global/spend/keys")[1]["total_spend"]
    a, b = (key["token"] for key in keys)

    assert [(row["token"], row["spend"]) for row in got(app, "/spend/keys")] == [
        (a, pytest.approx(2 * one)),
        (b, one),
    ]
    assert got(app, "/spend/tags") == [
        {"individual_request_tag": "t1", "log_count": 2, "total_spend": pytest.approx(2 * one)}
    ]
    assert got(app, "/global/spend") == {"spend": pytest.approx(3 * one), "max_budget": 0.0}
    assert got(app, "/global/spend/models") == [
        {"model": "gpt-4o", "total_spend": pytest.approx(3 * one)}
    ]
    assert got(app, "/global/spend/provider")[0]["provider"] == "openai"
    assert got(app, "/global/spend/tags?tags=t1,t2")["spend_per_tag"][0]["log_count"] == 2
    assert got(app, "/global/spend/tags?tags=t2") == {"spend_per_tag": []}
    assert got(app, "/global/spend/all_tag_names") == {"tag_names": ["t1"]}
    teams = got(app, "/global/spend/teams")
    assert teams["teams"] == ["red", "Unassigned"]
    assert teams["total_spend_per_team"][1]["total_spend"] == pytest.approx(one)
    assert teams["daily_spend"][0]["red"] == pytest.approx(2 * one)
    assert got(app, "/global/activity")["sum_api_requests"] == 3


def test_reports_are_grouped(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    (day,) = got(app, "/global/spend/report?group_by=team")
    assert [team["team_name"] for team in day["teams"]] == ["Unassigned", "red"]
    assert day["teams"][1]["metadata"][0]["api_key"] == keys[0]["token"]
    (day,) = got(app, "/global/spend/report?group_by=customer")
    assert [row["customer"] for row in day["customers"]] == ["=cc"]
    (day,) = got(app, "/global/spend/report?group_by=api_key")
    assert {row["api_key"] for row in day["api_keys"]} == {key["token"] for key in keys}
    answer = app.get("/global/spend/report?group_by=x", headers=ADMIN)
    assert failed(answer) == (422, "invalid_request_error", None, "group_by")


def test_each_day_is_broken_down(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    a = keys[0]["token"]

    found = got(app, "/user/daily/activity")
    (day,) = found["results"]
    assert day["metrics"]["successful_requests"] == 3
    assert day["breakdown"]["models"]["openai/gpt-4o"]["metrics"] == day["metrics"]
    assert day["breakdown"]["api_keys"][a]["metadata"]["key_alias"] == "a"
    assert set(day["breakdown"]["entities"]) == {"ann", "Unassigned"}
    assert day["breakdown"]["endpoints"].keys() == {"/chat/completions"}
    assert found["metadata"]["total_api_requests"] == 3
    assert (found["metadata"]["total_pages"], found["metadata"]["has_more"]) == (1, False)
    for path in ("team/daily/activity?team_ids=red", "tag/daily/activity?tags=t1"):
        assert got(app, f"/{path}")["metadata"]["total_api_requests"] == 2
    assert got(app, "/tag/daily/activity?tags=none")["results"] == []
    assert got(app, "/user/daily/activity?user_id=ann")["metadata"]["total_api_requests"] == 2
    assert got(app, "/user/daily/activity?page=2&page_size=1")["metadata"]["page"] == 2


def test_a_key_sees_its_own_spend_alone(app: FlaskClient, keys: list[dict[str, Any]]) -> None:
    a, b = (key["key"] for key in keys)

    assert [row["api_key"] for row in got(app, "/spend/logs", b)] == [keys[1]["token"]]
    assert len(got(app, f"/spend/logs?api_key={a}", b)) == 1
    assert got(app, "/user/daily/activity", b)["metadata"]["total_api_requests"] == 1
    for path in ("/spend/keys", "/global/spend", "/global/spend/keys", "/team/daily/activity"):
        assert failed(app.get(path, headers={"Authorization": f"Bearer {b}"}))[0] == 401, path


def test_a_cost_is_calculated(app: FlaskClient) -> None:
    def cost(body: dict[str, Any]) -> Any:
        return posted(app, body, "/spend/calculate", **ADMIN).get_json()["cost"]

    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    assert cost({"model": "gpt-4o", "completion_response": {"usage": usage}}) == 0.0035
    assert cost({"completion_response": {"model": "gpt-4o", "usage": usage}}) == 0.0035
    assert 0 < cost({"model": "gpt-4o", "messages": asks()["messages"]}) < 0.001
    assert failed(posted(app, {}, "/spend/calculate", **ADMIN))[3] == "model"


def test_a_range_must_be_a_range(app: FlaskClient) -> None:
    for query in ("start_date=x", "start_date=2026-02-01&end_date=2026-01-01", "end_date=1e9"):
        answer = app.get(f"/global/activity?{query}", headers=ADMIN)
        assert failed(answer)[0] == 422, query
    answer = app.get("/global/activity?start_date=2020-01-01&end_date=2026-01-01", headers=ADMIN)
    assert failed(answer)[3] == "start_date"


def stopped(*given: Any) -> Any:
    raise TooSlow("a query was stopped")


def test_days_that_take_too_long_are_refused(
    app: FlaskClient, keys: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = app.application.extensions["llmgate.access"].office.reports
    monkeypatch.setattr(type(reports), "totals", stopped)
    day = datetime.now(UTC).date()

    got = app.get(f"/spend/logs?start_date={day}&end_date={day}", headers=ADMIN)

    assert (got.status_code, got.get_json()["error"]["code"]) == (400, "range_too_wide")


def test_an_export_that_fails_later_does_not_look_complete(
    app: FlaskClient, keys: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_spend, "_AT_ONCE", 2)
    lines = []

    with pytest.raises(TooSlow):
        for line in app.get("/spend/logs?format=csv", headers=ADMIN).response:
            lines.append(line)
            reports = app.application.extensions["llmgate.access"].office.reports
            monkeypatch.setattr(type(reports), "calls", stopped)

    assert lines[-1] == b"incomplete: a query was stopped\r\n"


@pytest.mark.parametrize("before", [f"{2**63}-1", f"1-{2**63}"])
def test_a_cursor_that_no_row_can_have_is_refused(
    app: FlaskClient, keys: list[dict[str, Any]], before: str
) -> None:
    got = app.get(f"/spend/logs/v2?before={before}", headers=ADMIN)

    assert (got.status_code, got.get_json()["error"]["param"]) == (422, "before")
