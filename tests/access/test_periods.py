from __future__ import annotations

from datetime import UTC
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.access import periods

BERLIN = ZoneInfo("Europe/Berlin")


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("duration", "start", "end"),
    [
        ("1d", "2026-11-30T00:00Z", "2026-12-01T00:00Z"),
        ("24h", "2026-11-30T00:00Z", "2026-12-01T00:00Z"),
        ("daily", "2026-11-30T00:00Z", "2026-12-01T00:00Z"),
        ("1h", "2026-11-30T05:00Z", "2026-11-30T06:00Z"),
        ("6h", "2026-11-30T00:00Z", "2026-11-30T06:00Z"),
        ("5h", "2026-11-30T05:00Z", "2026-11-30T10:00Z"),
        ("7d", "2026-11-30T00:00Z", "2026-12-07T00:00Z"),
        ("1w", "2026-11-30T00:00Z", "2026-12-07T00:00Z"),
        ("weekly", "2026-11-30T00:00Z", "2026-12-07T00:00Z"),
        ("30d", "2026-11-01T00:00Z", "2026-12-01T00:00Z"),
        ("monthly", "2026-11-01T00:00Z", "2026-12-01T00:00Z"),
        ("1mo", "2026-11-01T00:00Z", "2026-12-01T00:00Z"),
        ("3mo", "2026-10-01T00:00Z", "2027-01-01T00:00Z"),
        ("1m", "2026-11-30T05:12Z", "2026-11-30T05:13Z"),
        ("30s", "2026-11-30T05:12:00Z", "2026-11-30T05:12:30Z"),
        ("48h", "2026-11-29T00:00Z", "2026-12-01T00:00Z"),
    ],
)
def test_windows_are_those_of_the_calendar(duration: str, start: str, end: str) -> None:
    period = periods.normalized(duration)

    assert period is not None
    found = periods.window(period, UTC, micros("2026-11-30T05:12:07Z"))
    assert found == (micros(start), micros(end))


def test_a_day_of_a_time_zone_begins_at_its_midnight() -> None:
    found = periods.window("1d", BERLIN, micros("2026-11-30T23:30Z"))

    assert found == (micros("2026-11-30T23:00Z"), micros("2026-12-01T23:00Z"))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_the_days_when_the_clocks_change_are_shorter_and_longer(day: str, hours: int) -> None:
    start, end = periods.window("1d", BERLIN, micros(f"{day}T12:00Z"))

    assert (end - start) // 3_600_000_000 == hours


@pytest.mark.parametrize("text", ["", "xx", "0d", "1y", "-1d", "1.5h", "d"])
def test_an_invalid_duration_is_none(text: str) -> None:
    assert periods.normalized(text) is None


def test_the_duration_of_a_key_is_in_seconds() -> None:
    texts = ["30s", "30m", "30h", "30d", "4w", "1mo", "bad"]

    assert [periods.seconds(text) for text in texts] == [
        30,
        1800,
        108000,
        2592000,
        2419200,
        2592000,
        None,
    ]


def test_times_are_written_as_litellm_writes_them() -> None:
    assert periods.iso(1780000000_000000) == "2026-05-28T20:26:40Z"
    assert periods.iso(1780000000_374000) == "2026-05-28T20:26:40.374000Z"


@given(
    st.sampled_from(["1h", "5h", "1d", "3d", "7d", "1mo", "2mo", "90s", "17m", "40h"]),
    st.sampled_from([UTC, BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/St_Johns")]),
    st.integers(micros("2024-01-01T00:00Z"), micros("2030-01-01T00:00Z")),
)
def test_a_window_holds_its_moment_and_the_next_one_follows(
    duration: str, zone: ZoneInfo, now: int
) -> None:
    period = periods.normalized(duration)
    assert period is not None

    start, end = periods.window(period, zone, now)

    assert start <= now < end
    assert periods.window(period, zone, end)[0] == end
    assert periods.window(period, zone, start) == (start, end)
