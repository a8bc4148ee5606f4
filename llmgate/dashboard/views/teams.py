"""/ui/teams: the teams, a page for each, and the forms that change them."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response
from flask import request

from llmgate import errors
from llmgate.access.management import teams
from llmgate.access.refusals import store_errors
from llmgate.dashboard import forms
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import money
from llmgate.dashboard.views import keys

_DONE = {
    "blocked": "The team is blocked: its keys are refused from the next request on.",
    "unblocked": "The keys of the team can be used again.",
    "changed": "The team is changed, from the next request on.",
    "created": "The team is created. Give it keys.",
    "deleted": "The team and its keys are deleted.",
}


@frame.page("/teams", logins.VIEWER)
def list_teams() -> Response:
    """List the teams."""
    if frame.principal().is_local:
        return frame.render("keys_off.html", "Teams", {})
    office = frame.office()
    with store_errors():
        found = teams.listed(office)
        accounts = money.accounts(office, [(f"team:{data['team_id']}", data) for data in found])
    context = {
        "rows": list(zip(found, accounts, strict=True)),
        "done": _DONE.get(request.args.get("done", "")),
    }
    return frame.render("teams.html", "Teams", context)


@frame.page("/teams/new", logins.MANAGER)
def new_team() -> Response:
    """Show the form for a team."""
    return _form({})


@frame.page("/teams/new", logins.MANAGER, "POST")
def create_team() -> Response:
    """Make a team."""
    given = forms.given(forms.fields(request.form, (*forms.TEAM, "team_id")))
    try:
        with store_errors():
            data = teams.create(frame.office(), given, frame.actor())
    except errors.GateError as error:
        return _form(request.form, error)
    return frame.go(f"/ui/teams/{data['team_id']}?done=created")


def _form(values: Mapping[str, str], error: errors.GateError | None = None) -> Response:
    """Return the form with *values*, and what is wrong with them."""
    message, param = forms.problem(error) if error else ("", "")
    context = {"values": values, "error": message, "param": param, "forms": forms}
    return frame.render("team_new.html", "New team", context, error.status if error else 200)


@frame.page("/teams/<path:id>", logins.VIEWER)
def one_team(id: str) -> Response:
    """Show a team, its keys, and what can be done with it."""
    return _page(id)


def _page(id: str, error: errors.GateError | None = None) -> Response:
    """Return the page of the team *id*, with what is wrong with the form that was sent."""
    office = frame.office()
    with store_errors():
        data = teams.find(office, id)
        account = money.accounts(office, [(f"team:{id}", data)])[0]
    message, param = forms.problem(error) if error else ("", "")
    context = {
        "data": data,
        "account": account,
        "rows": keys.of_team(office, id),
        "values": request.form if error else forms.values(data),
        "error": message,
        "param": param,
        "done": _DONE.get(request.args.get("done", "")),
        "forms": forms,
    }
    title = data.get("team_alias") or id
    return frame.render("team.html", title, context, error.status if error else 200)


@frame.page("/teams/<path:id>", logins.MANAGER, "POST")
def change_team(id: str) -> Response:
    """Do with a team what the button of the form names."""
    office, actor = frame.office(), frame.actor()
    action = request.form.get("action", "change")
    if action == "delete" and request.form.get("confirmed") != "yes":
        raise errors.InvalidRequest("Nothing was deleted: the box beside the button is empty.")
    try:
        with store_errors():
            if action == "delete":
                teams.delete(office, [id], actor)
                return frame.go("/ui/teams?done=deleted")
            if action in ("block", "unblock"):
                teams.change(office, id, {"blocked": action == "block"}, action, actor)
                return frame.go(f"/ui/teams/{id}?done={action}ed")
            teams.change(office, id, forms.fields(request.form, forms.TEAM), "update", actor)
    except errors.GateError as error:
        return _page(id, error)
    return frame.go(f"/ui/teams/{id}?done=changed")
