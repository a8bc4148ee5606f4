"""The range of time of a report: `start_date` and `end_date` of the query."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime

from llmgate.access.management import fields
from llmgate.endpoints import admin
from llmgate.storage.reports.shapes import MICROS
from llmgate.storage.reports.shapes import Range

LONGEST = 366
"""Days that a report may be about."""

_DEFAULT = 30  # days


def days() -> Range:
    """Return the days from `start_date` to `end_date`, both inclusive; else the last thirty.

    Raises InvalidField.
    """
    now = admin.office().now()
    day = MICROS["day"]
    end = _time("end_date", True) or now - now % day + day
    start = _time("start_date", False)
    if start is None:
        start = end - _DEFAULT * day
    if not start < end <= start + LONGEST * day:
        raise fields.InvalidField(
            f"'start_date' must be before 'end_date', by at most {LONGEST} days.",
            param="start_date",
        )
    return Range(start, end)


def given() -> Range:
    """Return the time from `start_date` to `end_date`, as far as they are given."""
    every = Range(0, 2**62)
    start, end = _time("start_date", False), _time("end_date", True)
    return Range(every.start if start is None else start, every.end if end is None else end)


def _time(name: str, is_end: bool) -> int | None:
    """Return the date or time *name* of the query, the end of a day if *is_end*."""
    text = admin.text(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        at = int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        at = -1
    if at < 0:
        raise fields.InvalidField(
            f"'{name}' must be a date such as 2026-11-30, or '2026-11-30 12:00:00'.", param=name
        )
    is_date = len(text) <= len("2026-11-30")
    return at + MICROS["day"] if is_end and is_date else at
