"""What administrators do with keys: the management API and the command line are made of this."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.access import budgets
from llmgate.access import keys
from llmgate.access import periods
from llmgate.access import rules
from llmgate.access.directory import Directory
from llmgate.access.management import fields
from llmgate.access.management.wire import Sums
from llmgate.storage.control import AliasTaken
from llmgate.storage.control import Control
from llmgate.storage.control import Document
from llmgate.storage.control import Filter
from llmgate.storage.control import Records
from llmgate.storage.ledger import Budget
from llmgate.storage.queued_ledger import QueuedLedger
from llmgate.storage.reports.shapes import Reports

ADMIN = "default_user_id"
"""Who the master key is, in LiteLLM's rows."""


class KeyNotFound(errors.NotFound):
    """There is no such key."""

    code = "key_not_found"

    def __init__(self, message: str = "Key not found.") -> None:
        super().__init__(message, param="key")


class Created(NamedTuple):
    """A new key; *value* is shown once and stored nowhere."""

    value: str
    data: Document


class Office(NamedTuple):
    """Where administration happens."""

    control: Control
    directory: Directory
    ledger: QueuedLedger
    reports: Reports
    zone: tzinfo
    clock: Callable[[], float] = time.time

    def now(self) -> int:
        """Return the time in microseconds."""
        return int(self.clock() * 1e6)

    def sums(self, scope: str, data: Document) -> Sums:
        """Return what the record *data*, charged as *scope*, has spent."""
        first = next(iter(rules.budgets(data)), None)
        total = Budget(scope, None)
        window = budgets.budget(scope, first, self.zone, self.now()) if first else total
        of_window, of_all = self.ledger.sums([window, total])
        return Sums(of_window, of_all, self.window_end(data))

    def window_end(self, data: Document) -> int | None:
        """Return when the window of the budget of *data* ends."""
        duration = data.get("budget_duration")
        period = periods.normalized(duration) if duration else None
        return periods.window(period, self.zone, self.now())[1] if period else None

    def sums_of_key(self, data: Document) -> Sums:
        """Return what the key *data* has spent."""
        return self.sums(f"key:{data.get('spend_id') or data['token']}", data)


def generate(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> Created:
    """Make a key from LiteLLM's fields. Raises InvalidRequest."""
    found = fields.checked(given, fields.KEY)
    value = found.pop("key", None) or keys.generate()
    if not keys.is_valid(value):
        raise errors.InvalidRequest(
            "Invalid key: a key starts with 'sk-', followed by at least 8 printable characters.",
            param="key",
        )
    now, token = office.now(), keys.token(value)
    data: Document = {
        "token": token,
        "key_name": keys.short_name(value),
        "spend_id": token,
        **_settled(found, now),
        "created_at": now,
        "updated_at": now,
        "created_by": actor,
        "updated_by": actor,
    }
    data.setdefault("key_type", "default")

    def stored(records: Records) -> None:
        _check_references(records, data)
        _check_new(office, records, token)
        _put(office, records, data)
        records.audit(actor, "create", "key", token)

    office.control.change(stored)
    return Created(value, data)


def _settled(found: dict[str, Any], now: int) -> Document:
    """Return the fields as they are stored: a duration as its end, a key type as its routes."""
    data = {**found}
    if "duration" in data:
        data["expires_at"] = fields.expiry(data.pop("duration"), now)
    kind = data.get("key_type")
    if kind:
        if kind not in rules.KEY_TYPES:
            raise errors.InvalidRequest(
                f"'key_type' must be one of {', '.join(rules.KEY_TYPES)}.", param="key_type"
            )
        data["allowed_routes"] = data.get("allowed_routes") or rules.KEY_TYPES[kind]
    return data


def _check_references(records: Records, data: Document) -> None:
    """Raise InvalidRequest if *data* names a team that does not exist."""
    for kind in ("team", "budget"):
        id = data.get(f"{kind}_id")
        if id and records.get(kind, id) is None:
            raise errors.InvalidRequest(
                f"{kind}_id '{id}' does not exist; create it with /{kind}/new first.",
                param=f"{kind}_id",
            )


def _check_new(office: Office, records: Records, token: str) -> None:
    """Raise InvalidRequest if there is a key *token* already."""
    if records.get("key", token) or office.directory.is_declared(token):
        raise errors.InvalidRequest("This key exists already.", param="key", code="key_exists")


def _put(office: Office, records: Records, data: Document) -> None:
    """Write the key *data*; raises InvalidRequest if another has its alias."""
    alias = data.get("key_alias")
    declared = [each.get("key_alias") for each in office.directory.declared().values()]
    try:
        if alias is not None and alias in declared:
            raise AliasTaken(alias)
        records.put("key", data["token"], data)
    except AliasTaken:
        raise errors.InvalidRequest(
            f"Key with alias '{alias}' already exists. Unique key aliases across all keys are"
            " required.",
            param="key_alias",
        ) from None


def update(office: Office, given: Mapping[str, Any], actor: str = ADMIN) -> Document:
    """Change the fields of a key that are *given*. Raises KeyNotFound, InvalidRequest."""
    named = given.get("key") or given.get("key_alias")
    if not isinstance(named, str):
        raise fields.InvalidField("Either 'key' or 'key_alias' must be given.", param="key")
    found = fields.checked(given, fields.KEY)
    if found.pop("key", None) is None:
        found.pop("key_alias", None)
    changes = _settled(found, office.now())
    return _changed(office, named, changes, actor, "update")


def set_blocked(office: Office, named: str, blocked: bool, actor: str = ADMIN) -> Document:
    """Block or unblock the key *named* by its value, hash or alias. Raises KeyNotFound."""
    action = "block" if blocked else "unblock"
    return _changed(office, named, {"blocked": blocked}, actor, action)


def _changed(office: Office, named: str, changes: Document, actor: str, action: str) -> Document:
    """Return the key *named* with *changes*, stored."""
    _check_not_declared(office, named)
    now = office.now()

    def stored(records: Records) -> Document:
        data = _find(records, named)
        data |= changes
        data |= {"updated_at": now, "settings_updated_at": now, "updated_by": actor}
        _check_references(records, changes)
        _put(office, records, data)
        records.audit(actor, action, "key", data["token"])
        return data

    if not office.control.exists():
        raise KeyNotFound
    return office.control.change(stored)


def _check_not_declared(office: Office, named: str) -> None:
    """Raise InvalidRequest if *named* is a key of the configuration."""
    aliases = [each.get("key_alias") for each in office.directory.declared().values()]
    if office.directory.is_declared(keys.token_of(named)) or named in aliases:
        raise errors.InvalidRequest(
            "This key is declared in the configuration; change it there (llmgate_settings.keys).",
            param="key",
            code="key_is_declared",
        )


def _find(records: Records, named: str) -> Document:
    """Return the key with the value, the hash or the alias *named*; raises KeyNotFound."""
    data = records.get("key", keys.token_of(named))
    if data is None:
        data = next(iter(records.list("key", Filter(alias=named))), None)
    if data is None:
        raise KeyNotFound
    return data


def find(office: Office, named: str) -> Document:
    """Return the key with the value, the hash or the alias *named*; raises KeyNotFound."""
    for token, data in office.directory.declared().items():
        if named == data.get("key_alias") or token == keys.token_of(named):
            return data
    if not office.control.exists():
        raise KeyNotFound
    return office.control.read(lambda records: _find(records, named))


def delete(office: Office, names: list[str], actor: str = ADMIN) -> list[str]:
    """Delete the keys with these values, hashes or aliases; return those that existed."""

    def deleted(records: Records) -> list[str]:
        found = []
        for named in names:
            try:
                token = _find(records, named)["token"]
            except KeyNotFound:
                continue
            records.delete("key", token)
            records.audit(actor, "delete", "key", token)
            found.append(named)
        return found

    for named in names:
        _check_not_declared(office, named)
    return office.control.change(deleted) if office.control.exists() else []


def rotate(
    office: Office, named: str, value: str | None, grace: str | None, actor: str = ADMIN
) -> Created:
    """Give a key a new value; the old one is valid for *grace*. Raises KeyNotFound.

    What it has spent stays its own.
    """
    _check_not_declared(office, named)
    value = value or keys.generate()
    if not keys.is_valid(value):
        raise errors.InvalidRequest("Invalid 'new_key': it must start with 'sk-'.", param="new_key")
    now, token = office.now(), keys.token(value)
    until = fields.expiry(grace, now)

    def rotated(records: Records) -> Document:
        data = _find(records, named)
        old = data["token"]
        _check_new(office, records, token)
        records.delete("key", old)
        data |= {"token": token, "key_name": keys.short_name(value), "last_rotation_at": now}
        data |= {"rotation_count": data.get("rotation_count", 0) + 1, "updated_at": now}
        _put(office, records, data)
        if until is not None:
            records.put("replaced_key", old, {"token": token, "until": until})
        records.audit(actor, "rotate", "key", token)
        return data

    if not office.control.exists():
        raise KeyNotFound
    return Created(value, office.control.change(rotated))


def listed(office: Office, only: Filter = Filter()) -> list[Document]:
    """Return the keys, newest first; those of the configuration last."""
    stored: list[Document] = []
    if office.control.exists():
        stored = office.control.read(lambda records: records.list("key", only))
    declared = [
        data
        for token, data in office.directory.declared().items()
        if only.user_id in (None, data.get("user_id"))
        and only.team_id in (None, data.get("team_id"))
        and only.alias in (None, data.get("key_alias"))
        and only.id in (None, token)
    ]
    return stored[::-1] + declared
