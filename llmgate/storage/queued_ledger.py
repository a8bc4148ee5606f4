"""A ledger that charges calls in groups, a moment after they ended.

A call that is charged is in a file of this process at once, and in the ledger with the next
reservation of this process, or after `SOON` or `LATER`: one commit serves many calls. The
calls of a killed process are charged by the next one that looks; those that the ledger cannot take
now are kept until it can. If the machine fails, what is older than `LATER` is not lost.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from llmgate.storage import journal
from llmgate.storage.database import Unavailable
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Difference
from llmgate.storage.ledger import Exceeded
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Ledger
from llmgate.storage.ledger import Spent
from llmgate.storage.waiting import Batch
from llmgate.storage.waiting import Waiting
from llmgate.storage.waiting import charged

_LOGGER = logging.getLogger("llmgate")

SOON = 0.02
"""Seconds until a call with a reservation is charged: others may wait for what it frees."""

LATER = 0.1
"""Seconds until another call is charged."""

_RETRY_AFTER = 1.0  # seconds
_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError)  # of what is in a call
_AT_ONCE = 256  # calls in one transaction
_MOST_IN_MEMORY = 10_000  # the others are in the file alone
_LOOK_EVERY = 30.0  # seconds between looks for the files of dead processes


class QueuedLedger:
    """The *ledger*, with files of calls in *folder*."""

    def __init__(
        self, ledger: Ledger, folder: Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._ledger, self._folder, self._clock = ledger, folder, clock
        self.database = ledger.database
        self._states: dict[int, Waiting] = {}  # by process

    def exists(self) -> bool:
        return self._ledger.exists()

    def reserve(self, hold: Hold, budgets: list[Budget], calls: Sequence[Call] = ()) -> None:
        try:
            self._reserve(hold, budgets, calls)
        except Exceeded as error:
            if not error.sums.held:
                raise
            time.sleep(1.5 * SOON)  # calls of other processes may have ended with less
            self._reserve(hold, budgets)

    def _reserve(self, hold: Hold, budgets: list[Budget], calls: Sequence[Call] = ()) -> None:
        """Charge what waits, and reserve *hold*."""
        state = self._current()
        with self._taken(state) as batch:
            self._ledger.reserve(hold, budgets, [*calls, *(call for call, _ in batch)])
        self._note_commit(state)

    def raise_hold(self, id: str, nano: int, budgets: list[Budget]) -> None:
        self._ledger.raise_hold(id, nano, budgets)

    def charge(self, call: Call, is_held: bool) -> None:
        """Charge *call* soon, a little later if no reservation is held for it (*is_held*)."""
        state = self._current()
        with state.changed:
            file = state.files[0]
            try:
                file.append(call, durably=state.breaker.is_open())
            except OSError as error:
                self._failed(state, error)
                state.calls.append((call, None))
            else:
                state.calls.append((call, file))
            state.added += 1
            self._due_in(state, SOON if is_held else LATER)

    def settle(self, call: Call, now: int) -> bool:
        return self._ledger.settle(call, now)

    def settle_all(self, calls: Sequence[Call], now: int) -> list[bool]:
        return self._ledger.settle_all(calls, now)

    def sums(self, budgets: list[Budget]) -> list[Spent]:
        self.flush()
        return self._ledger.sums(budgets)

    def sync(self) -> None:
        self._ledger.sync()

    def sweep(self, now: int) -> int:
        return self._ledger.sweep(now)

    def check(self, repair: bool = False) -> list[Difference]:
        self.flush()
        journal.charge_abandoned(self._folder, self._charge_all)
        return self._ledger.check(repair)

    def flush(self) -> None:
        """Charge what this process has to charge. Raises Unavailable."""
        self._flush(self._current())

    def _flush(self, state: Waiting) -> None:
        """Charge what is in *state*. Raises Unavailable."""
        while state.calls:
            with self._taken(state) as batch:
                self._settle([call for call, _ in batch])
            self._note_commit(state)
        state.await_taken()

    def close(self) -> None:
        """Charge what waits, and remove the files if that was possible."""
        state = self._current()
        try:
            self.flush()
        except Unavailable:
            _LOGGER.error("llmgate: calls that ended are left in %s, for later", self._folder)
        with state.changed:
            state.closing = True
            state.changed.notify_all()
            for file in state.files:
                file.close()

    def _current(self) -> Waiting:
        """Return what this process has to charge; what was there before a fork is another's."""
        pid = os.getpid()
        state = self._states.get(pid)
        # one for all threads, also if several make one; a fork may copy a lock that is held
        return state or self._states.setdefault(pid, Waiting(self._folder))

    def _now(self) -> int:
        """Return the time in microseconds."""
        return int(self._clock() * 1e6)

    @contextmanager
    def _taken(self, state: Waiting) -> Iterator[Batch]:
        """Yield calls to charge; they are put back if anything but Exceeded is raised."""
        with state.taking():
            batch = self._next(state) if state.calls else []
            is_charged = False
            try:
                yield batch
                is_charged = True
            except Exceeded:
                is_charged = True
                raise
            finally:
                (charged if is_charged else self._put_back)(state, batch)

    def _next(self, state: Waiting) -> Batch:
        """Take the next calls to charge out of *state*."""
        with state.changed:
            batch, state.calls = state.calls[:_AT_ONCE], state.calls[_AT_ONCE:]
            state.due = math.inf if not state.calls else state.due
            if state.files[1].number == 0:  # its calls are charged: it is the next to be filled
                state.files.reverse()
        return batch

    def _put_back(self, state: Waiting, batch: Batch) -> None:
        """Keep the calls of *batch*, which could not be charged."""
        self._failed(state, sys.exc_info()[1])
        with state.changed:
            state.calls = [*batch, *state.calls]
            dropped, state.calls = state.calls[_MOST_IN_MEMORY:], state.calls[:_MOST_IN_MEMORY]
            state.overflowed.update(file for _, file in dropped if file is not None)
            self._due_in(state, _RETRY_AFTER)

    def _failed(self, state: Waiting, error: BaseException | None) -> None:
        """Log the first failure."""
        if state.breaker.failed():
            _LOGGER.warning("llmgate: warning: calls are journalled, not charged yet: %s", error)

    # -- the thread

    def _due_in(self, state: Waiting, seconds: float) -> None:
        """Let the thread of this process look in so many *seconds*; start it with the first call.

        Mostly it looks before that anyway: waking it would cost more than the rest of this.
        """
        state.due = min(state.due, time.monotonic() + seconds)
        if state.due < state.wakes:
            self._wake(state)

    def _note_commit(self, state: Waiting) -> None:
        """Note that there is something to synchronize, before long."""
        if not state.is_dirty:
            with state.changed:
                state.is_dirty = True
                if state.wakes > time.monotonic() + LATER:
                    self._wake(state)

    def _wake(self, state: Waiting) -> None:
        """Wake the thread of this process, or start it."""
        if state.thread is None:
            thread = threading.Thread(target=self._run, args=(state,), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # too many threads now: the next call tries again
                return
            state.thread = thread
        state.changed.notify()

    def _run(self, state: Waiting) -> None:
        """Charge calls when they are due."""
        while not state.closing:
            if self._wait(state):
                self._charge_due(state)
            if state.is_dirty and time.monotonic() - state.synced >= LATER:
                self._synchronize(state)

    def _wait(self, state: Waiting) -> bool:
        """Wait until calls may be due; return whether they are."""
        with state.changed:
            now = time.monotonic()
            if state.due <= now:
                return True
            is_idle = state.seen == state.added
            state.seen = state.added
            sync = max(now, state.synced + LATER) if state.is_dirty else math.inf
            state.wakes = min(state.due, sync, math.inf if is_idle else now + SOON)
            state.changed.wait(None if state.wakes == math.inf else state.wakes - now)
            state.wakes = 0.0
            return False

    def _synchronize(self, state: Waiting) -> None:
        """Let what is in the ledger outlive a failure of the machine."""
        state.is_dirty = False
        try:
            self._ledger.sync()
        except OSError as error:
            self._failed(state, error)
        state.synced = time.monotonic()

    def _charge_due(self, state: Waiting) -> None:
        """Charge the calls that are due, and now and then those of dead processes."""
        try:
            self._flush(state)
            self._charge_overflowed(state)
            if time.monotonic() - state.looked > _LOOK_EVERY:
                state.looked = time.monotonic()
                journal.charge_abandoned(self._folder, self._charge_all)
        except (Unavailable, OSError, *_FAULTS) as error:
            self._failed(state, error)
            with state.changed:
                self._due_in(state, _RETRY_AFTER)
        else:
            if state.breaker.succeeded():
                _LOGGER.warning("llmgate: the calls in the journal are charged")

    def _charge_overflowed(self, state: Waiting) -> None:
        """Charge the calls that are in files alone: there were too many for the memory."""
        for file, number in list(state.overflowed.items()):
            self._charge_all(list(file.read()))
            with state.changed:
                state.overflowed[file] -= number
                file.charged(number)
        state.overflowed += Counter()  # without those at 0

    def _charge_all(self, calls: list[Call]) -> None:
        """Charge *calls*, some at a time."""
        for start in range(0, len(calls), _AT_ONCE):
            self._settle(calls[start : start + _AT_ONCE])

    def _settle(self, calls: list[Call]) -> None:
        """Charge *calls*; one that no ledger can take is logged, and holds up no other."""
        try:
            self._ledger.settle_all(calls, self._now())
        except _FAULTS as error:
            if len(calls) == 1:
                _LOGGER.error("llmgate: a call cannot be charged: %s: %r", error, calls[0])
            else:
                for call in calls:
                    self._settle([call])
