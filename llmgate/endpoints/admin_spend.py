"""/spend/...: the calls, and what keys, users and tags have spent, in LiteLLM's wire."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate.access import estimate
from llmgate.access.management import fields
from llmgate.access.management import keys
from llmgate.access.management import spend
from llmgate.access.management import wire
from llmgate.accounting import pricing
from llmgate.accounting import token_estimate
from llmgate.endpoints import admin
from llmgate.endpoints import admin_range
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.storage.database import TooSlow
from llmgate.storage.database import Unavailable
from llmgate.storage.ledger import dollars
from llmgate.storage.reports.shapes import CallRow
from llmgate.storage.reports.shapes import Cursor
from llmgate.storage.reports.shapes import Filter

blueprint = Blueprint("admin_spend", __name__)

_AT_ONCE = 1000  # rows of an export that are read together
_MOST = 1000  # rows of an answer
_MOST_COUNTED = 10_000


@blueprint.get("/spend/logs")
@auth.own
def logs() -> Response:
    """List the newest calls; with dates, what was spent on each day."""
    only = _filter()
    if request.args.get("format") == "csv":
        return _exported(only)
    summarized = request.args.get("summarize", "true").lower() != "false"
    if admin.text("start_date") and summarized and only.id is None:
        range = admin_range.days()
        found = admin.read(lambda: spend.by_day(admin.office(), range, only.key, only.user))
        return admin.answer(found)
    calls = admin.read(lambda: admin.office().reports.calls(only, None, _MOST))
    response = admin.answer(_rows(calls))
    if len(calls) == _MOST:
        response.headers["x-llmgate-warning"] = (
            f"only the newest {_MOST} rows; /spend/logs/v2 has pages, format=csv all"
        )
    return response


@blueprint.get("/spend/logs/v2")
@auth.own
def pages() -> Response:
    """List calls, newest first, a page at a time."""
    only = _filter()
    if request.args.get("format") == "csv":
        return _exported(only)
    page, size = admin.number("page", 1, 100), admin.number("page_size", 50, 100)
    reports = admin.office().reports
    before = _cursor(admin.text("before"))
    found = admin.read(lambda: reports.calls(only, before, page * size))[(page - 1) * size :]
    total = admin.read(lambda: reports.count_calls(only, _MOST_COUNTED + 1))
    last = found[-1] if len(found) == size else None
    return admin.answer(
        {
            "data": _rows(found),
            "total": min(total, _MOST_COUNTED),
            "page": page,
            "page_size": size,
            "total_pages": -(-min(total, _MOST_COUNTED) // size),
            "total_is_capped": total > _MOST_COUNTED,
            "next_before": f"{last.at}-{last.n}" if last else None,
        }
    )


def _cursor(text: str | None) -> Cursor | None:
    """Return where the page before ended; raises InvalidField."""
    if text is None:
        return None
    at, _, n = text.partition("-")
    is_cursor = at.isascii() and at.isdigit() and n.isascii() and n.isdigit() and len(text) < 40
    if not is_cursor or max(int(at), int(n)) >= 2**63:
        raise fields.InvalidField("'before' must be a 'next_before'.", param="before")
    return Cursor(int(at), int(n))


def _filter() -> Filter:
    """Return which calls the query asks for; a key sees its own alone. Raises InvalidRequest."""
    own, named = auth.own_key(), admin.text("api_key")
    if named and own is None:
        office, wanted = admin.office(), named
        named = admin.done(lambda: spend.id_of_key(office, wanted))
    status = admin.text("status_filter")
    start, end = admin_range.given()
    return Filter(
        key=own or named,
        user=admin.text("user_id"),
        team=admin.text("team_id"),
        end_user=admin.text("end_user"),
        model=admin.text("model"),
        tag=admin.text("tag"),
        id=admin.text("request_id"),
        failed=None if status is None else status == "failure",
        start=start,
        end=end,
    )


def _rows(calls: list[CallRow]) -> list[dict[str, Any]]:
    """Return *calls* as rows."""
    known = admin.done(lambda: spend.names(admin.office()))
    return [spend.row(call, known) for call in calls]


def _exported(only: Filter) -> Response:
    """Return all calls of *only* as CSV, newest first, as they are read."""
    office = admin.office()
    known = admin.done(lambda: spend.names(office))
    first = admin.read(lambda: office.reports.calls(only, None, _AT_ONCE))

    def lines() -> Iterator[str]:
        yield _csv([spend.CSV])
        found = first
        while found:
            yield _csv([spend.csv_row(call, known) for call in found])
            last = found[-1]
            try:
                found = office.reports.calls(only, Cursor(last.at, last.n), _AT_ONCE)
            except (TooSlow, Unavailable) as error:
                yield _csv([[f"incomplete: {error}"]])
                raise  # the server closes the connection without the end of the body

    response = Response(lines(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="spend.csv"'
    return response


def _csv(rows: list[list[Any]]) -> str:
    """Return *rows* as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


@blueprint.get("/spend/keys")
@auth.viewer
def of_keys() -> Response:
    """List the keys, the dearest first."""
    office = admin.office()
    rows = admin.done(
        lambda: [
            wire.row("key_listed", data, office.sums_of_key(data)) for data in keys.listed(office)
        ]
    )
    limit = admin.number("limit", _MOST, _MOST)
    return admin.answer(sorted(rows, key=lambda row: -row["total_spend"])[:limit])


@blueprint.get("/spend/tags")
@auth.viewer
def of_tags() -> Response:
    """List the tags with their calls, the dearest first."""
    range = admin_range.days()
    found = admin.read(lambda: admin.office().reports.top("tag", "day", range, _MOST))
    return admin.answer(
        [
            {
                "individual_request_tag": tag,
                "log_count": sums.calls,
                "total_spend": dollars(sums.nano),
            }
            for tag, sums in found
        ]
    )


@blueprint.post("/spend/calculate")
@auth.keyed
def calculate() -> Response:
    """Say what a completion costs, or the prompt of `messages` alone."""
    given = admin.body()
    completion = given.get("completion_response")
    reply = completion if isinstance(completion, dict) else {}
    model = given.get("model") or reply.get("model")
    if not isinstance(model, str) or not model:
        raise errors.InvalidRequest("'model' is required, as a string.", param="model")
    usage = reply.get("usage")
    tokens: dict[str, Any] = {"prompt_tokens": token_estimate.tokens(given)}
    if isinstance(usage, dict):
        tokens = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    counts = {name: count for name, count in tokens.items() if type(count) is int and count >= 0}
    cost = pricing.cost(counts, estimate.prices(common.usable(model)[0]))
    if cost is None:
        raise errors.InvalidRequest(
            f"The price of model '{model[:200]}' is unknown.", param="model"
        )
    return admin.answer({"cost": cost})
