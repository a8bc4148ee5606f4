"""From a valid body to an answer: deployments are tried in turn until one answers.

All I/O towards upstreams happens here, so that retries, time-outs and closing exist once. What is
made of an answer is in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import TypeVar

from llmgate import errors
from llmgate.accounting.meter import Meter
from llmgate.config import user_config
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.inbound import keepalive
from llmgate.pipeline import attempt
from llmgate.pipeline import failover
from llmgate.pipeline import passthrough
from llmgate.pipeline import request_options
from llmgate.pipeline import response
from llmgate.pipeline import shapes
from llmgate.pipeline import streaming
from llmgate.pipeline.attempt import Gate
from llmgate.pipeline.attempt import Wanted
from llmgate.pipeline.response import Completed
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import Front
from llmgate.pipeline.shapes import Streamed
from llmgate.routing import retry_policy
from llmgate.routing import tag_filter
from llmgate.routing.fallbacks import Target
from llmgate.routing.load_balancer import Traffic
from llmgate.schema import validation
from llmgate.trust import client_credentials
from llmgate.upstream import session as http_session
from llmgate.upstream.deadline import Deadline

T = TypeVar("T")

_CHECKED = ("chat", "completions", "embeddings", "moderations")  # operations named as their schemas


def complete(
    gate: Gate, name: str, body: Body, meter: Meter, front: Front | None = None
) -> Completed:
    """Return the whole answer of the operation called *name* to *body*.

    Where the provider lacks that operation, *front* makes it of one that it has.
    """
    keepalive.expect_json()
    return _tried(gate, Wanted(name, body, front), meter, response.completed)


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
    return _tried(
        gate,
        Wanted(name, body, front),
        meter,
        lambda attempt: response.streamed(attempt, write_error),
    )


def raw(gate: Gate, name: str, body: Body, meter: Meter) -> Streamed:
    """Return the answer to *body* as it comes: audio, text, JSON or events."""
    if name.startswith("images_") and not body.get("stream"):
        keepalive.expect_json()
    return _tried(gate, Wanted(name, body, None), meter, response.relayed)


def relayed(gate: Gate, asked: passthrough.Relayed, body: Body, meter: Meter) -> Streamed:
    """Return the answer to a request on an upstream's own wire, as it comes.

    *body* says who is asked: its `model` is the group, and the rest what holds for this request.
    """
    meter.stream = asked.is_stream
    if asked.is_stream and asked.write_error:
        keepalive.expect_stream(asked.wire, asked.write_error)
    wanted = Wanted("relayed", body, None)
    return _tried(gate, wanted, meter, asked.answered, asked.attempt)


def _tried(
    gate: Gate,
    wanted: Wanted,
    meter: Meter,
    made: Callable[[Attempt], T],
    attempt: attempt.Attempting = attempt.attempt,
) -> T:
    """Return what *made* makes of the first attempt that succeeds; raises the last one's error."""
    meter.group = wanted.body["model"]
    client_credentials.check(wanted.body)
    gate = _gate_for(gate, wanted.body)
    turn = _Turn(gate, wanted, meter, attempt)
    turns = failover.attempts(turn.course())
    choice = next(turns)
    told: errors.GateError | None = None
    while True:
        try:
            return _made(made, turn.attempt(choice))
        except errors.GateError as error:
            streaming.failed(error, meter)
            told = error if told is None or not retry_policy.is_refused_by_us(error) else told
            try:
                with meter.waiting():
                    choice = turns.send(error)
            except StopIteration:
                raise told from told.__cause__
            meter.retried()


def _gate_for(gate: Gate, body: Body) -> Gate:
    """Return *gate*, with the client's own router if *body* brings one."""
    given = body.get("user_config")
    if given is None:
        return gate
    routes, rules = user_config.router(given, gate.allowed)
    return gate._replace(routes=routes, rules=rules, traffic=Traffic(rules))


class _Turn:
    """What is the same for all attempts of one request."""

    def __init__(
        self, gate: Gate, wanted: Wanted, meter: Meter, attempt: attempt.Attempting
    ) -> None:
        """Raise what is wrong with the request, and what the guards have against it."""
        self._attempt = attempt
        body = wanted.body
        self._gate, self._wanted, self._meter = gate, wanted, meter
        self._terms = request_options.terms(body, body["model"], gate.rules)
        self._deadline = Deadline(self._terms.seconds(gate.routes.find(body["model"])))
        session = http_session.DeadlineSession(
            gate.session, self._deadline.remaining, meter.excerpt
        )
        self._timed = gate._replace(session=session)
        self._guard(body["model"], body)

    def course(self) -> failover.Course:
        """Return how the request may go on."""
        return failover.Course(
            self._wanted.body["model"],
            self._find,
            self._pick,
            lambda deployment: self._gate.traffic.again(deployment, self._wanted.body),
            self._terms.policy,
            self._terms.fallbacks,
            self._deadline.remaining,
        )

    def attempt(self, choice: failover.Choice) -> Attempt:
        """Return the attempt at *choice*, answered with success; raises GateError otherwise."""
        self._meter.chosen(choice.deployment)
        self._meter.fallbacks = choice.fallbacks
        wanted = self._wanted
        if choice.over:
            wanted = wanted._replace(body={**wanted.body, **choice.over})
        silence = self._terms.silence(choice.deployment, self._meter.stream)
        deployment = choice.deployment._replace(timeout=silence)
        attempt = self._attempt(self._timed, wanted, deployment, self._meter)
        return attempt._replace(deadline=self._deadline)

    def _pick(self, left: Sequence[Deployment], last_resort: bool) -> Deployment:
        """Return the one of *left* to ask now; raises RateLimited."""
        filters, caller = self._gate.filters, self._meter.caller
        fitting = [d for d in left if all(fits(d, caller) for fits in filters)] if filters else left
        return self._gate.traffic.pick(fitting, self._wanted.body, last_resort)

    def _find(self, target: Target) -> Sequence[Deployment]:
        """Return the deployments for *target*, if this caller may be sent there."""
        if target.named_by_client:
            body = {**self._wanted.body, **target.over}
            if self._wanted.name in _CHECKED:
                validation.check(self._wanted.name, body)
            client_credentials.check(body)
            self._guard(target.model, body)
        rules, tags = self._gate.rules, self._meter.caller.tags
        return tag_filter.tagged(self._gate.routes.find(target.model), tags, target.model, rules)

    def _guard(self, model: str, body: Body) -> None:
        """Raise what the guards have against *body* being sent to *model*."""
        for guard in self._gate.guards:
            guard(self._meter.caller, model, body)


def _made(made: Callable[[Attempt], T], attempt: Attempt) -> T:
    """Return what *made* makes of *attempt*, whose call is closed if that fails."""
    try:
        return made(attempt)
    except errors.GateError:
        attempt.answer.close()
        raise
