"""An attempt that succeeded, and the flow of its answer: primed, metered, ended once.

Nothing is sent before the first piece is here; every flow ends with its call closed and its meter
told, whoever ended it.
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
from llmgate.pipeline.shapes import Streamed
from llmgate.pipeline.shapes import WriteError
from llmgate.trust import redaction


def written_error(error: errors.GateError) -> bytes:
    """Return *error* as OpenAI's streams carry it."""
    return sse.encoded(error.body())


def failed(error: errors.GateError, meter: Meter) -> None:
    """Note *error*, and take the secrets out of what an upstream said in it."""
    if isinstance(error, errors.UpstreamError) and meter.deployment:
        hidden = tuple(redaction.secrets_of(meter.deployment))
        for name in ("message", "type", "code", "param"):
            said = getattr(error, name)
            setattr(error, name, said and redaction.clean(said, hidden))
    meter.set_error(error)
    if isinstance(error, disconnect.ClientDisconnected):
        meter.aborted = True
        _estimate(meter, meter.body or {}, 0, ended=False)


def _estimate(meter: Meter, body: Body, events: int, ended: bool) -> None:
    """Tell *meter* what *body* and so many *events* may have used, if nobody else did.

    What was said at the beginning of a stream that never *ended* is not all that was used.
    """
    said = meter.usage
    guess = {"prompt_tokens": token_estimate.tokens(body), "completion_tokens": events}
    if said and not meter.usage_estimated:
        if ended:
            return
        least = {"prompt_tokens": 1, "completion_tokens": events // 2}
        guess = {name: guess[name] for name in guess if said.get(name, 0) < least[name]}
    meter.add_estimate(guess, more=True)


def _has_left() -> bool:
    """Return whether the client of this request was seen to leave."""
    return isinstance(disconnect.reason(), disconnect.ClientDisconnected)


def senseless(deployment: Deployment, why: str) -> errors.BadUpstream:
    """Return the error for an answer that is not what the operation promises."""
    return errors.BadUpstream(f"{deployment.provider} answered with {why}.")


def primed(
    attempt: Attempt,
    blocks: Iterator[bytes],
    content_type: str,
    write_error: WriteError | None,
    may_be_empty: bool = False,
) -> Streamed:
    """Return *blocks* as a stream whose first block is here; raises what fails before it."""
    meter, answer = attempt.meter, attempt.answer
    with meter.waiting():
        first = next(blocks, b"")
    meter.mark_first_token()
    if meter.stream or not content_type.startswith("application/json"):
        attempt.deadline.lift()  # else it is a whole answer, that has to be there by then
    may_be_empty = may_be_empty or content_type.startswith("text/plain")  # silence, written down
    if not first and not may_be_empty:
        raise senseless(attempt.deployment, "nothing")
    meter.aborted = True  # until the end is reached
    flow = _flow(attempt, first, blocks, write_error)

    def close() -> None:
        flow.close()
        answer.close()

    return Streamed(flow, content_type, headers(attempt), close)


def _flow(
    attempt: Attempt, first: bytes, blocks: Iterator[bytes], write_error: WriteError | None
) -> Generator[bytes, None, None]:
    """Yield *first* and *blocks*; closes the call at the end.

    An error becomes the last event by *write_error*; without it (no events: an MP3, say) the
    client's connection is broken, for a whole answer it must not seem.
    """
    meter, answer = attempt.meter, attempt.answer
    events, ended = first.count(b"data:"), False
    try:
        yield first
        for block in keepalive.wrap(blocks):
            events += block.count(b"data:")
            yield block
        answer.finish()
        ended = True
        meter.aborted = _has_left()
    except errors.GateError as error:
        failed(error, meter)
        meter.aborted = _has_left()
        if write_error is None:
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        yield write_error(error)
    finally:
        answer.close()
        if attempt.name in _IN_TOKENS and (events or not meter.usage):  # a front may count
            _estimate(meter, attempt.body, events, ended)


_IN_TOKENS = openai_wire.STREAMED | {"generate", "messages", "responses"}
PRINTABLE = re.compile(r"[\x20-\x7e]+")
_FORWARDED = ("x-ratelimit-", "openai-processing-ms", "openai-version")


def headers(attempt: Attempt) -> dict[str, str]:
    """Return the upstream's headers that the client is shown."""
    return {
        name: value
        for name, value in attempt.answer.headers.items()
        if name.startswith(_FORWARDED) and PRINTABLE.fullmatch(value)
    }
