from __future__ import annotations

import ast
import inspect
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests.adapters
import urllib3.connection
import urllib3.connectionpool
import urllib3.util.connection
import urllib3.util.ssl_
from testing.upstream import Upstream
from testing.upstream import json_answer

import llmgate.upstream
from llmgate import errors
from llmgate.contract import Call
from llmgate.trust import name_resolution
from llmgate.trust.network import Network
from llmgate.upstream import session as http_session
from llmgate.upstream.network import pools

PRIVATE: dict[str, Any] = {
    "_dns_host": urllib3.connection.HTTPConnection("a"),
    "_new_conn": urllib3.connection.HTTPConnection,
    "_tunnel": urllib3.connection.HTTPConnection,
    "_get_conn": urllib3.connectionpool.HTTPConnectionPool,
    "_put_conn": urllib3.connectionpool.HTTPConnectionPool,
}
"""Private attributes of urllib3 that `connections` uses, and where they are."""

UNDOCUMENTED: list[tuple[Any, str]] = [
    (urllib3.connection.HTTPConnection("a"), "is_connected"),
    (urllib3.connection.HTTPConnection("a"), "socket_options"),
    (urllib3.connection.HTTPConnection("a"), "proxy"),
    (urllib3.connection.HTTPConnection, "set_tunnel"),
    (urllib3.connectionpool.HTTPConnectionPool, "ConnectionCls"),
    (urllib3.connectionpool.HTTPSConnectionPool("a"), "conn_kw"),
    (urllib3.ProxyManager("http://a"), "proxy_config"),
    (urllib3.ProxyManager("http://a"), "pool_classes_by_scheme"),
    (urllib3.connectionpool.HTTPConnectionPool, "_new_conn"),
    (urllib3.PoolManager(), "pool_classes_by_scheme"),
    (urllib3.util.connection, "create_connection"),
    (urllib3.util.ssl_, "SSLContext"),
    (requests.adapters.HTTPAdapter(), "poolmanager"),
    (requests.adapters.HTTPAdapter, "cert_verify"),
    (requests.adapters.HTTPAdapter, "get_connection_with_tls_context"),
    (requests.adapters.HTTPAdapter, "proxy_manager_for"),
    (requests.adapters.HTTPAdapter, "proxy_headers"),
    (requests.utils, "select_proxy"),
    (requests.utils, "should_bypass_proxies"),
    (requests.utils, "prepend_scheme_if_needed"),
    (urllib3.util.ssltransport, "SSLTransport"),
    (requests.adapters, "DEFAULT_CA_BUNDLE_PATH"),  # by tests
]


def private(path: Path) -> set[str]:
    """Return the private attributes that a module uses and does not define itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used, own = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            (used if isinstance(node.ctx, ast.Load) else own).add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            own.add(node.name)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            is_declared = isinstance(node, ast.AnnAssign) and node.value is None
            own |= {each.id for each in targets if isinstance(each, ast.Name) and not is_declared}
    return {name for name in used - own - {"_replace"} if not name.startswith("__")}


def test_private_api_of_urllib3_is_used_in_one_module_and_listed() -> None:
    folder = Path(inspect.getfile(llmgate.upstream)).parent
    used = {path.stem: private(path) for path in folder.rglob("*.py")}

    assert {name: found for name, found in used.items() if found} == {
        "connections": {"_dns_host"},  # _new_conn and _tunnel are overridden
        "pools": {"_new_conn", "_get_conn", "_put_conn"},
    }


@pytest.mark.parametrize(("owner", "name"), [(PRIVATE[n], n) for n in PRIVATE] + UNDOCUMENTED)
def test_private_api_of_urllib3_and_requests_exists(owner: Any, name: str) -> None:
    assert hasattr(owner, name), f"{owner!r} has no {name}: adapt connections.py to this release"


def test_urllib3_connects_by_the_method_that_is_overridden() -> None:
    for kind in (urllib3.connection.HTTPConnection, urllib3.connection.HTTPSConnection):
        assert "self._new_conn()" in inspect.getsource(kind.connect)
        assert "self._tunnel()" in inspect.getsource(kind.connect)
    assert "suppress_ragged_eofs" in inspect.getsource(ssl.SSLSocket.read)


class Name:
    """A name server for this process: *delay* seconds, then the addresses of this machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()
        self._addresses = addresses
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, port: Any, *more: Any, **named: Any) -> list[Any]:
        if not host.endswith(".example"):
            return self._real(host, port, *more, **named)
        self.asked.append(host)
        self.answers.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0)) for a in self._addresses]


def test_the_look_up_of_a_name_has_the_time_limit_of_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = Name(monkeypatch, [])
    begun = time.monotonic()

    with pytest.raises(errors.Unreachable, match="host name could not be resolved"):
        http_session.Session().send(Call("GET", "http://slow.example/", {}), 0.3)

    assert time.monotonic() - begun < 3
    name.answers.set()


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    name = Name(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    name.answers.set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(errors.UpstreamTimeout):
            http_session.Session().send(Call("GET", f"http://two.example:{port}/", {}), 0.3)

        sock, _ = listener.accept()  # it was connected
        sock.close()


def test_a_system_without_descriptors_is_not_the_upstreams_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = socket.socket

    class Full(real):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **named: Any) -> None:
            raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", Full)

    with pytest.raises(errors.OutOfResources) as caught:
        http_session.Session().send(Call("GET", "http://127.0.0.1:1/", {}), 1.0)

    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "1"})


def test_a_system_without_threads_is_not_the_upstreams_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)

    with pytest.raises(errors.OutOfResources):
        http_session.Session().send(Call("GET", "http://some.example/", {}), 1.0)
    with pytest.raises(OSError, match="cannot start a thread"):
        name_resolution.resolve("some.example", 443, 1.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_there_is_no_wait_without_time(seconds: float) -> None:
    connection = pools.Adapter(Network(), 1, 1).pool("http://127.0.0.1:1").take(True)

    with pytest.raises(TimeoutError):
        connection.wait(seconds)
    with pytest.raises(TimeoutError):
        connection.set_timeout(seconds)


@pytest.mark.fault("P15")
def test_more_calls_than_kept_connections_all_get_one(recwarn: pytest.WarningsRecorder) -> None:
    """None waits for another; those beyond the pool's size are closed afterwards."""
    session = http_session.Session(most_kept=4)
    together = threading.Barrier(12, timeout=10)

    def call(url: str) -> bytes:
        answer = session.send(Call("GET", f"{url}/", {}, b""), 10)
        together.wait()  # all responses are being read at the same time
        return http_session.body(answer)

    with Upstream() as up, ThreadPoolExecutor(12) as pool:
        up.plays(json_answer({"a": 1}))
        first = list(pool.map(call, [up.url] * 12))
        opened = up.connections
        again = list(pool.map(call, [up.url] * 12))

        assert first == again == [b'{"a": 1}'] * 12
        assert (opened, up.connections) == (12, 20)
    assert not recwarn.list
