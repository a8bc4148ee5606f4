"""/ui/keys: the keys, a page for each, and the forms that change them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from flask import Response
from flask import request

from llmgate import errors
from llmgate.access.management import keys as key_admin
from llmgate.access.management import teams
from llmgate.access.management.keys import Created
from llmgate.access.management.keys import Office
from llmgate.access.refusals import store_errors
from llmgate.dashboard import forms
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import money
from llmgate.dashboard import snippets
from llmgate.endpoints import common
from llmgate.storage.control import Document
from llmgate.storage.control import Filter

_SIZE = 100  # keys on a page
_DONE = {
    "blocked": "The key is blocked: it is refused from the next request on.",
    "unblocked": "The key can be used again.",
    "changed": "The key is changed, from the next request on.",
}


class Row(NamedTuple):
    """One key in a list."""

    data: Document
    account: money.Account
    status: str  # active, blocked or expired
    is_declared: bool


@frame.page("/keys", logins.VIEWER)
def list_keys() -> Response:
    """List the keys that the query asks for."""
    if frame.principal().is_local:
        return frame.render("keys_off.html", "Keys", {})
    office, query = frame.office(), request.args.get("q", "").strip()
    status, page = request.args.get("status", ""), max(1, request.args.get("page", 1, int))
    with store_errors():
        found = key_admin.listed(office)
    kept = [data for data in found if _matches(data, query, status, office.now())]
    shown = kept[(page - 1) * _SIZE : page * _SIZE]
    context = {
        "rows": rows(office, shown),
        "count": len(kept),
        "all": len(found),
        "query": query,
        "status": status,
        "page": page,
        "pages": max(1, -(-len(kept) // _SIZE)),
        "deleted": request.args.get("done") == "deleted",
    }
    return frame.render("keys.html", "Keys", context)


def _matches(data: Document, query: str, status: str, now: int) -> bool:
    """Return whether the key *data* has *query* in a name, and *status*."""
    names = (data.get(n) or "" for n in ("key_alias", "key_name", "token", "user_id", "team_id"))
    return (not query or any(query.lower() in name.lower() for name in names)) and (
        not status or _status(data, now) == status
    )


def rows(office: Office, found: list[Document]) -> list[Row]:
    """Return the keys *found* with what they have spent."""
    scopes = [(f"key:{data.get('spend_id') or data['token']}", data) for data in found]
    with store_errors():
        accounts = money.accounts(office, scopes)
    declared, now = office.directory.is_declared, office.now()
    return [
        Row(data, account, _status(data, now), declared(data["token"]))
        for data, account in zip(found, accounts, strict=True)
    ]


def _status(data: Document, now: int) -> str:
    """Return whether the key *data* can be used, in a word."""
    if data.get("blocked"):
        return "blocked"
    expires = data.get("expires_at")
    return "expired" if expires and expires <= now else "active"


# -- a new key


@frame.page("/keys/new", logins.MANAGER)
def new_key() -> Response:
    """Show the form for a key."""
    return _form({"team_id": request.args.get("team", "")})


@frame.page("/keys/new", logins.MANAGER, "POST")
def create_key() -> Response:
    """Make a key, and show its value this once."""
    given = forms.given(forms.fields(request.form, (*forms.KEY, "duration")))
    try:
        with store_errors():
            made = key_admin.generate(frame.office(), given, frame.actor())
    except errors.GateError as error:
        return _form(request.form, error)
    return _shown_once(made, "Key created")


def _form(values: Mapping[str, str], error: errors.GateError | None = None) -> Response:
    """Return the form with *values*, and what is wrong with them."""
    message, param = forms.problem(error) if error else ("", "")
    with store_errors():
        found = teams.listed(frame.office())
    context = {
        "values": values,
        "error": message,
        "param": param,
        "teams": _choices(found),
        "models": common.gate().routes.names(),
        "forms": forms,
    }
    return frame.render("key_new.html", "New key", context, error.status if error else 200)


def _choices(found: list[Document]) -> list[tuple[str, str]]:
    """Return the teams *found* as choices of a form."""
    return [("", "none")] + [
        (data["team_id"], data.get("team_alias") or data["team_id"]) for data in found
    ]


def _shown_once(made: Created, title: str) -> Response:
    """Return the page with the value of the key *made*, which is stored nowhere."""
    names = made.data.get("models") or common.gate().routes.names() or ["gpt-4o"]
    usable = [name for name in names if "*" not in name and not name.startswith("all-")]
    model = usable[0] if usable else "gpt-4o"
    context = {
        "value": made.value,
        "data": made.data,
        "snippets_of": snippets.of_key(made.value, model),
    }
    return frame.render("key_created.html", title, context)


# -- one key


@frame.page("/keys/<token>", logins.VIEWER)
def one_key(token: str) -> Response:
    """Show a key and what can be done with it."""
    return _page(token)


def _page(token: str, error: errors.GateError | None = None) -> Response:
    """Return the page of the key *token*, with what is wrong with the form that was sent."""
    office = frame.office()
    with store_errors():
        data = key_admin.find(office, token)
        found = teams.listed(office)
    message, param = forms.problem(error) if error else ("", "")
    context = {
        "row": rows(office, [data])[0],
        "values": request.form if error else forms.values(data),
        "error": message,
        "param": param,
        "done": _DONE.get(request.args.get("done", "")),
        "teams": _choices(found),
        "forms": forms,
    }
    name = data.get("key_alias") or data.get("key_name") or "Key"
    return frame.render("key.html", name, context, error.status if error else 200)


@frame.page("/keys/<token>", logins.MANAGER, "POST")
def change_key(token: str) -> Response:
    """Change the fields of a key to those of the form."""
    given = forms.fields(request.form, forms.KEY)
    if request.form.get("duration"):
        given["duration"] = request.form["duration"]
    try:
        with store_errors():
            key_admin.update(frame.office(), {**given, "key": token}, frame.actor())
    except errors.GateError as error:
        return _page(token, error)
    return frame.go(f"/ui/keys/{token}?done=changed")


@frame.page("/keys/<token>/block", logins.MANAGER, "POST")
def block_key(token: str) -> Response:
    """Block a key, or let it be used again."""
    blocked = request.form.get("blocked") == "yes"
    return _done(
        lambda office: key_admin.set_blocked(office, token, blocked, frame.actor()),
        f"/ui/keys/{token}?done={'blocked' if blocked else 'unblocked'}",
    )


@frame.page("/keys/<token>/rotate", logins.MANAGER, "POST")
def rotate_key(token: str) -> Response:
    """Give a key a new value, and show that this once."""
    grace = request.form.get("grace") or None
    with store_errors():
        made = key_admin.rotate(frame.office(), token, None, grace, frame.actor())
    return _shown_once(made, "Key rotated")


@frame.page("/keys/<token>/delete", logins.MANAGER, "POST")
def delete_key(token: str) -> Response:
    """Delete a key, if that is confirmed."""
    if request.form.get("confirmed") != "yes":
        raise errors.InvalidRequest("Nothing was deleted: the box beside the button is empty.")
    return _done(
        lambda office: key_admin.delete(office, [token], frame.actor()), "/ui/keys?done=deleted"
    )


def _done(work: Callable[[Office], Any], path: str) -> Response:
    """Do *work*, and return the redirection to *path*."""
    with store_errors():
        work(frame.office())
    return frame.go(path)


def of_team(office: Office, team: str) -> list[Row]:
    """Return the keys of *team*."""
    with store_errors():
        found = key_admin.listed(office, Filter(team_id=team))
    return rows(office, found[:_SIZE])
