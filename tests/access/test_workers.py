"""Keys and budgets over the two workers of a real gateway."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from testing.gateway import Gateway
from testing.gateway import deployment
from testing.inprocess import asks
from testing.upstream import HANG
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import usage

from llmgate.storage import places
from llmgate.storage.sql_ledger import SqlLedger

MASTER = "sk-master-0001"
PRICES = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.001}
EACH = 0.01  # dollars that a request reserves, and costs: it gets the ten tokens it may have


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def gate(up: Upstream, folder: Path) -> Iterator[Gateway]:
    given = {
        "model_list": [deployment("gpt-4o", up.url, **PRICES)],
        "general_settings": {"master_key": MASTER},
    }
    with Gateway(given, workers=2, env={"LLMGATE_DATA_DIR": str(folder)}) as running:
        yield running


@pytest.fixture(autouse=True)
def _answers(up: Upstream) -> None:
    up.reset()
    up.plays(json_answer(chat_completion(usage=usage(9, 10))))


def admin(gate: Gateway, path: str, **given: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {MASTER}"}
    got = requests.post(f"{gate.url}{path}", json=given, headers=headers, timeout=20)
    assert got.status_code == 200, got.text
    found: dict[str, Any] = got.json()
    return found


def spend(gate: Gateway, key: str) -> float:
    headers = {"Authorization": f"Bearer {key}"}
    found: float = requests.get(f"{gate.url}/key/info", headers=headers, timeout=20).json()["info"][
        "spend"
    ]
    return found


def chat(gate: Gateway, key: str, **over: Any) -> requests.Response:
    """Return the answer on a connection of its own, which any worker may accept."""
    headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
    body = asks(max_tokens=10, **over)
    return requests.post(f"{gate.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def settled(gate: Gateway, key: str, wanted: float) -> bool:
    """Return whether *key* has spent what is *wanted* within some seconds."""
    end = time.monotonic() + 10
    while spend(gate, key) != pytest.approx(wanted) and time.monotonic() < end:
        time.sleep(0.05)
    return spend(gate, key) == pytest.approx(wanted)


@pytest.mark.fault("S20")
def test_of_64_parallel_requests_a_budget_for_ten_admits_ten(
    gate: Gateway, up: Upstream, folder: Path
) -> None:
    key = admin(gate, "/key/generate", max_budget=10 * EACH)["key"]

    with ThreadPoolExecutor(32) as pool:
        statuses = Counter(
            got.status_code for got in pool.map(lambda _: chat(gate, key), range(64))
        )

    assert statuses == {200: 10, 422: 54}
    assert len(up.requests) == 10
    assert settled(gate, key, 10 * EACH)
    assert SqlLedger(places.database(folder, "ledger")).check() == []


def test_a_block_acts_on_every_worker_from_the_next_request_on(gate: Gateway) -> None:
    key = admin(gate, "/key/generate")["key"]
    assert [chat(gate, key).status_code for _ in range(12)] == [200] * 12  # all workers know it

    admin(gate, "/key/block", key=key)
    assert [chat(gate, key).status_code for _ in range(12)] == [401] * 12
    admin(gate, "/key/unblock", key=key)
    assert [chat(gate, key).status_code for _ in range(12)] == [200] * 12


def test_a_rate_limit_is_that_of_all_workers_together(gate: Gateway) -> None:
    key = admin(gate, "/key/generate", rpm_limit=5)["key"]

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(
            got.status_code for got in pool.map(lambda _: chat(gate, key), range(20))
        )

    assert statuses == {200: 5, 429: 15}


def test_a_stream_is_charged_at_its_end(gate: Gateway, up: Upstream) -> None:
    up.plays(sse(chat_chunks("Hi", "!", usage=usage(9, 10))))
    key = admin(gate, "/key/generate", max_budget=1)["key"]

    assert chat(gate, key, stream=True).text.rstrip().endswith("[DONE]")

    assert settled(gate, key, EACH)


@pytest.mark.fault("C1")
def test_a_client_that_disconnects_is_charged_and_its_reservation_ends(
    gate: Gateway, up: Upstream, folder: Path
) -> None:
    up.plays(sse([*chat_chunks("Hello there!")[:2], HANG]))
    key = admin(gate, "/key/generate", max_budget=2 * EACH, max_parallel_requests=1)["key"]
    headers = {"Authorization": f"Bearer {key}"}
    body = asks(max_tokens=10, stream=True)
    url = f"{gate.url}/v1/chat/completions"
    with requests.post(url, json=body, headers=headers, stream=True, timeout=20) as got:
        lines = got.iter_lines(chunk_size=1)  # closes the connection when it is collected
        next(lines)
        assert chat(gate, key).status_code == 429  # its only slot is taken

    up.reset()
    up.plays(json_answer(chat_completion(usage=usage(9, 10))))
    end = time.monotonic() + 10
    while (again := chat(gate, key)).status_code == 429 and time.monotonic() < end:
        time.sleep(0.05)
    assert again.status_code == 200
    assert settled(gate, key, EACH + 0.002)  # and the two tokens that the first one was sent
    assert SqlLedger(places.database(folder, "ledger")).check() == []
