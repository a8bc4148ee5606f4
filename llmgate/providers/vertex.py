"""Vertex AI: Gemini and Google's embedding models in a Google Cloud project.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Provider
from llmgate.dialects.gemini import embeddings as gemini_embeddings
from llmgate.dialects.gemini import errors as gemini_errors
from llmgate.dialects.gemini import request as gemini_request
from llmgate.dialects.openai import wire as openai_wire
from llmgate.fronts.gemini import native as front_native
from llmgate.providers import credentials
from llmgate.providers import gemini
from llmgate.providers import vertex_login

_ENV = {
    "api_key": ("VERTEXAI_API_KEY",),
    "api_base": ("VERTEXAI_API_BASE",),
    "vertex_project": ("VERTEXAI_PROJECT", "GOOGLE_CLOUD_PROJECT"),
    "vertex_location": ("VERTEXAI_LOCATION", "GOOGLE_CLOUD_LOCATION"),
    "vertex_credentials": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "vertex_access_token": ("VERTEXAI_ACCESS_TOKEN",),
}
_LOCATION = "us-central1"
_REGIONS_OF_MANY = frozenset({"eu", "us"})
_API_KEY = re.compile(r"AIza[\w-]{30,}|AQ\.[\w.-]+")
_HOST = re.compile(r"[a-z]+://[^/]+", re.I)
_NAME = re.compile(r"[a-z0-9][a-z0-9.:-]*", re.I)  # of a project, with its domain, or a location


def models_url(deployment: Deployment, publisher: str) -> str:
    """Return the address of *deployment*'s model, by default one of *publisher*'s.

    A number is an endpoint of the project's own, a path is one below the project, or below the
    API if it begins with `projects/`.
    """
    model = deployment.model
    if model.startswith("projects/"):
        return f"{deployment.api_base}/{gemini.resource(model, '')}"
    place = "endpoints" if model.isdecimal() else f"publishers/{publisher}/models"
    return f"{deployment.api_base}/{_place(deployment)}{gemini.resource(model, place)}"


def _place(deployment: Deployment) -> str:
    """Return the path of the project and its location; nothing for a key, which has its own."""
    settings = deployment.settings
    project = settings.get("vertex_project") or vertex_login.project(settings)
    if not project and _API_KEY.fullmatch(deployment.api_key or ""):
        return ""
    return f"projects/{_named(project, 'vertex_project')}/locations/{location(settings)}/"


def location(settings: Mapping[str, Any]) -> str:
    """Return where the models run: a region, `global`, `eu` or `us`."""
    return _named(settings.get("vertex_location") or _LOCATION, "vertex_location")


def _named(value: Any, setting: str) -> str:
    """Return *value*, which goes into an address; raises GateError if it cannot be a name."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise errors.GateError(
        f"Vertex AI needs {setting}: set it in litellm_params, or"
        f" {' or '.join(_ENV[setting])} in the environment.",
        code="missing_provider_setting",
    )


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for a chat *body*."""
    url = f"{models_url(deployment, 'google')}:{gemini.method(body)}"
    return openai_wire.json_call(url, gemini_request.request(body, deployment))


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call for an embeddings *body*; Gemini's own models have a method of theirs."""
    build = gemini_embeddings.vertex if "gemini" in deployment.model else gemini_embeddings.predict
    method, request = build(body)
    return openai_wire.json_call(f"{models_url(deployment, 'google')}:{method}", request)


def _generate(body: Body, deployment: Deployment) -> Call:
    """Return the call for a *body* in Gemini's own shape."""
    return gemini.generate(models_url(deployment, "google"), front_native.with_roles(body))


def _count(body: Body, deployment: Deployment) -> Call:
    """Return the call that counts the tokens of a *body* in Gemini's own shape."""
    url = f"{models_url(deployment, 'google')}:countTokens"
    return openai_wire.json_call(url, front_native.count_plainly(body))


def authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the access token, or with an API key of the project's."""
    token = deployment.api_key or deployment.settings.get("vertex_access_token")
    if not token:
        raise credentials.missing(deployment, [name for key in _CREDENTIALS for name in _ENV[key]])
    if _API_KEY.fullmatch(token):
        return credentials.with_headers(call, x_goog_api_key=token)
    return credentials.with_headers(call, Authorization=f"Bearer {token}")


_CREDENTIALS = ("vertex_credentials", "vertex_access_token", "api_key")


def base_url(settings: Mapping[str, Any]) -> str:
    """Return where the API of the settings' location is, its version added to a host alone."""
    where = location(settings)
    host = f"{where}-aiplatform.googleapis.com"
    if where == "global":
        host = "aiplatform.googleapis.com"
    if where in _REGIONS_OF_MANY:
        host = f"aiplatform.{where}.rep.googleapis.com"
    base = str(settings.get("api_base") or f"https://{host}").rstrip("/")
    return f"{base}/v1" if _HOST.fullmatch(base) else base


VERTEX = Provider(
    name="vertex_ai",
    base_url=base_url,
    authorize=authorize,
    failure=gemini_errors.failure,
    operations={
        "chat": gemini.chat(_chat),
        "embeddings": gemini.embeddings(_embed),
        "generate": gemini.operation(_generate),
        "generate_count": gemini.operation(_count),
    },
    env=_ENV,
    exclusive_settings=frozenset(_CREDENTIALS),
    required_settings=(
        ("vertex_credentials",),
        ("api_key",),
        ("vertex_access_token", "vertex_project"),
    ),
    files=frozenset({"vertex_credentials"}),
    login=vertex_login.LOGIN,
)
