"""/team/...: teams are made, changed, blocked and deleted, in LiteLLM's wire."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Response

from llmgate.access.management import fields
from llmgate.access.management import keys
from llmgate.access.management import teams
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
    data = admin.done(lambda: teams.create(admin.office(), given))
    return admin.answer(_row("team", data), given, fields.TEAM)


@blueprint.get("/team/info")
@auth.viewer
def info() -> Response:
    """Describe the team in the query, with its keys."""
    id = admin.text("team_id")
    if id is None:
        raise fields.InvalidField("'team_id' is required.", param="team_id")
    data = admin.done(lambda: teams.find(admin.office(), id))
    return admin.answer({"team_id": id, "team_info": _row("team_info", data), "keys": _keys(id)})


@blueprint.get("/team/list")
@auth.viewer
def list_teams() -> Response:
    """List the teams with their keys."""
    found = admin.done(lambda: teams.listed(admin.office()))
    return admin.answer([{**_row("team", data), "keys": _keys(data["team_id"])} for data in found])


@blueprint.post("/team/update")
@auth.admin
def update() -> Response:
    """Change the fields of a team that are sent."""
    given = admin.body()
    id = admin.required(given, "team_id")
    data = admin.done(lambda: teams.change(admin.office(), id, given, "update"))
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
    data = admin.done(lambda: teams.change(admin.office(), id, {"blocked": blocked}, action))
    return admin.answer(_row("team_data", data))


@blueprint.post("/team/delete")
@auth.admin
def delete() -> Response:
    """Delete teams and their keys."""
    ids = admin.names(admin.body(), "team_ids")
    return admin.answer({"deleted_teams": admin.done(lambda: teams.delete(admin.office(), ids))})
