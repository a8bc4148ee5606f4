from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from testing import tls as certificates

from llmgate import config
from llmgate import warnings
from llmgate.config import network_settings
from llmgate.contract import Tls
from llmgate.errors import ConfigError


def loaded(litellm: dict[str, Any] | None = None, **env: str) -> Any:
    return network_settings.load(litellm or {}, env)


def test_proxies_are_those_of_the_usual_variables() -> None:
    found = loaded(HTTP_PROXY="http://a:1", https_proxy="b:2", HTTPS_PROXY="c:3", NO_PROXY="x,y")

    assert found.proxies == {"http": "http://a:1", "https": "b:2"}
    assert found.no_proxy == "x,y"
    assert "a:1" not in repr(found)
    assert loaded(ALL_PROXY="http://a:1").proxies == {"all": "http://a:1"}
    assert loaded().proxies == {}


def test_an_all_proxy_that_nothing_uses_is_not_judged() -> None:
    assert len(loaded(HTTP_PROXY="a:1", HTTPS_PROXY="a:1", ALL_PROXY="socks5://b:2").proxies) == 2


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("socks5://u:secret@a:1", "proxies of the kind socks5:// are not supported"),
        ("http://", "is not the address of a proxy"),
        ("http://u:secret@a:port", "is not the address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_stops_the_start(proxy: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(ALL_PROXY=proxy)

    assert "variable ALL_PROXY" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_bundles_come_from_the_setting_or_the_variables(tmp_path: Path) -> None:
    bundle = str(certificates.certificate("self-signed").path)

    assert loaded().tls == Tls()
    assert loaded({"ssl_verify": False}, SSL_CERT_FILE=bundle).tls == Tls(False)
    assert loaded({"ssl_verify": "false"}).tls == Tls(False)
    assert loaded({"ssl_verify": bundle}).tls == Tls(bundle)
    assert loaded({"ssl_verify": str(tmp_path)}).tls == Tls(str(tmp_path))
    assert loaded(SSL_VERIFY="False").tls == Tls(False)
    assert loaded({"ssl_verify": True}, SSL_VERIFY="False").tls == Tls()
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        assert loaded({"ssl_verify": True}, **{name: bundle}).tls == Tls(bundle)


def test_client_certificates_are_one_file_or_two(tmp_path: Path) -> None:
    made = certificates.certificate("self-signed")
    both = tmp_path / "both.pem"
    both.write_bytes(made.path.read_bytes() + made.key.read_bytes())
    pair = (str(made.path), str(made.key))

    assert loaded({"ssl_certificate": [*pair]}).tls.certificate == pair
    assert loaded({"ssl_certificate": str(both)}).tls.certificate == (str(both), None)
    assert loaded(SSL_CERTIFICATE=str(both)).tls.certificate == (str(both), None)
    assert network_settings.tls({"client_certificate": [*pair]}, "") == Tls(True, pair)
    assert network_settings.tls({"ssl_verify": None}, "") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ssl_verify": "/nowhere"}, "settings.ssl_verify: the file that it names cannot be read"),
        ({"ssl_verify": __file__}, "settings.ssl_verify: no certificate in PEM is in it"),
        ({"ssl_certificate": "/nowhere"}, "ssl_certificate: the file that it names cannot be read"),
        ({"ssl_certificate": __file__}, "ssl_certificate: it is not a certificate with its key"),
        ({"ssl_certificate": []}, "ssl_certificate: must be the path of a PEM file"),
        ({"ssl_certificate": ["a", 1]}, "ssl_certificate: must be the path of a PEM file"),
    ],
)
def test_files_that_cannot_be_used_stop_the_start(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(given)


def test_a_variable_of_a_bundle_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="the environment variable SSL_CERT_FILE: the file"):
        loaded(SSL_CERT_FILE="/nowhere")


def test_a_deployment_has_its_own_and_none_of_it_goes_upstream(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "model_list: [{model_name: a, litellm_params: {model: openai/gpt-4o, api_key: k,"
        " ssl_verify: false}}]"
    )

    settings = config.load(str(file), {})

    (made,) = settings.routes.groups["a"]
    assert (made.tls, made.defaults) == (Tls(False), {})
    assert any(text.startswith("ssl_verify is false") for text in warnings(settings))
