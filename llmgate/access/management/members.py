"""The members of teams: a member may have a budget, limits and models of its own in the team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.access.management import fields
from llmgate.access.management import records as record_admin
from llmgate.access.management import wire
from llmgate.access.management.keys import ADMIN
from llmgate.access.management.keys import Office
from llmgate.access.management.teams import TeamNotFound
from llmgate.storage.control import Document
from llmgate.storage.control import Filter
from llmgate.storage.control import Records
from llmgate.storage.ledger import member as scope_of

_STORED_AS = {
    "max_budget_in_team": "max_budget",
    "budget_duration": "budget_duration",
    "allowed_models": "models",
    "rpm_limit": "rpm_limit",
    "tpm_limit": "tpm_limit",
}
"""What a membership stores of a request."""


class Change(NamedTuple):
    """A team after a change, and the members that it was about."""

    team: Document
    members: list[str]


def add(office: Office, records: Records, team: str, member: Mapping[str, Any]) -> str:
    """Make *member* one of *team*, and a user if there is none; return the user's id.

    Raises TeamNotFound, InvalidRequest.
    """
    data = _team(records, team)
    id = _user(office, records, member)
    if any(each["user_id"] == id for each in data["members_with_roles"]):
        raise errors.InvalidRequest(f"User {id[:200]} is in the team already.", param="member")
    email = (records.get("user", id) or {}).get("user_email")
    role = "admin" if member.get("role") == "admin" else "user"
    data["members_with_roles"] += [{"user_id": id, "user_email": email, "role": role}]
    _store(office, records, data)
    return id


def _team(records: Records, id: str) -> Document:
    """Return the team *id*. Raises TeamNotFound."""
    data = records.get("team", id)
    if data is None:
        raise TeamNotFound(id)
    return data


def _store(office: Office, records: Records, team: Document) -> None:
    """Write *team*."""
    team["updated_at"] = office.now()
    records.put("team", team["team_id"], team)


def _user(office: Office, records: Records, member: Mapping[str, Any]) -> str:
    """Return the id of the user that *member* is, who is made if there is none."""
    id, email = member.get("user_id"), member.get("user_email")
    if email and not id:
        id = next(
            (u["user_id"] for u in records.list("user") if u.get("user_email") == email), email
        )
    if not isinstance(id, str) or not id:
        raise fields.InvalidField("A member has a 'user_id' or a 'user_email'.", param="member")
    if id != ADMIN and records.get("user", id) is None:
        now = office.now()
        data = {"user_id": id, "user_email": email, "created_at": now, "updated_at": now}
        records.put("user", id, data)
        records.audit(ADMIN, "create", "user", id)
    return id


def add_all(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> Change:
    """Add the `member` or members that are given. Raises TeamNotFound, InvalidRequest."""
    found = fields.checked(given, fields.MEMBER)
    listed = given.get("member")
    every = listed if isinstance(listed, list) else [listed]
    wanted = [each for each in every if isinstance(each, dict)]
    if not wanted or len(wanted) < len(every):
        raise fields.InvalidField("'member' must be an object or a list of them.", param="member")
    team = found["team_id"]

    def added(records: Records) -> Change:
        ids = [add(office, records, team, each) for each in wanted]
        for id in ids:
            _set(records, team, id, found)
            records.audit(actor, "member_add", "member", f"{team}\n{id}")
        return Change(_team(records, team), ids)

    return office.control.change(added)


def _set(records: Records, team: str, user: str, found: Document) -> None:
    """Write what *user* may do in *team*, if the fields *found* have anything about it."""
    own = {name: found[field] for field, name in _STORED_AS.items() if field in found}
    if own:
        id = f"{team}\n{user}"
        data = records.get("member", id) or {"team_id": team, "user_id": user}
        records.put("member", id, {**data, **own})


def remove(office: Office, records: Records, team: str, user: str) -> None:
    """Remove *user* from *team*. Raises TeamNotFound, InvalidRequest."""
    data = _team(records, team)
    left = [each for each in data["members_with_roles"] if each["user_id"] != user]
    if len(left) == len(data["members_with_roles"]):
        raise _not_in_team()
    data["members_with_roles"] = left
    _store(office, records, data)
    records.delete("member", f"{team}\n{user}")


def _not_in_team() -> errors.InvalidRequest:
    """Return the error for a user who is not a member."""
    return errors.InvalidRequest("User not found in team", param="user_id")


def delete(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> Document:
    """Remove a member, and return the team. Raises TeamNotFound, InvalidRequest."""
    found = fields.checked(given, fields.MEMBER)

    def deleted(records: Records) -> Document:
        user = _named(records, found)
        remove(office, records, found["team_id"], user)
        records.audit(actor, "member_delete", "member", f"{found['team_id']}\n{user}")
        return _team(records, found["team_id"])

    return office.control.change(deleted)


def _named(records: Records, found: Document) -> str:
    """Return the id of the member whose id or email is in *found*."""
    team = _team(records, found["team_id"])
    for each in team["members_with_roles"]:
        if each["user_id"] == found.get("user_id") or (
            found.get("user_email") and each.get("user_email") == found["user_email"]
        ):
            return str(each["user_id"])
    raise _not_in_team()


def update(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> Change:
    """Change a member's role or limits. Raises TeamNotFound, InvalidRequest."""
    found = fields.checked(given, fields.MEMBER)

    def updated(records: Records) -> Change:
        user = _named(records, found)
        team = _team(records, found["team_id"])
        for each in team["members_with_roles"]:
            if each["user_id"] == user and found.get("role"):
                each["role"] = found["role"]
        _store(office, records, team)
        _set(records, team["team_id"], user, found)
        records.audit(actor, "member_update", "member", f"{team['team_id']}\n{user}")
        return Change(team, [user])

    return office.control.change(updated)


def teams_of(records: Records, user: str) -> list[Document]:
    """Return the teams that *user* is a member of."""
    return [
        team
        for team in records.list("team")
        if any(each["user_id"] == user for each in team["members_with_roles"])
    ]


def memberships(office: Office, team: Document) -> list[wire.Row]:
    """Return the members of *team* with what they have spent in it."""
    own = office.control.read(
        lambda records: records.list("member", Filter(team_id=team["team_id"]))
    )
    limits = {data["user_id"]: data for data in own}
    return [row(office, team["team_id"], each["user_id"], limits) for each in _unique(team)]


def _unique(team: Document) -> list[Document]:
    """Return the members of *team* that have an id."""
    return [each for each in team["members_with_roles"] if each.get("user_id")]


def row(office: Office, team: str, user: str, limits: Mapping[str, Document]) -> wire.Row:
    """Return the membership of *user* in *team*; *limits*: what members have of their own."""
    data = limits.get(user, {})
    table = record_admin.budget_table(office, data)
    if table is not None:
        table["allowed_models"] = data.get("models") or []
    shown = {"user_id": user, "team_id": team, "litellm_budget_table": table}
    return wire.row("membership", shown, office.sums(scope_of(team, user), data))
