"""What AWS's services have in common: regions, keys, signatures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Login
from llmgate.providers import aws_sigv4

DEFAULT_REGION = "us-west-2"
"""The default region, as LiteLLM's."""

ENV: Mapping[str, tuple[str, ...]] = {
    "aws_access_key_id": ("AWS_ACCESS_KEY_ID",),
    "aws_secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
    "aws_session_token": ("AWS_SESSION_TOKEN",),
    "aws_region_name": ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
}
"""Each setting and the variables of its default."""

PAIR = ("aws_access_key_id", "aws_secret_access_key")
ADDRESSES = frozenset({"aws_sts_endpoint"})
"""The settings that are addresses."""

KEYS = frozenset((*PAIR, "aws_session_token"))
"""The credentials of a signature; parts of different sets cannot be combined."""

SETTINGS = frozenset(ENV) | frozenset(
    """model_id aws_role_name aws_session_name aws_profile_name aws_web_identity_token
    aws_sts_endpoint aws_external_id aws_session_tags""".split()
)
"""Settings of every service."""

_LOGIN_SETTINGS = frozenset({"aws_role_name", "aws_profile_name"})

_REGION = r"[a-z]{2,3}(?:-[a-z]+)+-\d+"
_IN_HOST = re.compile(
    rf"\.({_REGION})\.(?:amazonaws\.com|api\.aws|api\.amazonwebservices\.com\.cn)"
)
_AT_START = re.compile(rf"({_REGION})/")


def region(settings: Mapping[str, Any]) -> str:
    """Return the region that *settings* name."""
    return str(settings.get("aws_region_name") or DEFAULT_REGION)


def region_of(model: str) -> str | None:
    """Return the region that a *model* such as us-east-1/<id> begins with."""
    found = _AT_START.match(model)
    return found[1] if found else None


def address(service: str, region: str) -> str:
    """Return where *service* is in *region*."""
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"https://{service}.{region}.amazonaws.com{suffix}"


def _needs_login(deployment: Deployment) -> bool:
    """Return whether *deployment* has no keys yet; a client's never get the gateway's."""
    if deployment.api_key or deployment.has_client_key or deployment.origin == "client":
        return False
    settings = deployment.settings
    return bool(_LOGIN_SETTINGS & settings.keys()) or not all(map(settings.get, PAIR))


LOGIN = Login(_needs_login, library="aws")
"""By botocore, from the extra [aws]."""


def signed(call: Call, deployment: Deployment, service: str) -> Call:
    """Return *call* with the signature of the deployment's keys, for the region it goes to.

    Raises Unauthorized if there are no keys.
    """
    settings = deployment.settings
    access, secret = settings.get("aws_access_key_id"), settings.get("aws_secret_access_key")
    if not access or not secret:
        raise errors.Unauthorized(
            f"Missing AWS keys for provider {deployment.provider}: set AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY in the environment, or aws_access_key_id and"
            " aws_secret_access_key in litellm_params; for roles, profiles and instance metadata"
            " pip install 'llmgate[aws]'.",
            code="missing_provider_key",
        )
    keys = aws_sigv4.Keys(access, secret, settings.get("aws_session_token"))
    there = _IN_HOST.search(urlsplit(call.url).netloc)
    where = there[1] if there else region(settings)
    return aws_sigv4.signed(call, keys, where, service, datetime.now(UTC))
