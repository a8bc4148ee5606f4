"""IBM watsonx.ai: models of a project or a space, by an API key that logs in to IBM Cloud.

Sources: https://cloud.ibm.com/apidocs/watsonx-ai
https://cloud.ibm.com/apidocs/iam-identity-token-api#gettoken-apikey
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from urllib.parse import urlencode

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Login
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.dialects.others import watsonx
from llmgate.providers import credentials

VERSION = "2025-02-06"
"""The default version of the API, a date."""

_IAM_URL = "https://iam.cloud.ibm.com/identity/token"
_GRANT = "urn:ibm:params:oauth:grant-type:apikey"
_DEPLOYED = "deployment/"
_MOST_INPUTS = 1000  # in one call
_ENV = {
    "api_key": ("WATSONX_APIKEY", "WATSONX_API_KEY", "WX_API_KEY"),
    "api_base": ("WATSONX_API_BASE", "WATSONX_URL", "WX_URL", "WML_URL"),
    "token": ("WATSONX_TOKEN", "WX_TOKEN"),
    "zen_api_key": ("WATSONX_ZENAPIKEY",),
    "project_id": ("WATSONX_PROJECT_ID", "WX_PROJECT_ID"),
    "space_id": ("WATSONX_DEPLOYMENT_SPACE_ID", "WATSONX_SPACE_ID", "WX_SPACE_ID"),
    "watsonx_iam_url": ("WATSONX_IAM_URL",),
}
_CREDENTIALS = ("api_key", "token", "zen_api_key")


def _call(deployment: Deployment, action: str, body: Body) -> Call:
    """Return the call that has *action* done with *body*.

    A model `deployment/<id>` is one that is deployed in a space, which knows what it runs.
    """
    model = deployment.model
    if model.startswith(_DEPLOYED):
        path = f"deployments/{quote(model.removeprefix(_DEPLOYED), safe='')}/text/{action}"
    else:
        path, body = f"text/{action}", {**body, "model_id": model, **_place(deployment)}
    query = urlencode({"version": deployment.api_version or VERSION})
    return openai_wire.json_call(f"{deployment.api_base}/ml/v1/{path}?{query}", body)


def _place(deployment: Deployment) -> dict[str, str]:
    """Return the project or the space that pays; raises GateError if neither is named."""
    for name in ("project_id", "space_id"):
        if deployment.settings.get(name):
            return {name: str(deployment.settings[name])}
    raise errors.GateError(
        "watsonx.ai needs project_id or space_id: set one in litellm_params, or"
        f" {_ENV['project_id'][0]} or {_ENV['space_id'][0]} in the environment.",
        code="missing_provider_setting",
    )


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for a chat *body*."""
    action = "chat_stream" if body.get("stream") else "chat"
    return _call(deployment, action, watsonx.chat_body(body, deployment.model))


def _chat_reply(reply: Any, deployment: Deployment) -> Reply:
    """Return a chat completion."""
    return watsonx.chat_reply(reply, deployment.model)


def _parts(body: Body, deployment: Deployment) -> list[Body]:
    """Return the bodies of the calls that embed all inputs of *body*."""
    return openai_embeddings.parts(body, _MOST_INPUTS)


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call for an embeddings *body*."""
    return _call(deployment, "embeddings", watsonx.embed_body(body))


def _embeddings(reply: Any, deployment: Deployment) -> Reply:
    """Return embeddings."""
    return watsonx.embeddings_reply(reply, deployment.model)


def _needed(deployment: Deployment) -> bool:
    """Return whether *deployment* has an API key, which is good for a login alone."""
    return bool(deployment.api_key)


def _login(deployment: Deployment) -> Call:
    """Return the call that requests an access token."""
    url = str(deployment.settings.get("watsonx_iam_url") or _IAM_URL)
    form = {"grant_type": _GRANT, "apikey": deployment.api_key or ""}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Call("POST", url, headers, urlencode(form).encode())


def _token(answer: Any) -> tuple[str, float]:
    """Return the access token in IBM's *answer*, and the seconds it lives."""
    return str(answer["access_token"]), float(answer["expires_in"])


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the access token, or with the key of a platform of one's own."""
    settings = deployment.settings
    token = deployment.api_key or settings.get("token")
    if not token and not settings.get("zen_api_key"):
        raise credentials.missing(deployment, [_ENV[name][0] for name in _CREDENTIALS])
    value = f"Bearer {token}" if token else f"ZenApiKey {settings['zen_api_key']}"
    return credentials.with_headers(call, Authorization=value)


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where the models are: every region has its own address."""
    return str(settings.get("api_base") or "")


WATSONX = Provider(
    name="watsonx",
    base_url=_base_url,
    authorize=_authorize,
    failure=watsonx.failure,
    operations={
        "chat": Operation(
            _chat,
            _chat_reply,
            watsonx.chat_chunks,
            openai_wire.usage,
            watsonx.PARAMS,
            watsonx.EXTENSIONS,
        ),
        "embeddings": Operation(
            _embed,
            _embeddings,
            usage=openai_wire.usage,
            params=frozenset({"model", "input", "encoding_format"}),
            split=_parts,
            merge=openai_embeddings.joined,
        ),
    },
    env=_ENV,
    address_settings=frozenset({"watsonx_iam_url"}),
    exclusive_settings=frozenset(_CREDENTIALS),
    required_settings=tuple((name,) for name in _CREDENTIALS),
    login=Login(_needed, _login, _token),
)
