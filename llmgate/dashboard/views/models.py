"""/ui/models: model groups and their deployments, how they are, and a test of one."""

from __future__ import annotations

import secrets
import time
from typing import Any
from typing import NamedTuple

from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.accounting import pricing
from llmgate.accounting.meter import Meter
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.endpoints import common
from llmgate.pipeline import dispatch
from llmgate.routing.load_balancer import LoadBalancer
from llmgate.routing.load_balancer import State
from llmgate.routing.retry_policy import RetryPolicy
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.trust import redaction

_SECONDS = 30.0  # that a test may take
_TESTS: dict[str, Body] = {
    "chat": {"messages": [{"role": "user", "content": "Reply with the single word: ok"}]},
    "embeddings": {"input": "ok"},
}
"""What a test sends, by operation."""


class Row(NamedTuple):
    """One deployment as the page shows it."""

    deployment: Deployment
    address: str
    input_price: float | None  # dollars per token
    output_price: float | None
    context: int | None  # tokens
    state: State
    test: str | None  # the operation that a test performs; None: it has none


class Outcome(NamedTuple):
    """What a test of a deployment found."""

    deployment: Deployment
    milliseconds: float
    error: str | None


@frame.page("/models", logins.VIEWER)
def models() -> Response:
    """List the model groups."""
    return _page(None)


@frame.page("/models/test", logins.VIEWER, "POST")
def test_model() -> Response:
    """Send one request to the deployment in the form."""
    if not _can_test():
        raise errors.Forbidden("This needs the master key, or a key of an administrator.")
    wanted = (request.form.get("group"), request.form.get("id"))
    groups = common.gate().routes.groups
    for found in groups.values():
        for deployment in found:
            operation = _test_of(deployment)
            if (deployment.group, deployment.id) == wanted and operation:
                return _page(_tested(deployment, operation))
    raise errors.NotFound("There is no such deployment, or a test of it is not possible.")


def _can_test() -> bool:
    """Return whether this request may send a test: it costs money, and no key is charged."""
    who = frame.principal()
    return who.is_local or who.level >= logins.MANAGER


def _page(outcome: Outcome | None) -> Response:
    """Return the page, with the *outcome* of a test."""
    routes = common.gate().routes
    groups = [(name, [_row(each) for each in found]) for name, found in routes.groups.items()]
    context = {
        "groups": groups,
        "aliases": {k: v for k, v in routes.aliases.items() if k not in routes.hidden},
        "forced": routes.forced,
        "outcome": outcome,
        "can_test": _can_test(),
        "strategy": common.gate().settings.strategy,
    }
    return frame.render("models.html", "Models", context)


def _row(deployment: Deployment) -> Row:
    """Return *deployment* with what is known of it."""
    prices = deployment.prices or pricing.prices(deployment.provider, deployment.model)
    about = _about(deployment)
    return Row(
        deployment,
        redaction.without_login(deployment.api_base),
        prices.get("input_cost_per_token"),
        prices.get("output_cost_per_token"),
        about.get("max_input_tokens"),
        common.gate().load_balancer.state(deployment),
        _test_of(deployment),
    )


def _about(deployment: Deployment) -> dict[str, Any]:
    """Return what is known of the model, with its `model_info`."""
    return {**pricing.about(deployment.provider, deployment.model), **deployment.info}


def _test_of(deployment: Deployment) -> str | None:
    """Return the operation that tests *deployment*; a wildcard names no model to test."""
    if "*" in deployment.model:
        return None
    mode = _about(deployment).get("mode", "chat")
    operation = {"chat": "chat", "embedding": "embeddings"}.get(mode)
    has_it = operation in providers.serving(deployment).operations
    return operation if has_it else None


def _tested(deployment: Deployment, operation: str) -> Outcome:
    """Return what one request to *deployment* alone results in, cooldown or not.

    It is one of the gateway's own: it is not logged or charged, and starts no cooldown.
    """
    settings = RouterSettings(policy=RetryPolicy(retries=0), timeout=_SECONDS, cooldowns=False)
    gate = common.gate()._replace(
        routes=Routes({deployment.group: (deployment._replace(timeout=_SECONDS),)}),
        settings=settings,
        load_balancer=LoadBalancer(settings),
    )
    meter = Meter(secrets.token_hex(16))
    meter.internal = True
    body: Body = {"model": deployment.group, **_TESTS[operation]}
    if operation == "chat" and not _about(deployment).get("supports_reasoning"):
        body["max_tokens"] = 16  # a model that reasons would end before its answer, some with a 400
    began = time.perf_counter()
    try:
        dispatch.complete(gate, operation, body, meter)
        error = None
    except errors.GateError as refused:
        error = f"{refused.status}: {refused.message}"
    return Outcome(deployment, (time.perf_counter() - began) * 1000, error)
