"""A card as lines of plain text: what every place can show that has no drawing of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from core import say
from core.cards import Bar, Button, Card
from core.moments import Moment, flat, pieces
from core.people import Person
from core.text import visible

BAR_CELLS = 10
Said = Callable[[Moment], str]


def _words(moment: Moment) -> str:
    return moment.words


def lines(card: Card, said: Said = _words) -> list[str]:
    """Title and facts, a line each, safe to print; buttons are left out. `said` puts moments in words."""
    return [line_of(line, said) for line in ((card.title, *card.lines) if card.title else card.lines)]


def line_of(line: str | Bar, said: Said = _words) -> str:
    """One fact as text; of a bar the numbers stand first: `3 of 6 done ▓▓▓▓▓░░░░░`. `said` puts moments in words."""
    return joined(parts_of(line), said)


def joined(parts: Iterable[str | Moment], said: Said = _words) -> str:
    """The parts of one fact as text."""
    return "".join(said(part) if isinstance(part, Moment) else part for part in parts).rstrip()


def parts_of(line: str | Bar) -> Iterator[str | Moment]:
    """One fact as safe texts, with its moments between them, for who can draw those."""
    if isinstance(line, Bar):
        line = " ".join(part for part in (line.text, bar(line.done, line.total), line.after) if part)
    for piece in pieces(line):
        yield piece if isinstance(piece, Moment) else _one_line(piece)


def addressed(card: Card, people: Sequence[Person]) -> Card:
    """`card` with the names of those whom it concerns, for a place that cannot ping them."""
    if not people:
        return card
    return replace(card, lines=(f"To {say.listed([person.name for person in people])}", *card.lines))


def bar(done: float, total: float) -> str:
    """Full only where all is done, and empty only where nothing is, or where nothing is known yet."""
    share = 0.0 if total <= 0 else min(max(done / total, 0.0), 1.0)
    full = round(share * BAR_CELLS)
    if 0.0 < share < 1.0:
        full = min(max(full, 1), BAR_CELLS - 1)
    return "▓" * full + "░" * (BAR_CELLS - full)


def buttons(found: tuple[Button, ...]) -> str:
    """`[Approve] [Details]`."""
    return " ".join(f"[{safe(button.label)}]" for button in found)


def safe(text: str) -> str:
    """One line without anything that a terminal would obey, or that turns the reading order round."""
    return _one_line(flat(text)).rstrip()


def _one_line(text: str) -> str:
    return " ".join(visible(text).replace("\t", " ").splitlines())
