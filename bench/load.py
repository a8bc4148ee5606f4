"""A load generator: requests over kept connections, at a rate, or streams that are held."""

import asyncio
import json
import random
import re
import resource
import time
from typing import NamedTuple

STAMP = re.compile(rb"@(\d+),(\d+);")
LAST = b"\r\n0\r\n\r\n"  # of an answer in chunks
PATIENCE = 90  # seconds that an answer may take
SYSTEM = "You are a helpful assistant. Answer in plain words."


class Target(NamedTuple):
    """Where requests go."""

    port: int
    path: str = "/v1/chat/completions"
    headers: tuple[tuple[str, str], ...] = ()

    def request(self, body: bytes) -> bytes:
        """Return the bytes of a POST of *body*."""
        lines = [f"POST {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Seen(NamedTuple):
    """What came of one request."""

    status: int  # 0: the connection ended before the answer did
    chunks: int
    added: float  # seconds until the answer (a stream's first chunk) that the provider did not take
    end: str = ""  # the end of an error response


def chat(words: str, stream: bool = False, turns: int = 0) -> bytes:
    """Return a chat whose prompt has *words* for the provider, after so many *turns*; 20: 16 KB."""
    messages = [{"role": "system", "content": SYSTEM + " Keep to the house's rules." * turns * 2}]
    for turn in range(turns):
        for role in ("user", "assistant"):
            text = f"{role} in turn {turn}: " + "what the quick brown fox does next is this. " * 6
            messages.append({"role": role, "content": text})
    asks = f"{words} This is a test request, write a short poem about a gateway."
    messages.append({"role": "user", "content": asks})
    body = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.7, "max_tokens": 256}
    if turns:
        body |= {"tools": [_tool(number) for number in range(3)], "tool_choice": "auto"}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps({**body, "user": "bench-user"}).encode()


def _tool(number: int) -> dict[str, object]:
    """Return a tool's description."""
    members = {"place": {"type": "string"}, "days": {"type": "integer", "minimum": 1}}
    parameters = {"type": "object", "properties": members, "required": ["place"]}
    words = "Tells the weather at a place for some days. " * 5
    said = {"name": f"weather_{number}", "description": words, "parameters": parameters}
    return {"type": "function", "function": said}


class Connection(asyncio.Protocol):
    """A connection that sends one request after another."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin."""
        self.transport = transport
        self.answer: asyncio.Future[Seen] | None = None

    def ask(self, data: bytes, begun: float) -> "asyncio.Future[Seen]":
        """Return what will come of the request *data*, which is due at *begun*."""
        self.come, self.size, self.first = bytearray(), -1, 0.0
        self.begun = begun
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self.answer

    def data_received(self, data: bytes) -> None:
        """Receive data."""
        self.come += data
        if self.answer is None or self.answer.done():
            return
        if not self.first and STAMP.search(self.come):
            self.first = time.monotonic()
        if self.size < 0:
            self.size = _size(self.come)
        whole = len(self.come) >= self.size if self.size > 0 else self.come.endswith(LAST)
        if whole:
            self.answer.set_result(self._seen())

    def connection_lost(self, error: Exception | None) -> None:
        """Abandon the request."""
        if self.answer and not self.answer.done():
            self.answer.set_result(Seen(0, self.come.count(b"data: {"), 0, repr(error)))

    def _seen(self) -> Seen:
        """Return what came of the request."""
        status = int(self.come[9:12])
        stamp = STAMP.search(self.come)
        if status != 200 or not stamp:
            return Seen(status, 0, 0, self.come[-300:].decode("utf-8", "replace"))
        took = (int(stamp[2]) - int(stamp[1])) / 1e6
        return Seen(status, self.come.count(b"data: {"), self.first - self.begun - took)


def _size(come: bytearray) -> int:
    """Return the bytes that the answer will have in all: -1: not known yet, 0: it is chunked."""
    at = come.find(b"\r\n\r\n")
    if at < 0:
        return -1
    length = re.search(rb"(?i)content-length: *(\d+)", come[:at])
    return at + 4 + int(length[1]) if length else 0


async def _connected(target: Target) -> Connection:
    """Return a new connection to *target*."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", target.port)
    return connection


async def _asked(target: Target, data: bytes, idle: list[Connection], begun: float) -> Seen:
    """Return what came of *data*, sent over one of the *idle* connections, or over a new one."""
    try:
        while idle and idle[-1].transport.is_closing():
            idle.pop()
        connection = idle.pop() if idle else await _connected(target)
        seen = await asyncio.wait_for(connection.ask(data, begun), PATIENCE)
    except (OSError, TimeoutError) as error:
        return Seen(0, 0, 0, repr(error))
    idle.append(connection)
    return seen


def _ended(idle: list[Connection]) -> None:
    """Close the *idle* connections."""
    for connection in idle:
        connection.transport.close()


def closed(target: Target, body: bytes, connections: int, seconds: float) -> list[Seen]:
    """Return what came of asking on so many *connections*, each as fast as answers come."""
    return asyncio.run(_closed(target, target.request(body), connections, seconds))


async def _closed(target: Target, data: bytes, connections: int, seconds: float) -> list[Seen]:
    found: list[Seen] = []
    until = time.monotonic() + seconds

    async def client() -> None:
        idle: list[Connection] = []
        while time.monotonic() < until:
            found.append(await _asked(target, data, idle, time.monotonic()))
        _ended(idle)

    await asyncio.gather(*(client() for _ in range(connections)))
    return found


def paced(target: Target, body: bytes, rate: float, seconds: float) -> list[Seen]:
    """Return what came of asking *rate* times a second, at random times, answered or not."""
    chance = random.Random(7)
    pauses = [chance.expovariate(rate) for _ in range(int(rate * seconds))]
    return asyncio.run(_begun(target, target.request(body), pauses, kept=True))


def held(target: Target, body: bytes, count: int, seconds: float) -> list[Seen]:
    """Return what came of *count* requests on connections of their own, begun in *seconds*."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pauses = [seconds / count] * count
    return asyncio.run(_begun(target, target.request(body), pauses, kept=False))


async def _begun(target: Target, data: bytes, pauses: list[float], kept: bool) -> list[Seen]:
    """Return what came of requests, each begun a pause after the one before.

    Their time counts from when they were due. Connections are used again if they are *kept*.
    """
    idle: list[Connection] = []
    due, tasks = time.monotonic(), []
    for pause in pauses:
        due += pause
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        own = idle if kept else []
        tasks.append(asyncio.create_task(_once(target, data, own, due, kept)))
    found = await asyncio.gather(*tasks)
    _ended(idle)
    return found


async def _once(
    target: Target, data: bytes, idle: list[Connection], due: float, kept: bool
) -> Seen:
    """Return what came of one request."""
    seen = await _asked(target, data, idle, due)
    if not kept:
        _ended(idle)
    return seen
