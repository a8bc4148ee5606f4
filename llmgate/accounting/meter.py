"""What one request did and cost: the caller, the attempts, the usage, the times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

from llmgate import errors
from llmgate.accounting import pricing
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.accounting.records import Sink
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Usage
from llmgate.trust import redaction
from llmgate.upstream import retry_after
from llmgate.upstream.excerpt import ResponseExcerpt


class Meter:
    """One request as it goes on: what is seen is noted here, `end` tells the sinks once."""

    def __init__(self, request_id: str, sinks: tuple[Sink, ...] = ()) -> None:
        self.request_id = request_id
        self.caller = Caller()
        self.endpoint = ""
        self.group: str | None = None
        self.deployment: Deployment | None = None
        self.stream = False
        self.aborted = False
        self.attempts = 0
        self.failures: tuple[str, ...] = ()
        self.fallbacks = 0  # model groups that were asked before this one
        self.usage: dict[str, float] = {}
        self.usage_estimated = False
        self.upstream = 0.0  # seconds spent waiting for upstreams
        self.excerpt = ResponseExcerpt()
        self.body: Body | None = None
        self._sinks = sinks
        self._model: str | None = None
        self._started = time.time()
        self._clock = time.perf_counter()
        self._first: float | None = None
        self._chosen = 0.0  # seconds from the start to this attempt
        self._error: errors.GateError | None = None
        self._ended = False

    def chosen(self, deployment: Deployment) -> None:
        """Note that an attempt goes to *deployment*."""
        self.deployment = deployment
        self.attempts += 1
        self._chosen = self.elapsed()
        self._model = None
        self.usage = {}
        self.excerpt.clear()

    def saw(self, usage: Usage, model: Any = None) -> None:
        """Note what the upstream says was used, and the *model* it says it is."""
        self.usage.update(usage)
        if isinstance(model, str):
            self._model = model

    def estimated(self, usage: Usage, more: bool = False) -> None:
        """Note what was used as far as can be guessed by now, unless the upstream has said.

        What is *more* than it said goes before that.
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
            self.upstream += time.perf_counter() - began

    def first(self) -> None:
        """Note that the first event of the answer is here."""
        self._first = self._first or self.elapsed()

    def failed(self, error: errors.GateError) -> None:
        """Note that the request ends, or has to be tried again, because of *error*."""
        self._error = error

    def retried(self) -> None:
        """Tell the sinks of an attempt that failed and is followed by another."""
        assert self._error is not None
        self._tell(self._error.status, final=False)
        if self.deployment:
            told = f"{self.deployment.group} {self.deployment.id}: {self._error.status}"
            self.failures += (f"{told} {self._error.code or self._error.type}",)
        self._forget()

    def parts(self, number: int) -> list[Meter]:
        """Return meters of the requests that this one is made of; they tell the sinks, not this."""
        self._ended = True
        found = [Meter(f"{self.request_id}.{at + 1}", self._sinks) for at in range(number)]
        for part in found:
            part.caller, part.endpoint, part.body = self.caller, self.endpoint, self.body
        return found

    def adopt(self, part: Meter) -> None:
        """Show what *part* saw up to now."""
        self.deployment, self.attempts, self.fallbacks = (
            part.deployment,
            part.attempts,
            part.fallbacks,
        )
        self.usage, self._model, self.upstream = part.usage, part._model, part.upstream
        self.stream = part.stream

    def elapsed(self) -> float:
        """Return the seconds since the request came."""
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
        """Tell the sinks that the request is over, once."""
        if not self._ended:
            self._ended = True
            self._tell(status, final=True)
        self._forget()

    def _forget(self) -> None:
        """Let the error of an attempt that was told of go.

        Where it was raised are frames that hold it, the body and the answer: all would stay until
        the next collection of garbage.
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

    def _tell(self, status: int, final: bool) -> None:
        """Tell the sinks of the attempt that is over."""
        entry = self._entry(status, final)
        for sink in self._sinks:
            sink(entry)

    def _entry(self, status: int, final: bool) -> Entry:
        """Return the record of the attempt that is over."""
        return Entry(
            request_id=self.request_id,
            endpoint=self.endpoint,
            caller=self.caller,
            group=self.group,
            deployment=self.deployment,
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
            upstream=self._told(self._error) if self._error and final else {},
        )

    def _cause(self) -> str | None:
        """Return what lies behind the error or the early end, None if nothing does."""
        error = self._error
        if error is None:
            return _LEFT if self.aborted else None
        cause = error.__cause__
        if error.cause or cause is None or cause is error:
            return error.cause
        return f"{type(cause).__name__}: {cause}"[:1000]

    def _told(self, error: errors.GateError) -> Mapping[str, Any]:
        """Return where the last call went, and what came in place of an answer."""
        is_unread = isinstance(error, errors.UpstreamError) and not error.has_provider_message
        secrets = redaction.secrets_of(self.deployment) if self.deployment else ()
        words = is_unread or isinstance(error, errors.BadUpstream)
        return self.excerpt.log_fields(words, self.body, secrets)


_LEFT = "the client closed its connection while the answer was sent"
