"""How the gateway reaches upstreams (proxies, certificates), and how browsers and reverse proxies
reach it: from the settings, else from the usual variables."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

from llmgate.contract import Tls
from llmgate.errors import ConfigError
from llmgate.inbound import cors
from llmgate.inbound import root_path
from llmgate.trust import client_address
from llmgate.trust.network import Network

OPTIONS = frozenset({"ssl_verify", "ssl_certificate", "client_certificate"})
"""The options of a deployment."""

_PROXIES = "FORWARDED_ALLOW_IPS"
"""gunicorn's variable for the addresses of trusted proxies."""

_SCHEMES = ("http", "https", "all")
_BUNDLES = ("SSL_VERIFY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def load(litellm: Mapping[str, Any], environ: Mapping[str, str]) -> Network:
    """Return the network of litellm_settings and the environment; raises ConfigError."""
    found = {scheme: _proxy(f"{scheme}_proxy", environ) for scheme in _SCHEMES}
    proxies = {scheme: proxy for scheme, proxy in found.items() if proxy}
    if "http" in proxies and "https" in proxies:
        proxies.pop("all", None)
    for scheme, proxy in proxies.items():
        _check_proxy(proxy, f"{scheme}_proxy".upper())
    own = tls(litellm, "litellm_settings.") or Tls()
    if own.verify is True:
        names = _BUNDLES if litellm.get("ssl_verify") is None else _BUNDLES[1:]
        name = next((name for name in names if environ.get(name)), None)
        if name:
            own = own._replace(verify=_verify(environ[name], f"the environment variable {name}"))
    if own.certificate is None and environ.get("SSL_CERTIFICATE"):
        place = "the environment variable SSL_CERTIFICATE"
        own = own._replace(certificate=_certificate(environ["SSL_CERTIFICATE"], place))
    return Network(proxies, environ.get("no_proxy") or environ.get("NO_PROXY") or "", own)


def tls(given: Mapping[str, Any], path: str) -> Tls | None:
    """Return what the options of *given*, at *path*, describe, None if there are none."""
    if all(given.get(name) is None for name in OPTIONS):
        return None
    name = "ssl_certificate" if given.get("ssl_certificate") is not None else "client_certificate"
    verify, shown = given.get("ssl_verify"), given.get(name)
    return Tls(
        True if verify is None else _verify(verify, f"{path}ssl_verify"),
        None if shown is None else _certificate(shown, f"{path}{name}"),
    )


def _proxy(name: str, environ: Mapping[str, str]) -> str:
    """Return the proxy in the variable *name*; lower case comes first, as in curl."""
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _check_proxy(proxy: str, name: str) -> None:
    """Raise ConfigError if *proxy* cannot be used."""
    url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        is_valid = bool(url.hostname) and url.port != 0
    except ValueError:
        is_valid = False
    if url.scheme not in ("http", "https"):
        raise ConfigError(
            f"the environment variable {name}: proxies of the kind {url.scheme[:20]}:// are not"
            " supported; give an HTTP proxy, as http://host:port, or unset it"
        )
    if not is_valid:
        raise ConfigError(
            f"the environment variable {name}: is not the address of a proxy; write it as"
            " http://host:port"
        )


def _verify(given: Any, place: str) -> bool | str:
    """Return whether, or by which bundle, certificates are verified; raises ConfigError."""
    if isinstance(given, bool):
        return given
    text = str(given).strip()
    if text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            os.listdir(path)
        else:
            ssl.create_default_context(cafile=str(path))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{place}: {_why(error, 'no certificate in PEM is in it')}") from None
    return str(path)


def _certificate(given: Any, place: str) -> tuple[str, str | None]:
    """Return the files of a client certificate and its key; raises ConfigError."""
    files = [given] if isinstance(given, str) else given
    is_list = isinstance(files, list) and 1 <= len(files) <= 2
    if not is_list or not all(isinstance(each, str) and each for each in files):
        raise ConfigError(
            f"{place}: must be the path of a PEM file with the certificate and its key, or the"
            " list of both files"
        )
    paths = [str(Path(each).expanduser()) for each in files]
    found = (paths[0], paths[1] if len(paths) > 1 else None)
    try:
        ssl.create_default_context().load_cert_chain(*found, password=_no_password)
    except (OSError, ValueError) as error:
        hint = "it is not a certificate with its key, in PEM and without a password"
        raise ConfigError(f"{place}: {_why(error, hint)}") from None
    return found


def _no_password() -> str:
    """Refuse a key with a password: OpenSSL would prompt for it."""
    raise ValueError("encrypted")


def _why(error: Exception, otherwise: str) -> str:
    """Return what is wrong with a file."""
    text = getattr(error, "strerror", None)
    is_ssl = isinstance(error, ssl.SSLError) or not text
    return otherwise if is_ssl else f"the file that it names cannot be read: {text}"


class Web(NamedTuple):
    """How the gateway is reached."""

    cors: cors.Rules | None = None
    prefixes: root_path.Prefixes | None = None
    proxies: tuple[client_address.Network, ...] = client_address.DEFAULT_PROXIES


def web(own: Mapping[str, Any], environ: Mapping[str, str]) -> Web:
    """Return how llmgate_settings and the environment let it be reached; raises ConfigError."""
    prefixes = _prefixes(environ)  # checks the addresses
    found = Web(_cross_origin(own.get("cors")), prefixes)
    if _PROXIES not in environ:
        return found
    return found._replace(proxies=client_address.parse_proxies(environ[_PROXIES]))


def _cross_origin(given: Mapping[str, Any] | None) -> cors.Rules | None:
    """Return the rules of `llmgate_settings.cors`, None if there are no origins."""
    if not given or not given.get("origins"):
        return None
    for at, origin in enumerate(given["origins"]):
        is_url = origin.startswith(("http://", "https://")) and origin.count("/") == 2
        if not is_url and origin not in ("*", "null") and "://" not in origin.removesuffix("/"):
            raise ConfigError(
                f"llmgate_settings.cors.origins[{at}]: '{origin}' is not an origin; write"
                " https://app.example.com, or '*' for all"
            )
    origins = tuple(origin.rstrip("/") for origin in given["origins"])
    age = given.get("max_age")
    rules = cors.Rules(origins, tuple(given.get("headers") or ()))
    return rules if age is None else rules._replace(max_age=int(age))


def _prefixes(environ: Mapping[str, str]) -> root_path.Prefixes | None:
    """Return the prefixes that SERVER_ROOT_PATH and FORWARDED_ALLOW_IPS describe, None without."""
    root = "/" + environ.get("SERVER_ROOT_PATH", "").strip("/ ")
    given = [each.strip() for each in environ.get(_PROXIES, "").split(",")]
    proxies = tuple(filter(None, given))
    if root == "/":
        root = ""
    elif not root_path.is_prefix(root):
        raise ConfigError(
            "the environment variable SERVER_ROOT_PATH is not a path; write it as /llm"
        )
    try:
        root_path.networks(proxies)
    except ValueError as error:
        raise ConfigError(
            f"the environment variable {_PROXIES}: {error}; list the addresses or"
            " networks of your proxies, or *"
        ) from None
    return root_path.Prefixes(root, proxies) if root or proxies else None
