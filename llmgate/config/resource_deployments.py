"""Deployments for requests without a model: files, batches, providers' own APIs.

The deployment comes from `files_settings` and its siblings, else from the model groups, else from
the keys in the environment.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate import providers
from llmgate.accounting import pricing
from llmgate.config import deployments
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Failure
from llmgate.contract import Provider
from llmgate.dialects.openai import wire as openai_wire
from llmgate.errors import ConfigError
from llmgate.routing.routes import Routes

SECTIONS = ("files_settings", "finetune_settings", "assistant_settings")
"""Sections of a configuration that say who keeps what."""

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Target(NamedTuple):
    """An operator's own pass-through: what is below *path* goes to *deployment*'s address."""

    path: str
    deployment: Deployment
    headers: Mapping[str, str]
    methods: tuple[str, ...]
    below: bool  # what is below the path goes there, too

    def __repr__(self) -> str:
        """Return it without its headers, which hold secrets."""
        return f"Target({self.path!r})"


class ResourceDeployments(NamedTuple):
    """Deployments beside the model groups."""

    environment: Mapping[str, Deployment] = {}  # by provider
    sections: Mapping[str, tuple[Deployment, ...]] = {}
    targets: tuple[Target, ...] = ()
    off: frozenset[str] = frozenset()  # prefixes that are not passed through

    def __repr__(self) -> str:
        """Return it without its secrets."""
        names = sorted(self.environment), sorted(self.sections)
        return f"ResourceDeployments({names}, {self.targets})"

    def every(self) -> Iterator[Deployment]:
        """Yield every deployment."""
        yield from self.environment.values()
        for found in self.sections.values():
            yield from found
        yield from (target.deployment for target in self.targets)


def load(value: Mapping[str, Any], context: deployments.Context) -> ResourceDeployments:
    """Return what the configuration *value* and the environment name; raises ConfigError."""
    general = value.get("general_settings") or {}
    off = general.get("disable_pass_through")
    sections = {name: tuple(_of_section(value.get(name), name, context)) for name in SECTIONS}
    return ResourceDeployments(
        dict(_of_environment(context)),
        {name: found for name, found in sections.items() if found},
        tuple(_targets(general.get("pass_through_endpoints") or ())),
        frozenset(off if isinstance(off, list) else ["*"] if off else []),
    )


def _of_environment(context: deployments.Context) -> Iterator[tuple[str, Deployment]]:
    """Yield a deployment of each provider that the environment has keys for."""
    for provider in providers.PROVIDERS.values():
        if deployments.is_configured(provider, context.environ):
            with contextlib.suppress(ConfigError):  # it serves no model group: it can do no harm
                yield provider.name, deployments.wildcard(f"{provider.name}/*", None, context)


def _of_section(given: Any, name: str, context: deployments.Context) -> Iterator[Deployment]:
    """Yield the deployments in the section called *name*: a list, or one alone."""
    entries = [given] if isinstance(given, Mapping) else given or []
    for at, entry in enumerate(entries):
        params = {**entry, **(entry.get("litellm_params") or {})}
        params.pop("litellm_params", None)
        provider = params.pop("custom_llm_provider", None)
        if provider not in providers.PROVIDERS:
            raise ConfigError(
                f"{name}[{at}].custom_llm_provider: unknown provider '{provider}'; known are"
                f" {', '.join(sorted(providers.PROVIDERS))}"
            )
        try:
            made = deployments.wildcard(f"{provider}/*", params, context)
        except ConfigError as error:
            raise ConfigError(f"{name}[{at}].{error}") from None
        yield made._replace(group=name, id=f"{name}-{at}-{made.id}")


def _targets(given: Iterable[Mapping[str, Any]]) -> Iterator[Target]:
    """Yield the pass-throughs in *given*; raises ConfigError."""
    for at, entry in enumerate(given):
        where = f"general_settings.pass_through_endpoints[{at}]"
        path, target = str(entry["path"]).rstrip("/"), str(entry["target"]).rstrip("/")
        if not _PATH.fullmatch(path) or not all(step.strip(".") for step in path[1:].split("/")):
            raise ConfigError(f"{where}.path: must be a path such as /search")
        if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", target):
            raise ConfigError(f"{where}.target: must begin with http:// or https://, and no query")
        headers = {str(name): str(text) for name, text in (entry.get("headers") or {}).items()}
        deployment = Deployment(
            group=path,
            provider=PASS_THROUGH,
            model=path,
            api_base=target,
            id=f"pass-through-{at}",
            settings={"auth": headers},  # by this name they are known for secrets
            prices={},
        )
        methods = tuple(method.upper() for method in entry.get("methods") or ())
        yield Target(path, deployment, headers, methods, bool(entry.get("include_subpath")))


PASS_THROUGH = "pass_through"


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the operator's headers, which take precedence over the client's."""
    own = deployment.settings["auth"]
    names = {name.lower() for name in own}
    kept = {name: value for name, value in call.headers.items() if name.lower() not in names}
    return call._replace(headers={**kept, **own})


def _failure(body: Any) -> Failure:
    """Return the failure in the error *body*, if it has OpenAI's shape."""
    return openai_wire.failure(body) if isinstance(body, dict) else Failure("")


OPERATORS = Provider(
    name=PASS_THROUGH,
    base_url=lambda settings: "",
    authorize=_authorize,
    failure=_failure,
    operations={},
)
"""The provider of an operator's own pass-through paths."""


def of(
    provider: str, routes: Routes, known: ResourceDeployments, model: str | None = None
) -> tuple[Deployment, ...]:
    """Return the deployments of *provider*, alike in address and key; empty if there is none.

    Those of *model*, the provider's own name, come first.
    """
    ours = [d for found in routes.groups.values() for d in found if d.provider == provider]
    serving = [d for d in ours if model and d.model == model]
    found = serving or ours or [d for d in known.environment.values() if d.provider == provider]
    if not found:
        return ()
    first = found[0]
    alike = found if serving else [first]
    return tuple({(d.api_base, d.api_key): named(d, model or provider) for d in alike}.values())


def named(deployment: Deployment, model: str) -> Deployment:
    """Return *deployment* for the provider's own *model*, at the prices of that."""
    if deployment.model == model:
        return deployment
    prices = pricing.prices(deployment.provider, model)
    return deployment._replace(group=model, model=model, prices=prices)


def missing(provider: str) -> errors.NotFound:
    """Return the error for a *provider* that nothing is configured for."""
    known = providers.PROVIDERS.get(provider)
    names = " or ".join(known.env.get("api_key", ())) if known else ""
    remedy = f" or set {names} where llmgate runs" if names else ""
    return errors.NotFound(
        f"No deployment of provider {provider[:80]} is configured here: its operator can add one"
        f" to model_list{remedy}.",
        code="provider_not_configured",
    )
