"""/ui: what was spent, what runs, and what needs attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask import Response
from flask import current_app

from llmgate.access import budgets
from llmgate.access.management import keys
from llmgate.access.management import teams
from llmgate.access.management.keys import Office
from llmgate.access.rules import Allowance
from llmgate.accounting import in_flight
from llmgate.contract import Deployment
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import money
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.storage.control import Document
from llmgate.storage.ledger import Spent

_MOST_BUDGETS = 2000  # that are looked at; a page must not take longer than a moment
_SHOWN = 10


class Short(NamedTuple):
    """A budget that is nearly spent."""

    name: str
    path: str  # of the page where it can be raised
    line: money.Line


@frame.page("", logins.VIEWER)
def overview() -> Response:
    """Show today and this month."""
    office = auth.access().office
    today, month = _spent(office)
    context = {
        "today": today,
        "month": month,
        "running": in_flight.TABLE.running(),
        "cooling": list(_cooling()),
        "short": sorted(_short(office), key=lambda each: each.line.left)[:_SHOWN],
        "warnings": current_app.extensions["llmgate.warnings"],
        "is_counting": auth.access().directory.has_keys(),
    }
    return frame.render("overview.html", "Overview", context)


def _spent(office: Office) -> list[Spent]:
    """Return the sums of the whole gateway: of today, and of this month."""
    periods = ("1d", "1mo")
    windows = [
        budgets.budget("gateway:", Allowance(0, period), office.zone, office.now())
        for period in periods
    ]
    return office.ledger.sums(windows)


def _cooling() -> Iterator[tuple[Deployment, float]]:
    """Yield the deployments in cooldown, with the seconds that remain."""
    gate = common.gate()
    for found in gate.routes.groups.values():
        for deployment in found:
            wait = gate.load_balancer.state(deployment).cooldown
            if wait:
                yield deployment, wait


def _short(office: Office) -> Iterator[Short]:
    """Yield the budgets of keys and teams that are nearly spent."""
    given = [each for each in _records(office) if each[3].get("max_budget") is not None]
    found = money.accounts(office, [(scope, data) for _, _, scope, data in given[:_MOST_BUDGETS]])
    for (name, path, _, _), account in zip(given, found, strict=False):
        for line in account.lines:
            if line.is_short:
                yield Short(name, path, line)


def _records(office: Office) -> Iterator[tuple[str, str, str, Document]]:
    """Yield the name, the page, the scope and the record of each key and team."""
    for data in keys.listed(office):
        scope = f"key:{data.get('spend_id') or data['token']}"
        name = data.get("key_alias") or data.get("key_name") or data["token"][:12]
        yield f"Key {name}", f"/ui/keys/{data['token']}", scope, data
    for data in teams.listed(office):
        id = data["team_id"]
        yield f"Team {data.get('team_alias') or id}", f"/ui/teams/{id}", f"team:{id}", data
