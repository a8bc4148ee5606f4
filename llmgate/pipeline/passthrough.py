"""Requests on an upstream's own wire: sent unchanged, answered as the upstream answers.

`dispatch.relayed` runs them like all other requests; this module holds what differs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
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
from llmgate.pipeline import passthrough_links
from llmgate.pipeline import shapes
from llmgate.pipeline import streaming
from llmgate.pipeline import usage_tap
from llmgate.pipeline.shapes import Attempt
from llmgate.pipeline.shapes import Gate
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
    """A request that is sent unchanged to the deployment that is chosen."""

    build: Callable[[Deployment], Call]  # without credentials
    untouched: bool = False  # the upstream's error responses are passed through
    provider: Provider | None = None  # None: that of the deployment
    is_stream: bool = False  # the client requests server-sent events
    wire: str = "passthrough"  # the operation whose keep-alives the stream has
    write_error: shapes.WriteError | None = None  # None: a failing stream is cut
    links: Callable[[Deployment], passthrough_links.Links] | None = None  # to replace in answers

    def send(
        self, gate: Gate, request: OperationRequest, deployment: Deployment, meter: Meter
    ) -> Attempt:
        """Return the attempt at *deployment*; raises GateError if it fails.

        With `untouched` an error response of the upstream is an answer, too.
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
        elif self.links and passthrough_links.may_have(answer, call.url):
            answer = passthrough_links.replaced(answer, self.links(deployment))
        return Attempt("passthrough", _OPERATION, deployment, request.body, answer, meter, None)

    def _shows(self, provider: Provider) -> bool:
        """Return whether an error response can be passed through: not once a 200 has been sent."""
        beat = keepalive.current()
        return self.untouched and not (beat and beat.is_committed())

    def read(self, attempt: Attempt) -> Streamed:
        """Return the answer of *attempt* as it arrives."""
        answer, meter = attempt.answer, attempt.meter
        kind = answer.content_type
        meter.stream = kind in _FRAMED
        self._check_beats(attempt)
        pieces = answer.pieces
        if kind in _READ and answer.status < 400:
            pieces = usage_tap.native_pieces(pieces, meter.add_usage)
            meter.add_usage(_invoked(answer.headers))
        if kind == _EVENTS:
            pieces = sse.whole_events(pieces, _LARGEST_EVENT)
        write_error = self.write_error if kind == _EVENTS else None
        flow = streaming.primed(attempt, pieces, _type(answer), write_error, may_be_empty=True)
        return flow._replace(status=answer.status, headers=shown(answer.headers))

    def _check_beats(self, attempt: Attempt) -> None:
        """Stop keep-alives where the answer has no events; raises BadUpstream if one was sent."""
        beat = keepalive.current()
        if beat is None or attempt.answer.content_type == _EVENTS:
            return
        if beat.is_committed() and beat.write_error:
            raise streaming.bad_response(attempt.deployment, "a response that is not a stream")
        keepalive.end()


def _built(body: Body, deployment: Deployment) -> Call:
    raise errors.InvalidRequest("The endpoint builds the calls of a passthrough request.")


_OPERATION = Operation(_built, passthrough=True)


def _read(answer: Answer, provider: Provider, meter: Meter) -> Answer:
    """Return the error response *answer* with its body read and noted in *meter*."""
    data = http_session.body(answer, _LARGEST_ERROR)
    failure = _failure(data, provider)
    error = errors.UpstreamError(
        failure.message or f"{provider.name} answered with status {answer.status}.",
        status=answer.status,
        type=failure.type,
        code=failure.code,
        headers={k: v for k, v in answer.headers.items() if k.startswith("retry-after")},
    )
    streaming.failed(error, meter)
    headers = dict(answer.headers)
    if "content-length" in headers:  # secrets may have been removed
        headers["content-length"] = str(len(data))
    return answer._replace(pieces=iter([data]), headers=headers)


def _failure(data: bytes, provider: Provider) -> Failure:
    """Return the error in the body *data*; an empty one if it cannot be parsed."""
    try:
        return provider.failure(json.loads(data))
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError):
        return Failure("")


def _type(answer: Answer) -> str:
    """Return the content type for the client."""
    given = answer.headers.get("content-type", "")
    return given if streaming.PRINTABLE.fullmatch(given) else "application/octet-stream"


def shown(given: Mapping[str, str]) -> dict[str, str]:
    """Return the upstream's headers in *given* that the client receives."""
    found = {
        name: value
        for name, value in given.items()
        if _SHOWN.fullmatch(name) and not _CONTROLS.search(value)
    }
    if given.get("content-encoding") or "transfer-encoding" in given:
        found.pop("content-length", None)  # the body has been decoded
    return found


def _invoked(given: Mapping[str, str]) -> dict[str, float]:
    """Return the usage in Bedrock's headers."""
    named = ((ours, given.get(name, "")) for name, ours in _INVOKED)
    return {ours: int(text) for ours, text in named if re.fullmatch(r"\d{1,12}", text)}
