"""Access tokens of Entra by azure-identity: client secrets, workload and managed identities.

Source: https://learn.microsoft.com/python/api/overview/azure/identity-readme
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.upstream.oauth import Access

_OF_USERS = ("azure_password", "azure_username")
OPTIONS = frozenset(
    {"client_secret", "azure_federated_token_file", "azure_managed_identity", *_OF_USERS}
)
"""The settings that azure-identity is needed for."""

_SCOPE = "https://cognitiveservices.azure.com/.default"
_IDENTITY = ("tenant_id", "client_id")


def check(given: Mapping[str, Any]) -> None:
    """Raise ValueError for settings *given* that cannot work."""
    if any(map(given.get, _OF_USERS)):
        raise ValueError(
            "users with passwords cannot log in here; register an application in Entra, and set"
            " tenant_id, client_id and client_secret"
        )
    if given.get("azure_managed_identity") and not given.get("client_secret"):
        return
    missing = [name for name in _IDENTITY if not given.get(name)]
    if missing:
        raise ValueError(f"needs {' and '.join(missing)} beside it; add what is missing")


def log_in(deployment: Deployment) -> Access:
    """Return an access token for *deployment*; raises GateError."""
    exceptions = importlib.import_module("azure.core.exceptions")
    try:
        with _credential(deployment.settings) as credential:
            token = credential.get_token(deployment.settings.get("azure_scope") or _SCOPE)
    except exceptions.ClientAuthenticationError as error:
        raise errors.UpstreamError(
            f"Entra refused the login of provider {deployment.provider}"
            f" ({type(error).__name__}). Check tenant_id, client_id and the secret or identity.",
            status=401,
            code="login_failed",
        ) from error
    except (exceptions.AzureError, OSError, ValueError) as error:
        raise errors.BadUpstream(
            f"The login of provider {deployment.provider} to Entra failed"
            f" ({type(error).__name__}). Check AZURE_AUTHORITY_HOST and the network."
        ) from error
    return Access({"azure_ad_token": token.token}, token.expires_on - time.time())


def _credential(settings: Mapping[str, Any]) -> Any:
    """Return azure-identity's credential for *settings*."""
    identity = importlib.import_module("azure.identity")
    tenant, client = settings.get("tenant_id"), settings.get("client_id")
    # other clouds and private ones are not known to Microsoft's discovery of authorities
    own = {"disable_instance_discovery": bool(os.environ.get("AZURE_AUTHORITY_HOST"))}
    if settings.get("client_secret"):
        return identity.ClientSecretCredential(tenant, client, settings["client_secret"], **own)
    file = settings.get("azure_federated_token_file")
    if file:
        return identity.WorkloadIdentityCredential(
            tenant_id=tenant, client_id=client, token_file_path=file, **own
        )
    return identity.ManagedIdentityCredential(client_id=client)
