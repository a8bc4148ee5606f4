"""/global/spend/... and /user, /team, /tag/daily/activity: sums, in LiteLLM's wire."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from typing import Any

from flask import Blueprint
from flask import Response
from flask import request

from llmgate.access.management import activity
from llmgate.access.management import fields
from llmgate.access.management import spend
from llmgate.endpoints import admin
from llmgate.endpoints import admin_range
from llmgate.endpoints import auth
from llmgate.storage.ledger import dollars
from llmgate.storage.reports.shapes import Measures
from llmgate.storage.reports.shapes import Page
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Wanted

blueprint = Blueprint("admin_activity", __name__)

_MOST = 1000
_MOST_COMBINATIONS = 20_000


def _top(kind: str, range: Range | None = None) -> list[tuple[str, Measures]]:
    """Return the dearest ids of *kind*, of the range in the query."""
    wanted, limit = range or admin_range.days(), admin.number("limit", _MOST, _MOST)
    return admin.read(lambda: admin.office().reports.top(kind, "day", wanted, limit))


@blueprint.get("/global/spend")
@auth.viewer
def total() -> Response:
    """Say what everything cost, and the gateway's budget."""
    access = auth.access()
    budget = next(iter(access.options.gateway), None)
    every = Range(0, admin.office().now())
    sums = admin.read(lambda: admin.office().reports.top("gateway", "day", every, 1))
    return admin.answer(
        {
            "spend": dollars(sums[0][1].nano) if sums else 0.0,
            "max_budget": dollars(budget.nano) if budget else 0.0,
        }
    )


@blueprint.get("/global/spend/keys")
@auth.viewer
def keys() -> Response:
    """List the dearest keys."""
    known = admin.done(lambda: spend.names(admin.office()))
    return admin.answer(
        [
            {
                "api_key": known.shown(id),
                "key_alias": known.field(id, "key_alias"),
                "key_name": known.field(id, "key_name"),
                "total_spend": dollars(sums.nano),
            }
            for id, sums in _top("key")
        ]
    )


@blueprint.get("/global/spend/models")
@auth.viewer
def models() -> Response:
    """List the dearest models."""
    return admin.answer(
        [{"model": id, "total_spend": dollars(sums.nano)} for id, sums in _top("model")]
    )


@blueprint.get("/global/spend/provider")
@auth.viewer
def providers() -> Response:
    """List the dearest providers."""
    return admin.answer(
        [{"provider": id, "spend": dollars(sums.nano)} for id, sums in _top("provider")]
    )


@blueprint.get("/global/spend/tags")
@auth.viewer
def tags() -> Response:
    """List what tags cost, those of `tags` alone if it is given."""
    wanted = {tag for tag in request.args.get("tags", "").split(",") if tag}
    return admin.answer(
        {
            "spend_per_tag": [
                {"name": id, "spend": dollars(sums.nano), "log_count": sums.calls}
                for id, sums in _top("tag")
                if not wanted or id in wanted
            ]
        }
    )


@blueprint.get("/global/spend/all_tag_names")
@auth.viewer
def tag_names() -> Response:
    """List the tags that requests had."""
    return admin.answer({"tag_names": sorted(id for id, _ in _top("tag"))})


@blueprint.get("/global/spend/teams")
@auth.viewer
def teams() -> Response:
    """List what teams cost, by day and in all."""
    range = admin_range.days()
    sums = _top("team", range)
    total = admin.read(lambda: admin.office().reports.totals("day", range))
    spent = {id: dollars(found.nano) for id, found in sums}
    spent[activity.NOBODY] = dollars(total.nano - sum(found.nano for _, found in sums))
    daily = []
    for day in spend.days(range):
        found = {id: dollars(each.nano) for id, each in _top("team", day)}
        if found:
            daily.append({"date": spend.date(day.start), **found})
    return admin.answer(
        {
            "daily_spend": daily,
            "teams": list(spent),
            "total_spend_per_team": [
                {"team_id": id, "total_spend": value} for id, value in spent.items()
            ],
        }
    )


@blueprint.get("/global/activity")
@auth.viewer
def requests() -> Response:
    """Say how many requests and tokens there were on each day."""
    range = admin_range.days()
    found = admin.read(lambda: admin.office().reports.series("day", range))
    rows = [
        {
            "date": datetime.fromtimestamp(day // 1_000_000, UTC).strftime("%b %d"),
            "api_requests": sums.calls,
            "total_tokens": sums.prompt_tokens + sums.completion_tokens,
        }
        for day, sums in found
    ]
    return admin.answer(
        {
            "daily_data": rows,
            "sum_api_requests": sum(sums.calls for _, sums in found),
            "sum_total_tokens": sum(row["total_tokens"] for row in rows),
        }
    )


_GROUPS = {"team": "team", "internal_user": "user", "api_key": "key", "customer": "end_user"}


@blueprint.get("/global/spend/report")
@auth.viewer
def report() -> Response:
    """Report what teams, customers, users or keys cost, by day and model."""
    group = request.args.get("group_by", "team")
    if group not in _GROUPS:
        raise fields.InvalidField(
            f"'group_by' must be one of {', '.join(_GROUPS)}.", param="group_by"
        )
    range = admin_range.days()
    if group == "customer":
        return admin.answer(_of_customers(range))
    wanted = Wanted(range, "team", [team] if (team := admin.text("team_id")) else [])
    known = admin.done(lambda: spend.names(admin.office()))
    found = admin.read(
        lambda: admin.office().reports.combinations(wanted, Page(0, _MOST_COMBINATIONS))
    )
    rows: dict[str, list[dict[str, Any]]] = {}
    for day, id, used in spend.grouped(found, _GROUPS[group], known):
        shown = known.shown(id) if group == "api_key" else id or activity.NOBODY
        spent = sum(each["spend"] for each in used)
        name = "team_name" if group == "team" else group
        rows.setdefault(day, []).append({name: shown, "total_spend": spent, "metadata": used})
    return admin.answer([{"group_by_day": day, f"{group}s": found} for day, found in rows.items()])


def _of_customers(range: Range) -> list[dict[str, Any]]:
    """Return what customers cost on each day of *range*."""
    rows = []
    for day in spend.days(range):
        found = _top("end_user", day)
        shown = [
            {"customer": id, "total_spend": dollars(sums.nano), "metadata": []}
            for id, sums in found
        ]
        if shown:
            rows.append({"group_by_day": spend.date(day.start), "customers": shown})
    return rows


@blueprint.get("/user/daily/activity")
@auth.own
def of_users() -> Response:
    """Break down each day by model, provider, endpoint, key and user; a key sees its own."""
    user = admin.text("user_id")
    return _activity("user", [user] if user else [])


@blueprint.get("/team/daily/activity")
@auth.viewer
def of_teams() -> Response:
    """Break down each day of teams."""
    return _activity("team", _listed("team_ids"))


@blueprint.get("/tag/daily/activity")
@auth.viewer
def of_tags() -> Response:
    """Break down each day of tags."""
    return _activity("tag", _listed("tags"))


def _listed(name: str) -> list[str]:
    """Return the comma-separated *name* of the query."""
    return [each for each in request.args.get(name, "").split(",") if each]


def _activity(kind: str, ids: list[str]) -> Response:
    """Return the activity of the *ids* of *kind*, a page of combinations at a time."""
    page, size = admin.number("page", 1, 10**6), admin.number("page_size", 1000, 1000)
    office, key = admin.office(), auth.own_key()
    if key is None and (named := admin.text("api_key")):
        key = admin.done(lambda: spend.id_of_key(office, named))
    wanted = Wanted(
        admin_range.days(), kind if ids or kind == "tag" else "", ids, key, admin.text("model")
    )
    part = Page((page - 1) * size, size)
    found = admin.read(lambda: office.reports.combinations(wanted, part))
    number = admin.read(lambda: office.reports.count_combinations(wanted))
    known = admin.done(lambda: spend.names(office))
    rows = activity.days(found, "id" if kind == "tag" else kind, known)
    sums = activity.total(each.measures for each in found)
    pages = max(1, -(-number // size))
    return admin.answer({"results": rows, "metadata": activity.metadata(sums, page, pages)})
