"""Amazon Bedrock: chat through Converse, embeddings through InvokeModel.

A model is its id, an inference profile's id or an ARN; LiteLLM's `converse/` and `invoke/` before
it mean the same, a region before it is where the model is called.
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from llmgate.codecs import aws_eventstream
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import NativeApi
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.dialects.bedrock import embeddings as bedrock_embeddings
from llmgate.dialects.bedrock import errors as bedrock_errors
from llmgate.dialects.bedrock import models as bedrock_models
from llmgate.dialects.bedrock import reply as bedrock_reply
from llmgate.dialects.bedrock import request as bedrock_request
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import aws
from llmgate.providers import credentials


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where Bedrock answers in the region that *settings* name, or what stands in for it."""
    named = settings.get("api_base") or settings.get("aws_bedrock_runtime_endpoint")
    return str(named or aws.address("bedrock-runtime", aws.region(settings))).rstrip("/")


def url(deployment: Deployment, action: str) -> str:
    """Return where *action* is performed with the deployment's model."""
    base, there = deployment.api_base, aws.region_of(deployment.model)
    if there and base == _base_url(deployment.settings):
        base = _base_url({**deployment.settings, "aws_region_name": there})
    model = str(deployment.settings.get("model_id") or bedrock_models.bare(deployment.model))
    return f"{base}/model/{quote(model, safe='')}/{action}"


def name(deployment: Deployment) -> str:
    """Return the name of the deployment's model, also where an ARN hides it."""
    named = deployment.info.get("base_model") or bedrock_models.bare(deployment.model)
    return str(named).lower()


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call of Converse or, for a stream, of ConverseStream."""
    structured = deployment.info.get("supports_native_structured_output")
    model = bedrock_models.Model(name(deployment), structured)
    request = bedrock_request.request(body, model, deployment.drop_params)
    streamed = bool(body.get("stream"))
    where = url(deployment, "converse-stream" if streamed else "converse")
    accepted = aws_eventstream.MEDIA_TYPE if streamed else "application/json"
    return credentials.with_headers(openai_wire.json_call(where, request), Accept=accepted)


def _parts(body: Body, deployment: Deployment) -> list[Body]:
    """Return the bodies of the calls that embed all inputs of *body*."""
    return bedrock_embeddings.parts(body, name(deployment))


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call of InvokeModel for embeddings."""
    request = bedrock_embeddings.request(body, name(deployment))
    call = openai_wire.json_call(url(deployment, "invoke"), request)
    return credentials.with_headers(call, Accept="application/json")


def _embedded(raw: Any, deployment: Deployment) -> Reply:
    """Return the embeddings in the response *raw*."""
    return bedrock_embeddings.reply(raw, bedrock_models.bare(deployment.model))


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the deployment's API key or, without one, its signature."""
    if deployment.api_key:
        return credentials.with_headers(call, Authorization=f"Bearer {deployment.api_key}")
    return aws.signed(call, deployment, "bedrock")


_ACTION = re.compile(r"model/(.+)/([a-z-]+)")


def _native_url(path: str, deployment: Deployment) -> str:
    """Return where *path* is; a model's ARN has slashes of its own, which are escaped."""
    found = _ACTION.fullmatch(path)
    steps = ["model", *found.groups()] if found else path.split("/")
    return "/".join([deployment.api_base, *(quote(step, safe="") for step in steps)])


BEDROCK = Provider(
    name="bedrock",
    native=NativeApi(("bedrock",), _native_url, re.compile(r"model/(.+)/[a-z-]+$"), "message"),
    base_url=_base_url,
    authorize=_authorize,
    failure=bedrock_errors.failure,
    operations={
        "chat": Operation(
            _chat,
            bedrock_reply.reply,
            bedrock_reply.chunks,
            usage=openai_wire.usage,
            params=bedrock_request.PARAMS,
            extensions=bedrock_request.EXTENSIONS,
        ),
        "embeddings": Operation(
            _embed,
            _embedded,
            usage=openai_wire.usage,
            params=bedrock_embeddings.PARAMS,
            split=_parts,
            merge=openai_embeddings.joined,
            by_headers=bedrock_embeddings.counted,
        ),
    },
    env={
        **aws.ENV,
        "api_key": ("AWS_BEARER_TOKEN_BEDROCK",),
        "aws_bedrock_runtime_endpoint": ("AWS_BEDROCK_RUNTIME_ENDPOINT",),
    },
    settings=aws.SETTINGS | {"aws_bedrock_runtime_endpoint"},
    login=aws.LOGIN,
    address_settings=aws.ADDRESSES | {"aws_bedrock_runtime_endpoint"},
    exclusive_settings=aws.KEYS | {"api_key"},
    required_settings=(("api_key",), aws.PAIR),
)
