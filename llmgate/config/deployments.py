"""Deployments from `model_list`, the command line and the environment."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import providers
from llmgate.accounting import pricing
from llmgate.config import audit
from llmgate.config import network_settings
from llmgate.config import provider_settings
from llmgate.config import router_settings
from llmgate.config.file.problems import Problems
from llmgate.contract import Deployment
from llmgate.contract import Provider
from llmgate.contract import RoutingOptions
from llmgate.errors import ConfigError
from llmgate.routing.routes import Routes
from llmgate.schema import parameters
from llmgate.trust import redaction

Groups = dict[str, tuple[Deployment, ...]]
"""Model groups by name."""


class Overrides(NamedTuple):
    """The options of the command line that apply to deployments."""

    model: str | None = None
    api_base: str | None = None
    drop_params: bool = False
    temperature: float | None = None
    max_tokens: int | None = None


class Context(NamedTuple):
    """What the reading of one configuration needs everywhere."""

    environ: Mapping[str, str]
    overrides: Overrides
    timeout: float = 600.0
    drop_params: bool = False
    problems: Problems | None = None  # None: the first error is raised

    def __repr__(self) -> str:
        """Return it without the environment, which holds secrets."""
        return f"Context(timeout={self.timeout}, drop_params={self.drop_params})"


def groups(model_list: Iterable[Mapping[str, Any]], context: Context) -> Groups:
    """Return the model groups of *model_list*; a model `*` adds groups and replaces none."""
    found: Groups = {}
    added: Groups = {}
    for at, entry in enumerate(model_list):
        path = f"model_list[{at}].litellm_params."
        given = entry["litellm_params"]
        with context.problems.collect() if context.problems else contextlib.nullcontext():
            if given["model"] == "*" and not given.get("custom_llm_provider"):
                added |= _catch_all(entry, path, context)
            else:
                made = _deployment(entry, at, path, context)
                found[made.group] = (*found.get(made.group, ()), made)
    return {**added, **found}


def _catch_all(entry: Mapping[str, Any], path: str, context: Context) -> Groups:
    """Return the groups of a model `*`: whatever the environment has keys for."""
    given = entry["litellm_params"]
    for name in ("api_key", "api_base", "base_url"):
        if given.get(name):
            raise ConfigError(
                f"{path}{name}: belongs to one provider, and model '*' stands for all; name one,"
                " as in openai/*"
            )
    _check_star(entry, path)
    found = from_environment(context, given)
    return {entry["model_name"]: found.pop("*"), **found}


def from_environment(context: Context, given: Mapping[str, Any] | None = None) -> Groups:
    """Return a wildcard group for each provider with a key or an address in the environment.

    The first of them, OpenAI before others, serves bare names as well; without any it is echo.
    *given* are litellm_params for all of them.
    """
    found: Groups = {}
    for provider in providers.PROVIDERS.values():
        if is_configured(provider, context.environ):
            found[f"{provider.name}/*"] = (wildcard(f"{provider.name}/*", given, context),)
    if not found:
        return {"*": (wildcard("echo/echo", given, context)._replace(group="*"),)}
    first = next(iter(found.values()))[0]
    return {**found, "*": (first._replace(group="*"),)}


def wildcard(model: str, given: Mapping[str, Any] | None, context: Context) -> Deployment:
    """Return the deployment of a *model* string that the environment and *given* describe."""
    entry = {"model_name": model, "litellm_params": {**(given or {}), "model": model}}
    return _deployment(entry, 0, "", context)


def is_configured(provider: Provider, environ: Mapping[str, str]) -> bool:
    """Return whether the environment has what *provider* cannot do without."""

    def is_set(setting: str) -> bool:
        return any(environ.get(name) for name in provider.env.get(setting, ()))

    base = is_set("api_base")
    keys = any(all(map(is_set, settings)) for settings in provider.required_settings)
    return (keys or base) if provider.base_url({}) else base


def forced(routes: Routes, model: str, path: str, context: Context) -> Routes:
    """Return *routes* with every request served by *model*: a group, or a model string.

    *path* is what names a parameter of it in messages, less the parameter.
    """
    if "*" in model:
        raise ConfigError(f"{path}model: '{model}' contains '*'; name one model")
    if model in routes.groups or model in routes.aliases:
        return routes._replace(forced=model)
    params_of = {"model": model}
    if context.overrides.api_base:
        params_of["api_base"] = context.overrides.api_base
        try:
            providers.split(model)
        except LookupError:
            params_of["custom_llm_provider"] = "custom_openai"
    entry = {"model_name": model, "litellm_params": params_of}
    found = _deployment(entry, 0, path, context)
    return routes._replace(groups={**routes.groups, model: (found,)}, forced=model)


_FIELDS = frozenset(
    """model api_key api_base base_url api_version timeout weight drop_params
    custom_llm_provider""".split()
)


def _deployment(entry: Mapping[str, Any], at: int, path: str, context: Context) -> Deployment:
    """Return the deployment that one *entry* of model_list describes.

    *path* is what names its parameters in messages, less the parameter.
    """
    limits = {name: entry[name] for name in ("rpm", "tpm") if entry.get(name) is not None}
    given, info = {**limits, **entry["litellm_params"]}, entry.get("model_info") or {}
    _check_star(entry, path)
    provider, model = provider_settings.provider_of(given, path)
    if providers.has_responses_route(given["model"]):
        info = {**info, "mode": "responses"}
    settings = provider_settings.complete(provider, given, path, context.environ)
    base = provider_settings.base_url(provider, settings, path)
    identity = f"{at}:{entry['model_name']}:{provider.name}/{model}@{base}"
    made = Deployment(
        group=entry["model_name"],
        provider=provider.name,
        model=model,
        api_base=base,
        id=str(info.get("id") or hashlib.sha256(identity.encode()).hexdigest()[:16]),
        api_key=settings.pop("api_key", None),
        api_version=settings.pop("api_version", None),
        timeout=float(given.get("timeout") or context.timeout),
        drop_params=_drops(given, context),
        weight=_weight(given),
        settings=settings,
        defaults=_defaults(provider, given, context.overrides),
        prices=_prices(provider, model, given, info),
        info=info,
        routing=_routing_options(given),
        tls=network_settings.tls(given, path) if context.problems is not None else None,
    )
    made = made._replace(has_key=audit.missing_key(made) is None)
    if context.problems is not None and path:
        audit.keys(at, made, context.problems)
    return made


def _routing_options(given: Mapping[str, Any]) -> RoutingOptions:
    """Return the options in litellm_params that the router reads."""

    def number(*names: str) -> int | None:
        found = (given[name] for name in names if given.get(name) is not None)
        return next(map(int, found), None)

    order, cooldown = given.get("order"), given.get("cooldown_time")
    return RoutingOptions(
        rpm=number("rpm"),
        tpm=number("tpm"),
        max_parallel_requests=number("max_parallel_requests"),
        order=None if order is None else float(order),
        tags=tuple(given.get("tags") or ()),
        cooldown_time=None if cooldown is None else float(cooldown),
        retries=number("num_retries", "max_retries"),
        retries_by_kind=router_settings.retries_by_kind(given.get("retry_policy")),
        stream_timeout=given.get("stream_timeout") or None,
        client_settings=tuple(given.get("configurable_clientside_auth_params") or ()),
    )


def _check_star(entry: Mapping[str, Any], path: str) -> None:
    """Raise ConfigError if the model of *entry* has a star that its group leaves open."""
    model, group = entry["litellm_params"]["model"], entry["model_name"]
    if "*" in model and "*" not in group:
        raise ConfigError(
            f"{path}model: '{model}' contains '*' but model_name '{group}' has none; put"
            " one into model_name as well, or name one model"
        )
    if model.count("*") not in (0, group.count("*")):
        raise ConfigError(
            f"{path}model: '{model}' must contain as many '*' as model_name '{group}', or none"
        )


def _drops(given: Mapping[str, Any], context: Context) -> bool:
    """Return whether parameters are dropped: the command line, the deployment, the settings say."""
    own = given.get("drop_params")
    return context.overrides.drop_params or bool(context.drop_params if own is None else own)


def _weight(given: Mapping[str, Any]) -> float:
    """Return the share of its group's requests that a deployment gets; 0 means none."""
    weight = given.get("weight")
    return float(weight if weight is not None else given.get("rpm") or given.get("tpm") or 1)


def _prices(
    provider: Provider, model: str, given: Mapping[str, Any], info: Mapping[str, Any]
) -> Mapping[str, float]:
    """Return the operator's own prices; those of the price list for what they leave open."""
    own = {
        key: float(value)
        for key, value in {**info, **given}.items()
        if "_cost" in key and isinstance(value, int | float)
    }
    if own.keys() >= {"input_cost_per_token", "output_cost_per_token"}:
        return own
    return {**pricing.prices(provider.name, str(info.get("base_model") or model)), **own}


def _defaults(provider: Provider, given: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return the body parameters in *given*, and those of the command line over them."""
    taken = {
        *_FIELDS,
        *provider_settings.GENERAL,
        *provider.env,
        *provider.settings,
        *network_settings.OPTIONS,
        *parameters.GATE_ONLY,
    }
    defaults = {
        key: value
        for key, value in given.items()
        if value is not None and key not in taken and "_cost" not in key
    }
    preset = {"temperature": overrides.temperature, "max_tokens": overrides.max_tokens}
    return {**defaults, **{key: value for key, value in preset.items() if value is not None}}


def secrets(routes: Routes) -> Iterator[str]:
    """Yield every secret that *routes* hold, to be kept out of logs."""
    for found in routes.groups.values():
        for deployment in found:
            yield from redaction.secrets_of(deployment)
