"""Who a key belongs to: kept in memory, and read again after any change by any worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from llmgate.access import keys
from llmgate.access import rules
from llmgate.access.keys import Key
from llmgate.access.rules import Rules
from llmgate.storage.control import Control
from llmgate.storage.control import Document
from llmgate.storage.control import Records
from llmgate.storage.database import Unavailable

_LARGEST_CACHE = 10_000  # keys, customers and tags in memory


ROLES = {"proxy_admin": "admin", "proxy_admin_viewer": "viewer"}
"""What users with these roles may do: everything, or read everything."""


class Member(NamedTuple):
    """Everything that governs the calls of one key."""

    key: Key
    user: Rules | None = None
    team: Rules | None = None
    membership: Rules | None = None  # of the user in the team
    role: str = ""  # "admin" or "viewer" of the gateway


class Directory:
    """The keys of the configuration, and those of *control*."""

    def __init__(
        self,
        control: Control,
        declared: Sequence[Document] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self._declared = {data["token"]: data for data in declared}
        self._clock = clock
        self._version = -1
        self._members: dict[str, Member | None] = {}
        self._others: dict[tuple[str, str], Rules | None] = {}

    def has_keys(self) -> bool:
        """Return whether any key may exist: then every request needs one."""
        return bool(self._declared) or self._control.exists()

    def find(self, value: str) -> Member | None:
        """Return whose key *value* is, None if it is not one of ours. Raises Unavailable."""
        self.refresh()
        return self.member(keys.token(value))

    def member(self, token: str) -> Member | None:
        """Return whose key has the hash *token*, as of the last `refresh`. Raises Unavailable."""
        members = self._members  # another thread may replace it after a change of the file
        if token in members:
            return members[token]
        found = self._declared.get(token)
        member = self._member(found) if found else self._stored(token)
        if len(members) >= _LARGEST_CACHE:
            self._members = members = {}
        members[token] = member
        return member

    def rules_of(self, kind: str, id: str) -> Rules | None:
        """Return the rules of the customer or tag *id*, as of the last `refresh`, or None."""
        others = self._others
        if (kind, id) in others:
            return others[kind, id]
        found = self._read_rules(kind, id)
        if len(others) >= _LARGEST_CACHE:
            self._others = others = {}
        others[kind, id] = found
        return found

    def is_declared(self, token: str) -> bool:
        """Return whether the key *token* is in the configuration: it cannot be changed."""
        return token in self._declared

    def declared(self) -> Mapping[str, Document]:
        """Return the records of the configuration's keys, by their hashes."""
        return self._declared

    def refresh(self) -> None:
        """Forget what was read before the last change; once for each request.

        While the store is unavailable what is known is used on. Raises Unavailable.
        """
        try:
            version = self._control.version()
        except Unavailable:
            if self._version < 0:
                raise
            return
        if version != self._version:
            self._members, self._others, self._version = {}, {}, version

    def _stored(self, token: str) -> Member | None:
        """Return whose key *token* is, from the file."""
        if not self._control.exists():
            return None
        data = self._control.read(lambda records: _key_record(records, token, self._clock()))
        return self._member(data) if data else None

    def _member(self, data: Mapping[str, Any]) -> Member:
        """Return the key in *data* with its owners."""
        key = keys.key(data)
        user = self._read_rules("user", key.user) if key.user else None
        team = self._read_rules("team", key.team) if key.team else None
        membership = None
        if key.user and key.team:
            membership = self._read_rules("member", f"{key.team}\n{key.user}")
        return Member(key, user, team, membership, self._role(key.user))

    def _role(self, user: str | None) -> str:
        """Return what *user* may do with the gateway itself."""
        if not user or not self._control.exists():
            return ""
        data = self._control.read(lambda records: records.get("user", user)) or {}
        return ROLES.get(str(data.get("user_role")), "")

    def _read_rules(self, kind: str, id: str) -> Rules | None:
        """Return the rules in the record *id* of *kind*, with those of the budget it names."""
        if not self._control.exists():
            return None

        data = self._control.read(lambda records: _with_budget(records, records.get(kind, id)))
        return rules.rules(id, data) if data else None


def _key_record(records: Records, token: str, now: float) -> Document | None:
    """Return the record of the key *token*, or of the one that replaced it not long ago."""
    data = records.get("key", token)
    replaced = records.get("replaced_key", token) if data is None else None
    if replaced and replaced["until"] > now * 1e6:
        data = records.get("key", replaced["token"])
        ends = data.get("expires_at") if data else None
        until = min(replaced["until"], ends or replaced["until"])
        data = {**data, "expires_at": until} if data else None
    return _with_budget(records, data)


def _with_budget(records: Records, data: Document | None) -> Document | None:
    """Return the record *data* with the members of the budget that it names."""
    budget = data and data.get("budget_id")
    if data is None or not budget:
        return data
    shared = records.get("budget", budget) or {}
    return {**data, **{name: shared[name] for name in _SHARED if shared.get(name) is not None}}


_SHARED = """max_budget soft_budget budget_duration tpm_limit rpm_limit max_parallel_requests
model_max_budget""".split()
"""What a budget of its own gives to the records that name it."""
