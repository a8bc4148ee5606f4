"""Stream the answer of an attempt that succeeded: primed, metered, ended once.

Nothing is sent before the first piece has arrived; however a stream ends, its call is closed and
its usage noted.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Generator
from collections.abc import Iterator

from llmgate import errors
from llmgate.accounting import token_estimate
from llmgate.accounting.meter import Meter
from llmgate.codecs import sse
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.dialects.openai import wire as openai_wire
from llmgate.inbound import disconnect
from llmgate.inbound import keepalive
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import Front
from llmgate.pipeline.shapes import Streamed
from llmgate.pipeline.shapes import WriteError
from llmgate.trust import redaction


def written_error(error: errors.GateError) -> bytes:
    """Return *error* as an event of OpenAI's streams."""
    return sse.encoded(error.body())


def failed(error: errors.GateError, meter: Meter) -> None:
    """Note *error*, with secrets removed from what the upstream sent in it."""
    if isinstance(error, errors.UpstreamError) and meter.deployment:
        error.redact(redaction.cleaner(redaction.secrets_of(meter.deployment)))
    meter.set_error(error)
    if isinstance(error, disconnect.ClientDisconnected):
        meter.aborted = True
        _estimate(meter, meter.body or {}, 0, ended=False)


def _estimate(meter: Meter, body: Body, events: int, ended: bool) -> None:
    """Note in *meter* an estimate for *body* and *events*, unless usage was reported.

    Usage that was reported at the start of a stream that never *ended* is not all of it.
    """
    reported = meter.usage
    guess = {"prompt_tokens": token_estimate.tokens(body), "completion_tokens": events}
    if reported and not meter.usage_estimated:
        if ended:
            return
        least = {"prompt_tokens": 1, "completion_tokens": events // 2}
        guess = {name: guess[name] for name in guess if reported.get(name, 0) < least[name]}
    meter.add_estimate(guess, more=True)


def _is_disconnected() -> bool:
    """Return whether the client of this request has disconnected."""
    return isinstance(disconnect.reason(), disconnect.ClientDisconnected)


def bad_response(deployment: Deployment, why: str) -> errors.BadUpstream:
    """Return the error for a response that is not what the operation promises."""
    return errors.BadUpstream(f"{deployment.provider} returned {why}.")


def primed(
    attempt: Attempt,
    blocks: Iterator[bytes],
    content_type: str,
    write_error: WriteError | None,
    may_be_empty: bool = False,
) -> Streamed:
    """Return *blocks* as a stream whose first block has arrived; raises what fails before it."""
    meter, answer = attempt.meter, attempt.answer
    with meter.waiting():
        first = next(blocks, b"")
    meter.mark_first_token()
    if meter.stream or not content_type.startswith("application/json"):
        attempt.deadline.lift()  # a whole answer has to be complete by then
    may_be_empty = may_be_empty or content_type.startswith("text/plain")  # an empty transcript
    if not first and not may_be_empty:
        raise bad_response(attempt.deployment, "an empty response")
    meter.aborted = True  # until its end is reached
    flow = _flow(attempt, first, blocks, write_error)

    def close() -> None:
        flow.close()
        answer.close()

    return Streamed(flow, content_type, headers(attempt), close)


def _flow(
    attempt: Attempt, first: bytes, blocks: Iterator[bytes], write_error: WriteError | None
) -> Generator[bytes, None, None]:
    """Yield *first* and *blocks*; closes the call at the end.

    An error becomes the last event by *write_error*; without it (an MP3 has no events) the
    client's connection is reset, so that the answer does not look complete.
    """
    meter, answer = attempt.meter, attempt.answer
    mark = b"data:" if attempt.front is None or _is_sse(attempt.front) else b"\n"
    events, ended = first.count(mark), False
    try:
        yield first
        for block in keepalive.wrap(blocks):
            events += block.count(mark)
            yield block
        answer.finish()
        ended = True
        meter.aborted = _is_disconnected()
    except errors.GateError as error:
        failed(error, meter)
        meter.aborted = _is_disconnected()
        if write_error is None:
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        yield write_error(error)
    finally:
        answer.close()
        if attempt.name in _IN_TOKENS and (events or not meter.usage):  # a front may count
            _estimate(meter, attempt.body, events, ended)


def _is_sse(front: Front) -> bool:
    """Return whether *front* streams server-sent events; others stream lines."""
    return front.content_type.startswith("text/event-stream")


_IN_TOKENS = openai_wire.STREAMED | {"generate", "messages", "responses"}
PRINTABLE = re.compile(r"[\x20-\x7e]+")
_FORWARDED = ("x-ratelimit-", "openai-processing-ms", "openai-version", "request-id")


def headers(attempt: Attempt) -> dict[str, str]:
    """Return the upstream's headers that the client receives."""
    return {
        name: value
        for name, value in attempt.answer.headers.items()
        if name.startswith(_FORWARDED) and PRINTABLE.fullmatch(value)
    }
