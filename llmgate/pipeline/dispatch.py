"""From a valid body to an answer: deployments are tried in turn until one answers.

Retries, timeouts, closing and the policies' hooks exist here and nowhere else: `failover` chooses
a candidate, `attempt` sends, `response` reads the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import TypeVar

from llmgate import errors
from llmgate.accounting.meter import Meter
from llmgate.accounting.records import Request
from llmgate.config import user_config
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.inbound import keepalive
from llmgate.pipeline import attempt
from llmgate.pipeline import passthrough
from llmgate.pipeline import request_options
from llmgate.pipeline import response
from llmgate.pipeline import shapes
from llmgate.pipeline import streaming
from llmgate.pipeline.candidates import CandidatePool
from llmgate.pipeline.failover import Candidate
from llmgate.pipeline.failover import Failover
from llmgate.pipeline.response import Completed
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import Front
from llmgate.pipeline.shapes import Gate
from llmgate.pipeline.shapes import OperationRequest
from llmgate.pipeline.shapes import Streamed
from llmgate.routing import retry_policy
from llmgate.routing.load_balancer import LoadBalancer
from llmgate.trust import client_credentials
from llmgate.upstream import session as http_session
from llmgate.upstream.deadline import Deadline

T = TypeVar("T")

PASSTHROUGH = "passthrough"
"""The operation of requests on an upstream's own wire, whose body is not read."""


def complete(
    gate: Gate, name: str, body: Body, meter: Meter, front: Front | None = None
) -> Completed:
    """Return the whole answer of the operation called *name* to *body*.

    Where the provider lacks that operation, *front* makes it of one that it has.
    """
    keepalive.expect_json()
    return _run(gate, OperationRequest(name, body, front), meter, response.completed)


def stream(
    gate: Gate,
    name: str,
    body: Body,
    meter: Meter,
    front: Front | None = None,
    write_error: shapes.WriteError = streaming.written_error,
) -> Streamed:
    """Return the answer to *body* as events, as `complete` does.

    The first event is here when this returns: what fails before it is raised, or tried elsewhere;
    what fails after it is written into the stream by *write_error*, and nothing follows.
    """
    meter.stream = True
    if front is None or front.content_type.startswith("text/event-stream"):
        keepalive.expect_stream(name, write_error)
    return _run(
        gate,
        OperationRequest(name, body, front),
        meter,
        lambda attempt: response.streamed(attempt, write_error),
    )


def raw(gate: Gate, name: str, body: Body, meter: Meter) -> Streamed:
    """Return the answer to *body* as it comes: audio, text, JSON or events."""
    if name.startswith("images_") and not body.get("stream"):
        keepalive.expect_json()
    return _run(gate, OperationRequest(name, body, None), meter, response.relayed)


def relayed(
    gate: Gate, native: passthrough.PassthroughRequest, body: Body, meter: Meter
) -> Streamed:
    """Return the answer to a request on an upstream's own wire, as it comes.

    *body* stands in for the unread one: `model` is the group, the rest are options of the request.
    """
    meter.stream = native.is_stream
    if native.is_stream and native.write_error:
        keepalive.expect_stream(native.wire, native.write_error)
    wanted = OperationRequest(PASSTHROUGH, body, None)
    return _run(gate, wanted, meter, native.read, native.send)


def admit(gate: Gate, operation: str, body: Body, meter: Meter) -> Request:
    """Return this request as policies see it, admitted by all of them; raises what they raise.

    Once for each request: a second call returns the same. *body* is the valid body, or for
    "passthrough" what stands in for it.
    """
    if meter.request is not None:
        return meter.request
    is_unread = operation == PASSTHROUGH
    request = Request(
        meter.request_id,
        meter.parent,
        meter.caller,
        meter.endpoint,
        operation,
        body["model"],
        None if is_unread else body,
        meter.internal,
    )
    if not request.internal:
        gate.policies.admit(request)
    meter.request = request
    return request


def _run(
    gate: Gate,
    wanted: OperationRequest,
    meter: Meter,
    read: Callable[[Attempt], T],
    send: attempt.Send = attempt.send,
) -> T:
    """Return what *read* makes of the first attempt that succeeds; raises the last error."""
    body = wanted.body
    meter.group = body["model"]
    client_credentials.check(body)
    request = admit(gate, wanted.operation, body, meter)
    gate = _with_client_router(gate, body)
    options = request_options.read(body, body["model"], gate.settings)
    deadline = Deadline(
        options.total_seconds(_deployments(gate, body["model"])),
        stream_seconds=gate.settings.stream_max_seconds,
    )
    session = http_session.DeadlineSession(gate.session, deadline.remaining, meter.excerpt)
    gate = gate._replace(session=session)
    pool = CandidatePool(gate, wanted, request, options)
    failover = Failover(body["model"], pool, options.fallbacks, deadline.remaining)

    def attempt_at(candidate: Candidate) -> T:
        meter.start_attempt(candidate.deployment)
        meter.fallbacks = candidate.fallbacks
        if not request.internal:
            gate.policies.started(request, candidate.deployment)
        timeout = options.idle_seconds(candidate.deployment, meter.stream)
        deployment = candidate.deployment._replace(timeout=timeout)
        made = send(gate, _with_overrides(wanted, candidate.overrides), deployment, meter)
        return _closing_on_error(read, made._replace(deadline=deadline))

    return _first_success(failover, attempt_at, meter)


def _deployments(gate: Gate, model: str) -> Sequence[Deployment]:
    """Return the deployments of *model*; none if fallbacks stand in for unknown models.

    Raises ModelNotFound.
    """
    try:
        return gate.routes.find(model)
    except errors.ModelNotFound:
        if not gate.settings.fallbacks.default:
            raise
        return ()


def _first_success(failover: Failover, attempt_at: Callable[[Candidate], T], meter: Meter) -> T:
    """Return the result of the first of the candidates whose attempt succeeds."""
    candidate = failover.first()
    reported: errors.GateError | None = None  # the most useful error so far
    while True:
        try:
            return attempt_at(candidate)
        except errors.GateError as error:
            streaming.failed(error, meter)
            useful = retry_policy.usefulness
            if reported is None or useful(error) >= useful(reported):
                reported = error
            with meter.waiting():
                following = failover.next(error)
            if following is None:
                raise reported from reported.__cause__
            candidate = following
            meter.end_attempt()


def _with_client_router(gate: Gate, body: Body) -> Gate:
    """Return *gate* with the client's own router, if *body* has one in `user_config`."""
    given = body.get("user_config")
    if given is None:
        return gate
    routes, settings = user_config.router(given, gate.allowed)
    settings = settings._replace(stream_max_seconds=gate.settings.stream_max_seconds)
    return gate._replace(routes=routes, settings=settings, load_balancer=LoadBalancer(settings))


def _with_overrides(wanted: OperationRequest, overrides: Body) -> OperationRequest:
    """Return *wanted* with the members of its body that a client's fallback replaces."""
    return wanted._replace(body={**wanted.body, **overrides}) if overrides else wanted


def _closing_on_error(read: Callable[[Attempt], T], made: Attempt) -> T:
    """Return what *read* makes of the attempt *made*, whose call is closed if that fails."""
    try:
        return read(made)
    except errors.GateError:
        made.answer.close()
        raise
