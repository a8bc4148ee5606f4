"""Azure AI Foundry: one resource with the models of many makers, on three wires.

The address decides: below /anthropic it is Anthropic's API, below /models the inference API with
versions, else OpenAI's without versions, which has the same deployments and is used where the
address is a host alone. Serverless endpoints have hosts of their own.

Source: https://learn.microsoft.com/azure/ai-foundry/foundry-models/concepts/endpoints
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import MessageRules
from llmgate.contract import Provider
from llmgate.dialects.openai import prepare
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import credentials
from llmgate.providers import listings
from llmgate.providers.anthropic import ANTHROPIC
from llmgate.providers.openai import call_to
from llmgate.providers.openai import operation

VERSION = "2024-05-01-preview"
"""The version of the inference API below /models."""

_KEY_ENV = ("AZURE_AI_API_KEY",)
_RESOURCE = re.compile(r"https://[^/]+\.(?:services\.ai|openai|cognitiveservices)\.azure\.com")
_SERVERLESS = re.compile(r"https://[^/]+\.models\.ai\.azure\.com")
_RULES = MessageRules(reasoning=None)


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return the address, completed where it is a host alone: every resource has its own."""
    base = str(settings.get("api_base") or "").rstrip("/")
    if _RESOURCE.fullmatch(base):
        return f"{base}/openai/v1"
    return f"{base}/v1" if _SERVERLESS.fullmatch(base) else base


def _build(name: str) -> Build:
    """Return the function that builds calls of the operation called *name*."""

    def call(body: Body, deployment: Deployment) -> Call:
        if name == "chat":
            body = prepare.prepared(body, _RULES)
        url = f"{deployment.api_base}{openai_wire.path(name)}"
        if deployment.api_base.endswith("/models"):
            url += f"?api-version={deployment.api_version or VERSION}"
        return call_to(url, name, body, deployment)

    return call


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the key; serverless endpoints take it as a bearer token."""
    if not deployment.api_key:
        raise credentials.missing(deployment, _KEY_ENV)
    if _SERVERLESS.match(deployment.api_base):
        return credentials.with_headers(call, Authorization=f"Bearer {deployment.api_key}")
    return credentials.with_headers(call, api_key=deployment.api_key)


def _for_model(deployment: Deployment) -> Provider:
    """Return the provider for the wire that the address of *deployment* has."""
    return _CLAUDE if re.search(r"/anthropic(?:/|$)", deployment.api_base) else _OPENAI


_ENV = {"api_key": _KEY_ENV, "api_base": ("AZURE_AI_API_BASE",), "api_version": ()}
_OPENAI = Provider(
    name="azure_ai",
    base_url=_base_url,
    authorize=_authorize,
    failure=openai_wire.failure,
    operations={name: operation(name, _build(name)) for name in ("chat", "embeddings")},
    env=_ENV,
    listing=listings.openai(),
)
_CLAUDE = ANTHROPIC._replace(
    name="azure_ai", base_url=_base_url, env=_ENV, native=None, listing=None
)

AZURE_AI = _OPENAI._replace(for_model=_for_model)
