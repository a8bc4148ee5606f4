"""Writes the table of docs/clients.md from the results of a run."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

from clients import CLIENTS
from clients import Client
from testing.strict.server import KINDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "clients.md"
MARKS = ("<!-- clients -->", "<!-- /clients -->")


def write(results: Mapping[tuple[Client, str], str]) -> None:
    """Replace the table between MARKS by one of *results*; "-" where a client was not run."""
    day = datetime.datetime.now(tz=datetime.UTC).date()
    lines = [f"Run on {day}:", "", f"| client | API | {' | '.join(KINDS)} |"]
    lines.append(f"|{' --- |' * (len(KINDS) + 2)}")
    for client in CLIENTS:
        cells = [results.get((client, model), "-") for model in KINDS]
        name = f"{client.title} {client.package.version}"
        lines.append(f"| {name} | {client.api} | {' | '.join(cells)} |")
    before, rest = PAGE.read_text("utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    PAGE.write_text(f"{before}{MARKS[0]}\n" + "\n".join(lines) + f"\n{MARKS[1]}{after}", "utf-8")
