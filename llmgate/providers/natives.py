"""Providers' own APIs as they are: where a path of one is, for requests that are passed on.

A path has no leading slash, no query and no escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.providers import azure
from llmgate.providers import vertex
from llmgate.providers import vertex_login

Url = Callable[[str, Deployment], str]
"""Where a path of a provider's API is, for a deployment."""

_SAFE = "~:@!$&'()*+,=-._/"
_VERSION = re.compile(r"/v\d\w*$")
_VERSIONED = re.compile(r"(?:(?:upload|download)/)?v\d\w*(?:/|$)")
_PLACE = re.compile(r"(?:^|/)projects/([^/]+)/locations/([^/]+)")
_LOCATION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ACTION = re.compile(r"model/(.+)/([a-z-]+)")
_COHERE = re.compile(r"/v[12](/.*)?$")


class Native(NamedTuple):
    """The API of a provider, which clients of it reach below a prefix."""

    provider: str
    url: Url
    model: re.Pattern[str] = re.compile(r"(?!)()")  # finds a model's name in a path


def resource_url(path: str, deployment: Deployment) -> str:
    """Return where a resource of OpenAI's API is, `files/file-1` for instance, at any provider."""
    return _RESOURCES.get(deployment.provider, _below_base)(quote(path, safe=_SAFE), deployment)


def _below_base(path: str, deployment: Deployment) -> str:
    return f"{deployment.api_base}/{path}"


_RESOURCES: Mapping[str, Url] = {"azure": azure.resource_url}


def _azure(path: str, deployment: Deployment) -> str:
    return f"{azure.root(deployment.api_base)}/{quote(path, safe=_SAFE)}"


def _openai(path: str, deployment: Deployment) -> str:
    return f"{deployment.api_base}/{quote(path.removeprefix('v1/'), safe=_SAFE)}"


def _vllm(path: str, deployment: Deployment) -> str:
    """A server has more beside /v1: /tokenize, /health."""
    if path.startswith("v1/"):
        return _openai(path, deployment)
    return f"{deployment.api_base.removesuffix('/v1')}/{quote(path, safe=_SAFE)}"


def _anthropic(path: str, deployment: Deployment) -> str:
    root = deployment.api_base.removesuffix("/v1")
    return f"{root}/v1/{quote(path.removeprefix('v1/'), safe=_SAFE)}"


def _gemini(path: str, deployment: Deployment) -> str:
    if not _VERSIONED.match(path):
        return f"{deployment.api_base}/{quote(path, safe=_SAFE)}"
    return f"{_VERSION.sub('', deployment.api_base)}/{quote(path, safe=_SAFE)}"


def _vertex(path: str, deployment: Deployment) -> str:
    """Return the address in the location that the path names, of the deployment's project alone.

    Raises InvalidRequest for an invalid location, Forbidden for another project.
    """
    base, found = deployment.api_base, _PLACE.search(path)
    if found:
        _check_project(found[1], deployment)
        if not _LOCATION.fullmatch(found[2]):
            raise errors.InvalidRequest("Invalid location in the path.")
        if base == vertex.base_url(deployment.settings):
            base = vertex.base_url({**deployment.settings, "vertex_location": found[2]})
    version, slash, below = path.partition("/")
    if not _VERSIONED.match(path):
        version, slash, below = base.rpartition("/")[2], "/", path
    if below.startswith("publishers/") and not found:
        below = _place(deployment) + below
    return f"{_VERSION.sub('', base)}/{quote(version + slash + below, safe=_SAFE)}"


def _check_project(project: str, deployment: Deployment) -> None:
    """Raise Forbidden for a *project* that is not the deployment's, if that is known."""
    own = _project(deployment)
    if own is not None and project != own:
        raise errors.Forbidden(
            f"The path names another project: use projects/{own}.",
            code="project_not_allowed",
        )


def _project(deployment: Deployment) -> str | None:
    """Return the deployment's project, None if it is unknown."""
    settings = deployment.settings
    return settings.get("vertex_project") or vertex_login.project(settings)


def _place(deployment: Deployment) -> str:
    """Return the path of the project and its location; nothing without one: a key has its own."""
    own = _project(deployment)
    return f"projects/{own}/locations/{vertex.location(deployment.settings)}/" if own else ""


def _bedrock(path: str, deployment: Deployment) -> str:
    """Return the address; a model's ARN has slashes of its own, which are sent escaped."""
    found = _ACTION.fullmatch(path)
    steps = ["model", *found.groups()] if found else path.split("/")
    return "/".join([deployment.api_base, *(quote(step, safe="") for step in steps)])


def _cohere(path: str, deployment: Deployment) -> str:
    return f"{_COHERE.sub('', deployment.api_base)}/{quote(path, safe=_SAFE)}"


_GOOGLES = re.compile(r"(?:^|/)(?:models|endpoints|tunedModels)/([^/:]+)")
_VERTEX = Native("vertex_ai", _vertex, _GOOGLES)

PREFIXES: Mapping[str, Native] = {
    "openai": Native("openai", _openai),
    "azure": Native("azure", _azure, re.compile(r"/deployments/([^/]+)")),
    "anthropic": Native("anthropic", _anthropic),
    "gemini": Native("gemini", _gemini, _GOOGLES),
    "vertex_ai": _VERTEX,
    "vertex-ai": _VERTEX,
    "bedrock": Native("bedrock", _bedrock, re.compile(r"model/(.+)/[a-z-]+$")),
    "cohere": Native("cohere", _cohere),
    "mistral": Native("mistral", _openai),
    "vllm": Native("hosted_vllm", _vllm),
}
"""The first segment of a path, and whose API is below it."""
