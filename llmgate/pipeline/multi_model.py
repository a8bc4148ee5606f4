"""Several models in one chat: `model: "a,b"` calls them all in parallel.

The answer is an array in the order of the names, or with `fastest_response` the first success;
the other calls are then cancelled.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Sequence
from concurrent import futures
from typing import Any
from typing import NamedTuple
from typing import TypeVar

from llmgate import errors
from llmgate.accounting.meter import Meter
from llmgate.contract import Body
from llmgate.inbound import admission
from llmgate.inbound import disconnect
from llmgate.inbound import keepalive
from llmgate.pipeline import dispatch
from llmgate.pipeline.response import Completed
from llmgate.pipeline.shapes import Gate
from llmgate.pipeline.shapes import Streamed
from llmgate.pipeline.streaming import written_error
from llmgate.routing.routes import Routes

T = TypeVar("T", Completed, Streamed)

MAX_MODELS = 16
"""Models that one request may name."""

_TRUE = (True, "true", "True")


class Superseded(errors.GateError):
    """Another model answered first; only the log shows this error."""

    status = 499
    type = "client_error"
    code = "not_first"
    cause = "another model answered first, so this call was cancelled"


def models(body: Body, routes: Routes) -> list[str]:
    """Return the models that *body* names if there are several, else an empty list.

    Raises InvalidRequest for a stream of all of them, and for too many.
    """
    model = body["model"]
    if "," not in model or routes.forced or model in routes.groups or model in routes.aliases:
        return []
    names = [name.strip() for name in model.split(",")]
    if not all(names) or len(names) > MAX_MODELS:
        raise errors.InvalidRequest(
            f"'model' must be one model, or up to {MAX_MODELS} with commas between them.",
            param="model",
        )
    if body.get("stream") and not wants_fastest(body):
        raise errors.InvalidRequest(
            "Several models cannot be streamed at once. Send fastest_response: true for the"
            " stream of the first that answers, or no stream.",
            param="stream",
        )
    return names


def wants_fastest(body: Body) -> bool:
    """Return whether *body* wants only the first success."""
    return body.get("fastest_response") in _TRUE


def completions(
    gate: Gate,
    names: Sequence[str],
    body: Body,
    meter: Meter,
    timed: Callable[[bytes, float], bytes],
) -> bytes:
    """Return the JSON array of the answers of the models *names* to *body*.

    A model that fails has its error in its place; raises the first error if all fail.
    """
    keepalive.expect_json()
    runners = _runners(names, body, meter)
    with futures.ThreadPoolExecutor(len(runners)) as pool:
        running = [pool.submit(runner.completed, gate) for runner in runners]
    found = [_outcome(future) for future in running]
    failed = [each for each in found if isinstance(each, errors.GateError)]
    if len(failed) == len(found):
        raise failed[0]
    elements = [
        json.dumps(each.body()).encode()
        if isinstance(each, errors.GateError)
        else timed(each.body, runner.meter.elapsed())
        for runner, each in zip(runners, found, strict=True)
    ]
    return b"[" + b", ".join(elements) + b"]"


def fastest(gate: Gate, names: Sequence[str], body: Body, meter: Meter) -> Completed:
    """Return the first answer of the models *names* to *body*; raises if all fail."""
    keepalive.expect_json()
    runners = _runners(names, body, meter)
    _, answer = _won(runners, lambda runner: runner.completed(gate), meter)
    return answer


def fastest_stream(gate: Gate, names: Sequence[str], body: Body, meter: Meter) -> Streamed:
    """Return the stream of the model among *names* that begins first; raises if all fail."""
    keepalive.expect_stream("chat", written_error)
    runners = _runners(names, body, meter)
    winner, answer = _won(runners, lambda runner: runner.streamed(gate), meter)

    def close() -> None:
        answer.close()
        winner.meter.end(200)

    return answer._replace(close=close)


class _Runner(NamedTuple):
    """One of the models that answer in parallel."""

    body: Body
    meter: Meter
    branch: disconnect.Subtask

    def completed(self, gate: Gate) -> Completed:
        """Return its whole answer, and record it."""
        answer = self._run(lambda: dispatch.complete(gate, "chat", self.body, self.meter))
        self.meter.end(200)
        return answer

    def streamed(self, gate: Gate) -> Streamed:
        """Return its stream once it has begun; record it if it fails before."""
        return self._run(lambda: dispatch.stream(gate, "chat", self.body, self.meter))

    def _run(self, send: Callable[[], T]) -> T:
        """Return what *send* returns, within this part's own call."""
        disconnect.set_current(self.branch)
        try:
            return send()
        except errors.GateError as error:
            self.meter.set_error(error)
            self.meter.end(error.status)
            raise

    def discard(self, future: futures.Future[Any]) -> None:
        """Close an answer that came too late."""
        if not future.cancelled() and future.exception() is None:
            answer = future.result()
            if isinstance(answer, Streamed):
                answer.close()
            self.meter.end(499)


def _runners(names: Sequence[str], body: Body, meter: Meter) -> list[_Runner]:
    """Return a runner for each of *names*; they are recorded in place of *meter*."""
    trunk = disconnect.current()
    return [
        _Runner({**body, "model": name}, part, disconnect.Subtask(trunk))
        for name, part in zip(names, meter.split(len(names)), strict=True)
    ]


def _outcome(future: futures.Future[Completed]) -> Completed | errors.GateError:
    """Return the answer of *future*, or the error that takes its place."""
    error = future.exception()
    if isinstance(error, errors.GateError):
        return error.with_traceback(None)  # its frames would hold it until garbage is collected
    return future.result()


def _won(
    runners: Sequence[_Runner], ask: Callable[[_Runner], T], meter: Meter
) -> tuple[_Runner, T]:
    """Return the first runner that succeeds and its answer; raises the first's error if none does.

    The other calls are cancelled, and *meter* shows where the answer comes from.
    """
    pool = futures.ThreadPoolExecutor(len(runners))
    running: dict[futures.Future[T], _Runner] = {}
    try:
        for runner in runners:
            running[pool.submit(ask, runner)] = runner
    except RuntimeError as full:  # no more threads
        _end_others(running, None)
        raise admission.Overloaded(
            "The gateway has no threads left for several models at once. Try again in a second.",
            headers={"Retry-After": "1"},
        ) from full
    finally:
        pool.shutdown(wait=False)
    pending = set(running)
    while pending:
        done, pending = futures.wait(pending, return_when=futures.FIRST_COMPLETED)
        good = [future for future in running if future in done and future.exception() is None]
        if good:
            _end_others(running, good[0])
            meter.adopt(running[good[0]].meter)
            return running[good[0]], good[0].result()
    error = next(iter(running)).exception()
    assert error is not None
    raise error


def _end_others(
    running: dict[futures.Future[T], _Runner], winner: futures.Future[T] | None
) -> None:
    """Cancel the calls of all but the *winner*."""
    for future, runner in running.items():
        if future is not winner:
            runner.branch.cancel(Superseded("Another model was faster."))
            future.add_done_callback(runner.discard)
