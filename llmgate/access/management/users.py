"""What administrators do with users: each may have keys, a role, models, limits and a budget."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.access.management import fields
from llmgate.access.management import keys
from llmgate.access.management import members
from llmgate.access.management.keys import ADMIN
from llmgate.access.management.keys import Created
from llmgate.access.management.keys import Office
from llmgate.access.management.records import RecordNotFound
from llmgate.storage.control import Document
from llmgate.storage.control import Filter
from llmgate.storage.control import Records

ROLES = ("proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer")


class UserExists(errors.InvalidRequest):
    """There is such a user already."""

    status = 409
    code = "record_exists"


class NewUser(NamedTuple):
    """A user, and the key that was made with it."""

    data: Document
    key: Created | None


def not_found(id: str) -> RecordNotFound:
    """Return the error for the user *id*, who does not exist."""
    return RecordNotFound(f"User {id[:200]} not found", param="user_id")


def create(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> NewUser:
    """Make a user from LiteLLM's fields, and a key unless auto_create_key is false.

    Raises InvalidRequest.
    """
    found = fields.checked(given, {**fields.KEY, **fields.USER})
    makes_key = found.pop("auto_create_key", None) is not False
    id = found.get("user_id") or str(uuid.uuid4())
    data = _new(office, {name: value for name, value in found.items() if name in fields.USER}, id)
    teams = data.pop("teams", None) or []

    def stored(records: Records) -> None:
        if records.get("user", id) is not None:
            raise UserExists(f"User with id {id[:200]} already exists", param="user_id")
        for team in teams:
            members.add(office, records, team, {"user_id": id, "role": "user"})
        records.put("user", id, data)
        records.audit(actor, "create", "user", id)

    office.control.change(stored)
    if not makes_key:
        return NewUser(data, None)
    own = {name: found[name] for name in _OF_KEY if found.get(name) is not None}
    return NewUser(data, keys.generate(office, {**own, "user_id": id}, actor))


_OF_KEY = "key key_alias duration models team_id allowed_routes key_type tags".split()
"""What a new user's key has of the request; limits and budget are the user's."""


def _new(office: Office, found: Document, id: str) -> Document:
    """Return a user's record with the fields *found*. Raises InvalidField."""
    _check_role(found)
    now = office.now()
    return {**found, "user_id": id, "created_at": now, "updated_at": now}


def _check_role(found: Document) -> None:
    """Raise InvalidField for a role that does not exist."""
    if found.get("user_role") not in (None, *ROLES):
        raise fields.InvalidField(
            f"'user_role' must be one of {', '.join(ROLES)}.", param="user_role"
        )


def find(office: Office, id: str) -> Document:
    """Return the user *id*. Raises RecordNotFound."""
    data = None
    if office.control.exists():
        data = office.control.read(lambda records: records.get("user", id))
    if data is None:
        raise not_found(id)
    return data


def update(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> Document:
    """Change the user with the user_id or user_email that is given; a new user_id is created."""
    changes = fields.checked(given, fields.USER)
    changes.pop("teams", None)
    changes.pop("auto_create_key", None)
    _check_role(changes)

    def changed(records: Records) -> Document:
        id = changes.get("user_id") or _by_email(records, changes.get("user_email"))
        data = records.get("user", id) or _new(office, {}, id)
        data |= {**changes, "user_id": id, "updated_at": office.now()}
        records.put("user", id, data)
        records.audit(actor, "update", "user", id)
        return data

    return office.control.change(changed)


def _by_email(records: Records, email: str | None) -> str:
    """Return the id of the user with *email*. Raises RecordNotFound, InvalidField."""
    if not email:
        raise fields.InvalidField("'user_id' or 'user_email' is required.", param="user_id")
    for data in records.list("user"):
        if data.get("user_email") == email:
            return str(data["user_id"])
    raise not_found(email)


def delete(office: Office, ids: list[str], actor: str = ADMIN) -> int:
    """Delete the users *ids*, their keys and memberships; return how many they are.

    Raises RecordNotFound, and then deletes none.
    """

    def deleted(records: Records) -> int:
        for id in ids:
            if not records.delete("user", id):
                raise not_found(id)
            records.audit(actor, "delete", "user", id)
            for key in records.list("key", Filter(user_id=id)):
                records.delete("key", key["token"])
                records.audit(actor, "delete", "key", key["token"])
            for team in members.teams_of(records, id):
                members.remove(office, records, team["team_id"], id)
        return len(ids)

    if ids and not office.control.exists():
        raise not_found(ids[0])
    return office.control.change(deleted) if ids else 0


def listed(office: Office) -> list[Document]:
    """Return the users, newest first."""
    if not office.control.exists():
        return []
    return office.control.read(lambda records: records.list("user"))[::-1]


def teams(office: Office, id: str) -> list[Document]:
    """Return the teams that the user *id* is a member of."""
    if not office.control.exists():
        return []
    return office.control.read(lambda records: members.teams_of(records, id))
