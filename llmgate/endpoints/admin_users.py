"""/user/...: users are made, changed and deleted, in LiteLLM's wire."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Response
from flask import g
from flask import request

from llmgate import errors
from llmgate.access.management import fields
from llmgate.access.management import keys
from llmgate.access.management import users
from llmgate.access.management import wire
from llmgate.endpoints import admin
from llmgate.endpoints import auth
from llmgate.storage.control import Filter

blueprint = Blueprint("admin_users", __name__)


def _row(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the user *data* as a row of *kind*, with what the user has spent and the teams."""
    office = admin.office()
    id = data["user_id"]

    def made() -> dict[str, Any]:
        teams = [team["team_id"] for team in users.teams(office, id)]
        return wire.row(kind, {**data, "teams": teams}, office.sums(f"user:{id}", data))

    return admin.done(made)


@blueprint.post("/user/new")
@auth.admin
def create() -> Response:
    """Make a user, and a key unless auto_create_key is false."""
    given = admin.body()
    made = admin.done(lambda: users.create(admin.office(), given, admin.actor()))
    if made.key is None:
        row = {**_row("user_new_without_key", made.data), "key": ""}
    else:
        shown = {**made.data, "key_name": made.key.data["key_name"]}
        row = {**_row("user_new", shown), "key": made.key.value}
    row["teams"] = row["teams"] or None
    return admin.answer(row, given, {**fields.KEY, **fields.USER})


@blueprint.get("/user/info")
@auth.own
def info() -> Response:
    """Describe the user in the query, else the caller's own; without one, all keys and teams."""
    own: str | None = g.member.key.user if g.member else None
    id = admin.text("user_id") or own
    if auth.own_key() is not None and (own is None or id != own):
        raise errors.Forbidden("You are not allowed to access this user's info.", param="user_id")
    office = admin.office()
    shown = None
    if id is not None:
        shown = _row("user_info", admin.done(lambda: users.find(office, id)))
    found = admin.done(lambda: keys.listed(office, Filter(user_id=id)))
    kept = admin.done(
        lambda: [wire.row("key_of_user", data, office.sums_of_key(data)) for data in found]
    )
    teams = admin.done(lambda: users.teams(office, id)) if id else []
    rows = [wire.row("team", data) for data in teams]
    return admin.answer({"user_id": id, "user_info": shown, "keys": kept, "teams": rows})


@blueprint.get("/user/list")
@auth.viewer
def list_users() -> Response:
    """List users, newest first, a page at a time."""
    page, size = admin.number("page", 1, 10**6), admin.number("page_size", 25, 100)
    office = admin.office()
    wanted = {id for id in request.args.get("user_ids", "").split(",") if id}
    role, email = admin.text("role"), admin.text("user_email")
    found = [
        data
        for data in admin.done(lambda: users.listed(office))
        if (not wanted or data["user_id"] in wanted)
        and role in (None, data.get("user_role"))
        and (email or "") in (data.get("user_email") or "")
    ]
    shown, pages = wire.page(found, page, size)
    rows = [{**_row("user_listed", data), "key_count": len(_keys(data))} for data in shown]
    return admin.answer(
        {
            "users": rows,
            "total": len(found),
            "page": page,
            "page_size": size,
            "total_pages": pages,
        }
    )


def _keys(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the keys of the user *data*."""
    only = Filter(user_id=data["user_id"])
    return admin.done(lambda: keys.listed(admin.office(), only))


@blueprint.get("/spend/users")
@auth.viewer
def by_spend() -> Response:
    """List users, the dearest first."""
    rows = [
        {
            **_row("user_spend", data),
            "key_aliases": [key.get("key_alias") for key in _keys(data)],
        }
        for data in admin.done(lambda: users.listed(admin.office()))
    ]
    return admin.answer(sorted(rows, key=lambda row: -row["spend"]))


@blueprint.post("/user/update")
@auth.admin
def update() -> Response:
    """Change the fields of a user that are sent; a new user_id makes a user."""
    given = admin.body()
    data = admin.done(lambda: users.update(admin.office(), given, admin.actor()))
    known = fields.USER.keys() - {"teams", "auto_create_key"}
    return admin.answer({"user_id": data["user_id"], "data": _row("user_data", data)}, given, known)


@blueprint.post("/user/delete")
@auth.admin
def delete() -> Response:
    """Delete users with their keys."""
    ids = admin.names(admin.body(), "user_ids")
    return admin.answer(admin.done(lambda: users.delete(admin.office(), ids, admin.actor())))
