"""A chat's chunks as LLMstudio's engine answers: whole, as raw text, as JSON objects; metrics.

Times come from a clock that is given, in seconds.
Source: https://github.com/TensorOpsAI/LLMstudio (llmstudio/engine, 0.3.7; llmstudio_core, 1.0.4)
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate.contract import Event
from llmgate.contract import Usage
from llmgate.dialects.openai import wire as openai_wire
from llmgate.llmstudio.requests import EngineRequest
from llmgate.llmstudio.tally import Tally

END_TOKEN = "<END_TOKEN>"
_CHARACTERS_PER_TOKEN = 4


class Bill(NamedTuple):
    """The usage and its cost."""

    usage: Usage
    is_estimated: bool  # the upstream reported no usage
    cost: float | None  # US dollars; None: unknown


class AnswerContext(NamedTuple):
    """Everything an answer is built from."""

    request: EngineRequest
    id: str
    clock: Callable[[], float]  # seconds, of any origin
    now: Callable[[], float]  # seconds since the epoch
    begun: float  # when the request was made, by `clock`
    first: Callable[[], None]  # called when the first chunk arrives
    bill: Callable[[Usage], Bill]  # takes an estimate, used if the upstream reports no usage
    log: Callable[[Mapping[str, Any]], None]  # called with the complete answer


def estimate(engine: EngineRequest, output: str) -> Usage:
    """Return an estimate of the tokens, from the number of characters."""
    contents = [message.get("content") for message in engine.context]
    return {
        "prompt_tokens": -(-sum(map(_length, contents)) // _CHARACTERS_PER_TOKEN),
        "completion_tokens": -(-len(output) // _CHARACTERS_PER_TOKEN),
    }


def _length(content: Any) -> int:
    """Return the characters of a message's *content*."""
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, list) else ()
    return sum(len(part.get("text") or "") for part in parts if isinstance(part, dict))


def metrics(tally: Tally, begun: float, ended: float, bill: Bill) -> dict[str, Any]:
    """Return the metrics of an answer that took from *begun* to *ended*."""
    tokens_in, tokens_out = (
        int(bill.usage.get(name, 0)) for name in ("prompt_tokens", "completion_tokens")
    )
    latency = ended - begun
    gaps = tally.count - 1
    found = {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "cost_usd": bill.cost,
        "latency_s": latency,
        "time_to_first_token_s": tally.first - begun if tally.count else None,
        "inter_token_latency_s": (tally.last - tally.first) / gaps if gaps > 0 else 0.0,
        "tokens_per_second": tally.count / latency if latency > 0 else None,
    }
    return found | ({"tokens_estimated": True} if bill.is_estimated else {})


def tail(metrics: Mapping[str, Any]) -> str:
    """Return the end token and *metrics*, as the engines up to 0.3.1 end their streams."""
    shown = {
        "input_tokens": "{}",
        "output_tokens": "{}",
        "cost_usd": "{}",
        "latency_s": "{:.5f}",
        "time_to_first_token_s": "{:.5f}",
        "inter_token_latency_s": "{:.5f}",
        "tokens_per_second": "{:.2f}",
    }
    values = {name: form.format(metrics[name] or 0) for name, form in shown.items()}
    if "tokens_estimated" in metrics:
        values["tokens_estimated"] = "true"
    return ",".join([END_TOKEN, *(f"{name}={value}" for name, value in values.items())])


def completion(context: AnswerContext, tally: Tally) -> dict[str, Any]:
    """Return the complete answer that *tally* holds, its keys in LLMstudio's order."""
    engine, output = context.request, tally.output()
    bill = context.bill(estimate(engine, output))
    measured = metrics(tally, context.begun, context.clock(), bill)
    choice = {
        "finish_reason": tally.finish or "stop",
        "index": 0,
        "logprobs": None,
        "message": tally.message(),
    }
    return {
        "id": context.id,
        "choices": [choice],
        "created": tally.created,
        "model": engine.model,
        "object": "chat.completion",
        "system_fingerprint": None,
        "usage": None,
        "session_id": engine.session_id,
        "chat_input": engine.chat_input,
        "chat_output": output,
        "context": engine.context,
        "provider": engine.provider,
        "timestamp": context.now(),
        "parameters": engine.parameters,
        "metrics": measured,
    }


def whole(context: AnswerContext, chunks: Iterable[Event]) -> Iterator[bytes]:
    """Yield the complete answer when all *chunks* have arrived."""
    tally = Tally()
    for _ in _added(context, tally, chunks):
        pass
    yield openai_wire.encoded(_ended(context, tally))


def whole_v1(context: AnswerContext, chunks: Iterable[Event]) -> Iterator[bytes]:
    """Yield the complete answer on the wire of 1.x when all *chunks* have arrived."""
    tally = Tally()
    for _ in _added(context, tally, chunks):
        pass
    found = _ended(context, tally)
    del found["session_id"]
    yield openai_wire.encoded(found | _v1(tally, found["metrics"], context))


def text(context: AnswerContext, chunks: Iterable[Event]) -> Iterator[bytes]:
    """Yield the text of *chunks* as it comes, whole characters each; then the tail if requested."""
    tally = Tally()
    for _, added in _added(context, tally, chunks):
        if added:
            yield added.encode()
    if tally.rest():
        yield tally.rest().encode()
    found = _ended(context, tally)
    if context.request.has_end_token:
        yield tail(found["metrics"]).encode()


def objects(context: AnswerContext, chunks: Iterable[Event]) -> Iterator[bytes]:
    """Yield *chunks* as the objects of 1.x; the last one has the output, usage and metrics."""
    tally = Tally()
    shared = _shared(context)
    for chunk, added in _added(context, tally, chunks):
        if chunk.get("choices"):
            output = {"chat_output": None, "chat_output_stream": added}
            now = {"timestamp": context.now(), "deployment": tally.model, "metrics": None}
            yield openai_wire.encoded({**chunk, **shared, **output, **now})
    found = _ended(context, tally)
    last = {"choices": [], "created": tally.created, "object": "chat.completion.chunk"}
    ended = {"chat_output": found["chat_output"], "timestamp": found["timestamp"]}
    yield openai_wire.encoded({**last, **shared, **ended, **_v1(tally, found["metrics"], context)})


def _shared(context: AnswerContext) -> dict[str, Any]:
    """Return the members that all objects of one stream share."""
    engine = context.request
    return {
        "id": context.id,
        "model": engine.model,
        "chat_input": engine.chat_input,
        "context": engine.context,
        "provider": engine.provider,
        "parameters": engine.parameters,
    }


def _v1(tally: Tally, measured: Mapping[str, Any], context: AnswerContext) -> dict[str, Any]:
    """Return the members that a complete answer of 1.x has in addition to one of 0.x."""
    used = context.bill({}).usage
    counts = {name: int(used.get(name, 0)) for name in ("reasoning_tokens", "cached_tokens")}
    usage = {
        "prompt_tokens": measured["input_tokens"],
        "completion_tokens": measured["output_tokens"],
        "total_tokens": measured["total_tokens"],
    }
    more = {"deployment": tally.model, "chat_output_stream": ""}
    return {**more, "usage": usage, "metrics": {**measured, **counts}}


def _added(
    context: AnswerContext, tally: Tally, chunks: Iterable[Event]
) -> Iterator[tuple[Event, str]]:
    """Yield each of *chunks* with the text that it adds, counted and timed in *tally*."""
    try:
        for chunk in filter(None, chunks):
            added = tally.add(chunk, context.clock())
            if tally.count == 1:
                context.first()
            yield chunk, added
    except GeneratorExit:  # the client disconnected; what it received is billed
        context.bill(estimate(context.request, tally.output()))
        raise


def _ended(context: AnswerContext, tally: Tally) -> dict[str, Any]:
    """Return the complete answer, after passing it to the log."""
    found = completion(context, tally)
    context.log(found | {"deployment": tally.model})
    return found
