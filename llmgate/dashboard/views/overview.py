"""/ui: what was spent, what runs, and what needs attention."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from flask import Response
from flask import current_app
from markupsafe import Markup

from llmgate.access import budgets
from llmgate.access.management import keys
from llmgate.access.management import teams
from llmgate.access.management.keys import Office
from llmgate.access.refusals import store_errors
from llmgate.access.rules import Allowance
from llmgate.accounting import in_flight
from llmgate.contract import Deployment
from llmgate.dashboard import charts
from llmgate.dashboard import formats
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import money
from llmgate.dashboard import spans
from llmgate.dashboard.charts import Bar
from llmgate.dashboard.spans import Span
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.storage.control import Document
from llmgate.storage.ledger import Spent
from llmgate.storage.reports.shapes import CallRow
from llmgate.storage.reports.shapes import Filter
from llmgate.storage.reports.shapes import Measures

_MOST_BUDGETS = 2000  # that are looked at; a page must not take longer than a moment
_SHOWN = 10
_LATEST = 500  # calls that latencies are computed of


class Short(NamedTuple):
    """A budget that is nearly spent."""

    name: str
    path: str  # of the page where it can be raised
    line: money.Line


class Speed(NamedTuple):
    """How fast the latest calls were answered, in milliseconds; None: there are none."""

    number: int
    median: float | None
    slowest: float | None  # of twenty: the 95th percentile
    first_token: float | None  # median
    tokens: float | None  # a second after the first, median


@frame.page("", logins.VIEWER)
def overview() -> Response:
    """Show today, this month and the last 24 hours."""
    office = auth.access().office
    span = spans.span("24h", office.now())
    with store_errors():
        today, month = _spent(office)
        day = office.reports.totals(span.unit, span.range)
        series = spans.filled(span.buckets(), office.reports.series(span.unit, span.range))
        latest = office.reports.calls(Filter(start=span.range.start, failed=False), None, _LATEST)
        short = sorted(_short(office), key=lambda each: each.line.left)[:_SHOWN]
    context = {
        "today": today,
        "month": month,
        "day": day,
        "running": in_flight.TABLE.running(),
        "speed": _speed(latest),
        "spend_chart": _spend_chart(span, series),
        "calls_chart": _calls_chart(span, series),
        "hours": [(span.title(at), m) for at, m in zip(span.buckets(), series, strict=True)],
        "cooling": list(_cooling()),
        "short": short,
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


def _speed(latest: Sequence[CallRow]) -> Speed:
    """Return how fast *latest* were answered."""
    durations = sorted(call.duration_ms for call in latest)
    first = sorted(call.ttft_ms for call in latest if call.ttft_ms is not None)
    rates = sorted(
        call.completion_tokens / (call.duration_ms - (call.ttft_ms or 0)) * 1000
        for call in latest
        if call.completion_tokens and call.duration_ms > (call.ttft_ms or 0)
    )
    quantiles = (_at(durations, 0.5), _at(durations, 0.95), _at(first, 0.5), _at(rates, 0.5))
    return Speed(len(latest), *quantiles)


def _at(found: Sequence[float], share: float) -> float | None:
    """Return the value that *share* of the sorted *found* do not exceed."""
    return found[min(len(found) - 1, int(len(found) * share))] if found else None


def _spend_chart(span: Span, series: Sequence[Measures]) -> Markup:
    """Return the chart of what each hour cost."""
    found = [
        Bar(span.label(at), (each.nano,), f"{span.title(at)}: {formats.money(each.nano)}")
        for at, each in zip(span.buckets(), series, strict=True)
    ]
    return charts.bars("Spend by hour; the table below has the numbers", found, formats.axis)


def _calls_chart(span: Span, series: Sequence[Measures]) -> Markup:
    """Return the chart of the requests of each hour, failed ones apart."""
    found = [
        Bar(
            span.label(at),
            (each.calls - each.failed, each.failed),
            f"{span.title(at)}: {each.calls} requests, {each.failed} of them errors",
        )
        for at, each in zip(span.buckets(), series, strict=True)
    ]
    return charts.bars("Requests by hour; the table below has the numbers", found, formats.short)


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
