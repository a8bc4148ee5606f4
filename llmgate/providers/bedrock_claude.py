"""Claude at Bedrock: Anthropic's own bodies through InvokeModel, beside Converse for chat.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from llmgate.codecs import aws_eventstream
from llmgate.codecs import sse
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.contract import Usage
from llmgate.dialects.anthropic import native as anthropic_native
from llmgate.dialects.anthropic import relay as anthropic_relay
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.dialects.bedrock import errors as bedrock_errors
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import aws
from llmgate.providers import bedrock

VERSION = "bedrock-2023-05-31"
"""The default version of Anthropic's API."""

_CLAUDE = "anthropic.claude"  # in the names of its models
_relay = anthropic_relay.relay(anthropic_relay.ANTHROPIC)


def _messages(body: Body, deployment: Deployment) -> Call:
    """Return the call that posts a *body* in Anthropic's own shape."""
    action = "invoke-with-response-stream" if body.get("stream") else "invoke"
    return openai_wire.json_call(bedrock.url(deployment, action), _invoked(body))


def _invoked(body: Body) -> Body:
    """Return InvokeModel's request for a *body* in Anthropic's shape."""
    request = {"anthropic_version": VERSION, **anthropic_native.for_aws(body)}
    return {key: value for key, value in request.items() if key not in ("model", "stream")}


def _count(body: Body, deployment: Deployment) -> Call:
    """Return the call of CountTokens for a *body* in Anthropic's own shape.

    It knows foundation models alone: none by the inference profiles that they are invoked by.
    """
    request = {"max_tokens": 1, **_invoked(body)}
    model = bedrock.name(deployment)
    there = aws.region_of(deployment.model)
    model = f"{there}/" * bool(there) + model[model.index(_CLAUDE) :]
    settings = {key: value for key, value in deployment.settings.items() if key != "model_id"}
    url = bedrock.url(deployment._replace(model=model, settings=settings), "count-tokens")
    packed = base64.b64encode(openai_wire.encoded(request)).decode()
    return openai_wire.json_call(url, {"input": {"invokeModel": {"body": packed}}})


def _counted(raw: Any, deployment: Deployment) -> Reply:
    """Return Anthropic's count of tokens."""
    return {"input_tokens": raw["inputTokens"]}


def _relayed(
    pieces: Iterable[bytes], shows_usage: bool, report: Callable[[Usage], None]
) -> Iterator[bytes]:
    """Yield Anthropic's events, unpacked from AWS's; raises UpstreamError and CutShort."""
    return _relay(_unpacked(pieces), shows_usage, report)


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what Claude streams as server-sent events; raises UpstreamError."""
    for headers, payload in aws_eventstream.messages(pieces):
        if bedrock_errors.is_refusal(headers):
            raise bedrock_errors.refusal(headers, payload)
        if headers.get(":event-type") == "chunk":
            event: dict[str, Any] = json.loads(base64.b64decode(json.loads(payload)["bytes"]))
            yield sse.encoded(event, event["type"])


BEDROCK_CLAUDE = bedrock.BEDROCK._replace(
    operations={
        **bedrock.BEDROCK.operations,
        "messages": Operation(
            _messages, usage=anthropic_wire.counted, passthrough=True, stream_filter=_relayed
        ),
        "count_tokens": Operation(_count, _counted),
    }
)


def _variant(deployment: Deployment) -> Provider:
    """Return Bedrock's provider for the deployment's model."""
    return BEDROCK_CLAUDE if _CLAUDE in bedrock.name(deployment) else bedrock.BEDROCK


BEDROCK = bedrock.BEDROCK._replace(for_model=_variant)
"""Bedrock with the models of all makers."""
