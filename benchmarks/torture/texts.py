"""What is given to parsers, by the hundred thousand."""

from __future__ import annotations

import os
from collections.abc import Iterator

from benchmarks.torture import fuzz
from benchmarks.torture.budget import Budget
from tests.faults import garble
from tests.faults.tally import Tally


def tallies(budget: Budget) -> list[Tally]:
    """What is given to a parser: in a process of its own, which leaves the machine to the others where they want it."""
    os.nice(10)
    return list(_each(budget))


def _each(budget: Budget) -> Iterator[Tally]:
    yield garble.parser(budget.times(100_000), budget.seed)
    yield garble.cleaning(budget.times(100_000), budget.seed)
    yield garble.rendering(budget.times(5_000), budget.seed)
    yield from fuzz.parts(budget.times(100_000))
