"""Recognize a request that this gateway itself has sent: an upstream's address leads back here.

Each request to an address of the operator's carries the id of this gateway and of the deployment. A
chain of different gateways works; one that comes back to its beginning is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment

HEADER = "x-llmgate-via"

_MAX_HOPS = 10


def instance_id(deployments: Iterable[Deployment], key: str | None) -> str:
    """Return an id that all workers and replicas of one configuration share, and no other has."""
    parts = [key or ""]
    parts += [f"{each.group} {each.provider} {each.model} {each.api_base}" for each in deployments]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def check(received: str | None, instance: str) -> None:
    """Raise LoopDetected if *received*, the header of a request, contains our *instance*."""
    hops = [hop.strip().partition("/") for hop in (received or "").split(",")] if received else []
    for name, _, deployment in hops:
        if name == instance:
            raise errors.LoopDetected(
                f"Loop detected: this gateway sent the request to itself. The api_base (or target)"
                f" of deployment {deployment[:80]} leads back here; correct it."
            )
    if len(hops) > _MAX_HOPS:
        raise errors.LoopDetected(
            f"Loop detected: the request has passed through more than {_MAX_HOPS} gateways."
        )


def mark(call: Call, deployment: Deployment, instance: str, received: str) -> Call:
    """Return *call* with the hops of the request: those *received*, and this one."""
    name = deployment.id or deployment.group
    hop = f"{instance}/{name}".encode("ascii", "replace").decode().replace(",", "_")
    kept = {key: value for key, value in call.headers.items() if key.lower() != HEADER}
    via = f"{received}, {hop}" if received else hop
    return call._replace(headers={**kept, HEADER: via})
