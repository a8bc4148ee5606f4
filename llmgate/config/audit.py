"""What is valid in a configuration and still cannot work: for warnings, before any request."""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate import logins
from llmgate import providers
from llmgate.config.file.problems import Problems
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.routing import retry_policy
from llmgate.routing.routes import Routes

_LISTS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_SECTIONS = ("router_settings", "litellm_settings")


def missing_key(deployment: Deployment) -> str | None:
    """Return the error of a call to *deployment* if it lacks a key or a login, else None.

    A call is authorized and not sent, so that whatever a provider accepts counts.
    """
    provider = providers.serving(deployment)
    call = Call("POST", deployment.api_base, {})
    try:
        login = provider.login if provider.login and provider.login.needed(deployment) else None
        if login and login.library:
            if logins.missing(login, deployment) is None:
                return None
        elif login and login.call:
            login.call(deployment)
            return None
        provider.authorize(call, deployment)
    except errors.Unauthorized as error:
        return error.message
    except errors.GateError:
        return None  # what is wrong with its credentials is not that they are missing
    return None


def audit(value: Mapping[str, Any], routes: Routes, problems: Problems) -> None:
    """Add warnings on deployments, names and policies of the configuration *value*."""
    deployments = [each for found in routes.groups.values() for each in found]
    _audit_ids(value, problems)
    _audit_names(value, routes, problems)
    _audit_policies(value, routes, problems)
    for deployment in deployments:
        _audit_prices(deployment, problems)


def keys(entry: int, deployment: Deployment, problems: Problems) -> None:
    """Add a warning if *deployment*, the *entry* of model_list, lacks a key."""
    path = f"model_list[{entry}].litellm_params.api_key"
    if not deployment.has_key and not problems.has_error(path):
        problems.warn(f"{path}: {deployment.group} has none: {missing_key(deployment)}")


def _audit_ids(value: Mapping[str, Any], problems: Problems) -> None:
    """Warn of ids that two deployments have."""
    entries = list(value.get("model_list") or ())
    ids = [str((entry.get("model_info") or {}).get("id") or "") for entry in entries]
    twice = {name for name, count in Counter(ids).items() if name and count > 1}
    for at, name in enumerate(ids):
        if name in twice and ids.index(name) != at:
            problems.warn(
                f"model_list[{at}].model_info.id: '{name}' is the id of"
                f" model_list[{ids.index(name)}] as well; they share cooldowns and limits"
            )


def _audit_names(value: Mapping[str, Any], routes: Routes, problems: Problems) -> None:
    """Warn of fallbacks from or to groups that do not exist."""
    for path, group, targets in _fallbacks(value):
        _audit_source(group, path, routes, problems)
        _audit_targets(targets, f"{path}.{group}", routes, problems)
    for section in _SECTIONS:
        given = value.get(section) or {}
        targets = given.get("default_fallbacks") or ()
        _audit_targets(targets, f"{section}.default_fallbacks", routes, problems)
        for group in given.get("model_group_retry_policy") or {}:
            _audit_source(group, f"{section}.model_group_retry_policy", routes, problems)


def _fallbacks(value: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the key path, the group and the targets of each fallback."""
    for section, name in itertools.product(_SECTIONS, _LISTS):
        for at, entry in enumerate((value.get(section) or {}).get(name) or ()):
            for group, targets in entry.items() if isinstance(entry, Mapping) else ():
                yield f"{section}.{name}[{at}]", str(group), targets


def _audit_source(group: str, path: str, routes: Routes, problems: Problems) -> None:
    """Warn if no request can be for *group*, a name or a pattern."""
    if group not in routes.groups and not _exists(group, routes):
        problems.warn(f"{path}: no request is for '{group}'{_near(group, routes)}")


def _audit_targets(targets: Any, path: str, routes: Routes, problems: Problems) -> None:
    """Warn of each of *targets* that is not a group."""
    names = [targets] if isinstance(targets, str) else targets
    for name in names if isinstance(names, Iterable) else ():
        if isinstance(name, str) and not _exists(name, routes):
            problems.warn(f"{path}: there is no model group '{name}'{_near(name, routes)}")


def _exists(name: str, routes: Routes) -> bool:
    """Return whether a request for *name* finds deployments."""
    if name == "*" or (routes.forced is None and name in routes.groups):
        return True
    try:
        routes._replace(forced=None).find(name)
    except errors.ModelNotFound:
        return False
    return True


def _near(name: str, routes: Routes) -> str:
    """Return the end of a sentence that names the group most like *name*."""
    near = difflib.get_close_matches(name, [*routes.groups, *routes.aliases], n=1)
    return f"; did you mean '{near[0]}'?" if near else "; add it to model_list, or remove it here"


def _audit_policies(value: Mapping[str, Any], routes: Routes, problems: Problems) -> None:
    """Warn of kinds of errors that do not exist, in every policy."""
    for path, policy, end in _policies(value):
        known = [f"{kind}{end}" for kind in retry_policy.KINDS]
        for name in policy:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
                hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
                problems.warn(f"{path}.{name}: unknown kind of error, ignored; {hint}")


def _policies(value: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield the key path of each policy, the policy, and how its names end."""
    router = value.get("router_settings") or {}
    yield "router_settings.retry_policy", router.get("retry_policy") or {}, "Retries"
    yield (
        "router_settings.allowed_fails_policy",
        router.get("allowed_fails_policy") or {},
        ("AllowedFails"),
    )
    for group, policy in (router.get("model_group_retry_policy") or {}).items():
        if isinstance(policy, Mapping):
            yield f"router_settings.model_group_retry_policy.{group}", policy, "Retries"
    for at, entry in enumerate(value.get("model_list") or ()):
        policy = entry["litellm_params"].get("retry_policy") or {}
        yield f"model_list[{at}].litellm_params.retry_policy", policy, "Retries"


def _audit_prices(deployment: Deployment, problems: Problems) -> None:
    """Note that the cost of *deployment*'s requests is unknown."""
    local = providers.PROVIDERS[deployment.provider].local_handler
    if not deployment.prices and "*" not in deployment.model and not local:
        problems.note(
            f"{deployment.group}: no price is known for {deployment.provider}/{deployment.model};"
            " its cost is not computed. Set model_info.base_model, or input_cost_per_token and"
            " output_cost_per_token"
        )
