from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llmgate.trust import name_resolution


class Server:
    """Answers for names below .example once it may; what is asked of it is noted."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()

    def __call__(self, host: str, port: Any, *more: Any, **named: Any) -> list[Any]:
        self.asked.append(host)
        self.answers.wait(10)
        if host.startswith("no."):
            raise socket.gaierror(socket.EAI_NONAME, "unknown name")
        if host.startswith("odd."):
            raise UnicodeError("label too long")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The name server of this process, mute until the test lets it answer."""
    found = Server()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.answers.set()
    end = time.monotonic() + 5
    while name_resolution._RUNNING and time.monotonic() < end:
        time.sleep(0.005)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo"])
def test_an_address_is_not_looked_up(server: Server, host: str) -> None:
    assert name_resolution.resolve(host, 443, 0.0) == [(host, 443)]
    assert server.asked == []


def test_a_name_is_looked_up(server: Server) -> None:
    server.answers.set()

    assert name_resolution.resolve("a.example", 443, 5.0) == [("192.0.2.1", 443)]


@pytest.mark.fault("U18", "F3")
def test_a_mute_name_server_is_not_waited_for(server: Server) -> None:
    with pytest.raises(TimeoutError, match=r"a\.example was not resolved within 0\.1 s"):
        name_resolution.resolve("a.example", 443, 0.1)


@pytest.mark.parametrize("host", ["no.example", "odd.example"])
def test_an_unknown_name_is_an_error_each_time(server: Server, host: str) -> None:
    server.answers.set()

    for _ in range(2):
        with pytest.raises(socket.gaierror):
            name_resolution.resolve(host, 443, 5.0)


@pytest.mark.fault("P18")
def test_callers_share_the_look_up_of_a_name(server: Server) -> None:
    with ThreadPoolExecutor(5) as pool:
        found = [pool.submit(name_resolution.resolve, "a.example", at, 5.0) for at in range(5)]
        while sum(each.running() for each in found) < 5:
            time.sleep(0.005)
        time.sleep(0.1)
        server.answers.set()

        assert [each.result() for each in found] == [[("192.0.2.1", at)] for at in range(5)]
    assert server.asked == ["a.example"]


def test_names_that_clients_choose_do_not_occupy_the_resolver(server: Server) -> None:
    for at in range(name_resolution.MAX_CLIENT_LOOKUPS):
        with pytest.raises(TimeoutError):
            name_resolution.resolve(f"{at}.example", 443, 0.01, is_client=True)

    with pytest.raises(OSError, match="too many host names"):
        name_resolution.resolve("more.example", 443, 0.01, is_client=True)
    server.answers.set()
    assert name_resolution.resolve("ours.example", 443, 5.0) == [("192.0.2.1", 443)]
