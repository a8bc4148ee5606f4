"""/customer/... (also /end_user/...), /tag/... and /budget/..., in LiteLLM's wire."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Response

from llmgate.access.management import fields
from llmgate.access.management import records
from llmgate.access.management.records import BUDGET
from llmgate.access.management.records import CUSTOMER
from llmgate.access.management.records import TAG
from llmgate.access.management.records import Kind
from llmgate.endpoints import admin
from llmgate.endpoints import admin_range
from llmgate.endpoints import auth

blueprint = Blueprint("admin_records", __name__)


def _create(kind: Kind, given: dict[str, Any]) -> dict[str, Any]:
    """Make a record of *kind*."""
    return admin.done(lambda: records.create(admin.office(), kind, given, admin.actor()))


def _update(kind: Kind, given: dict[str, Any], action: str = "update") -> dict[str, Any]:
    """Change a record of *kind*."""
    return admin.done(lambda: records.change(admin.office(), kind, given, action, admin.actor()))


def _delete(kind: Kind, ids: list[str]) -> list[dict[str, Any]]:
    """Delete records of *kind*."""
    return admin.done(lambda: records.delete(admin.office(), kind, ids, admin.actor()))


def _find(kind: Kind, id: str) -> dict[str, Any]:
    """Return the record *id* of *kind*."""
    return admin.done(lambda: records.find(admin.office(), kind, id))


# -- customers


def _customer(data: dict[str, Any]) -> dict[str, Any]:
    """Return the customer *data* as a row."""
    return admin.done(lambda: records.customer_row(admin.office(), data))


@blueprint.post("/customer/new")
@blueprint.post("/end_user/new")
@auth.admin
def new_customer() -> Response:
    """Make a customer: an end user with a budget, limits or a block."""
    given = admin.body()
    return admin.answer(_customer(_create(CUSTOMER, given)), given, fields.CUSTOMER)


@blueprint.get("/customer/info")
@blueprint.get("/end_user/info")
@auth.viewer
def customer() -> Response:
    """Describe the customer in the query."""
    id = admin.text("end_user_id")
    if id is None:
        raise fields.InvalidField("'end_user_id' is required.", param="end_user_id")
    return admin.answer(_customer(_find(CUSTOMER, id)))


@blueprint.get("/customer/list")
@blueprint.get("/end_user/list")
@auth.viewer
def customers() -> Response:
    """List the customers."""
    found = admin.done(lambda: records.listed(admin.office(), CUSTOMER))
    return admin.answer([_customer(data) for data in found])


@blueprint.post("/customer/update")
@blueprint.post("/end_user/update")
@auth.admin
def update_customer() -> Response:
    """Change the fields of a customer that are sent."""
    given = admin.body()
    return admin.answer(_customer(_update(CUSTOMER, given)), given, fields.CUSTOMER)


@blueprint.post("/customer/delete")
@blueprint.post("/end_user/delete")
@auth.admin
def delete_customers() -> Response:
    """Delete customers."""
    ids = admin.names(admin.body(), "user_ids")
    number = len(_delete(CUSTOMER, ids))
    message = f"Successfully deleted customers with ids: {ids}"
    return admin.answer({"deleted_customers": number, "message": message})


@blueprint.post("/customer/block")
@blueprint.post("/end_user/block")
@auth.admin
def block_customers() -> Response:
    """Block customers: their requests are refused from the next one on."""
    return _set_blocked(True)


@blueprint.post("/customer/unblock")
@blueprint.post("/end_user/unblock")
@auth.admin
def unblock_customers() -> Response:
    """Let blocked customers' requests be served again."""
    return _set_blocked(False)


def _set_blocked(blocked: bool) -> Response:
    """Block or unblock the customers in the body; who is not known yet is made."""
    rows = []
    for id in admin.names(admin.body(), "user_ids"):
        given = {"user_id": id, "blocked": blocked}
        try:
            data = _update(CUSTOMER, given, "block" if blocked else "unblock")
        except records.RecordNotFound:
            data = _create(CUSTOMER, given)
        rows.append(_customer(data))
    return admin.answer({"blocked_users" if blocked else "unblocked_users": rows})


# -- tags


def _tag(data: dict[str, Any], with_budget: bool = True) -> dict[str, Any]:
    """Return the tag *data* as a row."""
    return admin.done(lambda: records.tag_row(admin.office(), data, with_budget))


@blueprint.post("/tag/new")
@auth.admin
def new_tag() -> Response:
    """Make a tag: requests that have it share its budget and limits."""
    given = admin.body()
    data = _create(TAG, given)
    message = f"Tag {data['name']} created successfully"
    return admin.answer({"message": message, "tag": _tag(data, False)}, given, fields.TAG)


@blueprint.post("/tag/info")
@auth.viewer
def tags_by_name() -> Response:
    """Describe the tags in the body."""
    names = admin.names(admin.body(), "names")
    return admin.answer({name: _tag(_find(TAG, name)) for name in names})


@blueprint.get("/tag/list")
@auth.viewer
def tags() -> Response:
    """List the tags, and those that requests of the last 30 days had."""
    office = admin.office()
    stored = admin.done(lambda: records.listed(office, TAG))
    range = admin_range.days()
    seen = admin.read(lambda: office.reports.top("tag", "day", range, 1000))
    known = {data["name"] for data in stored}
    rows = [_tag(data) for data in stored]
    rows += [records.dynamic_tag_row(name) for name, _ in seen if name not in known]
    return admin.answer(rows)


@blueprint.post("/tag/update")
@auth.admin
def update_tag() -> Response:
    """Change the fields of a tag that are sent."""
    given = admin.body()
    data = _update(TAG, given)
    message = f"Tag {data['name']} updated successfully"
    return admin.answer({"message": message, "tag": _tag(data, False)}, given, fields.TAG)


@blueprint.post("/tag/delete")
@auth.admin
def delete_tag() -> Response:
    """Delete the tag in the body."""
    name = admin.required(admin.body(), "name")
    _delete(TAG, [name])
    return admin.answer({"message": f"Tag {name} deleted successfully"})


# -- budgets


def _budget(data: dict[str, Any]) -> dict[str, Any]:
    """Return the budget *data* as a row."""
    return records.budget_row(admin.office(), data)


@blueprint.post("/budget/new")
@auth.admin
def new_budget() -> Response:
    """Make a budget that keys, customers and tags can name; each has its own sum of it."""
    given = admin.body()
    return admin.answer(_budget(_create(BUDGET, given)), given, fields.BUDGET)


@blueprint.post("/budget/info")
@auth.viewer
def budgets_by_id() -> Response:
    """Describe the budgets in the body."""
    ids = admin.names(admin.body(), "budgets")
    return admin.answer([_budget(_find(BUDGET, id)) for id in ids])


@blueprint.get("/budget/list")
@auth.viewer
def budgets() -> Response:
    """List the budgets."""
    found = admin.done(lambda: records.listed(admin.office(), BUDGET))
    return admin.answer([_budget(data) for data in found])


@blueprint.post("/budget/update")
@auth.admin
def update_budget() -> Response:
    """Change the fields of a budget that are sent: for everything that names it."""
    given = admin.body()
    return admin.answer(_budget(_update(BUDGET, given)), given, fields.BUDGET)


@blueprint.post("/budget/delete")
@auth.admin
def delete_budget() -> Response:
    """Delete the budget in the body."""
    (data,) = _delete(BUDGET, [admin.required(admin.body(), "id")])
    return admin.answer(_budget(data))
