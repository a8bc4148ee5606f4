"""Windows of budgets, and durations of keys, in LiteLLM's notation.

A window follows from the time alone; no job resets anything. Days, weeks and months are those of
the calendar, as LiteLLM has them: `30d` is the calendar month, `7d` the week from Monday.
"""

from __future__ import annotations

import re
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import tzinfo

_DURATION = re.compile(r"(\d{1,6})(mo|[smhdw])")
_WORDS = {"hourly": "1h", "daily": "1d", "weekly": "7d", "monthly": "1mo"}
_ALIASES = {"24h": "1d", "1w": "7d", "30d": "1mo"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAY = 86400
_MICRO = 1_000_000
_EPOCH_MONDAY = datetime(1970, 1, 5)


def normalized(text: str) -> str | None:
    """Return a budget duration in the form that windows are stored under; None if it is invalid."""
    text = _WORDS.get(text.strip().lower(), text.strip().lower())
    text = _ALIASES.get(text, text)
    found = _DURATION.fullmatch(text)
    if not found or int(found[1]) == 0:
        return None
    number, unit = int(found[1]), found[2]
    if unit == "w":
        number, unit = number * 7, "d"
    return f"{number}{unit}"


def seconds(text: str) -> int | None:
    """Return the seconds of a key's duration such as `30m` or `1mo` (30 days); None if invalid."""
    found = _DURATION.fullmatch(text.strip().lower())
    if not found:
        return None
    return int(found[1]) * _SECONDS.get(found[2], 30 * _DAY)


def window(period: str, zone: tzinfo, now: int) -> tuple[int, int]:
    """Return the start and end of the window of *period* that holds *now*, in microseconds.

    *period* is as `normalized` returns it.
    """
    found = _DURATION.fullmatch(period)
    assert found is not None
    number, unit = int(found[1]), found[2]
    local = datetime.fromtimestamp(now // _MICRO, zone).replace(tzinfo=None)
    if unit == "mo":
        start, end = _months(local, number)
    elif unit == "d":
        start, end = _days(local, number)
    else:
        start, end = _part_of_day(local, number * _SECONDS[unit])
    return _micros(start, zone), _micros(end, zone)


def _months(local: datetime, number: int) -> tuple[datetime, datetime]:
    """Return the calendar months that hold *local*, counted from the year 1970."""
    month = (local.year - 1970) * 12 + local.month - 1
    first = month - month % number
    return _first_of(first), _first_of(first + number)


def _first_of(month: int) -> datetime:
    """Return the first moment of the month that is *month* after January 1970."""
    return datetime(1970 + month // 12, month % 12 + 1, 1)


def _days(local: datetime, number: int) -> tuple[datetime, datetime]:
    """Return the calendar days that hold *local*, counted from a Monday."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - timedelta(days=(midnight - _EPOCH_MONDAY).days % number)
    return start, start + timedelta(days=number)


def _part_of_day(local: datetime, length: int) -> tuple[datetime, datetime]:
    """Return the part of *length* seconds that holds *local*; the last of a day may be shorter."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if length > _DAY:
        return _days(local, -(-length // _DAY))
    passed = (local - midnight).seconds
    start = midnight + timedelta(seconds=passed - passed % length)
    return start, min(start + timedelta(seconds=length), midnight + timedelta(days=1))


def _micros(local: datetime, zone: tzinfo) -> int:
    """Return *local*, a time in *zone*, in microseconds since the epoch."""
    return int(local.replace(tzinfo=zone).timestamp()) * _MICRO


def iso(micros: int) -> str:
    """Return a time in microseconds as LiteLLM writes it, in UTC."""
    at = datetime.fromtimestamp(micros // _MICRO, UTC).replace(microsecond=micros % _MICRO)
    fraction = at.strftime(".%f") if at.microsecond else ""
    return at.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
