"""The operator's configuration: LiteLLM's YAML, the environment, the command line.

Everything that the rest of the gate knows of its surroundings comes from here, as arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.access import assembly
from llmgate.accounting import client_headers
from llmgate.config import access_settings
from llmgate.config import audit
from llmgate.config import deployments
from llmgate.config import network_settings
from llmgate.config import resource_deployments
from llmgate.config import router_settings
from llmgate.config.deployments import Overrides
from llmgate.config.file import reading
from llmgate.config.file import references
from llmgate.config.file import yaml_file
from llmgate.config.file import yaml_lines
from llmgate.config.file.problems import Problems
from llmgate.config.file.problems import key_path
from llmgate.errors import ConfigError
from llmgate.inbound import keepalive
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.trust import client_credentials
from llmgate.trust.network import Network

MEGABYTE = 1024 * 1024


class ModelLists(NamedTuple):
    """What GET /v1/models shows."""

    asks_upstreams: bool = False  # behind wildcards
    shows_prices: bool = False


class Settings(NamedTuple):
    """The whole configuration."""

    routes: Routes
    router: RouterSettings = RouterSettings()
    master_key: str | None = None
    max_body: int = 32 * MEGABYTE
    max_upload: int = 100 * MEGABYTE
    log_prompts: bool = False
    allowed: client_credentials.Allowed = client_credentials.Allowed()
    takes_tags: bool = True  # of clients
    models: ModelLists = ModelLists()
    user_headers: tuple[str, ...] = ()  # with the end user's id, as a WSGI environment has them
    state_path: str | None = None  # the file that workers share; `off`: none
    tracking: str | None = None  # the file that the engine's chats are kept in
    responses_store: tuple[int, int] | None = None  # seconds and bytes; None: none are stored
    beats: keepalive.Times = keepalive.Times()
    resource_deployments: resource_deployments.ResourceDeployments = (
        resource_deployments.ResourceDeployments()
    )
    access: assembly.Settings = assembly.Settings()
    web: network_settings.Web = network_settings.Web()
    network: Network = Network()
    dashboard: bool = True
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # warnings for `--check` alone

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

    LiteLLM's CONFIG_FILE_PATH stands in for *path*. Raises ConfigError with a line per problem.
    """
    overrides = overrides or Overrides()
    path = path or environ.get("CONFIG_FILE_PATH") or None
    environ, problems = dict(environ), Problems()
    if not path:
        found = _settings({}, environ, overrides, problems)
        if problems.errors:
            raise ConfigError("\n".join(problems.errors))
        return found._replace(warnings=tuple(problems.warnings))
    raw = yaml_file.read(Path(path))
    line_of = partial(yaml_lines.line_of, Path(path))
    try:
        value = reading.value_of(raw, environ, problems)
        settings = _settings(value, environ, overrides, problems)
        problems.raise_errors(path, line_of)
    except RecursionError:
        raise ConfigError(f"{path}: an alias in it contains itself; write it out") from None
    return settings._replace(
        warnings=tuple(f"{path}: {text}{line_of(key_path(text))}" for text in problems.warnings),
        notes=tuple(f"{path}: {text}" for text in problems.notes),
    )


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the section called *name*, empty if it is absent or null."""
    return value.get(name) or {}


_MASTER_KEYS = ("LLMGATE_MASTER_KEY", "LITELLM_MASTER_KEY")


def _master_key(
    general: Mapping[str, Any], environ: Mapping[str, str], problems: Problems
) -> str | None:
    """Return the key that clients have to send, None if none is set; raises ConfigError."""
    found = {"general_settings.master_key": general.get("master_key")}
    found |= {f"the environment variable {name}": environ.get(name) for name in _MASTER_KEYS}
    place, key = next(((place, key) for place, key in found.items() if key), ("", None))
    for name in _MASTER_KEYS:
        if environ.get(name) == "":
            problems.warn(f"the environment variable {name} is empty and is ignored")
    if key is None:
        return None
    references.check("master_key", key, f"{place}:")
    if key != key.strip() or not key.isprintable():
        raise ConfigError(
            f"{place}: it begins or ends with a space, or contains a line break or another"
            " character that headers cannot carry; remove that"
        )
    if key in _PUBLIC_KEYS:
        problems.warn(f"{place}: this key is in public examples; choose one of your own")
    return str(key)


_PUBLIC_KEYS = frozenset({"sk-1234", "sk-12345", "sk-123456", "changeme", "your-master-key"})


def _settings(
    value: Mapping[str, Any],
    environ: Mapping[str, str],
    overrides: Overrides,
    problems: Problems,
) -> Settings:
    """Return the settings in a whole, valid and resolved configuration."""
    litellm, general = _section(value, "litellm_settings"), _section(value, "general_settings")
    router, own = _section(value, "router_settings"), _section(value, "llmgate_settings")
    timeout = float(router.get("timeout") or litellm.get("request_timeout") or 600)
    drops = bool(litellm.get("drop_params"))
    context = deployments.Context(environ, overrides, timeout, drops, problems)
    routes = problems.attempt(lambda: _routes(value, context), Routes({}))
    parsed = problems.attempt(lambda: router_settings.parse(router, litellm, own), RouterSettings())
    audit.audit(value, routes, problems)
    size = own.get("max_body_mb") or general.get("max_request_size_mb") or 32
    return Settings(
        routes,
        router=_with_limits(parsed, routes, _stream_limit(own, environ, problems)),
        master_key=problems.attempt(lambda: _master_key(general, environ, problems), None),
        max_body=int(size * MEGABYTE),
        max_upload=int((own.get("max_upload_mb") or 100) * MEGABYTE),
        log_prompts=bool(own.get("log_prompts")),
        allowed=_allowed(general, own),
        models=ModelLists(
            bool(litellm.get("check_provider_endpoint")), bool(own.get("show_prices"))
        ),
        user_headers=_user_headers(general),
        takes_tags=not general.get("reject_clientside_metadata_tags"),
        state_path=own.get("state_path") or None,
        tracking=own.get("tracking") or None,
        responses_store=_responses_store(own.get("responses_store")),
        beats=_beats(own.get("heartbeat")),
        resource_deployments=_resource_deployments(value, context, problems),
        web=problems.attempt(lambda: network_settings.web(own, environ), network_settings.Web()),
        network=problems.attempt(lambda: network_settings.load(litellm, environ), Network()),
        access=problems.attempt(
            lambda: access_settings.load(litellm, general, own, environ), assembly.Settings()
        ),
        dashboard=own.get("dashboard") is not False,
    )


def _stream_limit(
    own: Mapping[str, Any], environ: Mapping[str, str], problems: Problems
) -> float | None:
    """Return the most seconds of a stream, None: no limit."""
    return problems.attempt(lambda: router_settings.stream_limit(own, environ), None)


def _with_limits(
    parsed: RouterSettings, routes: Routes, stream_seconds: float | None
) -> RouterSettings:
    """Return *parsed* with the limit of streams, and the fallbacks of groups for their aliases."""
    fallbacks = parsed.fallbacks.with_aliases(routes.aliases)
    return parsed._replace(fallbacks=fallbacks, stream_max_seconds=stream_seconds)


def _allowed(general: Mapping[str, Any], own: Mapping[str, Any]) -> client_credentials.Allowed:
    """Return what clients may send."""
    return client_credentials.Allowed(
        bool(general.get("allow_client_side_credentials")),
        bool(own.get("allow_private_addresses")),
    )


def _user_headers(general: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the headers that the operator names for an end user, as WSGI names them."""
    mapped = [
        str(each["header_name"])
        for each in general.get("user_header_mappings") or ()
        if each.get("litellm_user_role", "customer") == "customer"
    ]
    named = [*mapped, general.get("user_header_name")]
    return tuple(client_headers.environ_name(name) for name in named if name)


def _resource_deployments(
    value: Mapping[str, Any], context: deployments.Context, problems: Problems
) -> resource_deployments.ResourceDeployments:
    """Return the deployments beside the model groups, none if they have an error."""
    none = resource_deployments.ResourceDeployments()
    return problems.attempt(lambda: resource_deployments.load(value, context), none)


def _routes(value: Mapping[str, Any], context: deployments.Context) -> Routes:
    """Return the routes of *value*: if it has none, what the environment has keys for."""
    groups = deployments.groups(value.get("model_list") or (), context)
    _check_patterns(value.get("model_list") or ())
    named = _section(value, "router_settings").get("model_group_alias") or {}
    routes = Routes(
        groups, router_settings.aliases(named), hidden=router_settings.hidden_aliases(named)
    )
    own = _section(value, "general_settings").get("completion_model")
    if context.overrides.model:
        return deployments.forced(routes, context.overrides.model, "--", context)
    if own:
        return deployments.forced(routes, own, "general_settings.completion_model: ", context)
    if not groups and not value.get("model_list"):
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
        where = f"router_settings.model_group_alias.{alias}"
        if group in routes.aliases and group not in routes.groups:
            raise ConfigError(f"{where}: '{group}' is an alias itself; name its model group")
        try:
            routes.find(group)
        except errors.ModelNotFound as error:
            raise ConfigError(f"{where}: {error.message}") from None


def _responses_store(given: Mapping[str, Any] | bool | None) -> tuple[int, int] | None:
    """Return for how many seconds responses are stored, and how many bytes of them."""
    if given is None or given is False:
        return None
    limits = given if isinstance(given, Mapping) else {}
    hours, size = limits.get("ttl_hours"), limits.get("max_mb")
    return int((hours or 24) * 3600), int((size or 256) * MEGABYTE)


def _beats(given: Mapping[str, Any] | bool | None) -> keepalive.Times:
    """Return the times of keep-alives; false disables them."""
    if given is False:
        return keepalive.Times(0, 0, 0)
    named = given if isinstance(given, Mapping) else {}
    return keepalive.Times()._replace(**{k: float(v) for k, v in named.items() if v is not None})
