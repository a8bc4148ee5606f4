"""Spans of time for reports, and the names of whom a report is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from datetime import tzinfo
from typing import NamedTuple

from llmgate.access.management import keys
from llmgate.access.management import teams
from llmgate.access.management.keys import Office
from llmgate.storage.reports.shapes import MICROS
from llmgate.storage.reports.shapes import Measures
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Unit

Names = Mapping[tuple[str, str], str]
"""What people call a key or a team, by its kind and id."""

SPANS: dict[str, tuple[str, Unit, int]] = {
    "24h": ("24 hours", "hour", 24),
    "7d": ("7 days", "day", 7),
    "30d": ("30 days", "day", 30),
    "90d": ("90 days", "day", 90),
}
"""The spans that a page offers: their words, the unit of their buckets, how many."""


class Span(NamedTuple):
    """Whole buckets up to now."""

    name: str
    unit: Unit
    range: Range

    def buckets(self) -> list[int]:
        """Return where each bucket starts."""
        return list(range(self.range.start, self.range.end, MICROS[self.unit]))

    def label(self, start: int) -> str:
        """Return the bucket that begins at *start* in a few letters."""
        at = datetime.fromtimestamp(start / 1e6, UTC)
        return at.strftime("%H:00" if self.unit == "hour" else "%d %b")

    def title(self, start: int) -> str:
        """Return the bucket that begins at *start* in full."""
        at = datetime.fromtimestamp(start / 1e6, UTC)
        return at.strftime("%Y-%m-%d %H:00 UTC" if self.unit == "hour" else "%Y-%m-%d")


def span(name: str, now: int) -> Span:
    """Return the span called *name* that ends with the bucket of *now*; else 30 days."""
    name = name if name in SPANS else "30d"
    _, unit, number = SPANS[name]
    size = MICROS[unit]
    end = (now // size + 1) * size
    return Span(name, unit, Range(end - number * size, end))


def filled(buckets: list[int], series: list[tuple[int, Measures]]) -> list[Measures]:
    """Return the measures of each of *buckets*, those without calls too."""
    found = dict(series)
    return [found.get(start, Measures()) for start in buckets]


def names(office: Office) -> Names:
    """Return what the keys and teams are called."""
    found = {}
    for data in keys.listed(office):
        name = data.get("key_alias") or data.get("key_name") or data["token"][:12]
        found["key", data.get("spend_id") or data["token"]] = name
    for data in teams.listed(office):
        found["team", data["team_id"]] = data.get("team_alias") or data["team_id"]
    return found | {("key", "master"): "master key"}


def name(kind: str, id: str, known: Names) -> str:
    """Return what the *id* of *kind* is called; keys that were deleted by their hash."""
    if (kind, id) in known:
        return known[kind, id]
    if kind == "key" and len(id) == 64:
        return f"deleted key {id[:12]}"
    return id or "none"


def moment(text: str, zone: tzinfo) -> int | None:
    """Return the time in *text*, as an input for dates sends it, None if it is not one."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(at.replace(tzinfo=at.tzinfo or zone).timestamp() * 1e6)
