"""Access tokens of OAuth upstreams: fetched once per credentials, refreshed before they expire.

No request waits for the login of somebody else's credentials: the lock is held for look-ups only. A
login runs in a thread of its own with a time limit of its own. The requests that need its token
share it, its failure too, and wait no longer than their own deadline and their client.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import TypeAlias

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.contract import Login
from llmgate.inbound import disconnect
from llmgate.upstream import session as http_session
from llmgate.upstream.deadline import Deadline

_REFRESH_BEFORE = 60.0  # seconds before the end of a token that the next one is fetched
_MARGIN = 5.0  # seconds before its end that a token is not used any more
_LOGIN_SECONDS = 30.0  # the time limit of a login
_RETRY_REFRESH = 5.0  # seconds after a failed refresh, while the old token is valid
_POLL = 0.05  # seconds between two looks at whether the client has disconnected
_MAX_ANSWER = 256 * 1024  # bytes


class Access(NamedTuple):
    """What the login of a library gives."""

    settings: Mapping[str, Any]  # for the deployment: keys, a project
    seconds: float  # that it lives
    api_key: str | None = None


class _Token(NamedTuple):
    api_key: str | None
    settings: Mapping[str, Any]
    refresh_at: float  # on the monotonic clock
    expires_at: float


class _Running:
    """A login that is running."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.token: _Token | None = None
        self.error: errors.GateError | None = None


LogIn: TypeAlias = Callable[[Deployment], Access]
"""Logs in by a library; raises GateError."""


class TokenCache:
    """Access tokens by the credentials they were fetched with."""

    def __init__(
        self, session: http_session.Sender, libraries: Mapping[str, LogIn] | None = None
    ) -> None:
        """Send the calls of logins in *session*; *libraries* have their own."""
        self._session = session
        self._libraries = libraries or {}
        self._lock = threading.Lock()  # never held while anything waits
        self._tokens: dict[bytes, _Token] = {}
        self._running: dict[bytes, _Running] = {}

    def with_token(
        self,
        deployment: Deployment,
        login: Login,
        remaining: Callable[[], float] = lambda: math.inf,
    ) -> Deployment:
        """Return *deployment* with an access token, or other credentials, fetched if necessary.

        A token of a client's own credentials is not kept. *remaining* returns the seconds until
        the request's deadline. Raises GateError if the login fails.
        """
        identity = _identity(deployment)
        token = self._tokens.get(identity)
        if token is None or time.monotonic() >= token.refresh_at:
            token = self._refreshed(identity, token, deployment, login, remaining)
        if not token.settings:
            return deployment._replace(api_key=token.api_key)
        settings = {**deployment.settings, **token.settings}
        return deployment._replace(api_key=token.api_key, settings=settings)

    def _refreshed(
        self,
        identity: bytes,
        token: _Token | None,
        deployment: Deployment,
        login: Login,
        remaining: Callable[[], float],
    ) -> _Token:
        """Return a new token, or the old *token* while that is valid and a login is running."""
        running = self._start(identity, deployment, login)
        if token is not None and time.monotonic() < token.expires_at:
            return token
        with _disconnects():
            while not running.done.wait(min(_POLL, max(0.0, remaining()))):
                if reason := disconnect.reason():
                    raise reason
                if remaining() <= 0:
                    raise errors.UpstreamTimeout(
                        f"The login to {deployment.provider} was not complete within the request's"
                        " time limit."
                    )
        if running.token is None:
            assert running.error is not None
            raise _copied(running.error)
        return running.token

    def _start(self, identity: bytes, deployment: Deployment, login: Login) -> _Running:
        """Return the running login of *identity*, started if there is none."""
        with self._lock:
            running = self._running.get(identity)
            if running is not None:
                return running
            running = self._running[identity] = _Running()
        thread = threading.Thread(
            target=self._run,
            args=(identity, running, deployment, login),
            name="llmgate-login",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:  # the system's limit of threads
            running.error = errors.OutOfResources("The gateway cannot start a thread to log in.")
            self._end(identity, running, is_kept=True)
        return running

    def _run(
        self, identity: bytes, running: _Running, deployment: Deployment, login: Login
    ) -> None:
        """Log in; the outcome is in *running*."""
        running.error = errors.BadUpstream(f"The login to {deployment.provider} failed.")
        try:
            running.token, running.error = self._fetch(deployment, login), None
        except errors.GateError as error:
            running.error = error
        finally:
            self._end(identity, running, is_kept=not deployment.has_client_key)

    def _end(self, identity: bytes, running: _Running, is_kept: bool) -> None:
        """Keep the token; after a failure an old one stays, and is refreshed a little later."""
        with self._lock:
            del self._running[identity]
            old = self._tokens.get(identity)
            if running.token and is_kept:
                self._tokens[identity] = running.token
            elif old:
                later = time.monotonic() + _RETRY_REFRESH
                self._tokens[identity] = old._replace(refresh_at=later)
        running.done.set()

    def _fetch(self, deployment: Deployment, login: Login) -> _Token:
        """Return new credentials; raises GateError."""
        if login.library:
            found = self._libraries[login.library](deployment)
        else:
            found = self._by_call(deployment, login)
        now = time.monotonic()
        early = min(_REFRESH_BEFORE, found.seconds / 2)
        end = now + found.seconds
        return _Token(found.api_key, found.settings, end - early, end - _MARGIN)

    def _by_call(self, deployment: Deployment, login: Login) -> Access:
        """Return the access token that the login's endpoint gives; raises GateError."""
        assert login.call is not None
        assert login.token is not None
        seconds = min(deployment.timeout, _LOGIN_SECONDS)
        remaining = Deadline(seconds).remaining
        answer = self._session.send(login.call(deployment), seconds, None, remaining)
        data = http_session.body(answer, _MAX_ANSWER)
        if answer.status == 429 or answer.status >= 500:
            raise errors.BadUpstream(
                f"The token endpoint of {deployment.provider} returned status {answer.status}."
            )
        try:
            text, seconds = login.token(json.loads(data))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise errors.UpstreamError(
                f"Provider {deployment.provider} returned no access token for its credentials"
                f" (status {answer.status}). Check them in the configuration.",
                status=401,
                code="login_failed",
            ) from error
        return Access({}, seconds, text)


def _identity(deployment: Deployment) -> bytes:
    """Return a digest of the credentials of *deployment*."""
    credentials = [deployment.provider, deployment.api_key, deployment.settings]
    return hashlib.sha256(json.dumps(credentials, default=str).encode()).digest()


@contextlib.contextmanager
def _disconnects() -> Iterator[None]:
    """Let `disconnect.reason` know in the block if the client disconnects or the worker ends.

    Both are watched for on behalf of a socket; nothing is connected to this one.
    """
    client = disconnect.current()
    if client is None:
        yield
        return
    with socket.socket() as stand_in:
        client.watch(stand_in.fileno(), True)
        try:
            yield
        finally:
            client.unwatch(stand_in.fileno())


def _copied(error: errors.GateError) -> errors.GateError:
    """Return *error* anew: one object raised in several threads would collect their frames."""
    found = type(error).__new__(type(error))
    found.__dict__.update(error.__dict__)
    found.args = error.args
    return found
