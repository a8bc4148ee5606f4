"""Shapes that the steps of a request share."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.accounting.meter import Meter
from llmgate.contract import Answer
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Event
from llmgate.contract import Operation
from llmgate.contract import Reply
from llmgate.pipeline.policy import Policies
from llmgate.routing.load_balancer import LoadBalancer
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.trust import client_credentials
from llmgate.upstream import oauth
from llmgate.upstream import session as http_session
from llmgate.upstream.deadline import Deadline


class Gate(NamedTuple):
    """The parts of an app that requests share."""

    routes: Routes
    session: http_session.Sender
    tokens: oauth.TokenCache
    load_balancer: LoadBalancer
    settings: RouterSettings = RouterSettings()
    policies: Policies = Policies()
    allowed: client_credentials.Allowed = client_credentials.Allowed()
    instance: str = ""  # the id of this gateway, for loop_guard
    via: str = ""  # the gateways that the current request came through


class Front(NamedTuple):
    """An endpoint's own wire, put in front of an operation that every provider has."""

    target_operation: str  # "chat"
    body: Callable[[Body], Body]  # a request on this wire as one of that operation
    reply: Callable[[Reply], Mapping[str, Any]]
    events: Callable[[Iterator[Event]], Iterator[bytes]]  # chunks as bytes to send
    # that body for one operation of a deployment: without members that it does not support
    adapt: Callable[[Body, Operation, Deployment], Body] = lambda body, operation, deployment: body
    content_type: str = "text/event-stream; charset=utf-8"


class OperationRequest(NamedTuple):
    """What one request asks a deployment to do."""

    operation: str
    body: Body
    front: Front | None  # None: the endpoint's wire is the operation's own


class Attempt(NamedTuple):
    """One call and its answer."""

    name: str  # of the operation that was called
    operation: Operation
    deployment: Deployment
    body: Body
    answer: Answer
    meter: Meter
    front: Front | None  # None: the answer is on the endpoint's own wire
    more: Iterator[Answer] = iter(())  # to further calls, each made when it is needed
    deadline: Deadline = Deadline(float("inf"))  # for the whole answer, or the start of a stream


class Streamed(NamedTuple):
    """A streamed answer whose first piece has arrived."""

    pieces: Iterator[bytes]
    content_type: str
    headers: Mapping[str, str]
    close: Callable[[], None]  # also if *pieces* was never read
    status: int = 200


WriteError = Callable[[errors.GateError], bytes]
"""How an endpoint writes an error into a stream that has begun."""
