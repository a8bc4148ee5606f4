"""Cloudflare Workers AI: OpenAI's wire below an account, errors as all of Cloudflare has them.

Sources: https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility
https://developers.cloudflare.com/workers-ai/workers-ai-errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.contract import Provider
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import credentials
from llmgate.providers.openai import call_to
from llmgate.providers.openai import operation

_ROOT = "https://api.cloudflare.com/client/v4"
_KEY_ENV = ("CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN")
_ACCOUNT_ENV = ("CLOUDFLARE_ACCOUNT_ID",)


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return Cloudflare's API, below which the account is, or the address that is given whole."""
    base = str(settings.get("api_base") or _ROOT).rstrip("/")
    return f"{base.removesuffix('/ai/run')}/ai/v1" if base.endswith("/ai/run") else base


def _models_url(deployment: Deployment) -> str:
    """Return where the account's models are; raises GateError if no account is named."""
    base = deployment.api_base
    if not base.endswith("/client/v4"):
        return base
    account = deployment.settings.get("account_id")
    if not account:
        raise errors.GateError(
            "Cloudflare needs account_id: set it in litellm_params, or"
            f" {_ACCOUNT_ENV[0]} in the environment.",
            code="missing_provider_setting",
        )
    return f"{base}/accounts/{quote(str(account), safe='')}/ai/v1"


def _build(name: str) -> Build:
    """Return the function that builds calls of the operation called *name*."""

    def call(body: Body, deployment: Deployment) -> Call:
        if name == "embeddings":
            body = openai_embeddings.in_text(body)
        return call_to(f"{_models_url(deployment)}{openai_wire.path(name)}", name, body, deployment)

    return call


_FAILURES: Mapping[Any, Failure] = {
    3036: Failure("", "insufficient_quota", "insufficient_quota"),
    3040: Failure("", "rate_limit_error", "overloaded"),
    3042: Failure("", "invalid_request_error", "model_not_found", "model", status=404),
    5007: Failure("", "invalid_request_error", "model_not_found", "model", status=404),
    10000: Failure("", "authentication_error", "invalid_api_key"),
}
"""What some of Cloudflare's codes mean; where the status would mislead, the one that would not."""


def failure(body: Any) -> Failure:
    """Return the failure for an error *body*: Cloudflare's envelope, or OpenAI's shape."""
    listed = body.get("errors") if isinstance(body, dict) else None
    if not (isinstance(listed, list) and listed and isinstance(listed[0], dict)):
        return openai_wire.failure(body)
    found = openai_wire.failure({"error": listed[0]})
    known = _FAILURES.get(listed[0].get("code"))
    return known._replace(message=found.message) if known else found


CLOUDFLARE = Provider(
    name="cloudflare",
    base_url=_base_url,
    authorize=credentials.bearer(_KEY_ENV),
    failure=failure,
    operations={
        "chat": operation("chat", _build("chat")),
        "embeddings": operation("embeddings", _build("embeddings")),
    },
    env={
        "api_key": _KEY_ENV,
        "api_base": ("CLOUDFLARE_API_BASE",),
        "account_id": _ACCOUNT_ENV,
    },
    required_settings=(("api_key", "account_id"),),
)
