"""Which views need a key, and where clients send it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator

from flask import current_app
from flask import g
from flask import request

from llmgate import errors
from llmgate.access.assembly import Access
from llmgate.access.directory import Member
from llmgate.access.policy import MASTER
from llmgate.accounting import records
from llmgate.endpoints import wrong_keys
from llmgate.endpoints.routes import View


def keyed(view: View) -> View:
    """Return *view*, marked as one that needs a key of ours where one is set."""
    view.auth = "key"  # type: ignore[attr-defined]
    return view


def keyed_in_query(view: View) -> View:
    """Return *view*, marked as one that takes its key from the query too, as `?key=`."""
    view.key_in_query = True  # type: ignore[attr-defined]
    return keyed(view)


def public(view: View) -> View:
    """Return *view*, marked as one that anybody may ask."""
    view.auth = "public"  # type: ignore[attr-defined]
    return view


def login(view: View) -> View:
    """Return *view*, marked as a page: the dashboard checks its login, and the log has no line."""
    view.auth = "login"  # type: ignore[attr-defined]
    return view


def metered_login(view: View) -> View:
    """Return *view*, marked as a request to a model from a page: logged as those of the API."""
    view.auth = "metered_login"  # type: ignore[attr-defined]
    return view


QUIET = ("public", "login")
"""Views whose answers are neither counted nor logged, unless they are errors."""


def admin(view: View) -> View:
    """Return *view*, marked as one that only the master key and administrators may call."""
    view.admin = ("admin",)  # type: ignore[attr-defined]
    return keyed(view)


def viewer(view: View) -> View:
    """Return *view*, marked as one that only administrators, and who may read all, may call."""
    view.admin = ("admin", "viewer")  # type: ignore[attr-defined]
    return keyed(view)


def own(view: View) -> View:
    """Return *view*, marked as one that shows each key its own alone: see `own_key`."""
    view.admin = ("admin", "viewer", "")  # type: ignore[attr-defined]
    return keyed(view)


def own_key() -> str | None:
    """Return what the caller's key is in the ledger, None if the caller may see all keys."""
    member: Member | None = g.member
    return None if member is None or member.role else member.key.spend_id


def actor() -> str | None:
    """Return who administers, for the audit: an administrator's user id; None: the master key."""
    member: Member | None = g.member
    return member.key.user if member else None


def access() -> Access:
    """Return the access control of the running app."""
    found: Access = current_app.extensions["llmgate.access"]
    return found


def check_key(master_digest: bytes | None, view: View | None) -> None:
    """Raise Unauthorized or Forbidden if the client's key is missing, wrong, or not enough."""
    roles: tuple[str, ...] = getattr(view, "admin", ())
    if getattr(view, "auth", "key") == "metered_login":
        return
    if master_digest is None and roles and g.member is None:
        if access().directory.has_keys():
            raise _wrong_key()
        raise errors.Forbidden(
            "Management needs a master key: set LLMGATE_MASTER_KEY, restart, and send it.",
            code="master_key_required",
        )
    if master_digest is None and not access().directory.has_keys():
        return
    if g.member is not None:
        access().check(g.member, request.path)
    key: str = g.key
    if not key:
        raise _wrong_key()
    if roles and key != MASTER and not (g.member and g.member.role in roles):
        raise errors.Unauthorized("Only the master key may manage keys, users and teams.")


def _wrong_key() -> errors.Unauthorized:
    """Return the error for a key that is missing or wrong; raises TooManyWrongKeys."""
    sent = set(shown())
    if not sent:
        return errors.Unauthorized(
            "This gateway needs a key: send it as 'Authorization: Bearer <key>' (or api-key,"
            " x-api-key).",
            code="missing_api_key",
        )
    for _ in sent:  # each header may hold another guess
        wrong_keys.count()
    return errors.Unauthorized("The key is not one of this gateway's. Check your api_key.")


def note_key(master_digest: bytes | None) -> None:
    """Note which of our keys the client shows, empty if none: who asks, for the log.

    One that is ours is enough, whatever the other headers hold for other layers.
    """
    found, member = "", None
    if master_digest is not None or access().directory.has_keys():
        for key in shown():
            digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
            if master_digest is not None and hmac.compare_digest(digest, master_digest):
                found = MASTER
            else:
                member = access().find(key)
                found = member.key.token if member else ""
            if found:
                g.meter.caller = records.Caller(found)
                break
    g.key, g.member = found, member


_HEADERS = ("HTTP_API_KEY", "HTTP_X_API_KEY", "HTTP_X_GOOG_API_KEY", "HTTP_X_LITELLM_API_KEY")
_SIGNED = re.compile(r"(?i)AWS4-HMAC-SHA256\s+Credential=(\S+?)/\d{8}/[\w-]+/[\w-]+/aws4_request\b")


def shown() -> Iterator[str]:
    """Return the keys that the client sends, wherever it does.

    AWS's clients have it as their access key: what they sign with it is not looked at, for they
    are known by the key alone, as all others are.
    """
    return (text.strip() for text in _sent() if text and text.strip())


def _sent() -> Iterator[str | None]:
    """Yield what stands in each place for a key, the most usual first."""
    environ = request.environ
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    yield _bearer(authorization)
    for name in _HEADERS:
        text = environ.get(name)
        yield text and (_bearer(text) or text)  # some clients write "Bearer" here, too
    basic = request.authorization  # LLMstudio's clients know no header, but http://any:key@host
    yield basic.password if basic and basic.type == "basic" else None
    yield _in_query()
    signed = _SIGNED.match(authorization)
    yield signed and signed[1]


def _bearer(text: str) -> str | None:
    """Return the key in a header `Bearer <key>`."""
    scheme, _, key = text.partition(" ")
    return key if scheme.lower() == "bearer" else None


def _in_query() -> str | None:
    """Return the key in the query, where a view takes it from there."""
    view = current_app.view_functions.get(request.endpoint or "")
    return request.args.get("key") if getattr(view, "key_in_query", False) else None
