"""/key/...: keys are made, changed, blocked, rotated and deleted, in LiteLLM's wire."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Response
from flask import g
from flask import request

from llmgate import errors
from llmgate.access.management import fields
from llmgate.access.management import keys as key_admin
from llmgate.access.management import wire
from llmgate.endpoints import admin
from llmgate.endpoints import auth
from llmgate.storage.control import Filter

blueprint = Blueprint("admin_keys", __name__)


def _row(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the key *data* as a row of *kind*, with what it has spent."""
    return admin.done(lambda: wire.row(kind, data, admin.office().sums_of_key(data)))


@blueprint.post("/key/generate")
@auth.admin
def generate() -> Response:
    """Make a key; its value is shown this once."""
    given = admin.body()
    created = admin.done(lambda: key_admin.generate(admin.office(), given, admin.actor()))
    row = {**_row("key_generated", created.data), "key": created.value}
    return admin.answer(row, given, fields.KEY)


@blueprint.get("/key/info")
@auth.keyed
def info() -> Response:
    """Describe a key: the one in the query, else the caller's own."""
    own: str | None = g.member.key.token if g.member else None
    may_see_all = g.member is not None and g.member.role
    named = admin.text("key") or own
    if named is None:
        raise fields.InvalidField("'key' is required, unless a key asks about itself.", param="key")
    data = _visible(named, None if may_see_all else own)
    row = _row("key", data)
    del row["token"]
    return admin.answer({"key": named, "info": {**row, "status": _status(data)}})


def _visible(named: str, own: str | None) -> dict[str, Any]:
    """Return the key *named*; one that is not the caller's *own* is for the master key alone."""
    try:
        data = admin.done(lambda: key_admin.find(admin.office(), named))
    except key_admin.KeyNotFound:
        raise key_admin.KeyNotFound("Key not found in database") from None
    if own is not None and data["token"] != own:
        raise errors.Forbidden("You are not allowed to access this key's info.", param="key")
    return data


def _status(data: dict[str, Any]) -> str:
    """Return whether the key *data* can be used, in a word."""
    if data.get("blocked"):
        return "blocked"
    expires = data.get("expires_at")
    return "expired" if expires and expires <= admin.office().now() else "active"


@blueprint.post("/key/update")
@auth.admin
def update() -> Response:
    """Change the fields of a key that are sent."""
    given = admin.body()
    data = admin.done(lambda: key_admin.update(admin.office(), given, admin.actor()))
    row = _row("key", data)
    return admin.answer({"key": given.get("key"), **row}, given, fields.KEY)


@blueprint.post("/key/block")
@auth.admin
def block() -> Response:
    """Block a key: it is refused from the next request on."""
    named = admin.required(admin.body(), "key")
    data = _blocked(named, True)
    return admin.answer(_row("key_brief", data))


@blueprint.post("/key/unblock")
@auth.admin
def unblock() -> Response:
    """Let a blocked key be used again."""
    named = admin.required(admin.body(), "key")
    data = _blocked(named, False)
    return admin.answer(_row("key", data))


def _blocked(named: str, blocked: bool) -> dict[str, Any]:
    """Block or unblock the key *named*."""
    office, actor = admin.office(), admin.actor()
    return admin.done(lambda: key_admin.set_blocked(office, named, blocked, actor))


@blueprint.post("/key/delete")
@auth.admin
def delete() -> Response:
    """Delete keys by their values, hashes or aliases."""
    given = admin.body()
    wanted = admin.names(given, "key_aliases" if given.get("key_aliases") else "keys")
    deleted = admin.done(lambda: key_admin.delete(admin.office(), wanted, admin.actor()))
    if not deleted:
        raise key_admin.KeyNotFound("No keys found")
    return admin.answer({"deleted_keys": deleted})


@blueprint.post("/key/regenerate")
@auth.admin
def regenerate() -> Response:
    """Give the key in the body a new value."""
    given = admin.body()
    return _rotated(admin.required(given, "key"), given)


@blueprint.post("/key/<key>/regenerate")
@auth.admin
def regenerate_named(key: str) -> Response:
    """Give the key in the path a new value."""
    return _rotated(key, admin.body() if request.content_length else {})


def _rotated(named: str, given: dict[str, Any]) -> Response:
    """Return the key *named* with its new value; the old one is valid for `grace_period`."""
    known = dict.fromkeys(("key", "new_key", "grace_period"), fields.KEY["key"])
    found = fields.checked(given, known)
    created = admin.done(
        lambda: key_admin.rotate(
            admin.office(), named, found.get("new_key"), found.get("grace_period"), admin.actor()
        )
    )
    row = {**_row("key_generated", created.data), "key": created.value}
    return admin.answer(row, given, known)


@blueprint.get("/key/list")
@auth.viewer
def list_keys() -> Response:
    """List the hashes of keys, or with return_full_object=true the keys, a page at a time."""
    page, size = admin.number("page", 1, 10**6), admin.number("size", 10, 100)
    only = Filter(
        admin.text("user_id"),
        admin.text("team_id"),
        admin.text("key_alias"),
        admin.text("key_hash"),
    )
    found = admin.done(lambda: key_admin.listed(admin.office(), only))
    shown, pages = wire.page(found, page, size)
    keys: list[Any] = [data["token"] for data in shown]
    if admin.is_true("return_full_object"):
        keys = [_row("key_listed", data) for data in shown]
    return admin.answer(
        {"keys": keys, "total_count": len(found), "current_page": page, "total_pages": pages}
    )


@blueprint.get("/key/aliases")
@auth.viewer
def aliases() -> Response:
    """List the aliases of keys, a page at a time."""
    page, size = admin.number("page", 1, 10**6), admin.number("size", 50, 100)
    found = admin.done(lambda: key_admin.listed(admin.office()))
    named = sorted(data["key_alias"] for data in found if data.get("key_alias"))
    shown, pages = wire.page(named, page, size)
    return admin.answer(
        {
            "aliases": shown,
            "total_count": len(named),
            "current_page": page,
            "total_pages": pages,
            "size": size,
        }
    )


@blueprint.post("/key/health")
@auth.keyed
def health() -> Response:
    """Say that the caller's key is valid."""
    return admin.answer({"key": "healthy", "logging_callbacks": None})
