"""What upstreams list as their models: to check keys, and to expand wildcards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from llmgate import errors
from llmgate import providers
from llmgate.accounting.meter import Meter
from llmgate.codecs import json_cost
from llmgate.contract import Deployment
from llmgate.contract import ModelListing
from llmgate.pipeline import attempt
from llmgate.pipeline.response import MALFORMED
from llmgate.pipeline.shapes import Gate
from llmgate.routing.routes import fill
from llmgate.routing.routes import match
from llmgate.upstream import error_response
from llmgate.upstream import extra_headers
from llmgate.upstream import session as http_session

_SECONDS = 10.0  # that an upstream has for its list
_KEPT, _KEPT_FAILURE = 300.0, 30.0  # seconds that a list, or the lack of one, is kept
_AT_ONCE = 8
_UNSUPPORTED = frozenset({404, 405, 501})
_LATEST = ":latest"  # Ollama's tag for a name without one


class Probe(NamedTuple):
    """What the models endpoint of one deployment's upstream shows."""

    deployment: Deployment
    works: bool
    text: str


def fetched(gate: Gate, deployment: Deployment, listing: ModelListing) -> tuple[str, ...]:
    """Return the names in the *listing* of *deployment*'s upstream; raises GateError."""
    provider = providers.serving(deployment)
    deployment = deployment._replace(timeout=_SECONDS)
    deployment = attempt.logged_in(gate, provider, deployment, Meter(""))
    call = extra_headers.completed(listing.call(deployment), deployment, {})
    answer = attempt.answered(gate, provider, provider.authorize(call, deployment), deployment)
    if not 200 <= answer.status < 300:
        raise error_response.error(answer, provider)
    data = http_session.body(answer)
    json_cost.check(data)
    try:
        return tuple(listing.names(json.loads(data))) if listing.names else ()
    except MALFORMED as error:
        raise errors.BadUpstream("The upstream's list of models is not valid.") from error


def probes(gate: Gate) -> Iterator[Probe]:
    """Yield a probe of each deployment, in their order; one call for each upstream and key."""
    deployments = [each for found in gate.routes.groups.values() for each in found]
    by_source: dict[object, Deployment] = {}
    for each in deployments:
        by_source.setdefault(_source(each), each)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        listed = pool.map(lambda deployment: _listed(gate, deployment), by_source.values())
        found = dict(zip(by_source, listed, strict=True))
    for deployment in deployments:
        yield _verdict(deployment, found[_source(deployment)])


def names(gate: Gate) -> list[str]:
    """Return the names of all models, with those that upstreams list behind wildcards.

    A list is kept for some minutes; an upstream that does not answer adds nothing.
    """
    wildcards = [] if gate.routes.forced else _wildcards(gate)
    listed = (
        fill(group, matched)
        for group, deployment in wildcards
        for name in _CACHE.names(gate, deployment)
        if (matched := match(deployment.model, name)) is not None
    )
    return list(dict.fromkeys([*gate.routes.names(), *listed]))


def _wildcards(gate: Gate) -> list[tuple[str, Deployment]]:
    """Return each deployment whose model has a star, with its group."""
    groups = gate.routes.groups.items()
    return [(group, each) for group, found in groups for each in found if "*" in each.model]


class _Cache:
    """The lists of upstreams of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lists: dict[object, tuple[float, tuple[str, ...]]] = {}

    def names(self, gate: Gate, deployment: Deployment) -> tuple[str, ...]:
        """Return the names in the list of *deployment*'s upstream, none if it fails."""
        source, now = _source(deployment), self._clock()
        until, kept = self._lists.get(source, (0.0, ()))
        if now < until:
            return kept
        found = _listed(gate, deployment)
        is_known = isinstance(found, tuple)
        names = found if isinstance(found, tuple) else kept
        seconds = _KEPT if is_known else _KEPT_FAILURE
        self._lists[source] = (now + seconds, names)
        return names


_CACHE = _Cache()


def _source(deployment: Deployment) -> object:
    """Return what two deployments share that have one list of models."""
    named = (deployment.provider, deployment.api_base, deployment.api_key, deployment.api_version)
    return (*named, json.dumps(deployment.settings, sort_keys=True, default=str))


def _listed(gate: Gate, deployment: Deployment) -> tuple[str, ...] | errors.GateError | None:
    """Return the names that the upstream lists, the error, or None where it has no list."""
    listing = providers.serving(deployment).listing
    if listing is None:
        return None
    try:
        return fetched(gate, deployment, listing)
    except errors.GateError as error:
        is_unsupported = isinstance(error, errors.UpstreamError) and error.status in _UNSUPPORTED
        return None if is_unsupported else error


def _verdict(deployment: Deployment, found: tuple[str, ...] | errors.GateError | None) -> Probe:
    """Return what *found*, the list of its upstream, means for *deployment*."""
    if found is None:
        return Probe(deployment, True, "not checked: the provider has no list of models")
    if isinstance(found, errors.GateError):
        text = f"{found.status} {found.code or found.type}: {found.message}"
        return Probe(deployment, False, text)
    if not found:
        return Probe(deployment, True, "the key is accepted; models are not listed")
    if "*" in deployment.model:
        return Probe(deployment, True, f"the key is accepted; {len(found)} models")
    if _is_listed(deployment.model, found):
        return Probe(deployment, True, "the key is accepted, the model is listed")
    text = f"the key is accepted; '{deployment.model}' is not among its {len(found)} models"
    return Probe(deployment, False, text)


def _is_listed(model: str, names: Iterable[str]) -> bool:
    """Return whether *names* have *model*, with or without a path before it."""
    return any(
        model in (name, name.removesuffix(_LATEST)) or name.endswith(f"/{model}") for name in names
    )
