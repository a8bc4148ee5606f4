"""What administrators do with end users (customers), tags and budgets: records with limits."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.access.management import fields
from llmgate.access.management import wire
from llmgate.access.management.fields import Check
from llmgate.access.management.keys import ADMIN
from llmgate.access.management.keys import Office
from llmgate.storage.control import Document
from llmgate.storage.control import Records


class RecordNotFound(errors.NotFound):
    """There is no such user, customer, tag or budget."""

    code = "record_not_found"


class Kind(NamedTuple):
    """A kind of records."""

    name: str  # in the store
    id: str  # the field that identifies one
    fields: dict[str, Check]
    missing: str  # what to say if there is none, with {id}
    param: str


CUSTOMER = Kind(
    "customer", "user_id", fields.CUSTOMER, "End User Id={id} does not exist in db", "end_user_id"
)
TAG = Kind("tag", "name", fields.TAG, "Tag not found: {id}", "name")
BUDGET = Kind("budget", "budget_id", fields.BUDGET, "Budget not found: {id}", "budget_id")

_OWN_BUDGET = """max_budget soft_budget budget_duration tpm_limit rpm_limit max_parallel_requests
model_max_budget""".split()


def not_found(kind: Kind, id: str) -> RecordNotFound:
    """Return the error for the record *id* of *kind*, which does not exist."""
    return RecordNotFound(kind.missing.format(id=id[:200]), param=kind.param)


def create(office: Office, kind: Kind, given: Mapping[str, Any], actor: str = ADMIN) -> Document:
    """Make a record of *kind* from LiteLLM's fields. Raises InvalidRequest."""
    found = fields.checked(given, kind.fields)
    id = found.get(kind.id) or (str(uuid.uuid4()) if kind is BUDGET else None)
    if not id:
        raise fields.InvalidField(f"'{kind.id}' is required, as a string.", param=kind.id)
    now = office.now()
    data: Document = {**found, kind.id: id, "created_at": now, "updated_at": now}
    data |= {"created_by": actor, "updated_by": actor}

    def stored(records: Records) -> None:
        if records.get(kind.name, id) is not None:
            raise errors.InvalidRequest(
                f"The {kind.name} '{id[:200]}' exists already; update it.",
                param=kind.id,
                code="record_exists",
            )
        _check_budget(records, kind, data)
        records.put(kind.name, id, data)
        records.audit(actor, "create", kind.name, id)

    office.control.change(stored)
    return data


def _check_budget(records: Records, kind: Kind, data: Document) -> None:
    """Raise InvalidRequest if *data*, of *kind*, names a budget that does not exist."""
    id = data.get("budget_id")
    if id and kind is not BUDGET and records.get("budget", id) is None:
        raise errors.InvalidRequest(
            f"budget_id '{id[:200]}' does not exist; create it with /budget/new first.",
            param="budget_id",
        )


def find(office: Office, kind: Kind, id: str) -> Document:
    """Return the record *id* of *kind*. Raises RecordNotFound."""
    data = None
    if office.control.exists():
        data = office.control.read(lambda records: records.get(kind.name, id))
    if data is None:
        raise not_found(kind, id)
    return data


def change(
    office: Office, kind: Kind, given: Mapping[str, Any], action: str, actor: str = ADMIN
) -> Document:
    """Change the fields that are *given*. Raises RecordNotFound, InvalidRequest."""
    changes = fields.checked(given, kind.fields)
    id = changes.get(kind.id)
    if not id:
        raise fields.InvalidField(f"'{kind.id}' is required, as a string.", param=kind.id)

    def changed(records: Records) -> Document:
        data = records.get(kind.name, id)
        if data is None:
            raise not_found(kind, id)
        data |= {**changes, "updated_at": office.now(), "updated_by": actor}
        _check_budget(records, kind, data)
        records.put(kind.name, id, data)
        records.audit(actor, action, kind.name, id)
        return data

    if not office.control.exists():
        raise not_found(kind, id)
    return office.control.change(changed)


def delete(office: Office, kind: Kind, ids: list[str], actor: str = ADMIN) -> list[Document]:
    """Delete the records *ids*, and return them. Raises RecordNotFound, and then deletes none."""

    def deleted(records: Records) -> list[Document]:
        found = []
        for id in ids:
            data = records.get(kind.name, id)
            if data is None:
                raise not_found(kind, id)
            records.delete(kind.name, id)
            records.audit(actor, "delete", kind.name, id)
            found.append(data)
        return found

    if ids and not office.control.exists():
        raise not_found(kind, ids[0])
    return office.control.change(deleted) if ids else []


def listed(office: Office, kind: Kind) -> list[Document]:
    """Return the records of *kind*, oldest first."""
    if not office.control.exists():
        return []
    return office.control.read(lambda records: records.list(kind.name))


# -- as LiteLLM shows them


def budget_table(office: Office, data: Document, row: str = "budget_table") -> wire.Row | None:
    """Return the budget of the record *data*, which it names or has itself; None without one."""
    id = data.get("budget_id")
    if id:
        own = office.control.read(lambda records: records.get("budget", id)) or {}
        return budget_row(office, own, row) if own else None
    if all(data.get(name) is None for name in _OWN_BUDGET):
        return None
    own = {name: data[name] for name in _OWN_BUDGET if name in data}
    return budget_row(office, {**own, "created_at": data.get("created_at")}, row)


def budget_row(office: Office, data: Document, row: str = "budget") -> wire.Row:
    """Return the budget *data*; it has no sums of its own."""
    return wire.row(row, data, wire.Sums(end=office.window_end(data)))


def customer_row(office: Office, data: Document) -> wire.Row:
    """Return the customer *data*."""
    shown = {**data, "blocked": bool(data.get("blocked"))}
    shown["litellm_budget_table"] = budget_table(office, data)
    return wire.row("customer", shown, office.sums(f"end_user:{data['user_id']}", data))


def tag_row(office: Office, data: Document, with_budget: bool = True) -> wire.Row:
    """Return the tag *data*."""
    found = wire.row("tag", data)
    if with_budget:
        found["litellm_budget_table"] = budget_table(office, data, "budget")
    return found


DYNAMIC = (
    "This is just a spend tag that was passed dynamically in a request. It does not control any"
    " LLM models."
)


def dynamic_tag_row(name: str) -> wire.Row:
    """Return the tag *name*, which is known from requests alone."""
    return {**wire.row("tag", {"name": name, "description": DYNAMIC}), "litellm_budget_table": None}
