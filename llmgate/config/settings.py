"""The operator's configuration: LiteLLM's YAML, the environment, the command line.

Everything that the rest of the gate knows of its surroundings comes from here, as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.access import assembly
from llmgate.config import access_settings
from llmgate.config import deployments
from llmgate.config import resource_deployments
from llmgate.config import router_settings
from llmgate.config import yaml_file
from llmgate.config.deployments import Overrides
from llmgate.errors import ConfigError
from llmgate.inbound import keepalive
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.schema import parameters
from llmgate.schema import validation
from llmgate.trust import client_credentials

MEGABYTE = 1024 * 1024
_ENVIRONMENT = "os.environ/"
_WITHIN = re.compile(r"os\.environ/(\w+)")
_HEADER = re.compile(r"general_settings\.pass_through_endpoints\[\d+\]\.headers\.")


class Settings(NamedTuple):
    """Everything that the gate is told at its start."""

    routes: Routes
    router: RouterSettings = RouterSettings()
    master_key: str | None = None
    max_body: int = 32 * MEGABYTE
    max_upload: int = 100 * MEGABYTE
    log_prompts: bool = False
    allowed: client_credentials.Allowed = client_credentials.Allowed()
    takes_tags: bool = True  # of clients
    state_path: str | None = None  # the file that workers share; `off`: none
    tracking: str | None = None  # the file that the engine's chats are kept in
    beats: keepalive.Times = keepalive.Times()
    resource_deployments: resource_deployments.ResourceDeployments = (
        resource_deployments.ResourceDeployments()
    )
    access: assembly.Settings = assembly.Settings()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return it without its secrets."""
        return f"Settings({len(self.routes.groups)} model groups)"

    @property
    def retries(self) -> int:
        """Return how often a failed attempt is repeated."""
        return self.router.policy.retries


def load(
    path: str | None, environ: Mapping[str, str], overrides: Overrides | None = None
) -> Settings:
    """Return the settings that the file at *path*, *environ* and *overrides* make together.

    Raises ConfigError.
    """
    overrides = overrides or Overrides()
    if not path:
        return _settings({}, environ, overrides)
    raw = yaml_file.read(Path(path))
    try:
        environ = {**environ, **_variables(raw, environ)}
        settings = _settings(_valid(raw, environ), environ, overrides)
    except RecursionError:
        raise ConfigError(f"{path}: an alias in it contains itself; write it out") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except errors.InvalidRequest as error:
        raise ConfigError(f"{path}: {error.message}") from None
    ignored = ", ".join(validation.unsupported(raw))
    warning = f"{path}: these keys have no effect in llmgate: {ignored}"
    return settings._replace(warnings=(warning,) if ignored else ())


def _variables(raw: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that *raw* sets; raises ConfigError if it is not valid."""
    _check(raw)
    given = _resolved(raw.get("environment_variables") or {}, environ, "environment_variables")
    return {name: str(value) for name, value in given.items()}


def _valid(raw: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return *raw* with the values that *environ* holds, less what has no effect.

    Raises ConfigError: what the environment holds may be as wrong as what the file says.
    """
    value: dict[str, Any] = validation.typed(_resolved(raw, environ, ""))
    _check(value)
    _check_keys(value, raw)
    for path in validation.unsupported(value):
        value = parameters.without(value, parameters.steps(path))
    return value


def _check(value: Mapping[str, Any]) -> None:
    """Raise ConfigError for the first thing that is wrong with *value*."""
    for place, message in validation.violations("config", value):
        raise ConfigError(f"{place or 'the file'}: {message}")
    for at, entry in enumerate(value.get("model_list") or ()):
        for name in map(str, entry["litellm_params"]):
            meant = parameters.misspelt(name)
            if meant:  # it would go upstream as a parameter, a secret in it too
                raise ConfigError(
                    f"model_list[{at}].litellm_params.{name}: is no option; did you mean"
                    f" '{meant}'? What shall go upstream by that name belongs into extra_body"
                )


def _check_keys(value: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    """Raise ConfigError for an api_key of *value* that is empty; *raw* says how it is written.

    A key that is left out is the provider's own variable; an empty one is a mistake in the making.
    """
    for at, entry in enumerate(value.get("model_list") or ()):
        key = entry["litellm_params"].get("api_key")
        if not isinstance(key, str) or key.strip():
            continue
        written = raw["model_list"][at]["litellm_params"]["api_key"]
        what = (
            "is empty; write the key or os.environ/NAME, or leave it out: then the provider's own"
        )
        what += " variable holds it, if it needs any"
        if written.startswith(_ENVIRONMENT):
            name = written.removeprefix(_ENVIRONMENT)
            what = f"the environment variable {name} is empty; set it"
        raise ConfigError(f"model_list[{at}].litellm_params.api_key: {what}")


def _resolved(value: Any, environ: Mapping[str, str], path: str) -> Any:
    """Return *value* with every `os.environ/NAME` replaced by the variable, and keys as text."""
    if isinstance(value, dict):
        dot = f"{path}." if path else ""
        return {str(key): _resolved(item, environ, f"{dot}{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, environ, f"{path}[{at}]") for at, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if _HEADER.match(path):
        return _WITHIN.sub(lambda found: _variable(found[1], environ, path), value)
    if value.startswith(_ENVIRONMENT):
        return _variable(value.removeprefix(_ENVIRONMENT), environ, path)
    return value


def _variable(name: str, environ: Mapping[str, str], path: str) -> str:
    """Return the variable called *name*, which *path* asks for; raises ConfigError without it."""
    if name not in environ:
        raise ConfigError(f"{path}: the environment variable {name} is not set; set it")
    return environ[name]


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the section called *name*, empty if it is absent or null."""
    return value.get(name) or {}


def _master_key(general: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """Return the key that clients have to send, None if none is set."""
    key = general.get("master_key") or environ.get("LLMGATE_MASTER_KEY") or None
    if key is not None and (key != key.strip() or not key.isprintable()):
        raise ConfigError(
            "general_settings.master_key (or LLMGATE_MASTER_KEY): it begins or ends with a space,"
            " or has a line break or another character that no header can hold; take that out"
        )
    return key


def _settings(
    value: Mapping[str, Any], environ: Mapping[str, str], overrides: Overrides
) -> Settings:
    """Return the settings in a whole, valid and resolved configuration."""
    litellm, general = _section(value, "litellm_settings"), _section(value, "general_settings")
    router, own = _section(value, "router_settings"), _section(value, "llmgate_settings")
    context = deployments.Context(
        environ,
        overrides,
        float(router.get("timeout") or litellm.get("request_timeout") or 600),
        bool(litellm.get("drop_params")),
    )
    size = own.get("max_body_mb") or general.get("max_request_size_mb") or 32
    return Settings(
        _routes(value, context),
        router=router_settings.parse(router, litellm, own),
        master_key=_master_key(general, environ),
        max_body=int(size * MEGABYTE),
        max_upload=int((own.get("max_upload_mb") or 100) * MEGABYTE),
        log_prompts=bool(own.get("log_prompts")),
        allowed=client_credentials.Allowed(
            bool(general.get("allow_client_side_credentials")),
            bool(own.get("allow_private_addresses")),
        ),
        takes_tags=not general.get("reject_clientside_metadata_tags"),
        state_path=own.get("state_path") or None,
        tracking=own.get("tracking") or None,
        beats=_beats(own.get("heartbeat")),
        resource_deployments=resource_deployments.load(value, context),
        access=access_settings.load(litellm, own, environ),
    )


def _routes(value: Mapping[str, Any], context: deployments.Context) -> Routes:
    """Return the routes of *value*: if it has none, what the environment has keys for."""
    groups = deployments.groups(value.get("model_list") or (), context)
    _check_patterns(value.get("model_list") or ())
    aliases = router_settings.aliases(
        _section(value, "router_settings").get("model_group_alias") or {}
    )
    routes = Routes(groups, aliases)
    own = _section(value, "general_settings").get("completion_model")
    if context.overrides.model:
        return deployments.forced(routes, context.overrides.model, "--", context)
    if own:
        return deployments.forced(routes, own, "general_settings.completion_model: ", context)
    if not groups:
        routes = routes._replace(groups=deployments.from_environment(context))
    _check_aliases(routes)
    return routes


def _check_patterns(model_list: Iterable[Mapping[str, Any]]) -> None:
    """Raise ConfigError for a configurable_clientside_auth_params that cannot be kept."""
    name = "configurable_clientside_auth_params"
    for at, entry in enumerate(model_list):
        try:
            client_credentials.check_patterns(entry["litellm_params"].get(name) or ())
        except ValueError as error:
            raise ConfigError(f"model_list[{at}].litellm_params.{name}: {error}") from None


def _check_aliases(routes: Routes) -> None:
    """Raise ConfigError for an alias of nothing."""
    for alias, group in routes.aliases.items():
        try:
            routes.find(group)
        except errors.ModelNotFound as error:
            where = f"router_settings.model_group_alias.{alias}"
            raise ConfigError(f"{where}: {error.message}") from None


def _beats(given: Mapping[str, Any] | bool | None) -> keepalive.Times:
    """Return when heartbeats come; false turns them off."""
    if given is False:
        return keepalive.Times(0, 0, 0)
    named = given if isinstance(given, Mapping) else {}
    return keepalive.Times()._replace(**{k: float(v) for k, v in named.items() if v is not None})
