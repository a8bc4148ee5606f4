"""Who uses the dashboard: sessions behind an opaque cookie, CSRF tokens, the throttle.

The cookie holds a random value and never a key. A session is stored under the HMAC of that value
with the master key: a changed master key ends every session. The API does not read the cookie, and
the dashboard does not read the API's headers.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from flask import current_app
from flask import g
from flask import request

from llmgate import errors
from llmgate.access import rules
from llmgate.access.assembly import Access
from llmgate.access.directory import Member
from llmgate.storage.sessions import Sessions

ANYONE, HOLDER, VIEWER, MANAGER = range(4)
"""What a page needs: nothing; a key of its own; to see everything; to change keys as well."""

_LEVELS = {"": HOLDER, "viewer": VIEWER, "admin": MANAGER}
"""By the role of a key's user."""

_NEEDS = {VIEWER: ("/key/list", "/spend/logs"), MANAGER: ("/key/generate", "/team/new")}
"""The routes of the API that a level stands for: a key that may not call them has less."""

HOURS = 12
"""How long a login lasts."""

_WINDOW, _MOST_FAILURES = 300, 10  # seconds; failed logins of one address in them
_LONG = 20  # characters; a random key of so many cannot be guessed
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")
_MASTER = "master"


class Off(errors.NotFound):
    """The dashboard is off for this request."""

    code = "dashboard_off"


class LoginThrottled(errors.GateError):
    """Too many logins from one address have failed."""

    status = 429
    code = "login_throttled"


class InvalidToken(errors.GateError):
    """A form without the token of its page, or from another site."""

    status = 403
    code = "invalid_csrf_token"


class Principal(NamedTuple):
    """Who uses the dashboard, and how far that reaches."""

    level: int = ANYONE
    member: Member | None = None  # the owner of the key that was used
    is_local: bool = False  # no login was needed

    @property
    def key(self) -> str:
        """Return what requests of this principal are logged under."""
        if self.member is not None:
            return self.member.key.token
        return "" if self.is_local else _MASTER

    @property
    def subject(self) -> str:
        """Return what sessions of this principal are stored under."""
        return f"key:{self.member.key.token}" if self.member is not None else _MASTER


class Logins:
    """The logins of an app whose master key has the SHA-256 *master*, None: it has none."""

    def __init__(
        self,
        sessions: Sessions,
        access: Access,
        master: bytes | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions, self._access, self._master = sessions, access, master
        self._clock = clock

    @property
    def has_master(self) -> bool:
        """Return whether a master key is set: without one nothing can be managed."""
        return self._master is not None

    def find(self, value: str | None) -> Principal:
        """Return who has the cookie *value*; a key that is refused now counts as no login."""
        if not value:
            return Principal()
        subject = self._sessions.subject(self._id(value), int(self._clock()))
        if subject == _MASTER:
            return Principal(MANAGER)
        if not subject:
            return Principal()
        self._access.directory.refresh()
        member = self._access.directory.member(subject.removeprefix("key:"))
        if member is None:
            return Principal()
        try:
            return self._holder(member)
        except errors.GateError:
            return Principal()

    def log_in(self, key: str, address: str) -> tuple[str, Principal]:
        """Return a new cookie's value and who has *key*; raises Unauthorized, LoginThrottled.

        A key that is blocked or expired raises KeyRefused.
        """
        now = int(self._clock())
        if len(key) >= _LONG and self._is_master(key):
            principal = Principal(MANAGER)
        else:
            principal = self._attempted(key, address, now)
        value = secrets.token_urlsafe(32)
        self._sessions.create(self._id(value), principal.subject, now, now + HOURS * 3600)
        return value, principal

    def log_out(self, value: str | None) -> None:
        """End the session of the cookie *value*."""
        if value:
            self._sessions.end(self._id(value))

    def log_out_everywhere(self, principal: Principal) -> None:
        """End every session of *principal*."""
        self._sessions.end_all(principal.subject)

    def count(self, principal: Principal) -> int:
        """Return how many sessions *principal* has."""
        return self._sessions.count(principal.subject, int(self._clock()))

    def _id(self, value: str) -> str:
        """Return what the session of the cookie *value* is stored under."""
        return hmac.new(self._master or b"", value.encode(), hashlib.sha256).hexdigest()

    def _attempted(self, key: str, address: str, now: int) -> Principal:
        """Return who has *key*; raises Unauthorized, LoginThrottled, KeyRefused.

        A login counts as failed until the key is found, or parallel guesses had no limit.
        """
        attempt = self._sessions.attempt(address, now, now - _WINDOW, _MOST_FAILURES)
        if attempt is None:
            raise LoginThrottled(
                "Too many failed logins from your address. Wait five minutes, then try again.",
                headers={"Retry-After": str(_WINDOW)},
            )
        is_master = self._is_master(key)
        member = None if is_master else self._access.find(key)
        if not is_master and member is None:
            raise errors.Unauthorized("This key is not known here. Check it, and paste all of it.")
        self._sessions.forget(attempt)
        return Principal(MANAGER) if member is None else self._holder(member)

    def _is_master(self, key: str) -> bool:
        """Return whether *key* is the master key."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        return self._master is not None and hmac.compare_digest(digest, self._master)

    def _holder(self, member: Member) -> Principal:
        """Return who has the key of *member*; raises KeyRefused."""
        self._access.check(member, "/key/info")
        level = _LEVELS[member.role]
        routes = member.key.routes
        while level > HOLDER and not all(rules.allows_route(routes, p) for p in _NEEDS[level]):
            level -= 1
        return Principal(level, member)


def logins() -> Logins:
    """Return the logins of the running app."""
    found: Logins = current_app.extensions["llmgate.logins"]
    return found


def enter(is_enabled: bool, access: Access) -> Principal:
    """Return who sends this request; raises Off where the dashboard is not offered.

    Without a master key and without keys, a browser on this machine needs no login, if the
    gateway listens on loopback alone. A page of another site that has its own name point here (DNS
    rebinding) sends that name as Host; a proxy in front adds headers.
    """
    if not is_enabled:
        raise Off("The dashboard is off (llmgate_settings.dashboard).")
    if not logins().has_master:
        if not is_loopback(request.environ.get("SERVER_NAME")):
            raise Off(
                "The dashboard is off: the gateway can be reached from other machines and has no"
                " master key. Set LLMGATE_MASTER_KEY, and restart."
            )
        if not access.directory.has_keys():
            _check_local()
            return Principal(VIEWER, is_local=True)
    return logins().find(cookie())


def _check_local() -> None:
    """Raise Off unless a browser on this machine asks, by this machine's own name."""
    host = request.host.rpartition(":")[0] if not request.host.endswith("]") else request.host
    named = [name for name in _FORWARDED if name in request.headers]
    if named or not is_loopback(request.remote_addr):
        raise Off(
            "Without a master key the dashboard is for this machine alone, and this request came"
            " through a proxy. Set LLMGATE_MASTER_KEY, and restart."
        )
    if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site") and (
        request.headers.get("Sec-Fetch-Mode") != "navigate"
    ):
        raise Off("Another site's script cannot read the dashboard.")
    if not is_loopback((host or request.host).strip("[]")):
        raise Off(
            "Without a master key the dashboard is for this machine alone. Open it as"
            " http://localhost, or set LLMGATE_MASTER_KEY, and restart."
        )


def is_loopback(host: str | None) -> bool:
    """Return whether *host* is an address or the name of this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


# -- the cookie and the tokens of forms


def is_secure() -> bool:
    """Return whether the browser's connection is HTTPS, here or at a proxy in front.

    A client that claims so without HTTPS harms itself alone: it drops the Secure cookie.
    """
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip()
    return request.is_secure or forwarded.lower() == "https"


def cookie_name() -> str:
    """Return the name of the cookie; with `__Host-` no other host can have set it."""
    return "__Host-llmgate" if is_secure() else "llmgate"


def cookie() -> str | None:
    """Return the value of this browser's cookie, one that is being set included."""
    found: str | None = g.get("new_cookie") or request.cookies.get(cookie_name())
    return found


def csrf_token() -> str:
    """Return the token for the forms of this page; a browser without a cookie gets one."""
    value = cookie()
    if not value:
        value = g.new_cookie = secrets.token_urlsafe(32)
    return hmac.new(value.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_origin(given: str) -> None:
    """Raise InvalidToken unless a page of ours sent this request, with its token *given*."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (
        origin is not None and origin.partition("://")[2] != request.host
    ):
        raise InvalidToken("This form was sent from another site. Open the dashboard, and repeat.")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), csrf_token().encode()):
        raise InvalidToken("This form has expired. Reload the page, and repeat.")
