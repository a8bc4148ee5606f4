"""Credentials in a request: the client's own key; addresses and settings where that is allowed.

They are used for that request alone, and no key of ours is sent to a host that a client names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Provider
from llmgate.trust import address_guard

SETTINGS = frozenset(
    """api_version vertex_project vertex_location vertex_credentials vertex_access_token
    aws_access_key_id aws_secret_access_key aws_session_token aws_region_name
    azure_ad_token""".split()
)
"""Settings of providers that a client may send, where it is allowed."""

NEVER = frozenset(
    """model_list aws_sts_endpoint aws_role_name aws_web_identity_token aws_profile_name
    aws_session_name aws_external_id aws_session_tags aws_bedrock_runtime_endpoint
    aws_bedrock_control_plane_endpoint sagemaker_base_url s3_endpoint_url tenant_id client_id
    client_secret azure_username azure_password azure_scope vertex_ai_credentials watsonx_iam_url
    azure_federated_token_file azure_managed_identity ssl_verify ssl_certificate
    client_certificate""".split()
)
"""Settings that no client may send."""

SECRETS = SETTINGS | NEVER | {"api_key", "user_config", "fallbacks", "api_base", "base_url"}
"""Members of a body that are never logged."""

_ADDRESSES = ("api_base", "base_url")
_CREDENTIALS = SETTINGS | {"api_key", *_ADDRESSES}
_KEY = re.compile(r"[\x21-\x7e]*")
_REFERENCE = re.compile(r"\s*(os\.environ/|oidc/)", re.I)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # of what becomes part of a host
_IN_HOSTS = ("aws_region_name", "vertex_location")
_FOR_THE_MODEL = frozenset("messages prompt input instructions system suffix prediction".split())


class Allowed(NamedTuple):
    """What the operator lets clients send for any deployment."""

    everything: bool = False  # allow_client_side_credentials
    private: bool = False  # addresses that are not public


def check(body: Body) -> None:
    """Raise Forbidden or InvalidRequest if *body* has members that no client may send."""
    for name in NEVER & body.keys():
        if body[name] is not None:
            raise not_allowed(name)
    for name, value in body.items():
        if name not in _FOR_THE_MODEL and any(map(_REFERENCE.match, _texts(value))):
            raise errors.InvalidRequest(
                f"'{name}' refers to a variable (os.environ/, oidc/): only the operator's"
                " configuration may. Send the value itself.",
                param=name,
            )
    check_key(body.get("api_key"), "api_key")


def check_key(key: Any, path: str) -> None:
    """Raise InvalidRequest if *key*, at *path*, is not a possible key."""
    if key is not None and (not isinstance(key, str) or not _KEY.fullmatch(key)):
        raise errors.InvalidRequest(
            f"'{path}' must be the key itself, in ASCII and without spaces.", param=path
        )


def not_allowed(name: str) -> errors.Forbidden:
    """Return the error for a client that sends *name*."""
    return errors.Forbidden(
        f"'{name}' in a request is not allowed here: this gateway sends requests only to the"
        " upstreams of its own configuration. Remove it, or ask the operator to add the"
        " upstream to model_list, to list the name in configurable_clientside_auth_params there,"
        " or to set general_settings.allow_client_side_credentials.",
        param=name,
        code="client_address_not_allowed",
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in *value*, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def has_credentials(body: Body) -> bool:
    """Return whether *body* has its own key, address or settings."""
    return not _CREDENTIALS.isdisjoint(body) and any(body.get(name) for name in _CREDENTIALS)


def applied(deployment: Deployment, body: Body, provider: Provider, allowed: Allowed) -> Deployment:
    """Return *deployment* with the credentials of *body*, for this request alone.

    Raises Forbidden for those that this deployment does not accept from clients.
    """
    for name in provider.address_settings & body.keys():
        if body[name] is not None:
            raise not_allowed(name)
    if deployment.has_client_key or not has_credentials(body):
        return deployment
    given = {name: body[name] for name in SETTINGS if body.get(name) is not None}
    address = next((name for name in _ADDRESSES if body.get(name)), None)
    for setting in given:
        if setting != "api_version" and not _permits(deployment, setting, None, allowed):
            raise not_allowed(setting)
        _check_setting(setting, given[setting])
    if address is not None:
        return _elsewhere(deployment, body, provider, address, allowed)
    key = body.get("api_key") or None
    settings = {**deployment.settings}
    if key or provider.exclusive_settings & given.keys():  # none of ours beside the client's own
        settings = {k: v for k, v in settings.items() if k not in _ours(provider)}
        deployment = deployment._replace(api_key=key, has_client_key=True)
    return _moved(deployment, provider, {**settings, **given})


def _ours(provider: Provider) -> frozenset[str]:
    """Return the names of settings that identify the account."""
    return provider.exclusive_settings | {"organization", "project"}


def _moved(deployment: Deployment, provider: Provider, settings: dict[str, Any]) -> Deployment:
    """Return *deployment* with *settings*, and with the base URL if it follows from them."""
    version = settings.pop("api_version", None) or deployment.api_version
    follows = deployment.api_base == provider.base_url(deployment.settings).rstrip("/")
    base = provider.base_url(settings).rstrip("/") if follows else deployment.api_base
    return deployment._replace(settings=settings, api_base=base, api_version=version)


def _elsewhere(
    deployment: Deployment, body: Body, provider: Provider, name: str, allowed: Allowed
) -> Deployment:
    """Return *deployment* at the client's address, with none of our settings but drops."""
    if not _names(deployment, allowed):
        raise not_allowed(name)
    where = address_guard.parse(body[name], name, allowed.private)
    if not _permits(deployment, name, where, allowed):
        raise not_allowed(name)
    given = {key: body[key] for key in SETTINGS if body.get(key) is not None}
    key = body.get("api_key") or None
    if not key and not provider.exclusive_settings & given.keys():
        raise errors.InvalidRequest(
            f"'{name}' needs an 'api_key' of your own beside it: no key of this gateway is sent to"
            " an address that a client names.",
            param="api_key",
            code="missing_api_key",
        )
    kept = ("additional_drop_params", "allowed_openai_params")
    settings = {k: deployment.settings[k] for k in kept if k in deployment.settings}
    version = given.pop("api_version", None)
    settings |= given
    return deployment._replace(
        api_base=provider.base_url({**settings, "api_base": where.url}).rstrip("/"),
        api_key=key,
        api_version=version,
        settings=settings,
        defaults={},
        tls=None,
        has_client_key=True,
        has_client_address=True,
    )


def _names(deployment: Deployment, allowed: Allowed) -> bool:
    """Return whether clients may send an address for *deployment*."""
    listed = deployment.routing.client_settings
    return allowed.everything or any(n in entry for entry in listed for n in _ADDRESSES)


def _permits(
    deployment: Deployment, name: str, where: address_guard.Address | None, allowed: Allowed
) -> bool:
    """Return whether clients may send *name* for *deployment*, an address *where*."""
    if allowed.everything:
        return True
    names = set(_ADDRESSES) if where else {name}
    for entry in deployment.routing.client_settings:
        if entry in names if isinstance(entry, str) else _fits(entry, names, where):
            return True
    return False


def _fits(entry: Any, names: set[str], where: address_guard.Address | None) -> bool:
    """Return whether one of the patterns in *entry* is for *names* and allows *where*."""
    found = (str(entry[name]) for name in names if isinstance(entry, Mapping) and name in entry)
    return where is not None and any(address_guard.pattern(text).matches(where) for text in found)


def check_patterns(entries: Sequence[Any]) -> None:
    """Raise ValueError for an invalid entry of configurable_clientside_auth_params."""
    for entry in entries:
        patterns = entry.items() if isinstance(entry, Mapping) else ()
        for name, text in patterns:
            if name not in ("api_base", "base_url"):
                raise ValueError(f"only api_base takes a pattern; write '{name}' alone")
            address_guard.pattern(str(text))
        known = SETTINGS | {"api_base", "base_url", "api_key"}
        if isinstance(entry, str) and entry not in known:
            raise ValueError(
                f"clients cannot send '{entry}'; they can send {', '.join(sorted(known))}"
            )


def _check_setting(name: str, value: Any) -> None:
    """Raise InvalidRequest for a *value* that could be more than the setting called *name*."""
    if name == "vertex_credentials":
        good = isinstance(value, Mapping) or (isinstance(value, str) and value.lstrip()[:1] == "{")
    else:
        good = isinstance(value, str) and bool(_KEY.fullmatch(value))
    if good and name in _IN_HOSTS:
        good = bool(_NAME.fullmatch(value))
    if not good:
        raise errors.InvalidRequest(
            f"Invalid value for '{name}'.", param=name, code="invalid_value"
        )


def check_settings(given: Mapping[str, Any]) -> None:
    """Raise Forbidden or InvalidRequest for settings in *given* that a client may not send."""
    for name, value in given.items():
        if value is not None and name in NEVER:
            raise not_allowed(name)
        if value is not None and name in SETTINGS:
            _check_setting(name, value)


def pin(deployment: Deployment, url: str, allowed: Allowed) -> str | None:
    """Return the address that a call to *url* must connect to, None if that is free."""
    if not deployment.has_client_address:
        return None
    return address_guard.pinned(url, allowed.private)
