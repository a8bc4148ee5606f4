"""The command `llmgate`: reads the configuration, then serves it under gunicorn."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO
from typing import Any
from typing import NoReturn
from wsgiref.types import WSGIApplication

import click

from llmgate import config
from llmgate import create_app
from llmgate import warnings
from llmgate.config.deployments import Overrides
from llmgate.errors import ConfigError
from llmgate.server import bind_check
from llmgate.server import env
from llmgate.version import VERSION


class _Misused(click.UsageError):
    """A wrong option, told in one line."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        said = " ".join(self.message.split()).removesuffix(".")
        click.echo(f"llmgate: {said}; llmgate --help lists the options", file, err=True)


class _Command(click.Command):
    """A command that is told in one line what is wrong with its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return what is left of *args*; raises click.UsageError."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _Misused(error.format_message(), ctx) from None


def _fail(message: str) -> NoReturn:
    """End with *message* on one line and the exit code of a wrong command."""
    click.echo(f"llmgate: {message}", err=True)
    sys.exit(2)


def _app(settings: config.Settings, read: Callable[[], config.Settings]) -> WSGIApplication:
    """Return the app of *settings*; after a SIGHUP it is made anew of what *read* returns."""
    app = create_app(settings)
    app.extensions["llmgate.again"] = lambda: _app(read(), read)
    return app


def _hello(settings: config.Settings, host: str, port: int) -> str:
    """Return what is printed at the start: where it is, what it serves."""
    names = settings.routes.shown()
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"llmgate {VERSION} on http://{host}:{port} serves {', '.join(names[:8])}{more}"


def _checked(path: str | None, settings: config.Settings) -> None:
    """Print that the configuration is valid, and what is to be known of it."""
    click.echo(f"{Path(path).name if path else 'the environment'}: valid")
    for warning in warnings(settings):
        click.echo(f"llmgate: warning: {warning}", err=True)


_HOW = "with --port (or PORT) and --host (or HOST)"


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-m", "--model", help="Serve every request with this model.")
@click.option(
    "-c", "--config", "path", envvar="LLMGATE_CONFIG", help="YAML file, as LiteLLM's config.yaml."
)
@click.option("--host", envvar="HOST", default="0.0.0.0", show_default=True)
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), help="0: any free one.  [default: PORT, or 4000]"
)
@click.option("--api-base", "--api_base", help="Where the model of --model is served.")
@click.option(
    "--drop-params", "--drop_params", is_flag=True, help="Drop parameters a provider lacks."
)
@click.option("--temperature", type=click.FloatRange(0), help="For requests that do not say.")
@click.option(
    "--max-tokens", "--max_tokens", type=click.IntRange(1), help="For requests that do not say."
)
@click.option("--workers", "--num_workers", type=click.IntRange(1), help="Processes.")
@click.option("--threads", type=click.IntRange(1), help="Requests at a time in each process.")
@click.option("--check", is_flag=True, help="Say whether the configuration is valid, and end.")
@click.version_option(VERSION)
def main(  # noqa: PLR0913 - one argument for each option
    model: str | None,
    path: str | None,
    host: str,
    port: int | None,
    api_base: str | None,
    drop_params: bool,
    temperature: float | None,
    max_tokens: int | None,
    workers: int | None,
    threads: int | None,
    check: bool,
) -> None:
    """Serve OpenAI's API in front of any provider.

    With no option the provider whose key is in the environment serves (OPENAI_API_KEY, ...);
    without any key the built-in echo answers.
    """
    if api_base and not model:
        _fail("--api-base says where a model is: name it with --model")
    overrides = Overrides(model, api_base, drop_params, temperature, max_tokens)
    read = partial(config.load, path, os.environ, overrides)
    try:
        said = env.server(os.environ)
        settings = read()
        if check:
            _checked(path, settings)
            return
        port = bind_check.port(host, said.port if port is None else port, False, _HOW)
    except ConfigError as error:
        _fail(str(error))
    options = {"bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}
    options |= {k: str(v) for k, v in {"workers": workers, "threads": threads}.items() if v}
    # gunicorn ends in a traceback if WEB_CONCURRENCY is wrong: imported when that is checked
    from llmgate import gunicorn_conf
    from llmgate.server import embedded

    click.echo(_hello(settings, host, port), err=True)
    embedded.Server(partial(_app, settings, read), gunicorn_conf, options).run()
