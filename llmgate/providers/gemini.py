"""Google's Gemini API (AI Studio): chat and embeddings by an API key.

Source: https://ai.google.dev/api
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias
from urllib.parse import quote

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import ModelListing
from llmgate.contract import NativeApi
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.dialects.gemini import embeddings as gemini_embeddings
from llmgate.dialects.gemini import errors as gemini_errors
from llmgate.dialects.gemini import reply as gemini_reply
from llmgate.dialects.gemini import request as gemini_request
from llmgate.dialects.gemini import tools as gemini_tools
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.fronts.gemini import native as front_native
from llmgate.fronts.gemini import relay as front_relay
from llmgate.providers import credentials
from llmgate.providers import listings
from llmgate.providers import natives

_KEY_ENV = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
_HOST = re.compile(r"[a-z]+://[^/]+", re.I)


def method(body: Body) -> str:
    """Return what Google calls the method that answers the chat *body*, with its query."""
    return "streamGenerateContent?alt=sse" if body.get("stream") else "generateContent"


def resource(model: str, collection: str) -> str:
    """Return the path of *model*, in *collection* unless the name has one itself.

    Raises InvalidRequest for a name that would lead out of it.
    """
    steps = model.split("/")
    if not all(step.strip(".") for step in steps):
        raise errors.InvalidRequest(f"'{model}' is not a valid Google model name.", param="model")
    path = "/".join(quote(step, safe="@") for step in steps)
    return path if len(steps) > 1 else f"{collection}/{path}"


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for a chat *body*."""
    url = f"{deployment.api_base}/{resource(deployment.model, 'models')}:{method(body)}"
    return openai_wire.json_call(url, gemini_request.request(body, deployment))


def generate(url: str, body: Body) -> Call:
    """Return the call that posts a *body* in Gemini's own shape to the model at *url*."""
    return openai_wire.json_call(f"{url}:{method(body)}", front_native.request(body))


_Made: TypeAlias = Callable[[Body, str], Body]
"""A body in Gemini's own shape, and the name of its model, as what is sent."""


def _native(method: str, made: _Made) -> Build:
    """Return the function that posts what is *made* of a body to a *method* of the model's."""

    def call(body: Body, deployment: Deployment) -> Call:
        model = resource(deployment.model, "models")
        return openai_wire.json_call(f"{deployment.api_base}/{model}:{method}", made(body, model))

    return call


def _generate(body: Body, deployment: Deployment) -> Call:
    """Return the call for a *body* in Gemini's own shape."""
    return generate(f"{deployment.api_base}/{resource(deployment.model, 'models')}", body)


def operation(build: Build) -> Operation:
    """Return the operation that *build* makes calls for: its bytes are passed on as they came."""
    return Operation(
        build, usage=front_relay.usage, passthrough=True, stream_filter=front_relay.relayed
    )


_MOST_INPUTS = 100  # in one call


def _parts(body: Body, deployment: Deployment) -> list[Body]:
    """Return the bodies of the calls that embed all inputs of *body*."""
    return openai_embeddings.parts(body, _MOST_INPUTS)


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call for an embeddings *body*."""
    model = resource(deployment.model, "models")
    request = gemini_embeddings.batch(body, model)
    return openai_wire.json_call(f"{deployment.api_base}/{model}:batchEmbedContents", request)


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the key, in a header: addresses are logged."""
    if not deployment.api_key:
        raise credentials.missing(deployment, _KEY_ENV)
    return credentials.with_headers(call, x_goog_api_key=deployment.api_key)


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where the API is, its version added to an address that is a host alone."""
    base = str(settings.get("api_base") or "https://generativelanguage.googleapis.com").rstrip("/")
    return f"{base}/v1beta" if _HOST.fullmatch(base) else base


def chat(build: Build) -> Operation:
    """Return the chat that *build* makes calls for."""
    return Operation(
        build,
        parse=gemini_reply.completion,
        stream=gemini_reply.chunks,
        usage=openai_wire.usage,
        params=gemini_request.PARAMS,
        extensions=gemini_request.EXTENSIONS,
        web_search=gemini_tools.can_search,
    )


def embeddings(build: Build) -> Operation:
    """Return the embeddings that *build* makes calls for."""
    return Operation(
        build,
        parse=gemini_embeddings.reply,
        usage=openai_wire.usage,
        params=gemini_embeddings.PARAMS,
    )


def _list_models(deployment: Deployment) -> Call:
    """Return the call for the models.

    Source: https://ai.google.dev/api/models
    """
    return Call("GET", f"{deployment.api_base}/models?pageSize=1000", {})


_VERSION = re.compile(r"/v\d\w*$")
_VERSIONED = re.compile(r"(?:(?:upload|download)/)?v\d\w*(?:/|$)")
MODEL_IN_PATH = re.compile(r"(?:^|/)(?:models|endpoints|tunedModels)/([^/:]+)")
"""Finds a model's name in a path of one of Google's APIs."""


def is_versioned(path: str) -> bool:
    """Return whether *path* begins with the version of an API."""
    return bool(_VERSIONED.match(path))


def unversioned(base: str) -> str:
    """Return the address *base* without the version at its end."""
    return _VERSION.sub("", base)


def _native_url(path: str, deployment: Deployment) -> str:
    """Return where *path*, which may name a version of the API, is."""
    base = deployment.api_base
    return f"{unversioned(base) if is_versioned(path) else base}/{natives.escaped(path)}"


GEMINI = Provider(
    name="gemini",
    native=NativeApi(("gemini",), _native_url, MODEL_IN_PATH, "google"),
    base_url=_base_url,
    authorize=_authorize,
    failure=gemini_errors.failure,
    operations={
        "chat": chat(_chat),
        "embeddings": embeddings(_embed)._replace(split=_parts, merge=openai_embeddings.joined),
        "generate": operation(_generate),
        "generate_count": operation(_native("countTokens", front_native.count)),
        "embed_content": operation(_native("embedContent", front_native.embed_one)),
        "embed_contents": operation(_native("batchEmbedContents", front_native.embed_many)),
    },
    env={"api_key": _KEY_ENV, "api_base": ("GEMINI_API_BASE",)},
    listing=ModelListing(_list_models, listings.names("models", "name", "models/")),
)
