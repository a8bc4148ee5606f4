"""Proxies and certificates: what goes where, and what is verified."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from testing import tls as certificates
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.proxy import Proxy
from testing.sockets import asked
from testing.sockets import received_until
from testing.upstream import HANG
from testing.upstream import Upstream
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.workers import WORKERS
from testing.workers import chat

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Tls
from llmgate.trust.network import Network
from llmgate.upstream import session as http_session

LOGIN = "Proxy-Authorization: Basic dXNAcjpwOnc="


@pytest.fixture
def secure() -> Iterator[Upstream]:
    """An upstream with a certificate that nobody else trusts."""
    with Upstream(tls="self-signed") as up:
        up.plays(json_answer({}))
        yield up


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as found:
        yield found


def through(proxy: Proxy, up: Upstream, no_proxy: str = "") -> Network:
    return Network({"all": proxy.url}, no_proxy, Tls(str(up.ca) if up.ca else True))


def body(session: http_session.Session, url: str, address: str | None = None, **more: Any) -> bytes:
    call = Call("POST", url, {"Authorization": "Bearer ours"}, b"{}", **more)
    return http_session.body(session.send(call, 5.0, address))


def test_tls_goes_through_a_tunnel_that_is_kept(secure: Upstream, proxy: Proxy) -> None:
    session = http_session.Session(through(proxy, secure))

    for _ in range(2):
        assert body(session, f"{secure.url}/v1/x") == b"{}"

    assert proxy.targets == [f"CONNECT 127.0.0.1:{secure.port}"]
    assert LOGIN in proxy.heads[0]
    assert "ours" not in proxy.heads[0]
    assert [seen.headers["host"] for seen in secure.requests] == [f"127.0.0.1:{secure.port}"] * 2
    assert "proxy-authorization" not in secure.requests[0].headers


def test_a_plain_request_has_its_url_as_the_target(upstream: Upstream, proxy: Proxy) -> None:
    upstream.plays(json_answer({}))

    assert body(http_session.Session(through(proxy, upstream)), f"{upstream.url}/v1/x?y=1") == b"{}"

    assert proxy.targets == [f"POST {upstream.url}/v1/x?y=1"]
    assert LOGIN in proxy.heads[0]
    assert f"Host: 127.0.0.1:{upstream.port}\r\n" in proxy.heads[0]


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", "*"])
def test_hosts_of_no_proxy_are_reached_without(
    no_proxy: str, upstream: Upstream, proxy: Proxy
) -> None:
    upstream.plays(json_answer({}))

    body(http_session.Session(through(proxy, upstream, no_proxy)), upstream.url)

    assert proxy.heads == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_pinned_address_is_what_the_proxy_connects_to(scheme: str, proxy: Proxy) -> None:
    with Upstream(tls="self-signed" if scheme == "https" else None) as up:
        up.plays(json_answer({}))
        session = http_session.Session(through(proxy, up))

        body(session, f"{scheme}://localhost:{up.port}/", "127.0.0.1")

        assert proxy.targets == [f"CONNECT 127.0.0.1:{up.port}"]
        assert up.requests[0].headers["host"] == f"localhost:{up.port}"


def test_a_pinned_address_has_the_certificate_of_the_name(proxy: Proxy) -> None:
    with Upstream(tls="wrong-name") as up:
        session = http_session.Session(through(proxy, up))

        with pytest.raises(errors.BadUpstream, match="certificate is not trusted"):
            body(session, f"https://localhost:{up.port}/", "127.0.0.1")


def test_a_proxy_that_refuses_or_is_not_there_is_named(secure: Upstream) -> None:
    with Proxy(status=407) as refusing, pytest.raises(errors.Unreachable, match=r"\(status 407\)"):
        body(http_session.Session(through(refusing, secure)), secure.url)

    with pytest.raises(errors.Unreachable, match="The proxy is unreachable"):
        body(http_session.Session(through(refusing, secure)), secure.url)

    assert secure.connections == 0


def test_a_slow_proxy_has_the_time_to_connect_in_all(secure: Upstream) -> None:
    with Proxy(pause=0.1) as slow:
        session, begun = http_session.Session(through(slow, secure)), time.monotonic()

        with pytest.raises(errors.Unreachable, match="timed out"):
            session.send(Call("GET", secure.url, {}), 0.4)

        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("worker", WORKERS)
def test_a_client_that_disconnects_ends_the_call_through_a_proxy(
    worker: str, secure: Upstream, proxy: Proxy
) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
    env = {
        "LLMGATE_WORKER_CLASS": worker,
        "HTTPS_PROXY": proxy.url,
        "SSL_CERT_FILE": f"{secure.ca}",
    }
    with Gateway(config_for(secure), env=env) as gate, Proxy(pause=9) as hanging:
        for planned in (raw(HANG), sse([chunk, HANG])):
            secure.plays(planned)
            secure.requests.clear()
            with asked(f"{gate.url}/v1/chat/completions", chat(stream=True)) as sock:
                (seen,) = secure.wait_for(1)
                if planned is not secure._queue[-1]:
                    received_until(sock, b"data:")
            assert seen.closed_by_peer.wait(5)
        assert hanging.heads == []
    assert set(proxy.targets) == {f"CONNECT 127.0.0.1:{secure.port}"}


# -- certificates


def test_a_bundle_is_for_all_and_a_deployment_may_differ(secure: Upstream) -> None:
    ours, none = Tls(str(secure.ca)), http_session.Session()

    with pytest.raises(errors.BadUpstream) as caught:
        body(none, secure.url)
    assert caught.value.code == "upstream_tls_error"
    assert body(none, secure.url, tls=ours) == b"{}"
    assert body(none, secure.url, tls=Tls(verify=False)) == b"{}"
    assert body(http_session.Session(Network(tls=ours)), secure.url) == b"{}"
    assert body(http_session.Session(Network(tls=ours)), secure.url, tls=Tls()) == b"{}"
    unverified = http_session.Session(Network(tls=Tls(False)))
    with pytest.raises(errors.BadUpstream):
        body(unverified, secure.url, tls=Tls())


def test_a_wrong_name_is_accepted_only_unverified() -> None:
    with Upstream(tls="wrong-name") as up:
        up.plays(json_answer({}))
        with pytest.raises(errors.BadUpstream):
            body(http_session.Session(), up.url, tls=Tls(str(up.ca)))
        assert body(http_session.Session(), up.url, tls=Tls(False)) == b"{}"


def test_a_client_certificate_is_shown_to_upstreams_but_not_to_clients_addresses() -> None:
    made = certificates.certificate("self-signed")
    with Upstream(tls="self-signed") as up:
        assert up._context
        up._context.verify_mode = ssl.CERT_REQUIRED
        up._context.load_verify_locations(up.ca)
        up.plays(json_answer({}))
        own = Tls(str(up.ca), (str(made.path), str(made.key)))

        assert body(http_session.Session(), up.url, tls=own) == b"{}"
        shared = http_session.Session(Network(tls=own))
        assert body(shared, up.url, tls=Tls(str(up.ca))) == b"{}"
        with pytest.raises(errors.GateError):
            body(shared, f"https://localhost:{up.port}", "127.0.0.1")
