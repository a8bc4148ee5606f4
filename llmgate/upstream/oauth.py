"""Access tokens of OAuth upstreams, kept until shortly before they expire."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.contract import Login
from llmgate.upstream import session as http_session

_MARGIN = 60.0  # seconds before its end that a token is not used any more


class _Token(NamedTuple):
    text: str
    until: float  # on the monotonic clock


class TokenCache:
    """Access tokens by the credentials they were fetched with."""

    def __init__(self, session: http_session.Sender) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._kept: dict[bytes, _Token] = {}

    def with_token(self, deployment: Deployment, login: Login) -> Deployment:
        """Return *deployment* with an access token as its key, fetched if necessary.

        Raises UpstreamError if the credentials are refused.
        """
        credentials = [deployment.provider, deployment.api_key, deployment.settings]
        identity = hashlib.sha256(json.dumps(credentials, default=str).encode()).digest()
        with self._lock:
            kept = self._kept.get(identity)
            if kept is None or kept.until < time.monotonic():
                kept = self._kept[identity] = self._fetch(deployment, login)
        return deployment._replace(api_key=kept.text)

    def _fetch(self, deployment: Deployment, login: Login) -> _Token:
        """Return a new token."""
        answer = self._session.send(login.call(deployment), min(deployment.timeout, 30.0))
        data = http_session.body(answer)
        try:
            text, lives = login.token(json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            raise errors.UpstreamError(
                f"Provider {deployment.provider} gave no access token for its credentials (status"
                f" {answer.status}). Check them in the configuration.",
                status=401,
                code="login_failed",
            ) from error
        return _Token(text, time.monotonic() + max(0.0, lives - _MARGIN))
