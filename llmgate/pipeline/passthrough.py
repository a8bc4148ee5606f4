"""Requests on an upstream's own wire: sent as they are, answered as the upstream answers.

`dispatch.relayed` sends them by the rules that hold for all requests; here is what is their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import NamedTuple

from llmgate import errors
from llmgate import providers
from llmgate.accounting.meter import Meter
from llmgate.codecs import sse
from llmgate.contract import Answer
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.inbound import keepalive
from llmgate.pipeline import attempt
from llmgate.pipeline import shapes
from llmgate.pipeline import streaming
from llmgate.pipeline import usage_tap
from llmgate.pipeline.gate import Gate
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import OperationRequest
from llmgate.pipeline.shapes import Streamed
from llmgate.trust import client_credentials
from llmgate.upstream import error_response
from llmgate.upstream import extra_headers
from llmgate.upstream import session as http_session

_EVENTS = "text/event-stream"
_READ = frozenset({"application/json", _EVENTS, "application/vnd.amazon.eventstream"})
_FRAMED = frozenset({_EVENTS, "application/vnd.amazon.eventstream"})
_LARGEST_ERROR = 1024 * 1024
_LARGEST_EVENT = 1024 * 1024  # that is waited for as a whole
_SHOWN = re.compile(
    r"content-disposition|content-length|content-range|accept-ranges|content-language|etag"
    r"|last-modified|retry-after(-ms)?|x-should-retry|request-id|apim-request-id|x-ms-region"
    r"|x-ms-request-id|x-ratelimit-.*|anthropic-ratelimit-.*|anthropic-(fast|priority)-.*"
    r"|openai-processing-ms|openai-version|x-amzn-.*|x-goog-(?!api-key).*|x-trial-.*"
    r"|x-api-warning|x-debug-trace-id"
)
_CONTROLS = re.compile(r"[^\x20-\x7e]")
_INVOKED = (
    ("x-amzn-bedrock-input-token-count", "prompt_tokens"),
    ("x-amzn-bedrock-output-token-count", "completion_tokens"),
)


class PassthroughRequest(NamedTuple):
    """A request that is sent as it is, to whichever deployment it goes."""

    build: Callable[[Deployment], Call]  # without credentials
    untouched: bool = False  # the upstream's errors are answered as they came
    provider: Provider | None = None  # None: that of the deployment
    is_stream: bool = False  # server-sent events are asked for
    wire: str = "relayed"  # the operation whose signs of life a stream has
    write_error: shapes.WriteError | None = None  # None: a stream that fails is cut

    def send(
        self, gate: Gate, request: OperationRequest, deployment: Deployment, meter: Meter
    ) -> Attempt:
        """Return the attempt at *deployment*; raises GateError if it fails.

        What an upstream refuses is an answer too, if errors are untouched.
        """
        provider = self.provider or providers.serving(deployment)
        deployment = client_credentials.applied(deployment, request.body, provider, gate.allowed)
        meter.deployment = deployment
        deployment = attempt.logged_in(gate, provider, deployment, meter)
        call = extra_headers.completed(self.build(deployment), deployment, {})
        call = provider.authorize(call, deployment)
        with meter.waiting():
            answer = attempt.answered(gate, provider, call, deployment)
            refused = answer.status >= 400 and self._shows(provider)
            if not refused and not 200 <= answer.status < 300:
                raise error_response.error(answer, provider)
        if refused:
            answer = _read(answer, provider, meter)
        return Attempt("relayed", _OPERATION, deployment, request.body, answer, meter, None)

    def _shows(self, provider: Provider) -> bool:
        """Return whether an error goes on as it came: its status cannot if 200 has gone out."""
        beat = keepalive.current()
        return self.untouched and not (beat and beat.is_committed())

    def read(self, attempt: Attempt) -> Streamed:
        """Return the answer of *attempt* as it comes."""
        answer, meter = attempt.answer, attempt.meter
        kind = answer.content_type
        meter.stream = kind in _FRAMED
        self._check_beats(attempt)
        pieces = answer.pieces
        if kind in _READ and answer.status < 400:
            pieces = usage_tap.natively(pieces, meter.add_usage)
            meter.add_usage(_invoked(answer.headers))
        if kind == _EVENTS:
            pieces = _events(pieces)
        write_error = self.write_error if kind == _EVENTS else None
        flow = streaming.primed(attempt, pieces, _type(answer), write_error, may_be_empty=True)
        return flow._replace(status=answer.status, headers=shown(answer.headers))

    def _check_beats(self, attempt: Attempt) -> None:
        """Cease to write signs of life where no events come; raises BadUpstream if one went out."""
        beat = keepalive.current()
        if beat is None or attempt.answer.content_type == _EVENTS:
            return
        if beat.is_committed() and beat.write_error:
            raise streaming.senseless(attempt.deployment, "something that is no stream")
        keepalive.end()


def _built(body: Body, deployment: Deployment) -> Call:
    raise errors.InvalidRequest("What is relayed is built by who asks for it.")


_OPERATION = Operation(_built, passthrough=True)


def _read(answer: Answer, provider: Provider, meter: Meter) -> Answer:
    """Return the refusal *answer*, its body read; the meter is told what it says."""
    data = http_session.body(answer, _LARGEST_ERROR)
    said = _failure(data, provider)
    error = errors.UpstreamError(
        said.message or f"{provider.name} answered with status {answer.status}.",
        status=answer.status,
        type=said.type,
        code=said.code,
        headers={k: v for k, v in answer.headers.items() if k.startswith("retry-after")},
    )
    streaming.failed(error, meter)
    return answer._replace(pieces=iter([data]))


def _failure(data: bytes, provider: Provider) -> Failure:
    """Return what the error body *data* says; nothing if it cannot be read."""
    try:
        return provider.failure(json.loads(data))
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError):
        return Failure("")


def _type(answer: Answer) -> str:
    """Return the content type that the client is told."""
    said = answer.headers.get("content-type", "")
    return said if streaming.PRINTABLE.fullmatch(said) else "application/octet-stream"


def shown(given: Mapping[str, str]) -> dict[str, str]:
    """Return those of an upstream's headers *given* that the client is shown."""
    found = {
        name: value
        for name, value in given.items()
        if _SHOWN.fullmatch(name) and not _CONTROLS.search(value)
    }
    if given.get("content-encoding") or "transfer-encoding" in given:
        found.pop("content-length", None)  # the body was decoded
    return found


def _invoked(given: Mapping[str, str]) -> dict[str, float]:
    """Return the usage that Bedrock's headers tell."""
    named = ((ours, given.get(name, "")) for name, ours in _INVOKED)
    return {ours: int(text) for ours, text in named if re.fullmatch(r"\d{1,12}", text)}


def _events(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *pieces* as blocks of whole events, the same bytes, so that more fits between them."""
    rest = b""
    for piece in pieces:
        rest += piece
        end = sse.last_end(rest, 0)
        if len(rest) > _LARGEST_EVENT:
            end = len(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest
