from __future__ import annotations

from llmgate.storage.breaker import OPEN_SECONDS
from llmgate.storage.breaker import Breaker


def test_it_is_open_for_some_seconds_after_a_failure() -> None:
    now = [100.0]
    breaker = Breaker(lambda: now[0])

    before = breaker.is_open()
    breaker.failed()
    after = breaker.is_open()
    now[0] += OPEN_SECONDS

    assert (before, after, breaker.is_open()) == (False, True, False)


def test_it_reports_each_change_of_state_once() -> None:
    breaker = Breaker()

    assert [breaker.failed(), breaker.failed()] == [True, False]
    assert [breaker.succeeded(), breaker.succeeded()] == [True, False]
    assert breaker.failed()
