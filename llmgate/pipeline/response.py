"""Turn upstream responses into client responses: whole, streamed, or as bytes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import NamedTuple

from llmgate import errors
from llmgate.codecs import json_cost
from llmgate.codecs import sse
from llmgate.contract import Answer
from llmgate.contract import Event
from llmgate.contract import Reply
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import repair as openai_repair
from llmgate.dialects.openai import wire as openai_wire
from llmgate.pipeline import shapes
from llmgate.pipeline import streaming
from llmgate.pipeline import usage_tap
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import Front
from llmgate.pipeline.shapes import Streamed
from llmgate.upstream import session as http_session


class Completed(NamedTuple):
    """A whole answer."""

    body: bytes
    content_type: str
    headers: Mapping[str, str]


_EVENTS = "text/event-stream"
_JOINED = (_EVENTS, "application/x-ndjson")
_MAX_BUFFERED = 65536  # bytes of a stream that wait for more to be sent with them
MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError)


def completed(attempt: Attempt) -> Completed:
    """Return the whole answer of *attempt* on its endpoint's wire."""
    data = _data(attempt, attempt.answer)
    if not data and attempt.body.get("method") == "DELETE" and attempt.name == "stored_responses":
        return Completed(data, "application/json", streaming.headers(attempt))
    reply = _reply(attempt, data, attempt.answer.headers)
    more = [_reply(attempt, _data(attempt, it), it.headers) for it in attempt.more]
    if more:
        reply = attempt.operation.merge([reply, *more])
        attempt.meter.add_usage(attempt.operation.usage(reply))
    if attempt.front:
        data = _fronted(attempt, attempt.front, reply)
    elif not attempt.operation.passthrough:
        data = openai_wire.encoded(reply)
    elif attempt.name == "embeddings":
        data = openai_embeddings.data(data, reply, attempt.body)
    elif attempt.name == "chat":
        data = openai_repair.data(data)
    return Completed(data, "application/json", streaming.headers(attempt))


def _fronted(attempt: Attempt, front: Front, reply: Reply) -> bytes:
    """Return *reply* on the wire of *front*; raises BadUpstream for an invalid one."""
    try:
        return openai_wire.encoded(dict(front.reply(reply)))
    except MALFORMED as error:
        raise streaming.bad_response(
            attempt.deployment, "JSON that does not match the API's schema"
        ) from error


def _data(attempt: Attempt, answer: Answer) -> bytes:
    """Return the whole body of *answer*, JSON that is not too costly to parse."""
    with attempt.meter.waiting():
        data = http_session.body(answer)
    json_cost.check(data)
    return data


def _reply(attempt: Attempt, data: bytes, headers: Mapping[str, str]) -> Reply:
    """Return the reply in *data*, its usage noted; raises the error that *data* may hold."""
    operation, deployment = attempt.operation, attempt.deployment
    try:
        parsed = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        kind = attempt.answer.content_type or "no content type"
        raise streaming.bad_response(deployment, f"a non-JSON response ({kind})") from error
    if openai_wire.is_refusal(attempt.name, parsed):
        raise openai_wire.stream_error(parsed)
    if operation.passthrough and not openai_wire.is_reply(attempt.name, parsed):
        raise streaming.bad_response(deployment, "JSON that does not match the API's schema")
    try:
        is_read = attempt.front is not None or not operation.passthrough
        reply = operation.parse(parsed, deployment) if is_read else parsed
        reply = operation.by_headers(reply, headers) if operation.by_headers else reply
        usage = operation.usage(reply)
        if not operation.passthrough:
            reply = _completed_by_us(attempt, reply)
    except (*MALFORMED, AssertionError) as error:
        raise streaming.bad_response(
            deployment, "JSON that does not match the API's schema"
        ) from error
    attempt.meter.add_usage(usage, reply.get("model"))
    return reply


def _completed_by_us(attempt: Attempt, reply: Reply) -> Reply:
    """Return a translated *reply* with what its provider does not send: the time, base64."""
    if attempt.name == "embeddings":
        return openai_embeddings.encoded(reply, attempt.body)
    if reply.get("created") == 0:
        return {**reply, "created": int(time.time())}
    return reply


def streamed(attempt: Attempt, write_error: shapes.WriteError) -> Streamed:
    """Return the stream of *attempt* on its endpoint's wire, the first event fetched."""
    blocks = _readable(attempt, _blocks(attempt))
    kind = attempt.front.content_type if attempt.front else f"{_EVENTS}; charset=utf-8"
    return streaming.primed(attempt, blocks, kind, write_error)


def _blocks(attempt: Attempt) -> Iterator[bytes]:
    """Yield the stream of *attempt* as blocks of whole events, with its wire's end at the end."""
    operation, answer = attempt.operation, attempt.answer
    kind = answer.content_type
    if kind == "text/html":
        raise _page(attempt)
    whole = kind == "application/json" and attempt.name in openai_wire.STREAMED
    if operation.stream_filter and not attempt.front and not whole:
        shown = openai_wire.usage_wanted(attempt.body)
        return operation.stream_filter(answer.pieces, shown, attempt.meter.add_usage)
    assert operation.stream is not None
    events = (
        _chunks_of_whole(attempt)
        if whole and operation.passthrough
        else operation.stream(_paused(answer.pieces), attempt.deployment)
    )
    metered = _metered(attempt, events)
    if attempt.front is None:
        return _together(_encoded(attempt, metered))
    blocks = attempt.front.events(metered)
    return _together(blocks) if attempt.front.content_type.startswith(_JOINED) else blocks


def _paused(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *pieces*, an empty one after each: all that has arrived may be sent then."""
    for piece in pieces:
        yield piece
        yield b""


def _together(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *blocks*, joined up to an empty one, `_MAX_BUFFERED` bytes, the end or an error."""
    held = bytearray()
    try:
        for block in blocks:
            held += block
            if held and (not block or len(held) > _MAX_BUFFERED):
                yield bytes(held)
                held.clear()
    except (errors.GateError, *MALFORMED):
        if held:
            yield bytes(held)
        raise
    if held:
        yield bytes(held)


def _page(attempt: Attempt) -> errors.GateError:
    """Return the error for an HTML page, whose beginning is read for the log."""
    with contextlib.suppress(errors.GateError):
        next(attempt.answer.pieces, b"")
    return streaming.bad_response(attempt.deployment, "an HTML page")


def _chunks_of_whole(attempt: Attempt) -> Iterator[Event]:
    """Yield the chunks of a whole completion that an upstream sent in place of a stream."""
    data = http_session.body(attempt.answer)
    json_cost.check(data)
    reply = json.loads(data)
    if reply.get("error") and "choices" not in reply:
        raise openai_wire.stream_error(reply)
    yield from openai_wire.chunks_from_reply(attempt.operation.parse(reply, attempt.deployment))


def _metered(attempt: Attempt, events: Iterable[Event]) -> Iterator[Event]:
    """Yield *events* with the time where the provider sends none; their usage is noted."""
    meter, usage = attempt.meter, attempt.operation.usage
    now = int(time.time())
    try:
        for event in events:
            if event.get("usage"):
                meter.add_usage(usage(event), event.get("model"))
            if event.get("created") == 0:
                event["created"] = now
            yield event
    except errors.GateError as error:
        streaming.failed(error, meter)  # here, because a front may write the error itself
        raise


def _encoded(attempt: Attempt, events: Iterable[Event]) -> Iterator[bytes]:
    """Yield chunks as server-sent events, usage only if the client wants it."""
    wanted = openai_wire.usage_wanted(attempt.body)
    for event in events:
        if not event:
            yield b""
        elif wanted or event.get("choices") or not event.get("usage"):
            yield sse.encoded(event)
    yield sse.DONE


def _readable(attempt: Attempt, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield *blocks*; raises BadUpstream for what cannot be parsed in them."""
    try:
        yield from blocks
    except MALFORMED as error:
        raise streaming.bad_response(
            attempt.deployment, "a stream that does not match the API's schema"
        ) from error


def relayed(attempt: Attempt) -> Streamed:
    """Return the answer of *attempt* as it arrives, in whatever format."""
    kind = attempt.answer.content_type
    if kind == "text/html":
        raise _page(attempt)
    shown = attempt.answer.headers.get("content-type", "")
    if not streaming.PRINTABLE.fullmatch(shown):
        shown = "application/octet-stream"
    if kind not in ("application/json", _EVENTS):
        return streaming.primed(attempt, attempt.answer.pieces, shown, None)
    attempt.meter.stream = kind == _EVENTS
    write_error = streaming.written_error if attempt.meter.stream else None
    pieces = usage_tap.pieces(attempt.answer.pieces, attempt.meter.stream, attempt.meter.add_usage)
    return streaming.primed(attempt, pieces, shown, write_error)
