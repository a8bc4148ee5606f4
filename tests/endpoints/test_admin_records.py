from __future__ import annotations

import json
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
PAIRS = json.loads((Path(__file__).parents[1] / "samples/litellm_records.json").read_bytes())
CHANGING = {"key", "token", "token_id", "key_name", "created_at", "updated_at", "created_by"}
CHANGING |= {"budget_reset_at", "updated_by", "budget_id", "key_type"}


@pytest.fixture
def app(app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path) -> FlaskClient:
    upstream.plays(json_answer(chat_completion()))
    given = config_for(upstream, num_retries=0) | {"general_settings": {"master_key": MASTER}}
    return app_for(given, LLMGATE_DATA_DIR=str(tmp_path / "data"))


def admin(app: FlaskClient, path: str, **given: Any) -> Any:
    got = posted(app, given, path, **ADMIN)
    assert got.status_code == 200, got.text
    return got.get_json()


def shown(app: FlaskClient, path: str, key: str = MASTER) -> Any:
    got = app.get(path, headers={"Authorization": f"Bearer {key}"})
    assert got.status_code == 200, got.text
    return got.get_json()


def chat(app: FlaskClient, key: str, **over: Any) -> TestResponse:
    return posted(app, asks(max_tokens=12, **over), Authorization=f"Bearer {key}")


def alike(value: Any) -> Any:
    """Return *value* in its order, without what differs from one day to the next."""
    if isinstance(value, dict):
        return [[name, None if name in CHANGING else alike(item)] for name, item in value.items()]
    if isinstance(value, list):
        return [alike(each) for each in value]
    return value


def test_the_recorded_requests_get_the_recorded_answers(app: FlaskClient) -> None:
    for pair in PAIRS:
        if pair["method"] == "POST":
            got = posted(app, pair["request"], pair["path"], **ADMIN)
        else:
            got = app.get(pair["path"], headers=ADMIN)
        expected = {**pair, "status": {500: 400}.get(pair["status"], pair["status"])}
        assert got.status_code == expected["status"], (pair["n"], got.text)
        if pair["response"] is not None:
            assert alike(got.get_json()) == alike(pair["response"]), pair["n"]
        else:
            assert list(got.get_json()) == ["error"]


def test_the_keys_of_a_user_share_its_budget_and_models(app: FlaskClient) -> None:
    first = admin(app, "/user/new", user_id="ann", max_budget=0.0005, models=["gpt-4o"])["key"]
    second = admin(app, "/key/generate", user_id="ann")["key"]

    while chat(app, first).status_code == 200:
        pass

    assert failed(chat(app, second))[:2] == (422, "budget_exceeded")
    assert chat(app, second, model="gpt-4o-mini").status_code == 403
    assert 0 < shown(app, "/user/info?user_id=ann")["user_info"]["spend"] <= 0.0005
    assert shown(app, "/spend/users")[0]["key_aliases"] == [None, None]
    assert shown(app, "/user/info", first)["user_id"] == "ann"
    admin(app, "/user/update", user_id="ann", max_budget=1)
    assert chat(app, second).status_code == 200
    admin(app, "/user/delete", user_ids=["ann"])
    assert chat(app, second).status_code == 401


def test_a_key_sees_no_other_user(app: FlaskClient) -> None:
    admin(app, "/user/new", user_id="bob")
    ann = admin(app, "/user/new", user_id="ann")["key"]
    nobody = admin(app, "/key/generate")["key"]

    for key, query in ((ann, "?user_id=bob"), (nobody, ""), (nobody, "?user_id=bob")):
        got = app.get(f"/user/info{query}", headers={"Authorization": f"Bearer {key}"})
        assert failed(got)[0] == 403, query


def test_the_role_of_a_user_is_that_of_its_keys(app: FlaskClient) -> None:
    roles = {"proxy_admin": 200, "proxy_admin_viewer": 401, "internal_user": 401}
    for role, status in roles.items():
        key = admin(app, "/user/new", user_id=role, user_role=role)["key"]
        headers = {"Authorization": f"Bearer {key}"}
        assert posted(app, {}, "/key/generate", **headers).status_code == status, role
        reads = app.get("/key/list", headers=headers).status_code
        assert reads == (401 if role == "internal_user" else 200), role
    assert shown(app, "/key/list", key=MASTER)["total_count"] == 4
    got = posted(app, {"user_role": "king"}, "/user/new", **ADMIN)
    assert failed(got)[0] == 422


def test_users_are_found_by_email_role_and_id(app: FlaskClient) -> None:
    admin(app, "/user/new", user_id="ann", user_email="ann@x.org", user_role="proxy_admin")
    admin(app, "/user/new", user_id="bob", user_email="bob@x.org")

    def ids(query: str) -> list[str]:
        return [each["user_id"] for each in shown(app, f"/user/list?{query}")["users"]]

    assert ids("") == ["bob", "ann"]
    assert ids("user_email=bob") == ids("user_ids=bob") == ["bob"]
    assert ids("role=proxy_admin") == ["ann"]
    assert admin(app, "/user/update", user_email="bob@x.org", rpm_limit=3)["user_id"] == "bob"
    assert admin(app, "/user/update", user_id="new")["data"]["user_id"] == "new"
    for body, status in (({"user_email": "no@x.org"}, 404), ({}, 422)):
        assert failed(posted(app, body, "/user/update", **ADMIN))[0] == status
    assert failed(posted(app, {"user_ids": ["no"]}, "/user/delete", **ADMIN))[0] == 404


def test_a_member_has_a_budget_of_its_own_in_the_team(app: FlaskClient) -> None:
    admin(app, "/team/new", team_id="red", max_budget=1)
    member = {"role": "user", "user_id": "ann"}
    admin(app, "/team/member_add", team_id="red", member=member, max_budget_in_team=0.0005)
    key = admin(app, "/key/generate", team_id="red", user_id="ann")["key"]

    while (got := chat(app, key)).status_code == 200:
        pass

    assert "User 'ann' in team 'red' may spend $0.0005" in got.get_json()["error"]["message"]
    rows = shown(app, "/team/info?team_id=red")["team_memberships"]
    assert [(row["user_id"], row["budget_source"], row["spend"] > 0) for row in rows] == [
        ("default_user_id", "none", False),
        ("ann", "custom", True),
    ]
    changed = admin(
        app, "/team/member_update", team_id="red", user_id="ann", max_budget_in_team=1, role="admin"
    )
    assert changed["max_budget_in_team"] == 1
    assert chat(app, key).status_code == 200
    team = admin(app, "/team/member_delete", team_id="red", user_id="ann")
    assert [each["user_id"] for each in team["members_with_roles"]] == ["default_user_id"]


def test_members_are_added_once_by_id_or_email(app: FlaskClient) -> None:
    admin(app, "/team/new", team_id="red")
    admin(app, "/user/new", user_id="ann", user_email="ann@x.org", teams=["red"])

    def add(member: Any, team: str = "red") -> TestResponse:
        return posted(app, {"team_id": team, "member": member}, "/team/member_add", **ADMIN)

    assert shown(app, "/user/info?user_id=ann")["user_info"]["teams"] == ["red"]
    assert failed(add({"user_email": "ann@x.org"}))[0] == 400
    assert failed(add({"user_id": "ann"}, "blue"))[0] == 404
    assert failed(add({}))[0] == failed(add([]))[0] == failed(add(["x"]))[0] == 422
    added = add([{"user_id": "bob"}, {"user_email": "new@x.org"}]).get_json()
    assert [each["user_id"] for each in added["updated_users"]] == ["bob", "new@x.org"]
    assert shown(app, "/v2/team/list?search=RE")["teams"][0]["members_count"] == 4
    assert shown(app, "/v2/team/list?search=x")["teams"] == []
    admin(app, "/user/delete", user_ids=["ann"])
    team = shown(app, "/team/info?team_id=red")["team_info"]
    assert [each["user_id"] for each in team["members_with_roles"]] == [
        "default_user_id",
        "bob",
        "new@x.org",
    ]


def test_a_customer_can_be_blocked_and_limited(app: FlaskClient) -> None:
    key = admin(app, "/key/generate")["key"]
    admin(app, "/customer/new", user_id="cc", models=["gpt-4o"], rpm_limit=1)

    assert chat(app, key, user="cc", model="gpt-4o-mini").status_code == 403
    assert [chat(app, key, user="cc").status_code for _ in range(2)] == [200, 429]
    admin(app, "/end_user/block", user_ids=["cc", "dd"])
    for user in ("cc", "dd"):
        assert failed(chat(app, key, user=user))[:3] == (
            403,
            "permission_error",
            "end_user_blocked",
        )
    admin(app, "/customer/unblock", user_ids=["dd"])
    assert chat(app, key, user="dd").status_code == 200
    assert shown(app, "/customer/info?end_user_id=dd")["spend"] > 0


def test_a_budget_that_is_named_counts_for_each_that_names_it(app: FlaskClient) -> None:
    admin(app, "/budget/new", budget_id="small", max_budget=0.0005)
    admin(app, "/tag/new", name="t1", budget_id="small")
    admin(app, "/customer/new", user_id="cc", budget_id="small")
    key = admin(app, "/key/generate")["key"]

    while (got := chat(app, key, metadata={"tags": ["t1"]})).status_code == 200:
        pass
    assert "Tag 't1' may spend $0.0005" in got.get_json()["error"]["message"]
    assert chat(app, key, user="cc").status_code == 200
    admin(app, "/budget/update", budget_id="small", max_budget=1)
    assert chat(app, key, metadata={"tags": ["t1"]}).status_code == 200
    body = {"user_id": "ee", "budget_id": "none"}
    assert failed(posted(app, body, "/customer/new", **ADMIN))[3] == "budget_id"
    assert failed(posted(app, {"budget_id": "none"}, "/key/generate", **ADMIN))[3] == "budget_id"


def test_tags_of_requests_are_listed_with_those_that_were_made(app: FlaskClient) -> None:
    key = admin(app, "/key/generate")["key"]
    admin(app, "/tag/new", name="made", description="ours")
    chat(app, key, metadata={"tags": ["seen"]})

    tags = {each["name"]: each["description"] for each in shown(app, "/tag/list")}
    assert tags["made"] == "ours"
    assert tags["seen"].startswith("This is just a spend tag")
    assert "updated" in admin(app, "/tag/update", name="made", description="x")["message"]


def test_what_does_not_exist_is_not_found(app: FlaskClient) -> None:
    for path, body in {
        "/customer/update": {"user_id": "no"},
        "/customer/delete": {"user_ids": ["no"]},
        "/tag/update": {"name": "no"},
        "/tag/delete": {"name": "no"},
        "/tag/info": {"names": ["no"]},
        "/budget/update": {"budget_id": "no"},
        "/budget/delete": {"id": "no"},
        "/budget/info": {"budgets": ["no"]},
        "/team/member_add": {"team_id": "no", "member": {"user_id": "x"}},
        "/team/member_delete": {"team_id": "no", "user_id": "x"},
        "/team/member_update": {"team_id": "no", "user_id": "x"},
    }.items():
        assert failed(posted(app, body, path, **ADMIN))[0] == 404, path
    for path in ("/customer/new", "/customer/update", "/tag/new"):
        assert failed(posted(app, {}, path, **ADMIN))[0] == 422, path
    assert failed(app.get("/customer/info", headers=ADMIN))[0] == 422


def test_money_beyond_64_bits_is_refused(app: FlaskClient) -> None:
    for body, path in (
        ({"max_budget": 9.3e9}, "/key/generate"),
        ({"max_budget": 1e300}, "/user/new"),
        ({"budget_limits": [{"max_budget": 1e10, "budget_duration": "1d"}]}, "/team/new"),
        ({"model_max_budget": {"gpt-4o": {"budget_limit": 1e10}}}, "/key/generate"),
    ):
        got = posted(app, body, path, **ADMIN)
        assert failed(got)[0] == 400, body
        assert "at most" in got.get_json()["error"]["message"]


def test_administrators_are_in_the_audit(app: FlaskClient, tmp_path: Path) -> None:
    root = admin(app, "/user/new", user_id="root", user_role="proxy_admin")["key"]
    posted(app, {"user_id": "cc"}, "/customer/new", Authorization=f"Bearer {root}")

    office = app.application.extensions["llmgate.access"].office
    rows = office.control.database.read(
        lambda db: db.execute("select actor, action, kind, id from audit order by n").fetchall()
    )
    assert rows[0] == ("default_user_id", "create", "user", "root")
    assert rows[-1] == ("root", "create", "customer", "cc")
