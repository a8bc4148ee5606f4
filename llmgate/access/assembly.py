"""The parts of access control, put together: nothing is opened before it is used."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from llmgate import errors
from llmgate.access import budgets
from llmgate.access import refusals
from llmgate.access import rules
from llmgate.access.directory import Directory
from llmgate.access.directory import Member
from llmgate.access.management.keys import Office
from llmgate.access.policy import AccessPolicy
from llmgate.access.policy import Stores
from llmgate.access.rate_limits import Counters
from llmgate.access.rate_limits import RateLimits
from llmgate.contract import Deployment
from llmgate.storage import places
from llmgate.storage.control import Control
from llmgate.storage.control import Document
from llmgate.storage.database import Unavailable
from llmgate.storage.leases import Leases
from llmgate.storage.queued_ledger import QueuedLedger
from llmgate.storage.reports.sql_reports import SqlReports
from llmgate.storage.sql_ledger import SqlLedger


class Settings(NamedTuple):
    """What the operator configures of keys and budgets."""

    data_dir: Path = Path("data")
    keys: tuple[Document, ...] = ()
    options: budgets.Options = budgets.Options()

    def __repr__(self) -> str:
        """Return it without what it knows of keys."""
        return f"Settings({str(self.data_dir)!r}, {len(self.keys)} keys)"


REPORT_SECONDS = 2.0
"""How long one query of a report may take."""


class Access(NamedTuple):
    """Who may do what, for endpoints."""

    directory: Directory
    office: Office
    policy: AccessPolicy
    options: budgets.Options

    def close(self) -> None:
        """Charge the calls that have ended; no others follow."""
        self.office.ledger.close()

    def find(self, value: str) -> Member | None:
        """Return whose key *value* is, None if it is not one of ours. Raises StoreUnavailable."""
        try:
            return self.directory.find(value)
        except Unavailable as error:
            raise refusals.StoreUnavailable(str(error)) from error

    def check(self, member: Member, path: str) -> None:
        """Raise KeyRefused or Forbidden if *member*'s key is not valid now, or not for *path*."""
        check(member, path, self.office.now())


def office(settings: Settings) -> Office:
    """Return where keys are administered."""
    control = Control(places.database(settings.data_dir, "control"))
    directory = Directory(control, settings.keys)
    database = places.database(settings.data_dir, "ledger", REPORT_SECONDS)
    ledger = SqlLedger(places.database(settings.data_dir, "ledger"))
    queue = QueuedLedger(ledger, settings.data_dir)
    reports = SqlReports(database, queue.flush)
    return Office(control, directory, queue, reports, settings.options.zone)


def assemble(
    settings: Settings,
    counters: Counters,
    deployments_of: Callable[[str], Sequence[Deployment]],
) -> Access:
    """Return access control as *settings* describe it."""
    back = office(settings)
    limits = RateLimits(counters, Leases(settings.data_dir / "leases.db"))
    stores = Stores(back.directory, back.ledger, limits)
    policy = AccessPolicy(stores, deployments_of, settings.options, time.time)
    return Access(back.directory, back, policy, settings.options)


_INFO = ("/key/info", "/key/health")  # a key may always ask about itself


def check(member: Member, path: str, now: int) -> None:
    """Raise KeyRefused or Forbidden if the key of *member* is not valid, or not for *path*."""
    key = member.key
    if key.rules.is_blocked:
        raise refusals.KeyRefused("This key is blocked. An administrator can unblock it.")
    if member.team and member.team.is_blocked:
        raise refusals.KeyRefused(f"Team '{member.team.id}' is blocked.")
    if member.user and member.user.is_blocked:
        raise refusals.KeyRefused(f"User '{member.user.id}' is blocked.")
    if key.expires is not None and now >= key.expires:
        raise refusals.KeyRefused("This key has expired.", code="expired_key")
    if path not in _INFO and not rules.allows_route(key.routes, path):
        raise errors.Forbidden(
            f"This key may not call {path[:200]}; it is allowed: {', '.join(key.routes)}.",
            code="route_not_allowed",
        )
