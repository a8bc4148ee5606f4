"""How the gateway reaches upstreams: proxies, and whom it trusts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from llmgate.contract import Tls


class Network(NamedTuple):
    """The operator's network."""

    proxies: Mapping[str, str] = {}  # by the scheme of the upstream: http, https, all
    no_proxy: str = ""  # hosts that are reached without, as in NO_PROXY
    tls: Tls = Tls()  # of deployments without one of their own

    def __repr__(self) -> str:
        """Return it without the proxies, whose addresses may contain passwords."""
        return f"Network({sorted(self.proxies)}, {self.tls})"
