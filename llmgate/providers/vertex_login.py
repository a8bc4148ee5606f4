"""Access tokens of Google Cloud: for a service account or a user's gcloud login.

The credentials are the JSON of a key file; the configuration's reader reads the file.
Source: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Login

TOKEN_URL = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_LIFETIME = 3600  # seconds: the longest that Google allows
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def credentials(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the credentials in *settings*, an object or its JSON text; empty without any.

    Raises GateError for anything else, the path of a file for instance.
    """
    given = settings.get("vertex_credentials") or {}
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = None
    if isinstance(given, Mapping):
        return given
    raise _wrong("is not the JSON of a key file")


def project(settings: Mapping[str, Any]) -> str | None:
    """Return the project that the credentials in *settings* are of, None if unknown."""
    found = credentials(settings)
    named = found.get("project_id") or found.get("quota_project_id")
    return named if isinstance(named, str) else None


def call(deployment: Deployment) -> Call:
    """Return the call that requests an access token with *deployment*'s credentials."""
    found = _trusted(credentials(deployment.settings), deployment)
    kind = found.get("type")
    if kind not in _FORMS:
        raise _wrong(f"is of type '{kind}'; llmgate knows {' and '.join(_FORMS)}")
    try:
        form = _FORMS[kind](found)
    except KeyError as e:
        raise _wrong(f"lacks {e}") from e
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Call("POST", found["token_uri"], headers, urlencode(form).encode())


def _is_clients(deployment: Deployment) -> bool:
    """Return whether a client sent the credentials."""
    return deployment.has_client_key or deployment.origin == "client"


def _trusted(found: Mapping[str, Any], deployment: Deployment) -> Mapping[str, Any]:
    """Return the credentials *found* with a `token_uri`: Google's own if a client sent them."""
    named = None if _is_clients(deployment) else found.get("token_uri")
    return {**found, "token_uri": named if isinstance(named, str) and named else TOKEN_URL}


def token(answer: Any) -> tuple[str, float]:
    """Return the access token in Google's *answer*, and the seconds it lives."""
    return str(answer["access_token"]), float(answer["expires_in"])


def needed(deployment: Deployment) -> bool:
    """Return whether *deployment* has no token yet."""
    return not (deployment.api_key or deployment.settings.get("vertex_access_token"))


LOGIN = Login(needed, call, token)


def _service_account(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the form of a service account: a token it signed itself for a token of Google's."""
    signed = assertion(found, time.time(), _rs256(found["private_key"]))
    return {"grant_type": _GRANT, "assertion": signed}


def _authorized_user(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the form of a user who logged in with gcloud."""
    names = ("client_id", "client_secret", "refresh_token")
    return {"grant_type": "refresh_token", **{name: found[name] for name in names}}


_FORMS = {"service_account": _service_account, "authorized_user": _authorized_user}


def assertion(found: Mapping[str, Any], now: float, sign: Callable[[bytes], bytes]) -> str:
    """Return the signed assertion of a service account, valid for an hour from *now*."""
    header = {"alg": "RS256", "typ": "JWT", "kid": found.get("private_key_id")}
    claims = {
        "iss": found["client_email"],
        "scope": SCOPE,
        "aud": found.get("token_uri") or TOKEN_URL,
        "iat": int(now),
        "exp": int(now) + _LIFETIME,
    }
    segments = b".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    return b".".join((segments, _base64url(sign(segments)))).decode()


def _base64url(data: bytes) -> bytes:
    """Return *data* as a JSON web token writes it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _rs256(private_key: str) -> Callable[[bytes], bytes]:
    """Return what signs with *private_key*, in PEM; the extra [vertex] has the means."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as e:
        raise errors.GateError(
            "Google service accounts need an extra package: pip install 'llmgate[vertex]'.",
            code="missing_dependency",
        ) from e
    try:
        key = serialization.load_pem_private_key(private_key.encode(), password=None)
    except (TypeError, ValueError) as e:
        raise _wrong("has a private_key that cannot be read") from e
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _wrong("has a private_key that is not of RSA")
    return lambda segments: key.sign(segments, padding.PKCS1v15(), hashes.SHA256())


def _wrong(what: str) -> errors.GateError:
    """Return the error for credentials that cannot be used; it does not show them."""
    return errors.GateError(
        f"vertex_credentials {what}: give the JSON of a service account's key, or"
        " vertex_access_token in its place.",
        code="bad_provider_credentials",
    )
