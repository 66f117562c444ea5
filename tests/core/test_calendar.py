"""Windows and holidays, right across changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.policy.calendar import Holiday, Window, closures, cron_problem

NIGHT = Window("low-traffic", "30 2 * * *", 3600, "Europe/Paris")
HOURLY = Window("hourly", "0 * * * *", 600, "Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


@pytest.mark.parametrize(
    ("window", "now", "opening"),
    [
        (NIGHT, "2026-01-06T01:29", "2026-01-06T01:30"),
        (NIGHT, "2026-01-06T01:30", "2026-01-06T01:30"),
        (NIGHT, "2026-01-06T02:29", "2026-01-06T02:29"),
        (NIGHT, "2026-01-06T02:30", "2026-01-07T01:30"),
        (NIGHT, "2026-07-01T00:00", "2026-07-01T00:30"),
        # spring: 02:30 does not exist on the 29th; it opens right after the gap, at 03:00 summer time
        (NIGHT, "2026-03-28T12:00", "2026-03-29T01:00"),
        (NIGHT, "2026-03-29T01:59", "2026-03-29T01:59"),
        (NIGHT, "2026-03-29T02:00", "2026-03-30T00:30"),
        # autumn: 02:30 comes twice on the 25th; it opens once
        (NIGHT, "2026-10-25T00:00", "2026-10-25T00:30"),
        (NIGHT, "2026-10-25T01:30", "2026-10-26T01:30"),
        (HOURLY, "2026-10-25T01:05", "2026-10-25T01:05"),
        (HOURLY, "2026-10-25T00:15", "2026-10-25T01:00"),
    ],
)
def test_a_window_opens_when_its_zone_says(window: Window, now: str, opening: str) -> None:
    assert window.opening(utc(now)) == utc(opening)
    assert window.is_open(utc(now)) is (now == opening)


@given(minutes=st.integers(0, 366 * 24 * 60), lasts=st.sampled_from((600, 3600, 90_000)))
def test_a_window_is_open_at_its_opening_and_not_before(minutes: int, lasts: int) -> None:
    window = Window("w", "30 2 * * mon-fri", lasts, "Europe/Paris")
    now = utc("2026-01-01T00:00") + timedelta(minutes=minutes)
    at = window.opening(now)
    assert at >= now
    assert window.is_open(at)
    if at > now:
        assert not window.is_open(now)
        assert not window.is_open(at - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("days", "now", "until"),
    [
        (("12-25",), "2026-12-24T22:59", None),
        (("12-25",), "2026-12-24T23:00", "2026-12-25T23:00"),
        (("12-25", "12-26"), "2026-12-25T12:00", "2026-12-26T23:00"),
        (("2026-12-24/2027-01-02",), "2026-12-30T12:00", "2027-01-02T23:00"),
        (("12-30/01-02",), "2026-12-31T12:00", "2027-01-02T23:00"),
        (("12-30/01-02",), "2026-01-02T12:00", "2026-01-02T23:00"),
        (("2026-03-29",), "2026-03-29T12:00", "2026-03-29T22:00"),
        (("2027-12-25",), "2026-12-25T12:00", None),
    ],
)
def test_a_holiday_is_whole_days_of_its_zone(days: tuple[str, ...], now: str, until: str | None) -> None:
    assert Holiday("Christmas", days, "Europe/Paris").until(utc(now)) == (utc(until) if until else None)


def test_a_holiday_that_never_ends_ends_the_search() -> None:
    assert Holiday("always", ("01-01/12-31",)).until(utc("2026-01-01T00:00")) is not None


def test_one_of_the_windows_is_enough_and_optional_ones_close_nothing() -> None:
    now = datetime(2026, 1, 6, 14, 0, tzinfo=UTC)
    night, noon = Window("night", "0 2 * * *", 3600), Window("afternoon", "0 14 * * *", 3600)
    optional = Window("calm", "0 3 * * *", 3600, required=False)
    assert closures((night, noon, optional), (), "main", now) == []
    assert closures((optional,), (), "main", now) == []
    (closed,) = closures((night, optional), (), "main", now)
    assert (closed.kind, closed.name, closed.until) == ("window", "night", utc("2026-01-07T02:00"))
    assert closures((Window("night", "0 2 * * *", 3600, components=("docs",)),), (), "main", now) == []


@pytest.mark.parametrize("expression", ["", "x", "0 2 * *", "61 2 * * *", "0 0 31 2 *"])
def test_a_cron_expression_that_cannot_be_is_said(expression: str) -> None:
    assert cron_problem(expression, datetime(2026, 1, 6, tzinfo=UTC))


def test_names_of_days_are_understood() -> None:
    assert cron_problem("0 2 * * mon-fri", datetime(2026, 1, 6, tzinfo=UTC)) is None
