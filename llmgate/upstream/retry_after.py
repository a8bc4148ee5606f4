"""How long an upstream asks to wait: `Retry-After` and `retry-after-ms`."""

from __future__ import annotations

import email.utils
import time

from llmgate import errors


def seconds(error: errors.GateError, now: float | None = None) -> float | None:
    """Return the seconds that the upstream asks to wait, None if it does not say.

    It may say so in milliseconds, in seconds or as a date; *now* is in seconds since the epoch.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            asked = float(error.headers.get(name, "")) * unit
        except ValueError:
            continue
        if asked >= 0:
            return asked
    return _until(error.headers.get("retry-after", ""), time.time() if now is None else now)


def _until(date: str, now: float) -> float | None:
    """Return the seconds from *now* to an HTTP *date*; None if it is none, or past."""
    try:
        there = email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return there - now if there > now else None
