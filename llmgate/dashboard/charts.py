"""Charts as SVG, drawn by the server: no script, no fixed width, text that keeps its size.

Horizontal places are percentages of the width, so that a chart fits a phone as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup
from markupsafe import escape

_HEIGHT, _TOP, _BOTTOM = 200, 8, 24  # pixels: of all, above and below the plot
_LEFT = 12.0  # percent of the width, for the labels of the axis
_LABELS = 6  # most labels below the plot
_GAP = 0.18  # of a bar's place


class Bar(NamedTuple):
    """One bar: what it stands for, its parts from below, and the sentence for it."""

    label: str
    values: tuple[float, ...]
    title: str


def ceiling(most: float) -> float:
    """Return the end of an axis for values up to *most*: 1, 2, 2.5 or 5 times a power of ten."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if most <= step * power * 1.000001)


def bars(title: str, found: Sequence[Bar], scale: Callable[[float], str]) -> Markup:
    """Return a chart of *found*, called *title*; *scale* writes the numbers of the axis."""
    top = ceiling(max((sum(bar.values) for bar in found), default=0))
    plot = _HEIGHT - _TOP - _BOTTOM
    place = (100 - _LEFT) / max(1, len(found))
    pieces = [_grid(top, plot, scale)]
    for at, bar in enumerate(found):
        pieces.append(_bar(bar, _LEFT + at * place, place, plot / top))
    every = max(1, math.ceil(len(found) / _LABELS))
    for at in range(0, len(found), every):
        middle = _LEFT + (at + 0.5) * place
        pieces.append(_text(middle, _HEIGHT - 6, found[at].label, "middle"))
    return Markup(
        '<svg class="chart" role="img" width="100%" height="{}" aria-label="{}">{}</svg>'
    ).format(_HEIGHT, title, Markup("").join(pieces))


def _grid(top: float, plot: float, scale: Callable[[float], str]) -> Markup:
    """Return the lines and numbers of the vertical axis."""
    pieces = []
    for part in (0.0, 0.5, 1.0):
        y = _TOP + plot * (1 - part)
        line = '<line class="grid" x1="{}%" x2="100%" y1="{:.1f}" y2="{:.1f}"/>'
        pieces.append(Markup(line).format(_LEFT, y, y))
        pieces.append(_text(_LEFT - 1, y + 4, scale(top * part), "end"))
    return Markup("").join(pieces)


def _bar(bar: Bar, left: float, place: float, height: float) -> Markup:
    """Return *bar*, drawn from *left* on with pixels of *height* for each unit."""
    pieces, y = [], float(_HEIGHT - _BOTTOM)
    for at, value in enumerate(bar.values):
        size = max(value * height, 1.0 if value else 0.0)
        y -= size
        rect = '<rect class="series{}" x="{:.3f}%" width="{:.3f}%" y="{:.1f}" height="{:.1f}"/>'
        inner = place * (1 - _GAP)
        pieces.append(Markup(rect).format(at + 1, left + place * _GAP / 2, inner, y, size))
    hover = '<rect class="hover" x="{:.3f}%" width="{:.3f}%" y="{}" height="{}"/>'
    pieces.append(Markup(hover).format(left, place, _TOP, _HEIGHT - _TOP - _BOTTOM))
    return Markup("<g><title>{}</title>{}</g>").format(bar.title, Markup("").join(pieces))


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    """Return *text* at a place."""
    return Markup('<text x="{:.2f}%" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )


def share(part: float, whole: float, words: str) -> Markup:
    """Return a small bar that shows *part* of *whole*; *words* is the same for who cannot see it.

    From 80 % on it looks like a warning, from 100 % on like an error.
    """
    filled = min(1.0, max(0.0, part / whole)) if whole else 0.0
    kind = "bad" if filled >= 1 else "warn" if filled >= 0.8 else "fine"
    return Markup(
        '<svg class="share {}" role="img" width="100%" height="6" aria-label="{}">'
        '<rect class="track" width="100%" height="6" rx="3"/>'
        '<rect class="fill" width="{:.1f}%" height="6" rx="3"/></svg>'
    ).format(kind, escape(words), filled * 100)


def timing(first: float | None, total: float) -> Markup:
    """Return a bar of the time to the *first* token and of the rest, of *total* in all."""
    share = min(1.0, first / total) * 100 if first is not None and total else 0.0
    words = f"{first:.0f} of {total:.0f} ms before the first token" if first else f"{total:.0f} ms"
    return Markup(
        '<svg class="timing" role="img" width="100%" height="16" aria-label="{}">'
        '<rect class="series2" width="{:.2f}%" height="16"/>'
        '<rect class="series1" x="{:.2f}%" width="{:.2f}%" height="16"/></svg>'
    ).format(words, share, share, 100 - share)
