"""Cooldowns: deployments that fail receive no requests for a while, then one request as a probe.

Failures are counted per process; a cooldown is shared with the other workers.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from llmgate import errors
from llmgate.accounting.records import Entry
from llmgate.contract import Deployment
from llmgate.routing import retry_policy
from llmgate.routing.router_settings import RouterSettings
from llmgate.storage.counters import Store

LONGEST = 120.0
"""The longest Retry-After that is honoured, in seconds."""

_MINUTE = 60.0  # seconds over which failures are counted
_PROBE_TIMEOUT = 30.0  # seconds after which a probe without a result is abandoned
_POLL = 0.25  # seconds between reads of the other workers' cooldowns
_FAULTS = frozenset({401, 402, 408, 429, 498})  # and 5xx: another deployment may succeed
_PERMANENT = frozenset({401, 402})  # a key or an account: the next request fails, too


class _State:
    """A deployment that has failed."""

    def __init__(self) -> None:
        self.fails: list[float] = []  # times of the failures
        self.cooldown_until = 0.0  # 0: no cooldown
        self.server_requested = False  # by its Retry-After
        self.probe: float | None = None  # the time at which a probe began


class Cooldown:
    """Which deployments are in cooldown."""

    def __init__(
        self,
        settings: RouterSettings,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._settings, self._store, self._clock = settings, store, clock
        self._chance = chance or random.Random()
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}
        self._polled = 0.0

    def wait(self, deployment: Deployment) -> float:
        """Return the seconds of cooldown that remain for *deployment*; 0: it may be used."""
        self._poll()
        state = self._states.get(deployment.id)
        if state is None or not state.cooldown_until:
            return 0.0
        now = self._clock()
        if now < state.cooldown_until:
            return state.cooldown_until - now
        return 1.0 if _is_probing(state, now) else 0.0

    def server_requested(self, deployment: Deployment) -> bool:
        """Return whether a Retry-After of the upstream put *deployment* in cooldown."""
        state = self._states.get(deployment.id)
        return state is not None and state.server_requested and self._clock() < state.cooldown_until

    def admits(self, deployment: Deployment) -> bool:
        """Return whether *deployment* accepts a request; after a cooldown, one probe."""
        state = self._states.get(deployment.id)
        if state is None or not state.cooldown_until:
            return True
        with self._lock:
            now = self._clock()
            if now < state.cooldown_until or _is_probing(state, now):
                return False
            state.probe = now
            return True

    def record(self, entry: Entry) -> None:
        """Learn from an attempt."""
        deployment = entry.deployment
        if deployment is None or not self._settings.cooldowns:
            return
        is_clients = deployment.has_client_key  # which proves nothing about ours
        if _is_fault(entry) and not is_clients:
            self._failed(deployment, entry)
        elif deployment.id in self._states:
            self._succeeded(self._states[deployment.id], is_clients or entry.status == 499)

    def _failed(self, deployment: Deployment, entry: Entry) -> None:
        """Count a failure, and start a cooldown after too many."""
        now = self._clock()
        with self._lock:
            state = self._states.setdefault(deployment.id, _State())
            state.fails = [when for when in state.fails if when > now - _MINUTE] + [now]
            kind = retry_policy.kind_of(entry.status)
            own = retry_policy.of_kind(self._settings.allowed_fails_by_kind, kind)
            allowed = self._settings.allowed_fails if own is None else own
            requested = entry.retry_after is not None and entry.status in (429, 503)
            at_once = requested or (own is None and _is_at_once(entry))
            if at_once or state.probe is not None or len(state.fails) > allowed:
                self._start(deployment, state, now, entry.retry_after if requested else None)
            state.probe = None

    def _start(
        self, deployment: Deployment, state: _State, now: float, requested: float | None
    ) -> None:
        """Start a cooldown: of the deployment's own length, the upstream's, or the default."""
        own = deployment.routing.cooldown_time
        if own is not None:
            length = own
        elif requested is not None:
            length = min(requested, LONGEST)
        else:  # with jitter, so that not all deployments return at the same moment
            length = self._settings.cooldown_time * self._chance.uniform(1.0, 1.1)
        if length <= 0:
            return
        state.cooldown_until = max(state.cooldown_until, now + length)
        state.server_requested = requested is not None and own is None
        self._store.start_cooldown(deployment.id, state.cooldown_until)

    def _succeeded(self, state: _State, is_inconclusive: bool) -> None:
        """End the cooldown after a success; an inconclusive result only ends the probe."""
        with self._lock:
            if state.probe is not None or self._clock() >= state.cooldown_until:
                state.probe = None
                if not is_inconclusive:
                    state.cooldown_until, state.server_requested = 0.0, False

    def _poll(self) -> None:
        """Read the cooldowns that other workers started."""
        now = self._clock()
        if now - self._polled < _POLL:
            return
        self._polled = now
        for name, until in self._store.cooldowns().items():
            if until > now:
                with self._lock:
                    state = self._states.setdefault(name, _State())
                    state.cooldown_until = max(state.cooldown_until, min(until, now + LONGEST))


def _is_probing(state: _State, now: float) -> bool:
    """Return whether a probe is in progress."""
    return state.probe is not None and now - state.probe < _PROBE_TIMEOUT


_NO_FAULTS = ("client_left", "out_of_resources", errors.StreamTooLong.code)


def _is_fault(entry: Entry) -> bool:
    """Return whether an attempt failed because of its deployment."""
    if entry.error_code in _NO_FAULTS or not entry.attempt:
        return False
    if entry.status < 400:  # a stream that broke after its first event
        return entry.error is not None
    if entry.status in (403, 404):
        # a wildcard's model, or an object in the path, is the client's word
        named_by_client = entry.deployment is not None and entry.deployment.from_wildcard
        return entry.body is not None and not named_by_client and _is_account(entry)
    return entry.status in _FAULTS or entry.status >= 500 or _is_account(entry)


def _is_account(entry: Entry) -> bool:
    """Return whether an attempt failed for its deployment's key, account, quota or name."""
    return retry_policy.is_account_status(entry.status, entry.error_code)


def _is_at_once(entry: Entry) -> bool:
    """Return whether one failure is enough for a cooldown."""
    return entry.status in (429, 498) or entry.status in _PERMANENT
