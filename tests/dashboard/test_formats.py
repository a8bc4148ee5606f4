"""Numbers and money as people read them."""

from __future__ import annotations

from datetime import UTC

import pytest

from llmgate.dashboard import formats


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "unknown"),
        (0, "$0"),
        (5, "< $0.0001"),
        (750_000, "$0.0008"),
        (120_000_000, "$0.1200"),
        (1_234_567_890_000, "$1,234.57"),
    ],
)
def test_money_has_the_digits_that_matter(nano: int | None, text: str) -> None:
    assert formats.money(nano) == text


def test_exact_money_has_every_digit() -> None:
    assert [formats.exact(each) for each in (750_000, 2_000_000_000, 1, None)] == [
        "$0.00075",
        "$2.00",
        "$0.000000001",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_999, "9,999"), (12_340, "12.3k"), (128_000, "128k"), (2e6, "2M")],
)
def test_large_numbers_are_short(number: float, text: str) -> None:
    assert formats.short(number) == text


def test_shares_times_and_prices() -> None:
    assert [formats.percent(1, 3), formats.percent(1, 30), formats.percent(0, 5)] == [
        "33 %",
        "3.3 %",
        "0 %",
    ]
    assert [formats.percent(1, 0), formats.percent(1, 5000)] == ["–", "< 0.1 %"]
    assert [formats.milliseconds(each) for each in (None, 12.4, 1500)] == ["–", "12 ms", "1.50 s"]
    assert formats.when(1_700_000_000_000_000, UTC) == "2023-11-14 22:13:20"
    assert [formats.per_million(each) for each in (None, 0, 2.5e-6)] == ["–", "$0", "$2.50"]
