from __future__ import annotations

import pytest

from llmgate.trust.client_address import client_network
from llmgate.trust.client_address import parse_proxies

PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "wanted"),
    [
        ("1.2.3.4", "", PROXY, "1.2.3.4"),
        ("1.2.3.4", "5.6.7.8", PROXY, "1.2.3.4"),  # anyone can send the header
        (PROXY, "5.6.7.8", PROXY, "5.6.7.8"),
        (PROXY, "6.6.6.6, 5.6.7.8", PROXY, "5.6.7.8"),  # the client's own invention comes first
        (PROXY, "5.6.7.8, 10.0.0.1", PROXY, "5.6.7.8"),
        (PROXY, "5.6.7.8:1234", PROXY, "5.6.7.8"),
        (PROXY, "[2001:db8::1]:443", PROXY, "2001:db8::/64"),
        (PROXY, "nonsense", PROXY, PROXY),
        (PROXY, "5.6.7.8, nonsense", PROXY, PROXY),
        ("10.1.2.3", "6.6.6.6, 5.6.7.8, 10.9.9.9", "10.0.0.0/8,127.0.0.1", "5.6.7.8"),
        ("10.1.2.3", "6.6.6.6, 5.6.7.8", "*", "5.6.7.8"),  # a platform's router: the last alone
        ("10.1.2.3", "", "*", "10.1.2.3"),
        ("2001:db8::1", "", PROXY, "2001:db8::/64"),
        ("2001:db8::ffff", "", PROXY, "2001:db8::/64"),
        ("fe80::1%eth0", "", PROXY, "fe80::/64"),
        ("::ffff:1.2.3.4", "", PROXY, "1.2.3.4"),
        ("", "5.6.7.8", PROXY, "5.6.7.8"),  # a Unix socket: the proxy of this machine
        ("", "", PROXY, ""),
    ],
)
def test_only_what_trusted_proxies_appended_counts(
    peer: str, forwarded: str, proxies: str, wanted: str
) -> None:
    assert client_network(peer, forwarded, parse_proxies(proxies)) == wanted


def test_an_address_that_is_invalid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"example\.com"):
        parse_proxies("127.0.0.1, example.com")


def test_without_proxies_nothing_is_trusted() -> None:
    assert parse_proxies(" , ") == ()
