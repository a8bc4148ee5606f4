"""AWS signatures, version 4: a call goes in, the call with its signature comes out.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC
from datetime import datetime
from typing import NamedTuple
from urllib.parse import SplitResult
from urllib.parse import quote
from urllib.parse import unquote
from urllib.parse import urlsplit

from llmgate.contract import Call
from llmgate.contract import SpooledFile

# Headers that something on the way may add or change.
_UNSIGNED = frozenset("connection expect transfer-encoding user-agent x-amzn-trace-id".split())
_REPLACED = frozenset("authorization host x-amz-date x-amz-security-token".split())
_PORTS = {"https": ":443", "http": ":80"}


class Keys(NamedTuple):
    """Who signs: an access key, and the session token that came with it if it is temporary."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        """Return it without its secrets."""
        return f"Keys({self.access_key_id!r})"


def signed(call: Call, keys: Keys, region: str, service: str, at: datetime) -> Call:
    """Return *call* signed for *service* in *region*; the signature holds some minutes from *at*.

    All its headers are signed but those that a proxy may change. Whatever is added to it later is
    not signed, and may not be `x-amz-...`.
    """
    time = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    headers = {key: value for key, value in call.headers.items() if key.lower() not in _REPLACED}
    headers["X-Amz-Date"] = time
    if keys.session_token:
        headers["X-Amz-Security-Token"] = keys.session_token
    request, names = _canonical(call, headers)
    digest = hashlib.sha256(request.encode()).hexdigest()
    secret = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        secret = _mac(secret, part)
    signature = _mac(secret, f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}").hex()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope},"
        f" SignedHeaders={names}, Signature={signature}"
    )
    return call._replace(headers=headers)


def _mac(secret: bytes, text: str) -> bytes:
    """Return the keyed digest of *text*."""
    return hmac.digest(secret, text.encode(), "sha256")


def _canonical(call: Call, headers: dict[str, str]) -> tuple[str, str]:
    """Return the canonical request and the names of its signed headers."""
    url = urlsplit(call.url)
    signed = {key.lower(): " ".join(value.split()) for key, value in headers.items()}
    signed = {key: value for key, value in signed.items() if key not in _UNSIGNED}
    signed["host"] = _host(url)
    lines = [f"{key}:{signed[key]}" for key in sorted(signed)]
    names = ";".join(sorted(signed))
    return "\n".join(
        [call.method, _path(url.path), _query(url.query), *lines, "", names, _payload(call.data)]
    ), names


def _host(url: SplitResult) -> str:
    """Return the Host header that goes with *url*."""
    host = url.netloc.rpartition("@")[2].lower()
    return host.removesuffix(_PORTS.get(url.scheme, ""))


def _path(path: str) -> str:
    """Return *path* without its dots and empty segments, quoted once more than it is sent."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and path.endswith(("/", "/.", "/..")) else ""
    return quote(f"/{'/'.join(kept)}{end}", safe="/-_.~")


def _query(query: str) -> str:
    """Return *query* in order, quoted as AWS quotes."""
    parts = [part.partition("=") for part in query.split("&") if part]
    pairs = [(_quoted(name), _quoted(value)) for name, _, value in parts]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _quoted(text: str) -> str:
    """Return *text*, quoted or not yet, quoted."""
    return quote(unquote(text), safe="-_.~")


def _payload(data: bytes | SpooledFile) -> str:
    """Return the digest of *data*, which stands at its first byte afterwards."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256()
    data.rewind()
    for block in data:
        digest.update(block)
    data.rewind()
    return digest.hexdigest()
