"""What one request does and costs: the caller, the attempts, the usage, the times."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any
from typing import TypeAlias

from llmgate import errors
from llmgate.accounting import pricing
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.accounting.records import Request
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Usage
from llmgate.trust import redaction
from llmgate.upstream import retry_after
from llmgate.upstream.excerpt import ResponseExcerpt

INTERNAL = "llmgate.internal"
"""In the WSGI environment of a request of the gateway's own, a warm-up: it is not recorded."""

Record: TypeAlias = Callable[[Entry], None]
"""Takes the record of an attempt or of the end of a request; must not fail."""


def _ignore(entry: Entry) -> None:
    """Record nothing."""


class Meter:
    """One request while it runs: what happens is noted here, `end` records it once.

    Each attempt is recorded once, by `end_attempt` if another follows, else by `end`.
    """

    def __init__(
        self, request_id: str, record: Record = _ignore, *, parent: str | None = None
    ) -> None:
        self.request_id = request_id
        self.parent = parent
        self.internal = False
        self.request: Request | None = None  # once the policies have admitted it
        self.caller = Caller()
        self.endpoint = ""
        self.group: str | None = None
        self.deployment: Deployment | None = None
        self.stream = False
        self.aborted = False
        self.attempts = 0
        self.failures: tuple[str, ...] = ()
        self.fallbacks = 0  # model groups that were tried before this one
        self.usage: dict[str, float] = {}
        self.usage_estimated = False
        self.upstream_seconds = 0.0  # spent waiting for upstreams
        self.excerpt = ResponseExcerpt()
        self.body: Body | None = None
        self._record = record
        self._is_recorded = True  # of the current attempt: there is none
        self._model: str | None = None
        self._started = time.time()
        self._clock = time.perf_counter()
        self._first: float | None = None
        self._chosen = 0.0  # seconds from the start to this attempt
        self._error: errors.GateError | None = None
        self._ended = False

    def start_attempt(self, deployment: Deployment) -> None:
        """Note that an attempt at *deployment* begins."""
        self.deployment = deployment
        self.attempts += 1
        self._is_recorded = False
        self._chosen = self.elapsed()
        self._model = None
        self.usage = {}
        self.excerpt.clear()

    def add_usage(self, usage: Usage, model: Any = None) -> None:
        """Note the usage that the upstream reports, and the *model* that it reports."""
        self.usage.update(usage)
        if isinstance(model, str):
            self._model = model

    def add_estimate(self, usage: Usage, more: bool = False) -> None:
        """Note an estimate of the usage, unless the upstream has reported it.

        With *more* the estimate replaces what the upstream has reported so far.
        """
        if self.attempts and usage and (more or self.usage_estimated or not self.usage):
            self.usage.update(usage)
            self.usage_estimated = True

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as spent waiting for upstreams, also if it fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.upstream_seconds += time.perf_counter() - began

    def mark_first_token(self) -> None:
        """Note that the first event of the answer has arrived."""
        self._first = self._first or self.elapsed()

    def set_error(self, error: errors.GateError) -> None:
        """Note *error*, because of which the attempt, and perhaps the request, ends."""
        self._error = error

    def end_attempt(self) -> None:
        """Record an attempt that failed while the request goes on."""
        assert self._error is not None
        self._write(self._error.status, final=False)
        self._is_recorded = True
        if self.deployment:
            place = f"{self.deployment.group} {self.deployment.id}: {self._error.status}"
            self.failures += (f"{place} {self._error.code or self._error.type}",)
        self._drop_error()

    def split(self, number: int) -> list[Meter]:
        """Return meters for the *number* parts of this request; they are recorded, it is not."""
        self._ended = True
        found = [
            Meter(f"{self.request_id}.{at + 1}", self._record, parent=self.request_id)
            for at in range(number)
        ]
        for part in found:
            part.caller, part.endpoint, part.body = self.caller, self.endpoint, self.body
            part.internal = self.internal
        return found

    def adopt(self, part: Meter) -> None:
        """Take over what *part* has noted so far, for the response headers."""
        self.deployment, self.attempts, self.fallbacks = (
            part.deployment,
            part.attempts,
            part.fallbacks,
        )
        self.usage, self._model, self.upstream_seconds = (
            part.usage,
            part._model,
            part.upstream_seconds,
        )
        self.stream = part.stream

    def elapsed(self) -> float:
        """Return the seconds since the request arrived."""
        return time.perf_counter() - self._clock

    def cost(self) -> float | None:
        """Return US dollars for what was used so far; None if it is unknown."""
        if self.deployment is None or not self.usage:
            return None
        prices = self.deployment.prices
        if not prices and self._model:
            prices = pricing.prices(self.deployment.provider, self._model)
        return pricing.cost(self.usage, prices)

    def end(self, status: int) -> None:
        """Record the end of the request with *status*; only the first call does."""
        if not self._ended:
            self._ended = True
            self._write(status, final=True)
        self._drop_error()

    def _drop_error(self) -> None:
        """Release the error of an attempt that is recorded.

        Its traceback holds frames that hold it, the body and the answer: all of them would stay
        until the next garbage collection.
        """
        found: list[BaseException | None] = [self._error]
        seen: set[int] = set()  # an error may be its own cause
        while found:
            error = found.pop()
            if error is not None and id(error) not in seen:
                seen.add(id(error))
                error.__traceback__ = None
                found += [error.__cause__, error.__context__]
        self._error = None

    def _write(self, status: int, final: bool) -> None:
        """Record the attempt, and with *final* the request, that is over."""
        if not self.internal:
            self._record(self._entry(status, final))

    def _entry(self, status: int, final: bool) -> Entry:
        """Return the record of the attempt that is over."""
        return Entry(
            request_id=self.request_id,
            endpoint=self.endpoint,
            caller=self.caller,
            group=self.group,
            deployment=None if self._is_recorded else self.deployment,
            attempt=self.attempts,
            final=final,
            status=status,
            error=self._error.message if self._error else None,
            error_code=self._error.code if self._error else None,
            cause=self._cause(),
            stream=self.stream,
            aborted=self.aborted,
            usage=dict(self.usage),
            usage_estimated=self.usage_estimated,
            cost=self.cost(),
            started=self._started,
            latency=self.elapsed(),
            ttft=self._first,
            body=self.body,
            failures=self.failures,
            took=(self._first or self.elapsed()) - self._chosen,
            retry_after=retry_after.seconds(self._error) if self._error else None,
            upstream=self._excerpt(self._error) if self._error and final else {},
            parent=self.parent,
        )

    def _cause(self) -> str | None:
        """Return the cause of the error, or of the early end, for the operator."""
        error = self._error
        if error is None:
            return _DISCONNECTED if self.aborted else None
        cause = error.__cause__
        if error.cause or cause is None or cause is error:
            return error.cause
        return f"{type(cause).__name__}: {cause}"[:1000]

    def _excerpt(self, error: errors.GateError) -> Mapping[str, Any]:
        """Return where the last call went, and what arrived in place of an answer."""
        is_unread = isinstance(error, errors.UpstreamError) and not error.has_provider_message
        secrets = redaction.secrets_of(self.deployment) if self.deployment else ()
        words = is_unread or isinstance(error, errors.BadUpstream)
        return self.excerpt.log_fields(words, self.body, secrets)


_DISCONNECTED = "client disconnected before the response was complete"
