"""Charts: their numbers are in the text, and no label can add markup."""

from __future__ import annotations

import pytest

from llmgate.dashboard import charts
from llmgate.dashboard.charts import Bar


@pytest.mark.parametrize(
    ("most", "end"), [(0, 1), (0.9, 1), (1.01, 2), (2.2, 2.5), (499, 500), (1e-9, 1e-9), (7e6, 1e7)]
)
def test_an_axis_ends_at_a_round_number(most: float, end: float) -> None:
    assert charts.ceiling(most) == pytest.approx(end)


def test_each_bar_has_its_parts_and_a_sentence() -> None:
    svg = charts.bars(
        "Spend", [Bar("1", (3.0, 1.0), "Day 1: 4"), Bar("2", (0.0,), "Day 2: 0")], str
    )

    assert svg.count("<g><title>") == 2
    assert "<title>Day 1: 4</title>" in svg
    assert 'class="series1"' in svg and 'class="series2"' in svg
    assert 'aria-label="Spend"' in svg


def test_text_is_escaped() -> None:
    svg = charts.bars('"><script>', [Bar("<b>", (1.0,), "<i>")], str)

    assert "<script>" not in svg and "<b>" not in svg and "<i>" not in svg


def test_without_data_there_is_an_empty_chart() -> None:
    assert charts.bars("Spend", [], str).startswith("<svg")


@pytest.mark.parametrize(
    ("part", "kind"), [(0, "fine"), (79, "fine"), (80, "warn"), (100, "bad"), (300, "bad")]
)
def test_a_share_warns_before_all_is_used(part: float, kind: str) -> None:
    assert f'class="share {kind}"' in charts.share(part, 100, "words")
