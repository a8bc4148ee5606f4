"""Pools of connections, made by `requests`: certificates, proxies and their passwords are its own.

Only `session` uses this module.
"""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import DEFAULT_CA_BUNDLE_PATH
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed
from requests.utils import select_proxy
from requests.utils import should_bypass_proxies
from urllib3.util import ssl_

from llmgate.contract import Tls
from llmgate.trust.network import Network
from llmgate.upstream.network.connections import Connection
from llmgate.upstream.network.connections import PlainConnection
from llmgate.upstream.network.connections import SecureConnection
from llmgate.upstream.network.tunnel import Tunnel

_PORTS = {"http": 80, "https": 443}


class _PoolAccess:
    """Take connections from a urllib3 pool and put them back."""

    tunnel: Tunnel | None = None
    forward: Mapping[str, str] | None = None  # headers for a proxy that forwards plain requests

    def take(self, is_new: bool) -> Connection:
        """Return a connection: a new one if *is_new*, else an idle one if there is one."""
        found: Connection = self._new_conn() if is_new else self._get_conn()  # type: ignore[attr-defined]
        if self.tunnel is not None:
            found.tunnel = self.tunnel
        return found

    def put(self, connection: Connection) -> None:
        """Keep *connection* for a later call."""
        self._put_conn(connection)  # type: ignore[attr-defined]


class _Pool(_PoolAccess, urllib3.HTTPConnectionPool):
    ConnectionCls = PlainConnection  # type: ignore[assignment]


class _SecurePool(_PoolAccess, urllib3.HTTPSConnectionPool):
    ConnectionCls = SecureConnection  # type: ignore[assignment]


Pool: TypeAlias = _Pool | _SecurePool
_CLASSES = {"http": _Pool, "https": _SecurePool}


class Adapter(HTTPAdapter):
    """The pools of `requests`, with its certificates, for the connections above."""

    def __init__(self, network: Network, origins: int, most_kept: int) -> None:
        self._network = network
        super().__init__(origins, most_kept, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the manager of the pools behind *proxy*."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _CLASSES
        return manager

    def pool(self, origin: str, tls: Tls | None = None) -> Pool:
        """Return the pool for *origin*; *tls* completes the session's."""
        tls = _combined(tls, self._network.tls) if tls else self._network.tls
        proxy = proxy_for(origin, self._network)
        request = requests.Request("GET", origin).prepare()
        proxies = {"all": proxy} if proxy else None
        pool = self.get_connection_with_tls_context(
            request,
            tls.verify,
            proxies,
            tls.certificate,  # type: ignore[arg-type]
        )
        assert isinstance(pool, _Pool | _SecurePool)
        if proxy and isinstance(pool, _SecurePool) and origin.startswith("https"):
            pool.tunnel = self._tunnel(proxy, str(urlsplit(origin).hostname), pool.port)
        elif proxy:
            pool.forward = self.proxy_headers(proxy)
        self._authenticate(pool, origin, tls)
        return pool

    def pinned(self, origin: str, address: str) -> Pool:
        """Return a pool of new connections to *origin* at the IP *address*.

        The certificate is verified against the name. A proxy connects to the address as well.
        """
        parts = urlsplit(origin)
        port = parts.port or _PORTS[parts.scheme]
        proxy = proxy_for(origin, self._network)
        through: dict[str, Any] = {}
        peer: tuple[str, int | None] = (address, port)
        if proxy:
            manager = self.proxy_manager_for(proxy)
            through = {"_proxy": manager.proxy, "_proxy_config": manager.proxy_config}
            peer = (manager.proxy.host, manager.proxy.port)
        pool: Pool
        if parts.scheme == "https":  # urllib3 itself connects these to the proxy
            through |= {"server_hostname": parts.hostname, "assert_hostname": parts.hostname}
            pool = _SecurePool(address, port, maxsize=1, **through)
        else:
            pool = _Pool(*peer, maxsize=1, **through)
        if proxy:
            pool.tunnel = self._tunnel(proxy, address, port)
        self._authenticate(pool, origin, self._network.tls._replace(certificate=None))
        return pool

    def _tunnel(self, proxy: str, host: str, port: int | None) -> Tunnel:
        """Return the way through *proxy* to *host*."""
        return Tunnel(host, port or 443, urlsplit(proxy).scheme, self.proxy_headers(proxy))

    def _authenticate(self, pool: Pool, origin: str, tls: Tls) -> None:
        """Have the connections of *pool* verify certificates, and show ours, as *tls* requires."""
        if tls == Tls():
            self.cert_verify(pool, origin, verify=True, cert=None)  # type: ignore[no-untyped-call]
        elif isinstance(pool, _SecurePool):
            pool.conn_kw["ssl_context"] = _context(tls)
            pool.cert_reqs = pool.ca_certs = pool.ca_cert_dir = None
            pool.cert_file = pool.key_file = None


def _combined(own: Tls, shared: Tls) -> Tls:
    """Return *own*, completed by the bundle and the certificate of *shared*."""
    verify = shared.verify if own.verify is True and shared.verify else own.verify
    return Tls(verify, own.certificate or shared.certificate)


def proxy_for(url: str, network: Network) -> str | None:
    """Return the proxy for *url*, as `requests` chooses it, None for none."""
    if not network.proxies or should_bypass_proxies(url, no_proxy=network.no_proxy):
        return None
    proxy = select_proxy(url, dict(network.proxies))
    return f"{prepend_scheme_if_needed(proxy, 'http')}" if proxy else None  # type: ignore[no-untyped-call]


@functools.lru_cache(64)
def _context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context for *tls*; one for all connections, for bundles take long to load."""
    context = ssl_.create_urllib3_context()
    if tls.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        where = DEFAULT_CA_BUNDLE_PATH if tls.verify is True else tls.verify
        is_folder = os.path.isdir(where)
        context.load_verify_locations(
            capath=where if is_folder else None, cafile=None if is_folder else where
        )
    if tls.certificate:
        context.load_cert_chain(*tls.certificate)
    return context
