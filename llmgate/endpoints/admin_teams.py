"""/team/...: teams are made, changed, blocked and deleted, in LiteLLM's wire."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Response

from llmgate.access.management import fields
from llmgate.access.management import keys
from llmgate.access.management import members
from llmgate.access.management import teams
from llmgate.access.management import users
from llmgate.access.management import wire
from llmgate.endpoints import admin
from llmgate.endpoints import auth
from llmgate.storage.control import Filter

blueprint = Blueprint("admin_teams", __name__)


def _row(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the team *data* as a row of *kind*, with what it has spent."""
    scope = f"team:{data['team_id']}"
    return admin.done(lambda: wire.row(kind, data, admin.office().sums(scope, data)))


def _keys(team: str) -> list[dict[str, Any]]:
    """Return the rows of the keys of *team*."""
    office = admin.office()
    found = admin.done(lambda: keys.listed(office, Filter(team_id=team)))
    return admin.done(lambda: [wire.row("key", data, office.sums_of_key(data)) for data in found])


@blueprint.post("/team/new")
@auth.admin
def create() -> Response:
    """Make a team."""
    given = admin.body()
    data = admin.done(lambda: teams.create(admin.office(), given, admin.actor()))
    return admin.answer(_row("team", data), given, fields.TEAM)


@blueprint.get("/team/info")
@auth.viewer
def info() -> Response:
    """Describe the team in the query, with its keys."""
    id = admin.text("team_id")
    if id is None:
        raise fields.InvalidField("'team_id' is required.", param="team_id")
    data = admin.done(lambda: teams.find(admin.office(), id))
    row = _row("team_info", data)
    names = [{**each, "user_alias": None} for each in row["members_with_roles"]]
    return admin.answer(
        {
            "team_id": id,
            "team_info": {**row, "members_with_roles": names},
            "keys": _keys(id),
            "team_memberships": [
                {**each, "budget_source": "custom" if each["litellm_budget_table"] else "none"}
                for each in _memberships(data)
            ],
        }
    )


def _memberships(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members of the team *data* with what they have spent."""
    return admin.done(lambda: members.memberships(admin.office(), data))


@blueprint.get("/team/list")
@auth.viewer
def list_teams() -> Response:
    """List the teams with their keys."""
    found = admin.done(lambda: teams.listed(admin.office()))
    return admin.answer(
        [
            {
                **_row("team", data),
                "team_memberships": _memberships(data),
                "keys": _keys(data["team_id"]),
            }
            for data in found
        ]
    )


@blueprint.get("/v2/team/list")
@auth.viewer
def page_of_teams() -> Response:
    """List teams a page at a time."""
    page, size = admin.number("page", 1, 10**6), admin.number("page_size", 10, 100)
    search = (admin.text("search") or "").lower()
    found = [
        data
        for data in admin.done(lambda: teams.listed(admin.office()))
        if search in f"{data['team_id']} {data.get('team_alias') or ''}".lower()
    ]
    shown, pages = wire.page(found, page, size)
    rows = [
        {
            **_row("team_listed", data),
            "members_count": len(data["members_with_roles"]),
            "keys_count": len(_keys(data["team_id"])),
        }
        for data in shown
    ]
    return admin.answer(
        {"teams": rows, "total": len(found), "page": page, "page_size": size, "total_pages": pages}
    )


@blueprint.post("/team/member_add")
@auth.admin
def add_members() -> Response:
    """Make users members of a team, with a budget of their own if one is sent."""
    given = admin.body()
    admin.required(given, "team_id")
    changed = admin.done(lambda: members.add_all(admin.office(), given, admin.actor()))
    rows = [each for each in _memberships(changed.team) if each["user_id"] in changed.members]
    shown = [_user(id) for id in changed.members]
    answer = {**_row("team", changed.team), "updated_users": shown}
    return admin.answer({**answer, "updated_team_memberships": rows}, given, _MEMBER)


_MEMBER = fields.MEMBER.keys() | {"member"}


def _user(id: str) -> dict[str, Any]:
    """Return the user *id* as a row."""
    office = admin.office()
    data = admin.done(lambda: users.find(office, id))
    return admin.done(lambda: wire.row("user", data, office.sums(f"user:{id}", data)))


@blueprint.post("/team/member_delete")
@auth.admin
def delete_member() -> Response:
    """Remove a user from a team; the user's keys of the team stay."""
    given = admin.body()
    admin.required(given, "team_id")
    data = admin.done(lambda: members.delete(admin.office(), given, admin.actor()))
    return admin.answer(_row("team_data", data), given, _MEMBER)


@blueprint.post("/team/member_update")
@auth.admin
def update_member() -> Response:
    """Change the role, the budget or the limits of a member."""
    given = admin.body()
    admin.required(given, "team_id")
    changed = admin.done(lambda: members.update(admin.office(), given, admin.actor()))
    (id,) = changed.members
    (row,) = [each for each in _memberships(changed.team) if each["user_id"] == id]
    table = row["litellm_budget_table"] or {}
    shown = {"team_id": changed.team["team_id"], "user_id": id, "user_email": None}
    return admin.answer(
        {**shown, "max_budget_in_team": table.get("max_budget"), "team_membership": row},
        given,
        _MEMBER,
    )


@blueprint.post("/team/update")
@auth.admin
def update() -> Response:
    """Change the fields of a team that are sent."""
    given = admin.body()
    id = admin.required(given, "team_id")
    data = admin.done(lambda: teams.change(admin.office(), id, given, "update", admin.actor()))
    known = fields.TEAM.keys() - {"members_with_roles"}
    return admin.answer({"team_id": id, "data": _row("team_data", data)}, given, known)


@blueprint.post("/team/block")
@auth.admin
def block() -> Response:
    """Block a team: its keys are refused from the next request on."""
    return _set_blocked(True)


@blueprint.post("/team/unblock")
@auth.admin
def unblock() -> Response:
    """Let the keys of a blocked team be used again."""
    return _set_blocked(False)


def _set_blocked(blocked: bool) -> Response:
    """Block or unblock the team in the body."""
    id = admin.required(admin.body(), "team_id")
    action = "block" if blocked else "unblock"
    change = {"blocked": blocked}
    data = admin.done(lambda: teams.change(admin.office(), id, change, action, admin.actor()))
    return admin.answer(_row("team_data", data))


@blueprint.post("/team/delete")
@auth.admin
def delete() -> Response:
    """Delete teams and their keys."""
    ids = admin.names(admin.body(), "team_ids")
    deleted = admin.done(lambda: teams.delete(admin.office(), ids, admin.actor()))
    return admin.answer({"deleted_teams": deleted})
