"""The `llmgate` command: reads the configuration, then runs gunicorn."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO
from typing import Any
from typing import NoReturn
from wsgiref.types import WSGIApplication

import click

from llmgate import access_cli
from llmgate import config
from llmgate import config_cli
from llmgate import create_app
from llmgate import warnings
from llmgate.config.deployments import Overrides
from llmgate.errors import ConfigError
from llmgate.server import bind_check
from llmgate.server import env
from llmgate.version import VERSION


class _UsageError(click.UsageError):
    """An invalid option, reported in one line."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        text = " ".join(self.message.split()).removesuffix(".")
        click.echo(f"llmgate: {text}; llmgate --help lists the options", file, err=True)


class _Command(click.Command):
    """A command that reports invalid options in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the remaining *args*; raises click.UsageError."""
        for commands in (access_cli, config_cli):
            if args and args[0] in commands.NAMES:
                commands.run(args, os.environ)
        try:
            return super().parse_args(ctx, _less_ignored(args))
        except click.UsageError as error:
            raise _UsageError(error.format_message(), ctx) from None


def _fail(message: str) -> NoReturn:
    """Exit with a line for each of *message* and the exit code of a usage error."""
    for line in message.splitlines():
        click.echo(f"llmgate: {line}", err=True)
    sys.exit(2)


def _less_ignored(args: list[str]) -> list[str]:
    """Return *args* without options of LiteLLM's command that mean nothing here, each named."""
    kept: list[str] = []
    rest = iter(args)
    for arg in rest:
        name, given, _ = arg.partition("=")
        option = name.removeprefix("--").replace("-", "_")
        if not name.startswith("--") or option not in IGNORED_FLAGS | IGNORED_OPTIONS:
            kept.append(arg)
            continue
        if option in IGNORED_OPTIONS and not given:
            next(rest, None)
        click.echo(f"llmgate: warning: {name} is ignored", err=True)
    return kept


IGNORED_FLAGS = frozenset(
    """debug detailed_debug run_gunicorn run_hypercorn run_granian use_queue local save
    use_prisma_db_push use_prisma_migrate iam_token_db_auth enforce_prisma_migration_check
    test_async health""".split()
)
IGNORED_OPTIONS = frozenset(
    """telemetry request_timeout max_budget num_requests log_config keepalive_timeout
    max_requests_before_restart timeout_worker_healthcheck alias headers add_key
    add_function_to_prompt api_version""".split()
)
"""Options of LiteLLM's command that people's compose files have, without and with a value."""


def _host(given: str | None, settings: config.Settings, environ: Mapping[str, str]) -> str:
    """Return the address to listen on: without a key only this machine reaches the gateway.

    A platform that sets PORT needs every address, or its router cannot reach the gateway.
    """
    if given:
        return given
    if settings.master_key or environ.get("PORT"):
        return env.EVERYWHERE
    click.echo(
        f"llmgate: warning: no master key is set: listening on {env.LOOPBACK} only; set"
        " LLMGATE_MASTER_KEY, or --host 0.0.0.0 to listen everywhere",
        err=True,
    )
    return env.LOOPBACK


def _app(settings: config.Settings, read: Callable[[], config.Settings]) -> WSGIApplication:
    """Return the app for *settings*; after SIGHUP it is created again from *read*()."""
    app = create_app(settings)
    app.extensions["llmgate.reload"] = lambda: _app(read(), read)
    return app


def _banner(settings: config.Settings, host: str, port: int) -> str:
    """Return the line printed at the start: version, address, models."""
    names = settings.routes.shown()
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    at = f"[{host}]" if ":" in host else host
    return f"llmgate {VERSION} on http://{at}:{port} serves {', '.join(names[:8])}{more}"


def _print_check(path: str | None, settings: config.Settings, probes: bool) -> None:
    """Print that the configuration is valid, its warnings, and what *probes* show.

    Exits with 1 if a probe fails.
    """
    click.echo(f"{Path(path).name if path else 'the environment'}: valid")
    for warning in [*warnings(settings), *settings.notes]:
        click.echo(f"llmgate: warning: {warning}", err=True)
    found = list(config_cli.probe(settings)) if probes else []
    for works, line in found:
        click.echo(f"{'ok' if works else 'FAILED'}  {line}")
    if not all(works for works, _ in found):
        sys.exit(1)


_HOW = "with --port (or PORT) and --host (or HOST)"


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-m", "--model", help="Serve every request with this model.")
@click.option(
    "-c", "--config", "path", envvar="LLMGATE_CONFIG", help="YAML file, as LiteLLM's config.yaml."
)
@click.option(
    "--host",
    envvar="HOST",
    help="Address to listen on.  [default: 0.0.0.0 with a master key or PORT, else 127.0.0.1]",
)
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), help="0: any free one.  [default: PORT, or 4000]"
)
@click.option("--api-base", "--api_base", help="Base URL for the model of --model.")
@click.option(
    "--drop-params",
    "--drop_params",
    is_flag=True,
    help="Drop parameters that a provider does not support.",
)
@click.option("--temperature", type=click.FloatRange(0), help="Default for requests without it.")
@click.option(
    "--max-tokens", "--max_tokens", type=click.IntRange(1), help="Default for requests without it."
)
@click.option("--workers", "--num_workers", type=click.IntRange(1), help="Processes.")
@click.option("--threads", type=click.IntRange(1), help="Concurrent requests per process.")
@click.option("--check", is_flag=True, help="Check the configuration and exit.")
@click.option("--probe", is_flag=True, help="With --check: ask each provider for its models, too.")
@click.version_option(VERSION)
def main(  # noqa: PLR0913 - one argument for each option
    model: str | None,
    path: str | None,
    host: str | None,
    port: int | None,
    api_base: str | None,
    drop_params: bool,
    temperature: float | None,
    max_tokens: int | None,
    workers: int | None,
    threads: int | None,
    check: bool,
    probe: bool,
) -> None:
    """Serve OpenAI's API in front of any provider.

    Without options, every provider whose key is in the environment is available
    (OPENAI_API_KEY, ...); without a key, the built-in echo answers.

    llmgate keys --help and llmgate ledger --help administer clients' keys and what they spend;
    llmgate config explain MODEL and llmgate prices MODEL look things up.
    """
    if api_base and not model:
        _fail("--api-base needs --model")
    if probe and not check:
        _fail("--probe needs --check")
    overrides = Overrides(model, api_base, drop_params, temperature, max_tokens)
    read = partial(config.load, path, os.environ, overrides)
    try:
        server_env = env.server(os.environ)
        settings = read()
        if check:
            _print_check(path, settings, probe)
            return
        host = _host(host, settings, os.environ)
        port = bind_check.available_port(
            host, server_env.port if port is None else port, False, _HOW
        )
    except ConfigError as error:
        _fail(str(error))
    options = {"bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}
    options |= {k: str(v) for k, v in {"workers": workers, "threads": threads}.items() if v}
    # gunicorn fails with a traceback if WEB_CONCURRENCY is invalid: import it after the check
    from llmgate import gunicorn_conf
    from llmgate.server import embedded

    click.echo(_banner(settings, host, port), err=True)
    embedded.Server(partial(_app, settings, read), gunicorn_conf, options).run()
