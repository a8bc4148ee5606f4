"""Stored responses: chains, owners, time and space."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgate.storage import places
from llmgate.storage.responses import Limits
from llmgate.storage.responses import ResponseStore
from llmgate.storage.responses import StoredResponse


def store_in(folder: Path, ttl: int = 100, most: int = 1000) -> ResponseStore:
    return ResponseStore(places.database(folder, "responses"), Limits(ttl, most))


def stored(id: str, previous: str | None = None, owner: str = "k", size: int = 4) -> StoredResponse:
    return StoredResponse(id, owner, previous, "[]", "x" * (size - 2))


def ids(found: list[StoredResponse]) -> list[str]:
    return [each.id for each in found]


def test_nothing_is_made_before_the_first_response(tmp_path: Path) -> None:
    store = store_in(tmp_path)

    assert store.chain("k", "a", 1) == []
    assert store.find("k", "a", 1) is None
    assert not store.delete("k", "a")
    assert list(tmp_path.iterdir()) == []


def test_a_conversation_is_found_by_another_worker(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for id, previous in (("a", None), ("b", "a"), ("c", "b")):
        store.save(stored(id, previous), 1)

    assert ids(store_in(tmp_path).chain("k", "c", 2)) == ["a", "b", "c"]
    assert store.find("k", "b", 2) == stored("b", "a")


def test_responses_are_their_owners(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(stored("a"), 1)
    store.save(stored("b", "a", owner="other"), 1)

    assert store.chain("other", "a", 2) == store.chain("other", "b", 2) == []
    assert store.find("other", "a", 2) is None
    assert not store.delete("other", "a")
    assert store.delete("k", "a")
    assert store.find("k", "a", 2) is None


def test_a_chain_lives_as_long_as_its_last_response(tmp_path: Path) -> None:
    store = store_in(tmp_path, ttl=100)
    store.save(stored("a"), 0)
    store.save(stored("x"), 0)
    store.save(stored("b", "a"), 90)

    assert ids(store.chain("k", "b", 150)) == ["a", "b"]
    assert store.find("k", "x", 100) is None
    assert store.chain("k", "b", 190) == []


def test_a_chain_with_a_gap_is_none(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(stored("a"), 1)
    store.save(stored("b", "a"), 1)
    store.delete("k", "a")

    assert store.chain("k", "b", 2) == []


@pytest.mark.parametrize("most", [10, 11])
def test_the_first_to_end_make_room(tmp_path: Path, most: int) -> None:
    store = store_in(tmp_path, most=most)
    for at, id in enumerate("abcd"):
        store.save(stored(id), at)

    assert [store.find("k", id, 5) is not None for id in "abcd"] == [False, False, True, True]


def test_one_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    store = store_in(tmp_path, most=10)
    store.save(stored("a", size=11), 1)

    assert store.find("k", "a", 2) is None
