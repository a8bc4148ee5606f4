"""Numbers, money and times as the pages show them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from datetime import tzinfo
from typing import Any

_NANO = 1_000_000_000
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k"))


def money(nano: float | None) -> str:
    """Return nano-dollars in dollars: cents above one dollar, four decimals below."""
    if nano is None:
        return "unknown"
    dollars = nano / _NANO
    if nano == 0:
        return "$0"
    if abs(dollars) >= 1:
        return f"${dollars:,.2f}"
    return f"${dollars:.4f}" if abs(dollars) >= 0.0001 else "< $0.0001"


def exact(nano: float | None) -> str:
    """Return nano-dollars in dollars with every digit."""
    if nano is None:
        return "unknown"
    text = f"{nano / _NANO:.9f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"${whole}.{cents.ljust(2, '0')}"


def cent(nano: float | None) -> str:
    """Return what one request costs: six decimals below one dollar, so that rows align."""
    if nano is None or abs(nano) >= _NANO:
        return money(nano)
    return f"${nano / _NANO:.6f}"


def axis(nano: float) -> str:
    """Return nano-dollars as an axis shows them: no more digits than needed."""
    value = nano / _NANO
    return f"${short(value)}" if value >= 1000 else f"${value:.6f}".rstrip("0").rstrip(".")


def dollars(value: float | None) -> str:
    """Return an amount in dollars as `money` does."""
    return "none" if value is None else money(value * _NANO)


def count(number: float | None) -> str:
    """Return a number with separators of thousands."""
    return "–" if number is None else f"{number:,.0f}"


def short(number: float) -> str:
    """Return a large number in thousands, millions, ...: 12.3k."""
    for size, unit in _UNITS:
        if abs(number) >= size:
            size = 1e3 if unit == "k" else size
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return f"{number:,.0f}"


def percent(part: float, whole: float) -> str:
    """Return *part* of *whole* in percent."""
    if not whole:
        return "–"
    share = part / whole * 100
    if 0 < share < 0.1:
        return "< 0.1 %"
    return f"{share:.1f} %" if 0 < share < 10 else f"{share:.0f} %"


def milliseconds(value: float | None) -> str:
    """Return a duration in milliseconds, or in seconds from one second on."""
    if value is None:
        return "–"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"


def when(micros: int | None, zone: tzinfo, seconds: bool = True) -> str:
    """Return a time in *zone*."""
    if not micros:
        return "–"
    text = datetime.fromtimestamp(micros / 1e6, zone)
    return text.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def iso(micros: int, zone: tzinfo) -> str:
    """Return a time for the attribute `datetime`."""
    return datetime.fromtimestamp(micros / 1e6, zone).isoformat(timespec="milliseconds")


def per_million(price: float | None) -> str:
    """Return a price per token as dollars per million tokens."""
    if not price:
        return "–" if price is None else "$0"
    whole, _, cents = f"{price * 1e6:,.4f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"


FILTERS: dict[str, Callable[..., Any]] = {
    "money": money,
    "exact": exact,
    "cent": cent,
    "dollars": dollars,
    "count": count,
    "short": short,
    "percent": percent,
    "milliseconds": milliseconds,
    "when": when,
    "iso": iso,
    "per_million": per_million,
}
