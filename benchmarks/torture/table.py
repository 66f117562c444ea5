"""The table, and below it what did not hold."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.tally import Tally

_SHOWN = 10
"""Faults of one part that are told in full."""


def render(tallies: Sequence[Tally], seed: int) -> str:
    head = ("what", "tried", "converged or refused", "faults", "seconds", "")
    rows = [(t.what, f"{t.tried:,}", f"{t.held:,}", str(len(t.faults)), f"{t.seconds:.1f}", t.note) for t in tallies]
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *numbers, note = (cell for cell in row)
        middle = "  ".join(cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True))
        return f"{first.ljust(widths[0])}  {middle}  {note}".rstrip()

    faults = [f"{t.what}: {fault}" for t in tallies for fault in t.faults[:_SHOWN]]
    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows), f"seed {seed}", *faults])
