"""Azure OpenAI: OpenAI's bodies, the deployment in the path, the API's version in the query.

Source: https://learn.microsoft.com/azure/ai-services/openai/reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from urllib.parse import urlencode

from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Login
from llmgate.contract import ModelListing
from llmgate.contract import NativeApi
from llmgate.contract import Provider
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import credentials
from llmgate.providers import natives
from llmgate.providers.openai import call_to
from llmgate.providers.openai import chat_body
from llmgate.providers.openai import operation
from llmgate.providers.openai import responses
from llmgate.providers.openai import with_responses

VERSION = "2024-10-21"
"""The API's version for deployments that name none: the latest that is not a preview."""

_USAGE_SINCE = "2024-09-01"  # earlier versions refuse stream_options
_KEY_ENV = ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY")


def build(name: str) -> Build:
    """Return the function that builds calls of the operation called *name*."""

    def call(body: Body, deployment: Deployment) -> Call:
        if name == "chat":
            body = chat_body(body, deployment)
        version = deployment.api_version or VERSION
        asks_usage = version[:10] >= _USAGE_SINCE or is_v1(deployment.api_base)
        return call_to(url(name, deployment), name, body, deployment, asks_usage)

    return call


def url(name: str, deployment: Deployment) -> str:
    """Return where the operation called *name* of *deployment* is.

    A base that ends in /openai/v1 (the API without versions) or already names a deployment is
    kept as it is.
    """
    base = deployment.api_base
    if is_v1(base):
        query = {"api-version": deployment.api_version} if deployment.api_version else {}
    else:
        query = {"api-version": deployment.api_version or VERSION}
        if "/openai/deployments/" not in base:
            base += f"/openai/deployments/{quote(deployment.model, safe='')}"
    return f"{base}{openai_wire.PATHS[name]}" + (f"?{urlencode(query)}" if query else "")


def _responses_url(deployment: Deployment) -> str:
    """Return where the Responses API is: in Azure's API without versions alone."""
    base = deployment.api_base
    if not is_v1(base):
        base = f"{root(base)}/openai/v1"
    return f"{base}{openai_wire.path('responses')}"


def resource_url(path: str, deployment: Deployment) -> str:
    """Return where a resource of OpenAI's API is, `files/file-1` say."""
    base = deployment.api_base
    if is_v1(base):
        return f"{base}/{path}"
    query = urlencode({"api-version": deployment.api_version or VERSION})
    return f"{root(base)}/openai/{path}?{query}"


def root(base: str) -> str:
    """Return the address of the Azure resource that *base* is at or below."""
    return re.split(r"/openai(?:/|$)", base)[0]


def is_v1(base: str) -> bool:
    """Return whether *base* is that of Azure's API without versions."""
    return base.endswith("/openai/v1")


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the key, or with the Entra token that stands in for it."""
    token = deployment.settings.get("azure_ad_token")
    if deployment.api_key:
        return credentials.with_headers(call, api_key=deployment.api_key)
    if token:
        return credentials.with_headers(call, Authorization=f"Bearer {token}")
    raise credentials.missing(deployment, (*_KEY_ENV, "AZURE_AD_TOKEN"))


def _needs_login(deployment: Deployment) -> bool:
    """Return whether *deployment* has an identity and no token yet; clients never use it."""
    settings = deployment.settings
    if deployment.api_key or settings.get("azure_ad_token"):
        return False
    is_clients = deployment.has_client_key or deployment.origin == "client"
    return not is_clients and any(map(settings.get, _IDENTITIES))


_IDENTITIES = ("client_secret", "azure_federated_token_file", "azure_managed_identity")


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return the resource's address: every Azure resource has its own."""
    return str(settings.get("api_base") or "")


def _list_models(deployment: Deployment) -> Call:
    """Return the call for the models of the resource, which are not its deployments."""
    return Call("GET", resource_url("models", deployment), {})


def _native_url(path: str, deployment: Deployment) -> str:
    """Return where *path* is below the resource."""
    return f"{root(deployment.api_base)}/{natives.escaped(path)}"


_AZURE = Provider(
    name="azure",
    native=NativeApi(("azure",), _native_url, re.compile(r"/deployments/([^/]+)")),
    resources="versioned",
    resource_url=resource_url,
    base_url=_base_url,
    authorize=_authorize,
    failure=openai_wire.failure,
    operations={
        **{
            name: operation(name, build(name))
            for name in openai_wire.PATHS
            if name != "moderations"
        },
        **responses(_responses_url),
    },
    env={
        "api_key": _KEY_ENV,
        "api_base": ("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"),
        "api_version": ("AZURE_API_VERSION", "OPENAI_API_VERSION"),
        "azure_ad_token": ("AZURE_AD_TOKEN",),
        "tenant_id": ("AZURE_TENANT_ID",),
        "client_id": ("AZURE_CLIENT_ID",),
        "client_secret": ("AZURE_CLIENT_SECRET",),
        "azure_scope": ("AZURE_SCOPE",),
        "azure_federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
        "azure_managed_identity": ("IDENTITY_ENDPOINT", "MSI_ENDPOINT"),
    },
    settings=frozenset({"azure_username", "azure_password"}),
    exclusive_settings=frozenset({"api_key", "azure_ad_token", "client_secret"}),
    login=Login(_needs_login, library="azure"),
    listing=ModelListing(_list_models, None),
)

AZURE = with_responses(_AZURE, _responses_url)
"""Azure OpenAI, each model through an API that it has; `base_model` names the model."""
