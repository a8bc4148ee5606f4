"""/ui/usage: who and what costs how much, by day or hour; the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from collections.abc import Iterator
from typing import NamedTuple

from flask import Response
from flask import request
from markupsafe import Markup

from llmgate.access.management.keys import Office
from llmgate.access.refusals import store_errors
from llmgate.dashboard import charts
from llmgate.dashboard import formats
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import spans
from llmgate.dashboard.charts import Bar
from llmgate.dashboard.spans import Span
from llmgate.endpoints import auth
from llmgate.storage.ledger import dollars
from llmgate.storage.reports.shapes import Combination
from llmgate.storage.reports.shapes import Measures
from llmgate.storage.reports.shapes import Page
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Subject
from llmgate.storage.reports.shapes import Wanted

KINDS = {
    "model": "Model",
    "key": "Key",
    "team": "Team",
    "user": "User",
    "end_user": "End user",
    "tag": "Tag",
    "provider": "Provider",
}
_WITHIN = ("key", "user", "team", "tag")  # whose calls can be divided further
_MOST_ROWS, _STACKED = 100, 4
_CSV_ROWS, _CSV_PAGE = 100_000, 1000

_MEASURES: dict[str, tuple[str, Callable[[Measures], float], Callable[[float], str]]] = {
    "spend": ("Spend", lambda found: found.nano, formats.axis),
    "calls": ("Requests", lambda found: found.calls, formats.short),
    "tokens": (
        "Tokens",
        lambda found: found.prompt_tokens + found.completion_tokens,
        formats.short,
    ),
    "failed": ("Errors", lambda found: found.failed, formats.short),
}
"""What a chart can show: its name, its value, how the axis writes it."""


class View(NamedTuple):
    """What the query asks for."""

    span: Span
    kind: str  # what the table divides by
    measure: str
    only: Subject  # whose calls; the gateway: all


def _view(office: Office) -> View:
    """Return what the query of this request asks for; what is unknown counts as absent."""
    given = request.args
    kind, _, id = given.get("of", "").partition(":")
    by, measure = given.get("by", ""), given.get("measure", "")
    return View(
        spans.span(given.get("span", ""), office.now()),
        by if by in KINDS else "model",
        measure if measure in _MEASURES else "spend",
        Subject(kind, id) if kind in KINDS else Subject(),
    )


@frame.page("/usage", logins.VIEWER)
def usage() -> Response:
    """Show a chart, and a table of what it consists of."""
    office = auth.access().office
    view = _view(office)
    with store_errors():
        known = spans.names(office)
        total = office.reports.totals(view.span.unit, view.span.range, view.only)
        rows = _rows(office, view)
        series = _series(office, view, [id for id, _ in rows[:_STACKED]])
    context = {
        "view": view,
        "of": f"{view.only.kind}:{view.only.id}" if view.only.kind != "gateway" else "",
        "only": spans.name(view.only.kind, view.only.id, known),
        "kinds": KINDS,
        "within": _WITHIN,
        "measures": {name: words for name, (words, _, _) in _MEASURES.items()},
        "spans": spans.SPANS,
        "total": total,
        "rows": [(id, spans.name(view.kind, id, known), found) for id, found in rows],
        "chart": _chart(view, series, known),
        "legend": _legend(view, series, known),
        "days": _days(view, series[-1][1]),
        "most": _MOST_ROWS,
    }
    return frame.render("usage.html", "Usage", context)


def _rows(office: Office, view: View) -> list[tuple[str, Measures]]:
    """Return the dearest ids of the view's kind; none where calls cannot be divided."""
    span, only = view.span, view.only
    if only.kind == "gateway":
        return office.reports.top(view.kind, span.unit, span.range, _MOST_ROWS)
    if only.kind not in _WITHIN or view.kind == "end_user":
        return []
    wanted = Wanted(span.range, only.kind, (only.id,))
    return office.reports.top_within(view.kind, wanted, _MOST_ROWS)


def _series(
    office: Office, view: View, dearest: list[str]
) -> list[tuple[str | None, list[Measures]]]:
    """Return the measures by bucket of the *dearest* ids, then those of all calls (None).

    Where the view is of one subject, only those of its calls.
    """
    span, buckets = view.span, view.span.buckets()
    subjects = [Subject(view.kind, id) for id in dearest]
    if view.only.kind != "gateway":
        subjects = []
    found: list[tuple[str | None, list[Measures]]] = []
    for subject in subjects:
        series = spans.filled(buckets, office.reports.series(span.unit, span.range, subject))
        if any(map(_MEASURES[view.measure][1], series)):
            found.append((subject.id, series))
    total = office.reports.series(span.unit, span.range, view.only)
    return [*found, (None, spans.filled(buckets, total))]


def _parts(
    view: View, series: list[tuple[str | None, list[Measures]]], at: int
) -> tuple[float, ...]:
    """Return the parts of bar *at*: the dearest ids, then the rest."""
    value = _MEASURES[view.measure][1]
    parts = [value(found[at]) for _, found in series]
    return (*parts[:-1], max(0.0, parts[-1] - sum(parts[:-1])))


def _chart(
    view: View, series: list[tuple[str | None, list[Measures]]], known: spans.Names
) -> Markup:
    """Return the chart of *view*."""
    words, value, scale = _MEASURES[view.measure]
    found = []
    for at, start in enumerate(view.span.buckets()):
        title = f"{view.span.title(start)}: {scale(value(series[-1][1][at]))}"
        for id, measures in series[:-1]:
            if value(measures[at]):
                name = spans.name(view.kind, id or "", known)
                title += f"; {name} {scale(value(measures[at]))}"
        found.append(Bar(view.span.label(start), _parts(view, series, at), title))
    text = f"{words} by {view.span.unit}; the table below has the numbers"
    return charts.bars(text, found, scale)


def _legend(
    view: View, series: list[tuple[str | None, list[Measures]]], known: spans.Names
) -> list[str]:
    """Return what the colours of the chart stand for, none if there is one."""
    if len(series) == 1:
        return []
    found = [spans.name(view.kind, id or "", known) for id, _ in series[:-1]]
    is_whole = not any(_parts(view, series, at)[-1] for at in range(len(series[-1][1])))
    return found if is_whole else [*found, "others"]


def _days(view: View, total: list[Measures]) -> list[tuple[str, Measures]]:
    """Return the rows of the chart as a table, the newest first, without empty ones."""
    named = zip(view.span.buckets(), total, strict=True)
    return [(view.span.title(start), found) for start, found in named if found.calls][::-1]


# -- CSV


@frame.page("/usage.csv", logins.VIEWER)
def usage_csv() -> Response:
    """Return the calls of the span by day and everything they have in common."""
    office = auth.access().office
    view = _view(office)
    kind = view.only.kind if view.only.kind in _WITHIN else ""
    wanted = Wanted(view.span.range, kind, (view.only.id,) if kind else ())
    with store_errors():
        known = spans.names(office)
        lines = [_line(each, known) for each in _combinations(office, wanted)]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([_safe(cell) for cell in line] for line in lines)
    response = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="usage-{view.span.name}.csv"'
    return response


_COLUMNS = """day key team user model upstream_model provider endpoint requests errors prompt_tokens
completion_tokens cached_tokens spend_usd""".split()


def _combinations(office: Office, wanted: Wanted) -> Iterator[Combination]:
    """Yield the combinations *wanted*, as many as a file may have."""
    for offset in range(0, _CSV_ROWS, _CSV_PAGE):
        found = office.reports.combinations(wanted, Page(offset, _CSV_PAGE))
        yield from found
        if len(found) < _CSV_PAGE:
            return


def _line(row: Combination, known: spans.Names) -> list[str]:
    """Return *row* as the cells of a line."""
    day = Span("", "day", Range(0, 0)).title(row.day)
    found = row.measures
    named = [spans.name("key", row.key, known), spans.name("team", row.team, known)]
    who = [text if id else "" for id, text in zip((row.key, row.team), named, strict=True)]
    numbers = [found.calls, found.failed, found.prompt_tokens, found.completion_tokens]
    return [
        *(day, *who, row.user, row.model, row.upstream_model, row.provider, row.endpoint),
        *map(str, [*numbers, found.cached_tokens]),
        f"{dollars(found.nano):.9f}",
    ]


def _safe(cell: str) -> str:
    """Return *cell* so that a spreadsheet does not run it as a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
