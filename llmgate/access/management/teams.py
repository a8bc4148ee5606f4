"""What administrators do with teams: keys of a team share its models, limits and budgets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.access.management import fields
from llmgate.access.management.keys import ADMIN
from llmgate.access.management.keys import Office
from llmgate.storage.control import Document
from llmgate.storage.control import Filter
from llmgate.storage.control import Records


class TeamNotFound(errors.NotFound):
    """There is no such team."""

    code = "team_not_found"

    def __init__(self, id: str) -> None:
        super().__init__(f"Team not found, passed team id: {id[:200]}.", param="team_id")


def create(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> Document:
    """Make a team from LiteLLM's fields; the administrator is a member. Raises InvalidRequest."""
    found = fields.checked(given, fields.TEAM)
    id = found.get("team_id") or str(uuid.uuid4())
    now = office.now()
    members = [_member(each) for each in found.get("members_with_roles") or ()]
    members.append(_member({"user_id": ADMIN, "role": "admin"}))
    data: Document = {
        **found,
        "team_id": id,
        "members_with_roles": members,
        "blocked": bool(found.get("blocked")),
        "created_at": now,
        "updated_at": now,
    }

    def stored(records: Records) -> None:
        if records.get("team", id) is not None:
            raise errors.InvalidRequest(
                f"Team id = {id} already exists. Please use a different team id.", param="team_id"
            )
        for each in members:
            user = records.get("user", str(each["user_id"])) or {}
            each["user_email"] = each["user_email"] or user.get("user_email")
        records.put("team", id, data)
        records.audit(actor, "create", "team", id)

    office.control.change(stored)
    return data


def _member(given: Mapping[str, Any]) -> Document:
    """Return a member of a team as it is stored."""
    return {
        "user_id": given.get("user_id"),
        "user_email": given.get("user_email"),
        "role": given.get("role") or "user",
    }


def find(office: Office, id: str) -> Document:
    """Return the team *id*. Raises TeamNotFound."""
    data = None
    if office.control.exists():
        data = office.control.read(lambda records: records.get("team", id))
    if data is None:
        raise TeamNotFound(id)
    return data


def change(
    office: Office, id: str, given: Mapping[str, Any], action: str, actor: str = ADMIN
) -> Document:
    """Change the fields of the team *id* that are *given*. Raises TeamNotFound, InvalidRequest."""
    changes = fields.checked(given, fields.TEAM)
    changes.pop("members_with_roles", None)

    def changed(records: Records) -> Document:
        data = records.get("team", id)
        if data is None:
            raise TeamNotFound(id)
        data |= {**changes, "team_id": id, "updated_at": office.now()}
        records.put("team", id, data)
        records.audit(actor, action, "team", id)
        return data

    find(office, id)
    return office.control.change(changed)


def delete(office: Office, ids: list[str], actor: str = ADMIN) -> list[str]:
    """Delete the teams *ids* and their keys. Raises TeamNotFound, and then deletes none."""

    def deleted(records: Records) -> list[str]:
        for id in ids:
            if not records.delete("team", id):
                raise TeamNotFound(id)
            records.audit(actor, "delete", "team", id)
            for key in records.list("key", Filter(team_id=id)):
                records.delete("key", key["token"])
                records.audit(actor, "delete", "key", key["token"])
        return ids

    return office.control.change(deleted) if office.control.exists() else _none(ids)


def _none(ids: list[str]) -> list[str]:
    """Raise TeamNotFound for the first of *ids*, if any: there are no teams."""
    for id in ids:
        raise TeamNotFound(id)
    return ids


def listed(office: Office) -> list[Document]:
    """Return the teams, oldest first."""
    if not office.control.exists():
        return []
    return office.control.read(lambda records: records.list("team"))
