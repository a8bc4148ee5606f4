"""Amazon SageMaker: endpoints whose containers speak OpenAI's chat (TGI, vLLM, LMI) or embed.

Sources: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
https://huggingface.co/docs/text-generation-inference/messages_api
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from llmgate.codecs import aws_eventstream
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Events
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.dialects.bedrock import errors as bedrock_errors
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import aws
from llmgate.providers import credentials

_EMBEDDING_PARAMS = frozenset("model input encoding_format user".split())


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where endpoints answer in the region that *settings* name, or what stands in."""
    return str(settings.get("api_base") or aws.address("runtime.sagemaker", aws.region(settings)))


def _call(deployment: Deployment, action: str, body: Body) -> Call:
    """Return the call that has the deployment's endpoint do *action* with *body*.

    The setting `model_id` names one of several models (inference components) of an endpoint.
    """
    url = f"{deployment.api_base}/endpoints/{quote(deployment.model, safe='')}/{action}"
    call = credentials.with_headers(openai_wire.json_call(url, body), Accept="application/json")
    component = deployment.settings.get("model_id")
    if component:
        return credentials.with_headers(call, X_Amzn_SageMaker_Inference_Component=str(component))
    return call


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for a chat; what the container calls its model is `hf_model_name`."""
    named = deployment.settings.get("hf_model_name") or deployment.model
    action = "invocations-response-stream" if body.get("stream") else "invocations"
    return _call(deployment, action, {**openai_wire.with_usage(body), "model": named})


def _chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream: the container's own, in the parts of an event stream."""
    yield from openai_wire.chunks(_parts(pieces), deployment)


def _parts(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the container's bytes; raises UpstreamError for an error among them."""
    for headers, payload in aws_eventstream.messages(pieces):
        if bedrock_errors.is_refusal(headers):
            raise bedrock_errors.refusal(headers, payload)
        yield payload


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call for embeddings.

    Hugging Face's containers read `inputs`; the setting `sagemaker_input_field` names what others
    read, as JumpStart's `text_inputs`.
    """
    field = str(deployment.settings.get("sagemaker_input_field") or "inputs")
    others = {key: value for key, value in body.items() if key not in _EMBEDDING_PARAMS}
    texts = openai_embeddings.texts(body)
    return _call(deployment, "invocations", {field: texts, **others})


_FIELDS = ("embedding", "embeddings", "vectors", "predictions", "data")


def _embedded(raw: Any, deployment: Deployment) -> Reply:
    """Return the embeddings in a container's response *raw*: a list, or a field of a common name.

    Its tokens are counted only by containers that speak OpenAI's embeddings.
    """
    found = raw
    if isinstance(raw, dict):
        found = raw[next((field for field in _FIELDS if field in raw), _FIELDS[0])]
    rows = [row["embedding"] if isinstance(row, dict) else row for row in found]
    if rows and not isinstance(rows[0], list):
        rows = [rows]
    tokens = openai_wire.usage(raw).get("prompt_tokens", 0) if isinstance(raw, dict) else 0
    return openai_embeddings.embedding_list(rows, deployment.model, int(tokens))


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the deployment's signature."""
    return aws.signed(call, deployment, "sagemaker")


SAGEMAKER = Provider(
    name="sagemaker",
    base_url=_base_url,
    authorize=_authorize,
    failure=bedrock_errors.failure,
    operations={
        "chat": Operation(_chat, stream=_chunks, usage=openai_wire.usage),
        "embeddings": Operation(
            _embed, _embedded, usage=openai_wire.usage, params=_EMBEDDING_PARAMS
        ),
    },
    env=aws.ENV,
    settings=aws.SETTINGS | {"hf_model_name", "sagemaker_input_field"},
    address_settings=aws.ADDRESSES,
    exclusive_settings=aws.KEYS,
    login=aws.LOGIN,
    required_settings=(aws.PAIR,),
)
SAGEMAKER_CHAT = SAGEMAKER._replace(
    name="sagemaker_chat", operations={"chat": SAGEMAKER.operations["chat"]}, required_settings=()
)
"""LiteLLM's name for endpoints that speak OpenAI's chat: all of them, here."""
