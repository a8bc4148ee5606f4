"""`llmgate keys|ledger|export|import`: administration without a running gateway."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any
from typing import NoReturn

import click

from llmgate import config
from llmgate.access import assembly
from llmgate.access.management import keys
from llmgate.access.management import wire
from llmgate.access.management.keys import Office
from llmgate.access.refusals import store_errors
from llmgate.errors import ConfigError
from llmgate.errors import GateError
from llmgate.storage import transfer

NAMES = ("keys", "ledger", "export", "import")
"""The first words of these commands."""

ACTOR = "command line"
"""Who is named in the audit."""


def run(args: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Run the command that *args* are, and exit."""
    try:
        with store_errors():
            _commands.main(args, "llmgate", obj=environ)
    except ConfigError as error:
        _fail(str(error))
    except GateError as error:
        _fail(error.cause or error.message)
    sys.exit(0)


def _fail(message: str) -> NoReturn:
    """Exit with *message* in one line."""
    click.echo(f"llmgate: {message}", err=True)
    sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def _commands() -> None:
    """Administer the gateway's keys and its ledger."""


_config = click.option("-c", "--config", "path", help="The configuration; also LLMGATE_CONFIG.")


def _office(path: str | None) -> Office:
    """Return where keys are administered: the directory that the gateway itself uses."""
    environ: Mapping[str, str] = click.get_current_context().obj
    settings = config.load(path or environ.get("LLMGATE_CONFIG") or None, environ)
    return assembly.office(settings.access)


@_commands.group("keys")
def _keys() -> None:
    """Create, list, block, rotate and delete keys; a running gateway knows it at once."""


@_keys.command()
@_config
@click.option("--alias", "key_alias", help="A name for people.")
@click.option("--model", "models", multiple=True, help="A model that it may use; repeatable.")
@click.option("--budget", "max_budget", type=float, help="US dollars that it may spend,")
@click.option("--per", "budget_duration", help="in each such window: 1d, 7d, 30d, ...")
@click.option("--expires", "duration", help="After 30m, 12h, 30d, ...")
@click.option("--rpm", "rpm_limit", type=int, help="Requests a minute.")
@click.option("--fields", help="More fields of /key/generate, as JSON.")
def create(  # noqa: PLR0913 - one argument for each option
    path: str | None,
    key_alias: str | None,
    models: tuple[str, ...],
    max_budget: float | None,
    budget_duration: str | None,
    duration: str | None,
    rpm_limit: int | None,
    fields: str | None,
) -> None:
    """Create a key and print it; it is shown this once."""
    given: dict[str, Any] = {
        "key_alias": key_alias,
        "models": list(models),
        "max_budget": max_budget,
        "budget_duration": budget_duration,
        "duration": duration,
        "rpm_limit": rpm_limit,
    }
    given = {name: value for name, value in given.items() if value is not None}
    created = keys.generate(_office(path), {**given, **_object(fields or "{}")}, ACTOR)
    click.echo(created.value)


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object in *text*."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        _fail("--fields must be a JSON object")
    return found


@_keys.command("list")
@_config
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_keys(path: str | None, as_json: bool) -> None:
    """List the keys and what they have spent."""
    office = _office(path)
    for data in keys.listed(office):
        row = wire.row("key", data, office.sums_of_key(data))
        click.echo(json.dumps(row) if as_json else _line(row))


def _line(row: Mapping[str, Any]) -> str:
    """Return *row* for people: its hash, name and alias, what it has spent, its state."""
    cap = row["max_budget"]
    spent = f"${row['spend']:.6f}" + (f" of ${cap:g}" if cap is not None else "")
    state = "blocked" if row["blocked"] else ""
    name = row["key_name"] or "sk-..."
    return f"{row['token'][:16]}  {name:<12} {row['key_alias'] or '-':<20} {spent} {state}".rstrip()


_named = click.argument("key")


@_keys.command()
@_config
@_named
def block(path: str | None, key: str) -> None:
    """Block KEY: its value, hash or alias."""
    keys.set_blocked(_office(path), key, True, ACTOR)
    click.echo("blocked")


@_keys.command()
@_config
@_named
def unblock(path: str | None, key: str) -> None:
    """Unblock KEY: its value, hash or alias."""
    keys.set_blocked(_office(path), key, False, ACTOR)
    click.echo("unblocked")


@_keys.command()
@_config
@_named
@click.option("--grace", help="How long the old value stays valid: 30m, 1d, ...")
def rotate(path: str | None, key: str, grace: str | None) -> None:
    """Give KEY a new value and print it."""
    click.echo(keys.rotate(_office(path), key, None, grace, ACTOR).value)


@_keys.command()
@_config
@_named
def delete(path: str | None, key: str) -> None:
    """Delete KEY: its value, hash or alias."""
    if not keys.delete(_office(path), [key], ACTOR):
        raise keys.KeyNotFound
    click.echo("deleted")


@_commands.group("ledger")
def _ledger() -> None:
    """Look after the ledger of calls and reservations."""


@_ledger.command()
@_config
@click.option("--repair", is_flag=True, help="Correct the sums that are wrong.")
def check(path: str | None, repair: bool) -> None:
    """Check that every sum is that of its calls and reservations; exit with 1 if not."""
    ledger = _office(path).ledger
    found = ledger.check(repair)
    for each in found:
        scope = each.scope.replace("\n", " ")
        click.echo(f"{scope} {each.period or 'all time'}: {each.stored} is {each.actual}")
    click.echo(f"{len(found)} sums differ" + (", repaired" if repair and found else ""))
    sys.exit(1 if found and not repair else 0)


_file = click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))


@_commands.command("export")
@_config
@_file
def export_all(path: str | None, file: str) -> None:
    """Write keys, users, teams and calls to FILE, as lines of JSON; `-` is standard output.

    Stop the gateway first: what it stores later is not in FILE.
    """
    office = _office(path)
    if office.ledger.check():  # it also charges what killed workers left
        _fail("sums differ from their calls: run `llmgate ledger check --repair` first")
    lines = transfer.exported(office.control.database, office.ledger.database)
    with click.open_file(file, "w", encoding="utf-8") as target:
        if file != "-":
            os.chmod(file, 0o600)
        target.writelines(lines)


@_commands.command("import")
@_config
@_file
def import_all(path: str | None, file: str) -> None:
    """Add what `llmgate export` wrote to FILE; what is stored here already stays."""
    office = _office(path)
    with click.open_file(file, encoding="utf-8") as lines:
        found = transfer.imported(lines, office.control.database, office.ledger.database)
    office.ledger.check(repair=True)
    named = ", ".join(f"{number} {table}" for table, number in found.items())
    click.echo(f"imported: {named or 'nothing'}")
