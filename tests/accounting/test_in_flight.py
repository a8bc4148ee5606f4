from __future__ import annotations

import time

import pytest

from llmgate.accounting.in_flight import InFlight


@pytest.fixture
def table() -> InFlight:
    found = InFlight()
    found.attach(1)
    return found


def test_requests_that_are_not_complete_are_lost_once(table: InFlight) -> None:
    for request in ("a", "b", "c"):
        table.add(request, f"id-{request}", "/v1/chat/completions", "")
    table.remove("b")

    found = list(table.lost(1))

    assert [(each["request_id"], each["endpoint"], each["caller"]) for each in found] == [
        ("id-a", "/v1/chat/completions", None),
        ("id-c", "/v1/chat/completions", None),
    ]
    assert abs(found[0]["started"] - time.time()) < 60
    assert list(table.lost(1)) == []
    assert list(table.lost(2)) == []


def test_a_slot_is_used_again(table: InFlight) -> None:
    for number in range(10_000):
        table.add(number, str(number), "/x", "key")
        table.remove(number)
    table.add("last", "last", "/x", "key")

    (found,) = table.lost(1)
    assert (found["request_id"], found["caller"]) == ("last", "key")


def test_more_requests_than_slots_are_not_noted(table: InFlight) -> None:
    for number in range(5000):
        table.add(number, str(number), "/x", "")
    for number in range(5000):
        table.remove(number)

    assert list(table.lost(1)) == []


def test_a_long_description_is_cut(table: InFlight) -> None:
    table.add("a", "\u00e9" * 500, "\u00e9" * 500, "k" * 500)

    (found,) = table.lost(1)
    assert found["request_id"] == "\u00e9" * 60
    assert found["caller"] is None


def test_without_a_worker_nothing_is_noted() -> None:
    table = InFlight()
    table.add("a", "id", "/x", "")
    table.remove("a")

    assert list(table.lost(0)) == []


def test_a_process_that_a_worker_forks_notes_nothing(table: InFlight) -> None:
    table.detach()
    table.add("a", "id", "/x", "")

    assert list(table.lost(1)) == []
