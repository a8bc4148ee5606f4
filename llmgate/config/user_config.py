"""`user_config`: a client's own router, for one request.

It is data: nothing of the operator's deployments, keys or environment becomes part of it, nothing
of it is stored, and its addresses are checked by `trust.address_guard`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

from llmgate import errors
from llmgate import providers
from llmgate.config import deployments
from llmgate.config import router_settings
from llmgate.config.deployments import Context
from llmgate.config.deployments import Overrides
from llmgate.contract import Deployment
from llmgate.errors import ConfigError
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.schema import validation
from llmgate.trust import address_guard
from llmgate.trust import client_credentials
from llmgate.trust.client_credentials import Allowed

_LONGEST = 3600.0  # seconds that a client may ask for
_MOST_RETRIES = 10


class Router(NamedTuple):
    """What a client's request is sent on by."""

    routes: Routes
    rules: RouterSettings


def router(given: Any, allowed: Allowed) -> Router:
    """Return the router that *given*, a request's user_config, describes.

    Raises InvalidRequest for what is wrong with it, Forbidden for what is not *allowed*.
    """
    for path, message in validation.violations("user_config", given):
        raise _wrong(path, message)
    settings = router_settings.parse(given)
    policy = settings.policy._replace(retries=min(settings.policy.retries, _MOST_RETRIES))
    settings = settings._replace(policy=policy, timeout=min(settings.timeout, _LONGEST))
    for at, entry in enumerate(given["model_list"]):
        _check(entry["litellm_params"], f"model_list[{at}].litellm_params.", allowed)
    context = Context({}, Overrides(), settings.timeout)
    entries = [{**entry, "model_info": None} for entry in given["model_list"]]
    try:
        groups = deployments.groups(entries, context)
    except ConfigError as error:
        raise _wrong("model_list", str(error)) from None
    found = {
        name: tuple(_theirs(deployment, at, allowed) for at, deployment in enumerate(several))
        for name, several in groups.items()
    }
    aliases = router_settings.aliases(given.get("model_group_alias") or {})
    fallbacks = settings.fallbacks.with_aliases(aliases)
    return Router(Routes(found, aliases), settings._replace(fallbacks=fallbacks))


def _wrong(path: str, message: str) -> errors.InvalidRequest:
    where = f"user_config.{path}" if path else "user_config"
    return errors.InvalidRequest(f"{where}: {message}", param=where, code="invalid_user_config")


def _check(given: Mapping[str, Any], path: str, allowed: Allowed) -> None:
    """Raise Forbidden or InvalidRequest for litellm_params that a client may not send."""
    client_credentials.check_settings(given)
    client_credentials.check_key(given.get("api_key"), f"user_config.{path}api_key")
    if "*" in given["model"]:
        raise _wrong(f"{path}model", "must name one model, without a star.")
    for name in ("api_base", "base_url"):
        if given.get(name) is not None:
            address_guard.parse(given[name], f"user_config.{path}{name}", allowed.private)
            if not allowed.everything:
                raise client_credentials.not_allowed(name)


def _is_loopback(base: str) -> bool:
    """Return whether *base* is on the gateway's own machine, as a local server's default is."""
    return urlsplit(base).hostname in ("localhost", "127.0.0.1", "::1")


def _theirs(deployment: Deployment, at: int, allowed: Allowed) -> Deployment:
    """Return *deployment*, marked as a client's; raises InvalidRequest if it lacks a key."""
    provider = providers.serving(deployment)
    own = deployment.api_base == provider.base_url({}).rstrip("/")
    if own and not allowed.private and _is_loopback(deployment.api_base):
        raise client_credentials.not_allowed("api_base")
    needs_key = bool(provider.env.get("api_key") or provider.exclusive_settings)
    if needs_key and not (
        deployment.api_key or provider.exclusive_settings & deployment.settings.keys()
    ):
        raise _wrong(
            f"model_list ({deployment.group})",
            "lacks 'api_key': no key of this gateway is used for a user_config.",
        )
    return deployment._replace(
        id=f"user_config:{deployment.group}:{at}",
        origin="client",
        has_client_key=True,
        has_client_address=not own,
    )
