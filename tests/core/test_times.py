"""Times as people type them, in their own zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.times import TimeProblem, check, resolve

NOW = datetime(2026, 1, 6, 14, 0, tzinfo=UTC)
"""A Tuesday; 15:00 in Paris."""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("16:00", "2026-01-06T15:00"),
        ("02:00", "2026-01-07T01:00"),
        ("9:05", "2026-01-07T08:05"),
        ("15:00", "2026-01-07T14:00"),
        ("today 16:00", "2026-01-06T15:00"),
        ("Tomorrow 16:00", "2026-01-07T15:00"),
        ("Fri 18:00", "2026-01-09T17:00"),
        ("friday  18:00", "2026-01-09T17:00"),
        ("Tue 16:00", "2026-01-06T15:00"),
        ("Tue 14:00", "2026-01-13T13:00"),
        ("thurs 08:00", "2026-01-08T07:00"),
        ("2026-12-24 18:00", "2026-12-24T17:00"),
        ("2026-07-01 18:00", "2026-07-01T16:00"),
        ("2026-12-24T18:00", "2026-12-24T17:00"),
        ("2026-12-24", "2026-12-23T23:00"),
    ],
)
def test_a_time_is_meant_in_the_askers_zone(typed: str, meant: str) -> None:
    assert resolve(typed, NOW, "Europe/Paris") == datetime.fromisoformat(meant + "+00:00")


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("later", "`later` is not a time; expected one like 02:00, Fri 18:00 or 2026-12-24 18:00."),
        ("25:00", "`25:00` is not a time of day: hours go from 00 to 23, minutes to 59."),
        ("Fri", "`Fri` is not a time; expected one like 02:00, Fri 18:00 or 2026-12-24 18:00."),
        ("2026-02-30 10:00", "`2026-02-30 10:00` is no date of the calendar"),
        ("2026-01-06 14:00", "`2026-01-06 14:00` has passed: it is 2026-01-06 15:00 in Europe/Paris."),
        ("today 12:00", "`today 12:00` has passed"),
        ("2026-03-29 02:30", "`2026-03-29 02:30` does not exist on 2026-03-29 in Europe/Paris: clocks go forward"),
    ],
)
def test_what_cannot_be_meant_is_said(typed: str, problem: str) -> None:
    with pytest.raises(TimeProblem) as raised:
        resolve(typed, NOW, "Europe/Paris")
    assert str(raised.value).startswith(problem)


def test_a_time_that_comes_twice_is_the_first_one() -> None:
    assert resolve("2026-10-25 02:30", NOW, "Europe/Paris") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_the_form_is_tidied() -> None:
    assert check(" FRI   18:00 ") == "fri 18:00"
