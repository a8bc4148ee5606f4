"""What every page has: who may open it, the headers, the template, the page of an error."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from typing import TypeVar
from urllib.parse import quote

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import g
from flask import redirect
from flask import render_template
from flask import request
from werkzeug import exceptions

from llmgate import errors
from llmgate.access import refusals
from llmgate.access.management.keys import ADMIN
from llmgate.access.management.keys import Office
from llmgate.dashboard import charts
from llmgate.dashboard import formats
from llmgate.dashboard import logins
from llmgate.dashboard.logins import Principal
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.storage.database import TooSlow
from llmgate.storage.database import Unavailable
from llmgate.version import VERSION

View = TypeVar("View", bound=Callable[..., Any])
Context = Mapping[str, Any]

blueprint = Blueprint("dashboard", __name__, url_prefix="/ui", template_folder="templates")

_LARGEST_FORM = 64 * 1024
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# not no-referrer: then browsers send `Origin: null` with our own forms
# https://fetch.spec.whatwg.org/#append-a-request-origin-header
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

SECTIONS: tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...] = (
    (
        "Watch",
        (
            ("Overview", "/ui", logins.VIEWER),
            ("Usage", "/ui/usage", logins.VIEWER),
            ("Requests", "/ui/requests", logins.VIEWER),
        ),
    ),
    ("Manage", (("Keys", "/ui/keys", logins.VIEWER), ("Teams", "/ui/teams", logins.VIEWER))),
    (
        "Gateway",
        (("Models", "/ui/models", logins.VIEWER), ("Settings", "/ui/settings", logins.VIEWER)),
    ),
    (
        "Use",
        (
            ("My usage", "/ui/mine", logins.HOLDER),
            ("Playground", "/ui/playground", logins.HOLDER),
        ),
    ),
)
"""The navigation: each section's pages, with the level that they need."""


def page(path: str, level: int, *methods: str) -> Callable[[View], View]:
    """Return the decorator that puts a view at /ui + *path*, for principals of *level*."""

    def decorated(view: View) -> View:
        view.level = level  # type: ignore[attr-defined]
        if not hasattr(view, "auth"):
            auth.login(view)
        given = list(methods or ("GET",))
        blueprint.add_url_rule(path, view_func=view, methods=given, strict_slashes=False)
        return view

    return decorated


def principal() -> Principal:
    """Return who sends this request."""
    found: Principal = g.principal
    return found


def office() -> Office:
    """Return where keys are administered; raises Forbidden where nothing can be changed."""
    if principal().is_local:
        raise errors.Forbidden(
            "Keys, teams and budgets need a master key: set LLMGATE_MASTER_KEY, and restart.",
            code="master_key_required",
        )
    return auth.access().office


def actor() -> str:
    """Return who changes keys and teams with this request, for the audit."""
    member = principal().member
    return (member.key.user if member else None) or ADMIN


def zone() -> tzinfo:
    """Return the time zone of budgets, in which the pages show times."""
    return auth.access().office.zone


def render(template: str, title: str, context: Context, status: int = 200) -> Response:
    """Return the page that *template* makes of *context*."""
    shown = {
        **context,
        "title": title,
        "root": request.script_root,
        "version": VERSION,
        "path": request.path.rstrip("/"),
        "principal": g.get("principal") or Principal(),
        "sections": _sections(g.get("principal") or Principal()),
        "csrf": logins.csrf_token,
        "zone": zone(),
        "charts": charts,
    }
    env = current_app.jinja_env  # made now, with the first page
    if "money" not in env.filters:
        env.filters.update(formats.FILTERS)
    with refusals.store_errors():
        text = render_template(f"dashboard/{template}", **shown)
    return Response(text, status, content_type="text/html; charset=utf-8")


def go(path: str) -> Response:
    """Return the redirection to *path* after a form."""
    found = redirect(request.script_root + path, 303)
    assert isinstance(found, Response)
    return found


def _sections(who: Principal) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the navigation for *who*."""
    found = [
        (name, [(text, path) for text, path, level in pages if level <= who.level])
        for name, pages in SECTIONS
    ]
    has_key = who.member is not None
    return [
        (name, kept)
        for name, pages in found
        if (kept := [each for each in pages if has_key or each[1] != "/ui/mine"])
    ]


# -- the guard


@blueprint.before_request
def _guard() -> Response | None:
    """Note who asks; refuse, or lead to the login, who may not open the page."""
    request.max_content_length = _LARGEST_FORM
    view = current_app.view_functions[request.endpoint or ""]
    level: int = getattr(view, "level", logins.ANYONE)
    if request.method == "POST" and getattr(view, "auth", "") == "metered_login":
        request.max_content_length = common.settings().max_body
    with refusals.store_errors():
        g.principal = logins.enter(common.settings().dashboard, auth.access())
    if g.principal.level < level and g.principal.level == logins.ANYONE:
        if getattr(view, "auth", "") == "metered_login":
            raise errors.Unauthorized("Your login has ended. Log in again.", code="login_required")
        back = request.full_path.rstrip("?") if request.method == "GET" else "/ui"
        return go("/ui/login" + (f"?next={quote(back)}" if back != "/ui" else ""))
    if request.method == "POST":
        logins.check_origin(request.headers.get("X-CSRF-Token") or _form_token())
    if g.principal.level < level:
        raise errors.Forbidden(
            "Changes need a master key: set LLMGATE_MASTER_KEY, and restart."
            if g.principal.is_local
            else "This needs the master key, or a key of an administrator."
        )
    return None


def _form_token() -> str:
    """Return the CSRF token in this form; a body that is not a form has none."""
    if request.mimetype != "application/x-www-form-urlencoded":
        return ""
    return request.form.get("csrf", "")


@blueprint.after_request
def _finish(response: Response) -> Response:
    """Add the headers of every page, and the cookie of a browser that has none."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    value = g.get("new_cookie")
    if value is not None:
        response.set_cookie(
            logins.cookie_name(),
            value,
            max_age=logins.HOURS * 3600 if value else 0,
            secure=logins.is_secure(),
            httponly=True,
            samesite="Strict",
        )
    return response


def start_session(value: str) -> None:
    """Give this browser the cookie *value*, in place of the one it has."""
    g.new_cookie = value


def end_session() -> None:
    """Take this browser's cookie away."""
    g.new_cookie = ""


# -- errors


@blueprint.errorhandler(errors.GateError)
def _failed(error: errors.GateError) -> Response:
    """Return the page for *error*; JSON for a script."""
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "auth", "") == "metered_login":
        return error_responses.error_response(error)
    found = render("error.html", "Not possible", {"error": error}, error.status)
    found.headers.update(error.headers)
    return found


@blueprint.errorhandler(Unavailable)
def _unavailable(error: Unavailable) -> Response:
    """Return the page for a store that cannot be used."""
    return _failed(refusals.StoreUnavailable(str(error)))


@blueprint.errorhandler(TooSlow)
def _too_slow(error: TooSlow) -> Response:
    """Return the page for a report that takes too long."""
    return _failed(
        errors.InvalidRequest("This takes too long. Choose a shorter time.", code="range_too_wide")
    )


@blueprint.errorhandler(exceptions.RequestEntityTooLarge)
def _too_large(error: exceptions.RequestEntityTooLarge) -> Response:
    """Return the page for a form that is too large."""
    return _failed(errors.TooLarge("This form is too large."))


@blueprint.route("/<path:rest>")
@auth.login
def unknown(rest: str) -> Response:
    """Return the page for a path that does not exist."""
    raise errors.NotFound("There is no such page.")
