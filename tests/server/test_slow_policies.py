from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from testing.gateway import ROOT
from testing.gateway import Gateway
from testing.workers import WORKERS


@pytest.mark.parametrize("worker", WORKERS)
def test_what_a_slow_policy_has_to_record_is_recorded_at_the_end(
    worker: str, tmp_path: Path
) -> None:
    path = tmp_path / "ids"
    env = {
        "LLMGATE_WORKER_CLASS": worker,
        "PYTHONPATH": str(ROOT / "tests"),
        "SLOW_POLICY_FILE": str(path),
    }
    ids = []
    with Gateway(env=env, app="testing.policy_app:app") as gateway:
        for _ in range(5):
            ids.append(chat(gateway))
        status = gateway.stop()

    assert status == 0
    assert path.read_text(encoding="utf-8").split() == ids


def chat(gateway: Gateway) -> str:
    """Return the id of a chat that the built-in echo has answered."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
        return str(answer.headers["x-request-id"])
