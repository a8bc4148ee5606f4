"""Whether memory stays flat: requests, disconnects, upstream failures, uploads, many of each.

python bench/soak.py [--scale 0.01] [--worker gevent]      one JSON line a step, then a verdict

The whole is 100,000 requests, 10,000 disconnects, 2,000 upstream failures and 500 uploads of 25 MB.
After WARM, a twentieth of it at every scale, the workers may grow by no more than ALLOWED: until
then they load what they need, and their heaps come to the size of the largest uploads at a time.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import time
from collections.abc import Callable
from collections.abc import Mapping
from concurrent.futures import Executor
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from testing.gateway import Gateway
from testing.gateway import config_for
from testing.sockets import asked
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import transcription

ALLOWED = 4 * 1024 * 1024  # bytes, of all workers together
STEPS = 20
CLIENTS = 4
FULL = {"request": 100_000, "hangup": 10_000, "failure": 2_000, "upload": 500}
WARM = {"request": 5_000, "hangup": 500, "failure": 100, "upload": 40}
UPLOAD = 25 * 1024 * 1024
CHAT = "/v1/chat/completions"
HEADERS = {"Content-Type": "application/json"}


def body(user: str, **over: object) -> bytes:
    """Return a chat request by *user*, which selects the upstream's answer."""
    said = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "user": user}
    return json.dumps({**said, **over}).encode()


def played(seen: Seen) -> Answer:
    """Return what the upstream answers to *seen*."""
    if "transcriptions" in seen.path:
        return json_answer(transcription("Hi"))
    user = seen.json["user"]
    if user == "hangup":
        return sse([chat_chunks()[0], HANG])
    if user == "failure":
        return json_answer(error_body("no"), 400)
    return json_answer(chat_completion())


class Client:
    """One client with one kept connection."""

    def __init__(self, gate: Gateway) -> None:
        self.gate = gate
        self.connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=60)

    def post(self, path: str, data: bytes, headers: dict[str, str], wanted: int) -> None:
        """Post *data*; fail unless the status is *wanted*."""
        self.connection.request("POST", path, data, headers)
        reply = self.connection.getresponse()
        reply.read()
        assert reply.status == wanted, reply.status

    def request(self) -> None:
        """Send a request and read the answer."""
        self.post(CHAT, body("request"), HEADERS, 200)

    def failure(self) -> None:
        """Send a request that fails upstream."""
        self.post(CHAT, body("failure"), HEADERS, 400)

    def hangup(self) -> None:
        """Disconnect in the middle of a stream."""
        with asked(self.gate.url + CHAT, json.loads(body("hangup", stream=True))) as sock:
            sock.recv(100)

    def upload(self) -> None:
        """Send a large file."""
        head = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x\r\n'
        head += b'Content-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
        data = head + b"\0" * UPLOAD + b"\r\n--x--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        self.post("/v1/audio/transcriptions", data, kind, 200)


def memory(gate: Gateway) -> int:
    """Return the bytes that all workers have for themselves and share in parts (PSS)."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in gate.workers()]
    return sum(int(text.partition("Pss:")[2].split()[0]) for text in texts) * 1024


def repeated(act: Callable[[], None], times: int) -> None:
    """Do *act* so many times."""
    for _ in range(times):
        act()


def mixed(pool: Executor, clients: list[Client], counts: Mapping[str, float]) -> None:
    """Let *clients* do so many of each kind, one kind after the other."""
    for kind, count in counts.items():
        each = max(1, round(count / len(clients)))
        list(pool.map(lambda one, k=kind, n=each: repeated(getattr(one, k), n), clients))


def soak(gate: Gateway, up: Upstream, scale: float) -> list[int]:
    """Return the memory after warming up, and after each step of the whole made smaller."""
    clients = [Client(gate) for _ in range(CLIENTS)]
    found: list[int] = []
    part = {kind: most * scale / STEPS for kind, most in FULL.items()}
    with ThreadPoolExecutor(CLIENTS) as pool:
        for step in range(STEPS + 1):
            begun = time.monotonic()
            mixed(pool, clients, part if step else WARM)
            up.requests.clear()
            found.append(memory(gate))
            line = {"step": step, "pss_mb": round(found[-1] / 2**20, 2)}
            print(json.dumps({**line, "seconds": round(time.monotonic() - begun, 1)}), flush=True)
    return found


def main() -> int:
    """Run it; return 1 if memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--worker", default="gthread")
    given = parser.parse_args()
    env = {"LLMGATE_WORKER_CLASS": given.worker}
    with Upstream() as up, Gateway(config_for(up, num_retries=0), env=env, workers=2) as gate:
        up.answers = played
        found = soak(gate, up, given.scale)
    quarter = STEPS // 4  # medians: an upload's peak does not count
    grown = statistics.median(found[-quarter:]) - statistics.median(found[:quarter])
    verdict = {"worker": given.worker, "scale": given.scale, "grown_mb": round(grown / 2**20, 2)}
    print(json.dumps({**verdict, "flat": grown <= ALLOWED}))
    return 0 if grown <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
