"""Which provider a deployment has, where it is, and the provider's own settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llmgate import logins
from llmgate import providers
from llmgate.accounting import pricing
from llmgate.config import addresses
from llmgate.config.file import references
from llmgate.contract import Provider
from llmgate.errors import ConfigError

_HTTP = re.compile(r"\s*https?://")

GENERAL = frozenset("extra_headers extra_body additional_drop_params allowed_openai_params".split())
"""litellm_params of every provider that shape a request: they are among its settings."""


def base_url(provider: Provider, settings: dict[str, Any], path: str) -> str:
    """Return where *provider* is, taking api_base out of its *settings*."""
    base = provider.base_url(settings).rstrip("/")
    given = settings.pop("api_base", None)
    names = " or ".join(provider.env.get("api_base", ()))
    if given and not given.startswith(("http://", "https://")):
        raise ConfigError(
            f"{path}api_base: must begin with http:// or https://, here and in {names}"
        )
    if base:
        return base
    raise ConfigError(
        f"{path}api_base: is missing, and provider {provider.name} has no address of its own; set"
        f" it, or the environment variable {names}"
    )


def provider_of(given: Mapping[str, Any], path: str) -> tuple[Provider, str]:
    """Return the provider that litellm_params name, and the model's name there."""
    model, named = str(given["model"]), given.get("custom_llm_provider")
    if named:
        if named not in providers.PROVIDERS:
            raise ConfigError(
                f"{path}custom_llm_provider: unknown provider '{named}'; known are"
                f" {', '.join(sorted(providers.PROVIDERS))}"
            )
        return providers.PROVIDERS[named], model.removeprefix(f"{named}/")
    try:
        name, model = providers.split(model, [key for key, value in given.items() if value])
    except LookupError as error:
        raise ConfigError(f"{path}model: {_advice(model) or error.args[0]}") from None
    return providers.PROVIDERS[name], model


_HOSTS = ("azure_ai",)  # of models of other makers, who are meant first


def _advice(model: str) -> str | None:
    """Return what to write for a bare *model* of one provider's price list, None if unknown."""
    if "/" in model or model in providers.PROVIDERS:
        return None
    every = providers.PROVIDERS
    found = [name for name in every if model in pricing.models(name)]
    found.sort(key=lambda name: name in _HOSTS)
    found = found or [name for name in every if name.partition("_")[0] == model.partition("-")[0]]
    return f"'{model}' names no provider; write {found[0]}/{model}" if found else None


def complete(
    provider: Provider, given: Mapping[str, Any], path: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the settings in *given*, completed from the provider's environment variables.

    *path* is what names them in messages, less the setting. Raises ConfigError.
    """
    references.check("base_url", given.get("base_url"), f"{path}base_url:")
    if given.get("base_url") and not given.get("api_base"):
        given = {**given, "api_base": given["base_url"]}
    own = {"api_key", "api_base", "api_version", *provider.env, *provider.settings, *GENERAL}
    settings = {key: value for key, value in given.items() if key in own and value is not None}
    for name in settings.keys() - GENERAL:
        references.check(name, settings[name], f"{path}{name}:")
    closed = (
        provider.exclusive_settings
        if provider.exclusive_settings & settings.keys()
        else frozenset()
    )
    for setting, names in provider.env.items():
        variable = next((name for name in names if environ.get(name)), None)
        if setting not in settings and setting not in closed and variable:
            references.check(setting, environ[variable], f"the environment variable {variable}")
            settings[setting] = environ[variable]
    for setting in provider.files & settings.keys():
        settings[setting] = _read(settings[setting], f"{path}{setting}")
    settings = dict(logins.completed(provider.login, settings, path))
    _clean_address(provider, settings, path)
    # a key out of a file often ends with a line break, which no header can carry
    return {key: v.strip() if isinstance(v, str) else v for key, v in settings.items()}


def _read(given: Any, place: str) -> Any:
    """Return *given*, at *place*, or the text of the file that it names; raises ConfigError."""
    if not isinstance(given, str) or given.lstrip().startswith("{"):
        return given
    try:
        return Path(given.strip()).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"{place}: the file that it names cannot be read: {why}; give the path of a key file,"
            " or its JSON"
        ) from None


def _clean_address(provider: Provider, settings: dict[str, Any], path: str) -> None:
    """Take out of the address in *settings* what llmgate adds itself; raises ConfigError."""
    versioned = "api_version" in provider.env
    if isinstance(settings.get("api_version"), str):
        settings["api_version"] = addresses.api_version(settings["api_version"])
    if not isinstance(settings.get("api_base"), str) or not _HTTP.match(settings["api_base"]):
        return
    default = urlsplit(provider.base_url({"api_base": "http://host"})).path
    found = addresses.cleaned(settings["api_base"], f"{path}api_base", default, versioned)
    settings["api_base"] = found.base
    if found.api_version:
        settings["api_version"] = found.api_version
