"""Deployments that fail rest for a while; then one request tries them before the others may.

Counts are exact within a process; that a deployment rests is told to the other workers.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from llmgate.accounting.records import Entry
from llmgate.contract import Deployment
from llmgate.routing import retry_policy
from llmgate.routing.router_settings import RouterSettings
from llmgate.storage.counters import Store

LONGEST = 120.0
"""Seconds of Retry-After that are believed."""

_MINUTE = 60.0  # seconds that failures are counted over
_PROBE = 30.0  # seconds after which a probe that says nothing is given up
_POLL = 0.25  # seconds between looks at what other workers know
_FAULTS = frozenset({401, 408, 429})  # and 5xx: what another deployment might do better


class _State:
    """What is known of a deployment that has failed."""

    def __init__(self) -> None:
        self.fails: list[float] = []  # when
        self.until = 0.0  # the end of its rest; 0: it has none
        self.told = False  # the upstream itself has asked for it
        self.probe: float | None = None  # since when one request tries it


class Cooldown:
    """Which deployments rest."""

    def __init__(
        self,
        rules: RouterSettings,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._rules, self._store, self._clock = rules, store, clock
        self._chance = chance or random.Random()
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}
        self._looked = 0.0

    def wait(self, deployment: Deployment) -> float:
        """Return the seconds that *deployment* still rests; 0: it may be asked."""
        self._look()
        state = self._states.get(deployment.id)
        if state is None or not state.until:
            return 0.0
        now = self._clock()
        if now < state.until:
            return state.until - now
        return 1.0 if _is_probed(state, now) else 0.0

    def told(self, deployment: Deployment) -> bool:
        """Return whether the upstream itself asked for the rest of *deployment*."""
        state = self._states.get(deployment.id)
        return state is not None and state.told and self._clock() < state.until

    def admitted(self, deployment: Deployment) -> bool:
        """Return whether one more request may go there; after a rest that is one at first."""
        state = self._states.get(deployment.id)
        if state is None or not state.until:
            return True
        with self._lock:
            now = self._clock()
            if now < state.until or _is_probed(state, now):
                return False
            state.probe = now
            return True

    def record(self, entry: Entry) -> None:
        """Learn from an attempt."""
        deployment = entry.deployment
        if deployment is None or not self._rules.cooldowns:
            return
        theirs = deployment.has_client_key  # a client's key says nothing of ours
        if _is_fault(entry) and not theirs:
            self._failed(deployment, entry)
        elif deployment.id in self._states:
            self._worked(self._states[deployment.id], theirs or entry.status == 499)

    def _failed(self, deployment: Deployment, entry: Entry) -> None:
        """Count a failure; it may be one too many."""
        now = self._clock()
        with self._lock:
            state = self._states.setdefault(deployment.id, _State())
            state.fails = [when for when in state.fails if when > now - _MINUTE] + [now]
            kind = retry_policy.kind_of(entry.status)
            allowed = self._rules.allowed_fails_by_kind.get(kind, self._rules.allowed_fails)
            told = entry.retry_after is not None and entry.status in (429, 503)
            at_once = told or (
                entry.status == 429 and kind not in self._rules.allowed_fails_by_kind
            )
            if at_once or state.probe is not None or len(state.fails) > allowed:
                self._rest(deployment, state, now, entry.retry_after if told else None)
            state.probe = None

    def _rest(self, deployment: Deployment, state: _State, now: float, asked: float | None) -> None:
        """Let *deployment* rest: as long as it says itself, its upstream, or the rules."""
        own = deployment.routing.cooldown_time
        if own is not None:
            length = own
        elif asked is not None:
            length = min(asked, LONGEST)
        else:  # a little apart, or all would be tried again at the same moment
            length = self._rules.cooldown_time * self._chance.uniform(1.0, 1.1)
        if length <= 0:
            return
        state.until = max(state.until, now + length)
        state.told = asked is not None and own is None
        self._store.start_cooldown(deployment.id, state.until)

    def _worked(self, state: _State, says_nothing: bool) -> None:
        """Note that an answer came, or that nobody knows whether it would have."""
        with self._lock:
            if state.probe is not None or self._clock() >= state.until:
                state.probe = None
                if not says_nothing:
                    state.until, state.told = 0.0, False

    def _look(self) -> None:
        """Learn who rests from what other workers have seen."""
        now = self._clock()
        if now - self._looked < _POLL:
            return
        self._looked = now
        for name, until in self._store.cooldowns().items():
            if until > now:
                with self._lock:
                    state = self._states.setdefault(name, _State())
                    state.until = max(state.until, min(until, now + LONGEST))


def _is_probed(state: _State, now: float) -> bool:
    """Return whether a request tries the deployment of *state* just now."""
    return state.probe is not None and now - state.probe < _PROBE


def _is_fault(entry: Entry) -> bool:
    """Return whether an attempt failed for a reason that lies in its deployment."""
    if entry.error_code in ("client_left", "out_of_resources") or not entry.attempt:
        return False
    if entry.status < 400:  # a stream that broke after its beginning
        return entry.error is not None
    return entry.status in _FAULTS or entry.status >= 500
