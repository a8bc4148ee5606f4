"""Parse `Retry-After` and `retry-after-ms`."""

from __future__ import annotations

import email.utils
import time

from llmgate import errors


def seconds(error: errors.GateError, now: float | None = None) -> float | None:
    """Return the seconds to wait by the headers of *error*, None without a valid value.

    Milliseconds, seconds and dates are accepted; *now* is in seconds since the epoch.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            delay = float(error.headers.get(name, "")) * unit
        except ValueError:
            continue
        if delay >= 0:
            return delay
    return _until(error.headers.get("retry-after", ""), time.time() if now is None else now)


def _until(date: str, now: float) -> float | None:
    """Return the seconds from *now* to an HTTP *date*; None if it is invalid or past."""
    try:
        moment = email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment - now if moment > now else None
