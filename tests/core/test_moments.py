"""Moments in texts: marked by core alone, found again, and harmless where nobody can draw them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core import plain, say
from core.cards import Bar, Card
from core.moments import Moment, flat, moment, pieces
from core.text import clean, visible

NOW = datetime(2026, 1, 6, 14, 0, tzinfo=UTC)
"""A Tuesday."""


def test_a_text_is_taken_apart_in_order() -> None:
    text = f"valid until {say.clock(NOW + timedelta(days=1), 'UTC', NOW)}, since {say.clock(NOW, 'Asia/Tokyo', NOW)}"
    assert list(pieces(text)) == [
        "valid until ", Moment(NOW + timedelta(days=1), "day", "Wed 14:00"),
        ", since ", Moment(NOW, "time", "23:00"),
    ]  # fmt: skip
    assert flat(text) == "valid until Wed 14:00, since 23:00"


def test_what_is_far_away_has_its_date() -> None:
    (far,) = pieces(say.clock(NOW + timedelta(days=9), "UTC", NOW))
    assert far == Moment(NOW + timedelta(days=9), "date", "2026-01-15 14:00")


def test_a_zone_is_named_only_where_its_words_stand() -> None:
    """Whoever sees the time in their own zone must not read the name of another one beside it."""
    text = f"Not before {say.clock(NOW, 'Asia/Tokyo', NOW, named=True)}, window night"
    assert list(pieces(text)) == ["Not before ", Moment(NOW, "time", "23:00 Asia/Tokyo"), ", window night"]
    assert flat(text) == "Not before 23:00 Asia/Tokyo, window night"


def test_plain_lines_hold_the_words() -> None:
    at = say.clock(NOW, "UTC", NOW)
    card = Card(f"since {at}", (f"at {at}, by Bo", Bar(1, 2, f"{at} 1 of 2", at)))
    assert plain.lines(card) == ["since 14:00", "at 14:00, by Bo", "14:00 1 of 2 ▓▓▓▓▓░░░░░ 14:00"]
    assert plain.safe(card.title) == "since 14:00"
    assert plain.lines(card, lambda found: f"<{found.at:%H}>")[1] == "at <14>, by Bo"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\ufdd0\ufdd1\ufdd2")))
def test_text_around_a_moment_stays_as_it_is(text: str) -> None:
    marked = f"{text}{moment(NOW, 'time', '14:00')}{text}"
    found = [piece for piece in pieces(marked) if isinstance(piece, Moment)]
    assert found == [Moment(NOW, "time", "14:00")]
    assert "".join(piece if isinstance(piece, str) else piece.words for piece in pieces(marked)) == flat(marked)


@given(st.text(st.sampled_from("\ufdd0\ufdd1\ufdd2 time day1234")))
def test_text_from_outside_can_hold_no_moment_and_breaks_nothing(text: str) -> None:
    assert list(pieces(clean(text, 500))) == ([clean(text, 500)] if clean(text, 500) else [])
    assert list(pieces(visible(moment(NOW, "time", text)))) == [visible(moment(NOW, "time", text))]
    assert not any("\ufdd0" <= char <= "\ufdef" for char in plain.line_of(text))
