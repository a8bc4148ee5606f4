"""Logins: found until they end or expire, by every process."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgate.storage import places
from llmgate.storage.sessions import Sessions


@pytest.fixture
def sessions(place: str) -> Sessions:
    return Sessions(places.database(place, "sessions"))


def test_nothing_is_made_before_the_first_login(sessions: Sessions, tmp_path: Path) -> None:
    assert sessions.subject("a", 1) is None

    assert list(tmp_path.iterdir()) == []


def test_a_session_is_found_until_it_expires(sessions: Sessions, place: str) -> None:
    sessions.create("a", "master", 100, 200)

    assert Sessions(places.database(place, "sessions")).subject("a", 199) == "master"
    assert sessions.subject("a", 200) is None
    assert sessions.subject("b", 199) is None


def test_a_session_ends_alone_or_with_all_of_its_subject(sessions: Sessions) -> None:
    for id, subject in (("a", "master"), ("b", "master"), ("c", "key:1")):
        sessions.create(id, subject, 100, 200)

    sessions.end("a")
    assert [sessions.subject(id, 100) for id in "abc"] == [None, "master", "key:1"]
    assert sessions.count("master", 100) == 1
    sessions.end_all("master")

    assert [sessions.subject(id, 100) for id in "abc"] == [None, None, "key:1"]


def test_failures_are_counted_by_address_until_they_are_old(sessions: Sessions) -> None:
    assert sessions.attempt("192.0.2.1", 10, 0, 2)
    assert sessions.attempt("192.0.2.1", 20, 0, 2)

    assert sessions.attempt("192.0.2.1", 20, 10, 2) is None
    assert sessions.attempt("192.0.2.2", 20, 10, 2)
    assert sessions.attempt("192.0.2.1", 26, 11, 2)


def test_a_login_that_has_not_failed_is_forgotten_alone(sessions: Sessions) -> None:
    sessions.attempt("192.0.2.1", 10, 0, 2)
    right = sessions.attempt("192.0.2.1", 10, 0, 2)
    assert right
    sessions.forget(right)

    assert sessions.attempt("192.0.2.1", 10, 0, 2)
    assert sessions.attempt("192.0.2.1", 10, 0, 2) is None
