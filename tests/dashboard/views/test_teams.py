"""/ui/teams: teams are made, changed, blocked and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testing.browser import ADMIN
from testing.browser import Browser

Make = Callable[..., dict[str, Any]]


def team(admin: Browser, id: str) -> dict[str, Any]:
    got = admin.client.get(f"/team/info?team_id={id}", headers=ADMIN).get_json()
    found: dict[str, Any] = got.get("team_info", {})
    return found


def test_without_teams_the_page_explains_what_to_do(admin: Browser) -> None:
    assert "There are no teams yet." in admin.get("/ui/teams").text


def test_a_team_is_made_and_gets_keys(admin: Browser, make: Make) -> None:
    form = {"team_id": "t1", "team_alias": "Blue & co", "max_budget": "9", "models": "gpt-4o"}
    done = admin.post("/ui/teams/new", on="/ui/teams/new", **form)

    assert done.headers["Location"] == "/ui/teams/t1?done=created"
    assert (team(admin, "t1")["max_budget"], team(admin, "t1")["models"]) == (9, ["gpt-4o"])
    assert "The team has no keys." in admin.get("/ui/teams/t1").text
    made = make(team_id="t1", key_alias="ci")
    page = admin.get("/ui/teams/t1").text
    assert f'href="/ui/keys/{made["token"]}"' in page
    assert "Blue &amp; co" in admin.get("/ui/teams").text
    assert '<option value="t1" selected>' in admin.get("/ui/keys/new?team=t1").text


def test_a_second_team_with_the_same_id_is_refused(admin: Browser) -> None:
    admin.post("/ui/teams/new", on="/ui/teams/new", team_id="t1")

    got = admin.post("/ui/teams/new", on="/ui/teams/new", team_id="t1")

    assert (got.status_code, "already exists" in got.text) == (400, True)


def test_a_team_is_changed_blocked_and_deleted(admin: Browser) -> None:
    admin.post("/ui/teams/new", on="/ui/teams/new", team_id="a/b", max_budget="9")
    path = "/ui/teams/a/b"

    admin.post(path, on=path, team_alias="Red", max_budget="11")
    assert (team(admin, "a/b")["max_budget"], team(admin, "a/b")["team_alias"]) == (11, "Red")
    wrong = admin.post(path, on=path, max_budget="x")
    assert (wrong.status_code, "must be a number" in wrong.text) == (422, True)
    admin.post(path, on=path, action="block")
    assert team(admin, "a/b")["blocked"] is True
    admin.post(path, on=path, action="unblock")
    assert team(admin, "a/b")["blocked"] is False
    assert admin.post(path, on=path, action="delete").status_code == 400
    done = admin.post(path, on=path, action="delete", confirmed="yes")

    assert done.headers["Location"] == "/ui/teams?done=deleted"
    assert admin.get(path).status_code == 404


def test_changes_are_audited_as_the_user_who_makes_them(admin: Browser, make: Make) -> None:
    control = admin.client.application.extensions["llmgate.access"].office.control
    ana = {"user_id": "ana", "user_role": "proxy_admin"}
    control.change(lambda records: records.put("user", "ana", ana))
    browser = Browser(admin.client.application.test_client()).log_in(make(user_id="ana")["key"])

    browser.post("/ui/teams/new", on="/ui/teams/new", team_id="t1")
    for form in ({"team_alias": "Red"}, {"action": "block"}):
        browser.post("/ui/teams/t1", on="/ui/teams/t1", **form)
    browser.post("/ui/teams/t1", action="delete", confirmed="yes")
    browser.post("/ui/keys/new", on="/ui/keys/new", key_alias="new")
    token = make(key_alias="old")["token"]
    browser.post(f"/ui/keys/{token}", key_alias="older")
    browser.post(f"/ui/keys/{token}/block", blocked="yes")
    browser.post(f"/ui/keys/{token}/rotate", grace="1h")
    token = make()["token"]
    browser.post(f"/ui/keys/{token}/delete", confirmed="yes")
    admin.post("/ui/keys/new", on="/ui/keys/new", key_alias="mine")

    rows = control.database.read(
        lambda db: db.execute("select actor, action, kind from audit order by at").fetchall()
    )
    found = [(action, kind) for actor, action, kind in rows if actor == "ana"]
    teams = ["create", "update", "block", "delete"]
    keys = ["create", "update", "block", "rotate", "delete"]
    assert found == [(each, "team") for each in teams] + [(each, "key") for each in keys]
    assert rows[-1][0] == "default_user_id"
