"""One attempt: a body made into calls to a deployment, and the answer to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from typing import TypeAlias

from llmgate import errors
from llmgate import providers
from llmgate.accounting.meter import Meter
from llmgate.accounting.records import Filter
from llmgate.accounting.records import Guard
from llmgate.contract import Answer
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.pipeline import response
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import Front
from llmgate.routing import router_settings
from llmgate.routing.load_balancer import Traffic
from llmgate.routing.routes import Routes
from llmgate.schema import parameters
from llmgate.trust import client_credentials
from llmgate.upstream import error_response
from llmgate.upstream import extra_headers
from llmgate.upstream import oauth
from llmgate.upstream import session as http_session


class Gate(NamedTuple):
    """What every request needs: where it may go, and how."""

    routes: Routes
    session: http_session.Sender
    tokens: oauth.TokenCache
    traffic: Traffic
    rules: router_settings.RouterSettings = router_settings.RouterSettings()
    guards: tuple[Guard, ...] = ()
    filters: tuple[Filter, ...] = ()
    allowed: client_credentials.Allowed = client_credentials.Allowed()


class Wanted(NamedTuple):
    """What a request asks for."""

    name: str
    body: Body
    front: Front | None


Attempting: TypeAlias = Callable[[Gate, Wanted, Deployment, Meter], Attempt]
"""Makes an attempt at a deployment; raises GateError if it is answered with no success."""


def attempt(gate: Gate, wanted: Wanted, deployment: Deployment, meter: Meter) -> Attempt:
    """Return the attempt at *deployment*, answered with success; raises GateError otherwise."""
    provider = providers.serving(deployment)
    deployment = client_credentials.applied(deployment, wanted.body, provider, gate.allowed)
    meter.deployment = deployment
    name, operation, front = _operation(provider, wanted)
    body = _fronted(wanted.body, operation, front)
    deployment = logged_in(gate, provider, deployment, meter)
    settled = parameters.upstream_body(body, deployment, name, operation)
    if parameters.drops_unsupported(body, deployment):
        deployment = deployment._replace(drop_params=True)
    sent = (
        _sent(gate, provider, _built(operation, part, deployment), deployment, body, meter)
        for part in operation.split(settled, deployment)
    )
    return Attempt(name, operation, deployment, body, next(sent), meter, front, sent)


def logged_in(gate: Gate, provider: Provider, deployment: Deployment, meter: Meter) -> Deployment:
    """Return *deployment* with an access token, if *provider* needs one that it has not."""
    if provider.login and provider.login.needed(deployment):
        with meter.waiting():
            return _tokens(gate, deployment).with_token(deployment, provider.login)
    return deployment


def _tokens(gate: Gate, deployment: Deployment) -> oauth.TokenCache:
    """Return where access tokens are kept: those of a client's credentials nowhere."""
    return oauth.TokenCache(gate.session) if deployment.has_client_key else gate.tokens


def _fronted(body: Body, operation: Operation, front: Front | None) -> Body:
    """Return *body* as *operation* takes it: as it came, or put on its wire by *front*."""
    if front is None:
        return body
    made = front.body(body)
    return front.strip_extensions(made) if operation.passthrough else made


def _sent(
    gate: Gate, provider: Provider, call: Call, deployment: Deployment, body: Body, meter: Meter
) -> Answer:
    """Return the answer to *call*, its headers completed; raises GateError if it is no success."""
    call = provider.authorize(extra_headers.completed(call, deployment, body), deployment)
    with meter.waiting():
        answer = answered(gate, provider, call, deployment)
        if not 200 <= answer.status < 300:
            raise error_response.error(answer, provider)
        return answer


def _built(operation: Operation, body: Body, deployment: Deployment) -> Call:
    """Return the call that *operation* makes of *body*; raises InvalidRequest if it cannot.

    The body was valid when it came: what is wrong with it now `extra_body` or a drop has done.
    """
    try:
        return operation.build(body, deployment)
    except response.MALFORMED as error:
        raise errors.InvalidRequest(
            "With its extra_body and without its dropped parameters the request has no shape that"
            f" {deployment.provider} could be sent. Check extra_body and additional_drop_params.",
            param="extra_body",
        ) from error


def _operation(provider: Provider, wanted: Wanted) -> tuple[str, Operation, Front | None]:
    """Return the operation of *provider* that serves, its name, the front if it is needed."""
    operation = provider.operations.get(wanted.name)
    if operation is not None:
        return wanted.name, operation, None
    front = wanted.front
    operation = provider.operations.get(front.target_operation) if front else None
    if front is None or operation is None:
        raise _lacking(provider, wanted.name)
    return front.target_operation, operation, front


def answered(gate: Gate, provider: Provider, call: Call, deployment: Deployment) -> Answer:
    """Return the answer to *call*, success or not."""
    if provider.local_handler:
        return _answered(provider.local_handler, call)
    address = client_credentials.pin(deployment, call.url, gate.allowed)
    return gate.session.send(call, deployment.timeout, address)


def _answered(own: Callable[[Call], Answer], call: Call) -> Answer:
    """Return the answer of a provider's *own* making; raises InvalidRequest if it has none."""
    try:
        return own(call)
    except response.MALFORMED as error:
        raise errors.InvalidRequest("The request has no shape that can be answered.") from error


def _lacking(provider: Provider, name: str) -> errors.InvalidRequest:
    """Return the error for an operation that *provider* lacks."""
    return errors.InvalidRequest(
        f"Provider {provider.name} has no {name.replace('_', ' ')}; it has"
        f" {', '.join(provider.operations)}. Choose a model of another provider.",
        param="model",
        code="unsupported_operation",
    )
