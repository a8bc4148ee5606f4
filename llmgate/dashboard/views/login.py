"""/ui/login, /ui/logout, and the static files, which need no login."""

from __future__ import annotations

from pathlib import Path

from flask import Response
from flask import request
from flask import send_from_directory

from llmgate import errors
from llmgate.access.refusals import KeyRefused
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.endpoints import common
from llmgate.trust import client_address

_STATIC = Path(__file__).parents[1] / "static"
_DONE = {"out": "You are logged out.", "everywhere": "You are logged out on every device."}


@frame.page("/login", logins.ANYONE)
def login_form() -> Response:
    """Ask for a key."""
    if frame.principal().level:
        return frame.go(_first_page(frame.principal()))
    return _form(done=_DONE.get(request.args.get("done", "")))


@frame.page("/login", logins.ANYONE, "POST")
def log_in() -> Response:
    """Begin a session of who has the key in the form."""
    try:
        value, who = logins.logins().log_in(request.form.get("key", "").strip(), _client())
    except (errors.Unauthorized, KeyRefused, logins.LoginThrottled) as error:
        return _form(error)
    frame.start_session(value)
    return frame.go(_safe(request.form.get("next", "")) or _first_page(who))


@frame.page("/logout", logins.HOLDER, "POST")
def log_out() -> Response:
    """End this session."""
    logins.logins().log_out(logins.cookie())
    frame.end_session()
    return frame.go("/ui/login?done=out")


@frame.page("/logout/everywhere", logins.HOLDER, "POST")
def log_out_everywhere() -> Response:
    """End every session of this principal."""
    logins.logins().log_out_everywhere(frame.principal())
    frame.end_session()
    return frame.go("/ui/login?done=everywhere")


@frame.page("/static/<path:name>", logins.ANYONE)
def static_file(name: str) -> Response:
    """Return a style sheet, script or icon."""
    return send_from_directory(_STATIC, name, max_age=86400)


def _form(error: errors.GateError | None = None, done: str | None = None) -> Response:
    """Return the page with the form."""
    context = {
        "error": error.message if error else None,
        "done": done,
        "next": _safe(request.values.get("next", "")),
        "encrypted": logins.is_secure() or logins.is_loopback(request.remote_addr),
        "has_master": logins.logins().has_master,
    }
    found = frame.render("login.html", "Log in", context, error.status if error else 200)
    found.headers.update(error.headers if error else {})
    return found


def _client() -> str:
    """Return the network of this request's client."""
    return client_address.client_network(
        request.remote_addr or "",
        request.headers.get("X-Forwarded-For", ""),
        common.settings().web.proxies,
    )


def _safe(path: str) -> str:
    """Return *path* if it is a page of the dashboard, else nothing: no other site, no scheme."""
    return path if path.startswith("/ui/") and path.isprintable() and "\\" not in path else ""


def _first_page(who: logins.Principal) -> str:
    """Return where a login leads to: a holder of a key has no overview."""
    return "/ui/mine" if who.level == logins.HOLDER else "/ui"
