"""The deployments that are tried for one request, in turn, until one answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Sequence
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.routing import retry_policy
from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.fallbacks import Target


class Choice(NamedTuple):
    """A deployment to try now."""

    deployment: Deployment
    over: Body = {}  # what replaces members of the body
    fallbacks: int = 0  # groups that were asked before its own


Attempts = Generator[Choice, errors.GateError, None]
"""What to try; each `send` takes the error of the one before. It ends when nothing is left."""


class Course(NamedTuple):
    """How one request may go on."""

    model: str
    find: Callable[[Target], Sequence[Deployment]]  # raises GateError for a group not to be asked
    pick: Callable[[Sequence[Deployment], bool], Deployment]  # raises RateLimited if none is free
    again: Callable[[Deployment], bool]  # whether the same one may be tried once more
    policy: Callable[[Deployment], retry_policy.RetryPolicy]
    fallbacks: Fallbacks = Fallbacks()
    left: Callable[[], float] = lambda: float("inf")  # seconds that the request has
    sleep: Callable[[float], None] = time.sleep


def attempts(course: Course) -> Attempts:
    """Yield what to try for a request.

    Each deployment of a group is tried once, the last of them again as its policy says; then come
    the fallbacks. Raises what the first group's search raises, and RateLimited if there was
    nothing to try. Nothing is tried that the request has no time for.
    """
    for last_resort in (False, True):
        end = yield from _round(course, last_resort)
        if end.tried:
            return
    raise end.last


class _End(NamedTuple):
    """How a group ended."""

    last: errors.GateError
    tried: bool


def _round(course: Course, last_resort: bool) -> Generator[Choice, errors.GateError, _End]:
    """Yield what to try in the first group and its fallbacks; returns how it ended."""
    queue, seen = [Target(course.model)], {course.model}
    ends: list[_End] = []
    while queue and (course.left() > 0 or not ends):
        target = queue.pop(0)
        try:
            found = course.find(target)
        except errors.GateError:
            if not ends:
                raise
            continue  # a fallback that does not exist, or is not for this caller
        end = yield from _within(found, target, len(ends), _Turns(course, last_resort))
        ends.append(end)
        more = course.fallbacks.after(target.model, ends[-1].last)
        queue += [each for each in more if each.model not in seen]
        seen.update(each.model for each in more)
        del queue[max(0, course.fallbacks.most + 1 - len(ends)) :]
    return next((end for end in reversed(ends) if end.tried), ends[0])


def _within(
    found: Sequence[Deployment], target: Target, number: int, turns: _Turns
) -> Generator[Choice, errors.GateError, _End]:
    """Yield the deployments *found* as `attempts` does; returns how it ended."""
    left, again = list(found), 0
    try:
        current = turns.pick(left)
    except errors.RateLimited as refusal:
        # with its frames it would hold this one, which holds it
        return _End(refusal.with_traceback(None), tried=False)
    while True:
        error = yield Choice(current, target.over, number)
        left = [deployment for deployment in left if deployment is not current]
        other = turns.other(left, error)
        if other is not None:
            current = other
        elif turns.may_repeat(current, again, error):
            again += 1
        else:
            return _End(error, tried=True)


class _Turns(NamedTuple):
    """What decides on the next turn within a group."""

    course: Course
    last_resort: bool

    def pick(self, left: Sequence[Deployment]) -> Deployment:
        """Return the one of *left* to try now; raises RateLimited."""
        return self.course.pick(left, self.last_resort)

    def other(self, left: Sequence[Deployment], error: errors.GateError) -> Deployment | None:
        """Return the one of *left* to try after *error*, None if there is none."""
        unsafe = self.course.fallbacks.unsafe and isinstance(error, errors.UpstreamTimeout)
        if (
            not left
            or not (retry_policy.verdict(error).elsewhere or unsafe)
            or self.course.left() <= 0
        ):
            return None
        try:
            return self.pick(left)
        except errors.RateLimited:
            return None

    def may_repeat(self, current: Deployment, again: int, error: errors.GateError) -> bool:
        """Return whether *current* is to be tried again, after the pause that is due."""
        policy = self.course.policy(current)
        if again >= policy.allowed(error):
            return False
        pause = retry_policy.pause(error, again + 1, policy.least_wait)
        if pause >= self.course.left() or not self.course.again(current):
            return False
        self.course.sleep(pause)
        return True
