"""The guard of client-named addresses against what would fool it."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import requests
from testing.upstream import Upstream
from testing.upstream import json_answer

from llmgate import errors
from llmgate.contract import Call
from llmgate.trust import address_guard
from llmgate.upstream import session as http_session

SEED = r"^https://litellm.*direct\.fireworks\.ai/v1$"


def permits(text: str, url: str) -> bool:
    """Return whether the pattern *text* and the guard let *url* through."""
    try:
        return address_guard.pattern(text).matches(address_guard.parse(url, "api_base"))
    except errors.InvalidRequest:
        return False


@pytest.mark.parametrize(
    "url",
    [
        "https://litellm-dev.direct.fireworks.ai/v1",
        "https://litellm-dev.direct.fireworks.ai/v1/",
        "HTTPS://LiteLLM-dev.direct.fireworks.ai/v1",
        "https://litellm.a.b.direct.fireworks.ai:443/v1",
    ],
)
def test_the_seeds_pattern_lets_its_hosts_through(url: str) -> None:
    assert permits(SEED, url)


@pytest.mark.fault("S4")
@pytest.mark.parametrize(
    "url",
    [
        "https://litellm.evil.com/direct.fireworks.ai/v1",
        "https://litellm@evil.com/x.direct.fireworks.ai/v1",
        "https://litellm:x@evil.com/direct.fireworks.ai/v1",
        "https://litellm.evil.com?direct.fireworks.ai/v1",
        "https://litellm.evil.com#direct.fireworks.ai/v1",
        "https://litellm.evil.com\\direct.fireworks.ai/v1",
        "https://litellm.evil.com%2fdirect.fireworks.ai/v1",
        "https://litellm.evil.com%00.direct.fireworks.ai/v1",
        "https://litellm-xdirect.fireworks.ai/v1",
        "https://litellmdirect.fireworks.ai/v1",
        "https://litellm-dev.direct.fireworks.ai/v1\n",
        "https://litellm-dev.direct.fireworks.ai/v1\r\nHost: evil.com",
        "https://litellm-dev.direct.fireworks.ai.evil.com/v1",
        "https://litellm-dev.direct.fireworks.ai:8443/v1",
        "https://litellm-dev.direct.fireworks.ai/v1/../../x",
        "https://litellm-dev.direct.fireworks.ai/v1x",
        "http://litellm-dev.direct.fireworks.ai/v1",
        "https://evil.com/https://litellm-dev.direct.fireworks.ai/v1",
        " https://litellm-dev.direct.fireworks.ai/v1",
        "https://litellm-dev.direct.fireworksXai/v1",
        "https://litellm\u3002direct.fireworks.ai/v1",
        "https:litellm-dev.direct.fireworks.ai/v1",
        "https:///litellm-dev.direct.fireworks.ai/v1",
    ],
)
def test_the_seeds_pattern_is_not_fooled(url: str) -> None:
    assert not permits(SEED, url)


@pytest.mark.parametrize(
    ("text", "url", "wanted"),
    [
        ("^https://good.example", "https://good.example", True),
        ("^https://good.example", "https://good.example.evil.com", False),
        ("^https://good.example", "https://goodXexample", False),
        ("^https://good.example", "https://good.example/v1", False),
        (r"^https://.*\.openai\.azure\.com$", "https://me.openai.azure.com", True),
        (r"^https://.*\.openai\.azure\.com$", "https://evil.com/.openai.azure.com", False),
        (r"https://(eu|us)\.x\.ai/(v1|v2)", "https://us.x.ai/v2", True),
        (r"https://a.b/.*", "https://a.b/any/path", True),
        (r"https://a.b:8443/v1", "https://a.b:8443/v1", True),
    ],
)
def test_patterns_are_matched_part_by_part(text: str, url: str, wanted: bool) -> None:
    assert permits(text, url) is wanted


@pytest.mark.parametrize(
    "text", ["^.*fireworks.*$", "fireworks.ai", "(https://a|https://b)", "https://("]
)
def test_a_pattern_that_cannot_be_cut_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|must begin"):
        address_guard.pattern(text)


@pytest.mark.parametrize(
    "url",
    [
        7,
        None,
        "",
        "x",
        "ftp://a.b",
        "file:///etc/passwd",
        "gopher://a.b",
        "http://a.b/v1",
        "https://a.b:25/v1",
        "https://a.b:0x1bb/v1",
        "https://a.b:99999/v1",
        "https://[fe80::1%25eth0]/v1",
        "https://[::1",
        "https://a..b/v1",
        "https://-a.b/v1",
        "https://\uff11\uff12\uff17.0.0.1/v1",
        "https://a.b/" + "x" * 3000,
    ],
)
def test_what_is_no_plain_address_is_refused(url: Any) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        address_guard.parse(url, "api_base")

    assert (caught.value.param, caught.value.code) == ("api_base", "invalid_address")


@pytest.mark.parametrize(
    "text",
    """127.0.0.1 127.1.2.3 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0
    224.0.0.1 240.0.0.1 255.255.255.255 192.0.0.1 192.0.2.1 198.18.0.1 192.88.99.1 ::1 :: fe80::1
    fc00::1 fd00:ec2::254 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1
    64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:a9fe:a9fe::1 2002:7f00:1::1 2001::1 2001:db8::1
    not-an-address""".split(),
)
def test_what_is_not_public_is_known(text: str) -> None:
    assert not address_guard.is_public(text)


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1"]
)
def test_what_is_public_is_known(text: str) -> None:
    assert address_guard.is_public(text)


@pytest.mark.fault("S4")
@pytest.mark.parametrize(
    "host",
    """127.0.0.1 2130706433 0x7f000001 0177.0.0.1 127.1 0 localhost [::1] [::ffff:a9fe:a9fe]
    [::ffff:127.0.0.1]""".split(),
)
def test_every_way_to_write_a_private_address_is_refused(host: str) -> None:
    with pytest.raises(errors.GateError) as caught:
        address_guard.pinned(address_guard.parse(f"https://{host}/v1", "api_base").url)

    assert caught.value.status in (400, 403, 503)
    assert caught.value.status == 403 or not host.startswith("127.0")


def answers(*texts: str) -> Any:
    """Return a resolver that gives one of *texts* after the other."""
    left = list(texts)

    def resolve(host: str, port: int) -> list[tuple[str, int]]:
        return [(left.pop(0), port)]

    return resolve


def test_a_name_is_resolved_once_and_pinned() -> None:
    resolve = answers("1.1.1.1", "127.0.0.1")

    assert address_guard.pinned("https://rebind.example/v1", resolve=resolve) == "1.1.1.1"


def test_one_private_address_among_public_ones_is_one_too_many() -> None:
    def resolve(host: str, port: int) -> list[tuple[str, int]]:
        return [(text, port) for text in ("1.1.1.1", "10.0.0.1")]

    with pytest.raises(errors.Forbidden):
        address_guard.pinned("https://two.example/v1", resolve=resolve)


def test_a_name_that_is_nobodys_is_unreachable() -> None:
    def resolve(host: str, port: int) -> Any:
        raise socket.gaierror

    with pytest.raises(errors.Unreachable):
        address_guard.pinned("https://x.invalid/v1", resolve=resolve)


# -- connected to the address, for the name


@pytest.mark.parametrize(("host", "accepted"), [("other.example", True), ("evil.example", False)])
def test_a_pinned_call_shows_and_checks_the_name(
    host: str, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Upstream(tls="wrong-name") as up:  # it is good for other.example
        up.plays(json_answer({"a": 1}))
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(up.ca))
        call = Call("POST", f"https://{host}:{up.port}/v1", {"X-A": "1"}, b"{}")
        session = http_session.Session()

        if accepted:
            answer = session.send(call, 5.0, "127.0.0.1")
            assert (answer.status, http_session.body(answer)) == (200, b'{"a": 1}')
            assert up.requests[0].headers["host"] == f"{host}:{up.port}"
        else:
            with pytest.raises(errors.BadUpstream) as caught:
                session.send(call, 5.0, "127.0.0.1")
            assert caught.value.code == "upstream_tls_error"
            assert up.requests == []


def test_a_pinned_call_leaves_no_connection_behind() -> None:
    with Upstream() as up:
        up.plays(json_answer({"a": 1}))
        session = http_session.Session()

        for _ in range(2):
            call = Call("POST", f"http://some.example:{up.port}/v1", {}, b"{}")
            http_session.body(session.send(call, 5.0, "127.0.0.1"))

        assert [seen.connection for seen in up.requests] == [1, 2]
