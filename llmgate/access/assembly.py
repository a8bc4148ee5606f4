"""The parts of access control, put together: nothing is opened before it is used."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence
from importlib.util import find_spec
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
from llmgate.access.rate_limits import AnyLeases
from llmgate.access.rate_limits import RateLimits
from llmgate.contract import Deployment
from llmgate.storage import places
from llmgate.storage.control import Control
from llmgate.storage.control import Document
from llmgate.storage.counters import Store
from llmgate.storage.database import Unavailable
from llmgate.storage.leases import Leases
from llmgate.storage.queued_ledger import QueuedLedger
from llmgate.storage.reports.sql_reports import SqlReports
from llmgate.storage.sql_ledger import SqlLedger


class Settings(NamedTuple):
    """What the operator configures of keys and budgets."""

    data_dir: Path = Path("data")
    database_url: str | None = None
    keys: tuple[Document, ...] = ()
    options: budgets.Options = budgets.Options()
    is_dyno: bool = False  # whose disk is lost at its next restart
    redis_url: str | None = None
    keep_calls: int | None = None  # microseconds; None: for ever

    @property
    def place(self) -> str | Path:
        """Where keys and calls are stored: a PostgreSQL server if there is one."""
        return self.database_url or self.data_dir

    def __repr__(self) -> str:
        """Return it without what it knows of keys."""
        return f"Settings({str(self.data_dir)!r}, {len(self.keys)} keys)"


def database_url(url: str | None) -> str | None:
    """Return *url*, None if it is that of another kind of database; raises ConfigError."""
    if not url or not url.startswith(places.POSTGRES):
        return None
    if find_spec("psycopg") is None:
        raise errors.ConfigError(
            "DATABASE_URL names a PostgreSQL server, where keys and what they spend are stored: run"
            " pip install 'llmgate[postgres]', or unset it"
        )
    return url


def warnings(settings: Settings) -> list[str]:
    """Return what an operator should know about *settings*."""
    found = []
    if settings.redis_url and find_spec("redis") is None:
        found.append(
            "REDIS_URL is ignored: run pip install 'llmgate[redis]' to share rate limits and"
            " cooldowns between machines"
        )
    if settings.is_dyno and not settings.database_url:
        found.append(_LOST_DISK)
    return found


_LOST_DISK = (
    "keys and what they spend are stored on this dyno's disk, which is lost when it restarts:"
    " add a PostgreSQL database (DATABASE_URL) and install llmgate[postgres], or declare keys"
    " in the configuration"
)


REPORT_SECONDS = 2.0
"""How long one query of a report may take."""


class Shared(NamedTuple):
    """What counts the requests of all workers."""

    counters: Store
    leases: AnyLeases


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
    control = Control(places.database(settings.place, "control"))
    directory = Directory(control, settings.keys)
    database = places.database(settings.place, "ledger", REPORT_SECONDS)
    ledger = SqlLedger(places.database(settings.place, "ledger"), settings.keep_calls)
    queue = QueuedLedger(ledger, settings.data_dir)
    reports = SqlReports(database, queue.flush)
    return Office(control, directory, queue, reports, settings.options.zone)


def shared(settings: Settings, counters: Store) -> Shared:
    """Return what counts requests: *counters* on this machine, Redis where it is configured."""
    leases = Leases(settings.data_dir / "leases.db")
    if not settings.redis_url or find_spec("redis") is None:
        return Shared(counters, leases)
    from llmgate.storage import redis_counters  # 80 ms, and an extra

    server = redis_counters.Server(settings.redis_url)
    store = redis_counters.RedisStore(server, counters)
    return Shared(store, redis_counters.RedisLeases(server, leases))


def assemble(
    settings: Settings,
    shared: Shared,
    deployments_of: Callable[[str], Sequence[Deployment]],
) -> Access:
    """Return access control as *settings* describe it."""
    back = office(settings)
    limits = RateLimits(shared.counters, shared.leases)
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
