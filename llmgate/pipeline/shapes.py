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
from llmgate.upstream.deadline import Deadline


class Front(NamedTuple):
    """An endpoint's own wire, put in front of an operation that every provider has."""

    target_operation: str  # the operation: "chat"
    body: Callable[[Body], Body]  # a request on this wire as one of that operation
    reply: Callable[[Reply], Mapping[str, Any]]
    events: Callable[[Iterator[Event]], Iterator[bytes]]  # chunks as what is sent
    strip_extensions: Callable[[Body], Body] = lambda body: (
        body
    )  # that request, less what OpenAI refuses
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
    more: Iterator[Answer] = iter(())  # to the further calls, each made when it is asked for
    deadline: Deadline = Deadline(float("inf"))  # by which the answer has to be there, or begin


class Streamed(NamedTuple):
    """An answer that still comes, its first piece already here."""

    pieces: Iterator[bytes]
    content_type: str
    headers: Mapping[str, str]
    close: Callable[[], None]  # also if *pieces* was never read
    status: int = 200


WriteError = Callable[[errors.GateError], bytes]
"""How an endpoint writes an error into a stream that has begun."""
