from __future__ import annotations

from typing import Any

import pytest

from llmgate.access import flights
from llmgate.access.flights import Flight
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.storage.ledger import Payer


def entry(**over: Any) -> Entry:
    """Return the end of a request that failed without usage; *over* replaces members."""
    given: dict[str, Any] = dict.fromkeys(Entry._fields)
    given |= {"endpoint": "/v1/chat/completions", "status": 504, "usage": {}, "latency": 0.1}
    given |= {"attempt": 1, "usage_estimated": False, "stream": False}
    return Entry(**{**given, **over})


def flight(reserved: int | None) -> Flight:
    found = Flight("r1/1", Caller("k1"), Payer("k1"), None)
    found.reserved = reserved
    return found


@pytest.mark.parametrize(
    ("code", "status", "nano", "estimated"),
    [
        ("upstream_timeout", 504, 900, True),
        ("not_first", 499, 900, True),
        ("upstream_error", 502, 0, False),
        (None, 200, 900, False),
    ],
)
def test_what_an_upstream_may_have_finished_is_charged_as_reserved(
    code: str | None, status: int, nano: int, estimated: bool
) -> None:
    call = flights.call(entry(error_code=code, status=status), flight(900))

    assert (call.nano, call.estimated, call.error) == (nano, estimated, code or "")


def test_a_timeout_without_a_reservation_or_with_usage_is_charged_what_is_known() -> None:
    assert flights.call(entry(error_code="upstream_timeout"), flight(None)).nano == 0
    used = entry(error_code="upstream_timeout", usage={"prompt_tokens": 3}, cost=0.0)
    assert flights.call(used, flight(900)).nano == 0
