"""What an edited card says that the one before did not: a terminal cannot edit what was read already."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.cards import Bar, Card
from core.plain import Said, line_of

_CLAUSES = re.compile(r"\s{2,}|\s·\s")
"""Cards set several facts into one line with wide spaces or middle dots."""
_LABEL = re.compile(r"^[^:]{1,40}:\s+")


def new_lines(before: Card, after: Card, said: Said) -> list[str]:
    """Whole lines of `after` that `before` did not have. `said` puts moments in words."""
    known = {line_of(line, said) for line in before.lines}
    return [text for line in after.lines if (text := line_of(line, said)) and text not in known]


def new_facts(before: Card, after: Card, said: Said) -> list[str]:
    """Single facts, of the lines that changed. What only moved behind another label is no news."""
    known = {item for line in before.lines for fact in _facts(line, said) for item in _items(fact)}
    changed = set(new_lines(before, after, said))
    return [
        fact
        for line in after.lines
        if line_of(line, said) in changed
        for fact in _facts(line, said)
        if not known.issuperset(_items(fact))
    ]


def _facts(line: str | Bar, said: Said) -> Sequence[str]:
    return [line_of(line, said)] if isinstance(line, Bar) else _CLAUSES.split(line_of(line, said))


def _items(fact: str) -> Sequence[str]:
    """`Waiting: Performance Baseline, Security Scan` names two."""
    return _LABEL.sub("", fact).split(", ")
