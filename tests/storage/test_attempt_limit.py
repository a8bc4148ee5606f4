from __future__ import annotations

import os
import warnings

import pytest

from llmgate.storage.attempt_limit import AttemptLimit


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_so_many_attempts_are_free_and_then_one_in_each_interval(clock: Clock) -> None:
    limit = AttemptLimit(3, 10.0, clock=clock)

    waits = [limit.attempt("a") for _ in range(5)]
    clock.now += 10
    later = [limit.attempt("a") for _ in range(2)]

    assert waits == [0, 0, 0, 10, 10]
    assert later == [0, 10]


def test_the_returned_wait_is_true(clock: Clock) -> None:
    limit = AttemptLimit(1, 10.0, clock=clock)
    limit.attempt("a")
    clock.now += 4

    wait = limit.wait("a")
    clock.now += wait

    assert wait == 6
    assert (limit.wait("a"), limit.attempt("a")) == (0, 0)


def test_names_have_limits_of_their_own(clock: Clock) -> None:
    limit = AttemptLimit(1, 10.0, clock=clock)

    assert [limit.attempt(name) for name in "abab"] == [0, 0, 10, 10]


def test_the_memory_is_fixed_and_those_who_tried_most_are_kept(clock: Clock) -> None:
    limit = AttemptLimit(5, 10.0, slots=4, clock=clock)
    while not limit.attempt("worst"):
        pass

    for number in range(1000):
        limit.attempt(str(number))

    assert limit.attempt("worst")


def test_processes_share_it(clock: Clock) -> None:
    limit = AttemptLimit(1, 10.0, clock=clock)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if not child:
        limit.attempt("a")
        os._exit(0)
    os.waitpid(child, 0)

    assert limit.attempt("a") == 10


def test_refused_attempts_are_reported_once_in_a_while(clock: Clock) -> None:
    limit = AttemptLimit(1, 10.0, clock=clock)

    first = [limit.refused_to_report(60) for _ in range(5)]
    clock.now += 60
    later = [limit.refused_to_report(60) for _ in range(2)]

    assert first == [1, None, None, None, None]
    assert later == [5, None]
