"""A card as lines of plain text: what every place can show that has no drawing of its own."""

from __future__ import annotations

from core.cards import Bar, Button, Card
from core.text import visible

BAR_CELLS = 10


def lines(card: Card) -> list[str]:
    """Title and facts, a line each, safe to print; buttons are left out."""
    found = [safe(card.title)] if card.title else []
    return [*found, *(line_of(line) for line in card.lines)]


def line_of(line: str | Bar) -> str:
    """One fact as text; of a bar the numbers stand first: `3 of 6 done ▓▓▓▓▓░░░░░`."""
    if isinstance(line, str):
        return safe(line)
    return " ".join(part for part in (safe(line.text), bar(line.done, line.total), safe(line.after)) if part)


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
    return " ".join(visible(text).replace("\t", " ").splitlines()).rstrip()
