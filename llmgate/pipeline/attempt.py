"""One attempt: a body becomes calls to a deployment, and they are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from llmgate import errors
from llmgate import providers
from llmgate.accounting.meter import Meter
from llmgate.contract import Answer
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.pipeline import response
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import Front
from llmgate.pipeline.shapes import Gate
from llmgate.pipeline.shapes import OperationRequest
from llmgate.schema import parameters
from llmgate.trust import client_credentials
from llmgate.trust import loop_guard
from llmgate.upstream import error_response
from llmgate.upstream import extra_headers

Send: TypeAlias = Callable[[Gate, OperationRequest, Deployment, Meter], Attempt]
"""Sends a request to a deployment; raises GateError unless the answer is a success."""


def send(gate: Gate, request: OperationRequest, deployment: Deployment, meter: Meter) -> Attempt:
    """Return the attempt at *deployment*, whose answer is a success; raises GateError otherwise."""
    provider = providers.serving(deployment)
    deployment = client_credentials.applied(deployment, request.body, provider, gate.allowed)
    meter.deployment = deployment
    name, operation, front = _operation(provider, request)
    body = _fronted(request.body, operation, deployment, front)
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
    """Return *deployment* with an access token if *provider* needs one."""
    if provider.login and provider.login.needed(deployment):
        with meter.waiting():
            return gate.tokens.with_token(deployment, provider.login, gate.session.remaining)
    return deployment


def _fronted(body: Body, operation: Operation, deployment: Deployment, front: Front | None) -> Body:
    """Return *body* as *operation* takes it, translated by *front* where there is one."""
    if front is None:
        return body
    return front.adapt(front.body(body), operation, deployment)


def _sent(
    gate: Gate, provider: Provider, call: Call, deployment: Deployment, body: Body, meter: Meter
) -> Answer:
    """Return the answer to *call*, headers completed; raises GateError unless it is a success."""
    call = provider.authorize(extra_headers.completed(call, deployment, body), deployment)
    with meter.waiting():
        answer = answered(gate, provider, call, deployment)
        if not 200 <= answer.status < 300:
            raise error_response.error(answer, provider)
        return answer


def _built(operation: Operation, body: Body, deployment: Deployment) -> Call:
    """Return the call that *operation* makes of *body*; raises InvalidRequest if it cannot.

    The body was valid on arrival: only `extra_body` or a dropped parameter can have broken it.
    """
    try:
        return operation.build(body, deployment)
    except response.MALFORMED as error:
        raise errors.InvalidRequest(
            f"The request is not valid for {deployment.provider} after extra_body is applied and"
            " parameters are dropped. Check extra_body and additional_drop_params.",
            param="extra_body",
        ) from error


def _operation(
    provider: Provider, request: OperationRequest
) -> tuple[str, Operation, Front | None]:
    """Return the operation of *provider* to use, its name, and the front if one is needed."""
    operation = provider.operations.get(request.operation)
    if operation is not None:
        return request.operation, _for_body(operation, request.body), None
    front = request.front
    operation = provider.operations.get(front.target_operation) if front else None
    if front is None or operation is None:
        raise _lacking(provider, request.operation)
    return front.target_operation, _for_body(operation, request.body), front


def _for_body(operation: Operation, body: Body) -> Operation:
    """Return *operation*, or the one that takes its place for a *body* of the client's."""
    return (operation.instead and operation.instead(body)) or operation


def answered(gate: Gate, provider: Provider, call: Call, deployment: Deployment) -> Answer:
    """Return the answer to *call*, success or not."""
    if provider.local_handler:
        return _answered(provider.local_handler, call)
    if gate.instance and deployment.api_base != _own_address(provider, deployment):
        call = loop_guard.mark(call, deployment, gate.instance, gate.via)
    if deployment.tls is not None:
        call = call._replace(tls=deployment.tls)
    address = client_credentials.pin(deployment, call.url, gate.allowed)
    answer = gate.session.send(call, deployment.timeout, address)
    return error_response.without_secrets(answer, call, deployment)


def _own_address(provider: Provider, deployment: Deployment) -> str:
    """Return the public address of *provider*, which never leads back to this gateway."""
    return provider.base_url(deployment.settings).rstrip("/")


def _answered(own: Callable[[Call], Answer], call: Call) -> Answer:
    """Return the answer of a provider's *own* handler; raises InvalidRequest if it has none."""
    try:
        return own(call)
    except response.MALFORMED as error:
        raise errors.InvalidRequest("The request body is not valid for this model.") from error


def _lacking(provider: Provider, name: str) -> errors.UnsupportedOperation:
    """Return the error for an operation that *provider* lacks."""
    return errors.UnsupportedOperation(
        f"Provider {provider.name} has no {name.replace('_', ' ')}; it has"
        f" {', '.join(provider.operations)}. Choose a model of another provider.",
        param="model",
    )
