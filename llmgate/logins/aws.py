"""Keys of AWS by botocore: profiles, SSO, roles, web identity (IRSA), ECS and instance metadata.

Only its chain of credentials and STS are used; requests are signed by us.
Source: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.upstream.oauth import Access

OPTIONS = frozenset(
    """aws_role_name aws_session_name aws_profile_name aws_web_identity_token aws_external_id
    aws_session_tags""".split()
)
"""The settings that botocore is needed for."""

_REGION = "us-west-2"
_SESSION_NAME = "llmgate"
_LIFETIME = 900.0  # seconds until keys without an end are read again
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_NETWORK_PROVIDERS = ("container-role", "iam-role")
_MACHINE = {
    Path("/sys/class/dmi/id/sys_vendor"): "Amazon EC2",
    Path("/sys/hypervisor/uuid"): "ec2",
}
"""How a machine of EC2 is recognized without the network, as AWS documents it."""


def check(given: Mapping[str, Any]) -> None:
    """Raise ValueError for settings *given* that cannot work."""
    token = given.get("aws_web_identity_token")
    if token and not given.get("aws_role_name"):
        raise ValueError("aws_web_identity_token needs aws_role_name beside it; add it")
    if str(token or "").startswith("oidc/"):
        raise ValueError("oidc/ is not supported; give the path of the token's file")


def completed(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings *given* with the region of their profile; raises ValueError."""
    exceptions = importlib.import_module("botocore.exceptions")
    try:
        region = _session(given).get_config_variable("region")
    except exceptions.BotoCoreError as error:  # an unknown profile, a file that is not valid
        raise ValueError(f"no AWS credentials: {error}") from None
    if given.get("aws_region_name") or not region:
        return given
    return {**given, "aws_region_name": region}


def finds_credentials(settings: Mapping[str, Any]) -> bool:
    """Return whether botocore's chain finds credentials, as far as it does without the network."""
    if any(os.environ.get(name) for name in _CONTAINER) or _is_on_ec2():
        return True
    exceptions = importlib.import_module("botocore.exceptions")
    try:
        resolver = _session(settings).get_component("credential_provider")
        for name in _NETWORK_PROVIDERS:
            resolver.remove(name)
        return resolver.load_credentials() is not None
    except exceptions.BotoCoreError:
        return True  # the login reports what is wrong


def _is_on_ec2() -> bool:
    """Return whether instance metadata can be expected."""
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return True
    for path, begin in _MACHINE.items():
        try:
            if path.read_text(encoding="ascii").startswith(begin):
                return True
        except (OSError, ValueError):
            continue
    return False


def log_in(deployment: Deployment) -> Access:
    """Return keys for *deployment*; raises GateError."""
    exceptions = importlib.import_module("botocore.exceptions")
    parsers = importlib.import_module("botocore.parsers")
    try:
        return _access(deployment.settings)
    except exceptions.NoCredentialsError as error:
        raise _without_keys(deployment) from error
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))[:80]
        raise errors.UpstreamError(
            f"AWS refused the login of provider {deployment.provider} ({code}). Check the role and"
            " its trust policy in the configuration.",
            status=401,
            code="login_failed",
        ) from error
    except (exceptions.BotoCoreError, parsers.ResponseParserError, OSError, ValueError) as error:
        raise errors.BadUpstream(
            f"The login of provider {deployment.provider} to AWS failed"
            f" ({type(error).__name__}). Check profile, role and network."
        ) from error


def _without_keys(deployment: Deployment) -> errors.Unauthorized:
    """Return the error for a chain that ends without credentials."""
    return errors.Unauthorized(
        f"Missing AWS keys for provider {deployment.provider}: neither the environment, nor the"
        " AWS profile, nor the machine's role has any.",
        code="missing_provider_key",
    )


def _session(settings: Mapping[str, Any]) -> Any:
    """Return botocore's session for the profile of *settings*, else for their keys."""
    session = importlib.import_module("botocore.session").Session(
        profile=settings.get("aws_profile_name")
    )
    key, secret = settings.get("aws_access_key_id"), settings.get("aws_secret_access_key")
    if key and secret and not settings.get("aws_profile_name"):
        session.set_credentials(key, secret, settings.get("aws_session_token"))
    return session


def _access(settings: Mapping[str, Any]) -> Access:
    """Return the keys of a role, if *settings* name one, else those of the chain."""
    session = _session(settings)
    if settings.get("aws_role_name"):
        return _of_role(session, settings)
    found = session.get_credentials()
    if found is None:
        raise importlib.import_module("botocore.exceptions").NoCredentialsError
    keys = found.get_frozen_credentials()
    expires = getattr(found, "_expiry_time", None)
    seconds = _seconds_until(expires) if expires else _LIFETIME
    return _as_settings(keys.access_key, keys.secret_key, keys.token, seconds)


def _of_role(session: Any, settings: Mapping[str, Any]) -> Access:
    """Return the keys that STS gives for the role."""
    token, botocore = settings.get("aws_web_identity_token"), importlib.import_module("botocore")
    options = {
        "connect_timeout": 5,
        "read_timeout": 20,
        "retries": {"total_max_attempts": 2},
        **({"signature_version": botocore.UNSIGNED} if token else {}),
    }
    sts = session.create_client(
        "sts",
        region_name=settings.get("aws_region_name") or _REGION,
        endpoint_url=settings.get("aws_sts_endpoint"),
        config=importlib.import_module("botocore.config").Config(**options),
    )
    role = {
        "RoleArn": settings["aws_role_name"],
        "RoleSessionName": settings.get("aws_session_name") or _SESSION_NAME,
    }
    if token:
        answer = sts.assume_role_with_web_identity(**role, WebIdentityToken=_token(token))
    else:
        names = {"ExternalId": "aws_external_id", "Tags": "aws_session_tags"}
        more = {key: settings[name] for key, name in names.items() if settings.get(name)}
        answer = sts.assume_role(**role, **more)
    made = answer["Credentials"]
    seconds = _seconds_until(made["Expiration"])
    return _as_settings(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], seconds)


def _token(given: str) -> str:
    """Return a web identity token: the content of its file, which is replaced now and then."""
    return given if given.startswith("eyJ") else Path(given).expanduser().read_text("ascii").strip()


def _seconds_until(moment: datetime) -> float:
    """Return the seconds until *moment*."""
    return (moment - datetime.now(UTC)).total_seconds()


def _as_settings(key: str, secret: str, token: str | None, seconds: float) -> Access:
    """Return keys as the settings of a deployment."""
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    return Access(dict(zip(names, (key, secret, token), strict=True)), seconds)
