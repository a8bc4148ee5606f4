"""`llmgate config explain MODEL` and `llmgate prices MODEL`; the probe of `llmgate --check`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NoReturn

import click

from llmgate import config
from llmgate import logins
from llmgate import providers
from llmgate.accounting import price_lines
from llmgate.accounting import pricing
from llmgate.config import explain
from llmgate.errors import ConfigError
from llmgate.errors import GateError
from llmgate.pipeline import model_listing
from llmgate.pipeline.shapes import Gate
from llmgate.routing.load_balancer import LoadBalancer
from llmgate.trust import redaction
from llmgate.upstream import oauth
from llmgate.upstream import session as http_session

NAMES = ("config", "prices")
"""The first words of these commands."""


def run(args: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Run the command that *args* are, and exit."""
    try:
        _commands.main(args, "llmgate", obj=environ)
    except ConfigError as error:
        _fail(str(error), 2)
    except GateError as error:
        _fail(error.message, 1)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    """Exit with *message*, each of its lines by itself."""
    for line in message.splitlines():
        click.echo(f"llmgate: {line}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def _commands() -> None:
    """Look into the configuration and the price list."""


_config = click.option("-c", "--config", "path", help="The configuration; also LLMGATE_CONFIG.")


def _settings(path: str | None) -> config.Settings:
    """Return the settings of the file at *path*, else of the environment."""
    environ: Mapping[str, str] = click.get_current_context().obj
    return config.load(path or environ.get("LLMGATE_CONFIG") or None, environ)


@_commands.group("config")
def _config_group() -> None:
    """Look into the configuration."""


@_config_group.command("explain")
@_config
@click.option("--tag", "tags", multiple=True, help="A tag of the request; repeatable.")
@click.argument("model")
def explain_model(path: str | None, tags: tuple[str, ...], model: str) -> None:
    """Print which deployments a request for MODEL reaches, in what order, and why."""
    for line in explain.lines(_settings(path), model, tags):
        click.echo(line)


@_commands.command()
@_config
@click.argument("model")
def prices(path: str | None, model: str) -> None:
    """Print what MODEL costs: a model group, or a model string such as openai/gpt-4o."""
    is_known = False
    for name, found, about in _priced(path, model):
        is_known = is_known or bool(found)
        for line in price_lines.lines(name, found, about):
            click.echo(line)
    sys.exit(0 if is_known else 1)


_Priced = tuple[str, Mapping[str, float], Mapping[str, Any]]


def _priced(path: str | None, model: str) -> Iterator[_Priced]:
    """Yield the name, the prices and the sizes of each deployment that *model* names.

    Without a configuration *model* is a model string. Raises ModelNotFound and ConfigError.
    """
    if path or click.get_current_context().obj.get("LLMGATE_CONFIG"):
        for each in _settings(path).routes.find(model):
            name = str(each.info.get("base_model") or each.model)
            about = {**pricing.about(each.provider, name), **each.info}
            yield f"{each.group}: {each.provider}/{each.model}", each.prices, about
        return
    try:
        provider, name = providers.split(model)
    except LookupError as error:
        raise ConfigError(str(error.args[0])) from None
    yield model, pricing.prices(provider, name), pricing.about(provider, name)


def probe(settings: config.Settings) -> Iterator[tuple[bool, str]]:
    """Yield whether each deployment of *settings* works, and a line about it."""
    session = http_session.Session(settings.network)
    balancer = LoadBalancer(settings.router)
    gate = Gate(
        settings.routes,
        session,
        oauth.TokenCache(session, logins.log_ins()),
        balancer,
        settings.router,
    )
    for found in model_listing.probes(gate):
        deployment = found.deployment
        base = redaction.without_login(deployment.api_base)
        place = f"{deployment.group}: {deployment.provider}/{deployment.model} at {base}"
        text = redaction.clean(found.text, redaction.secrets_of(deployment))
        yield found.works, f"{place}: {text}"
