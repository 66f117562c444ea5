"""Tables that people can read: a command in every stage, and in one line what it leads to."""

from __future__ import annotations

from core.events import Event, kind
from core.facts import Decided, Refused, Verdict
from core.moments import flat


def outcome(verdict: Verdict) -> str:
    """`Voted, Approved | Counted, 2 of 2 …`, `nothing | …`, or `refused | <code> | <sentence>`."""
    match verdict:
        case Decided(events, says):
            return flat(" | ".join((", ".join(map(kind, events)) or "nothing", *says)))
        case Refused(code, why, more):
            return flat(" | ".join(("refused", code, why, *more)))


def table(text: str) -> dict[str, str]:
    """`stage: outcome` by line. A line that begins with `...` stands for the outcome above it."""
    rows: dict[str, str] = {}
    above = ""
    for line in text.strip().splitlines():
        stage, _, wanted = line.strip().partition(": ")
        above = above if wanted.strip() == "..." else wanted.strip()
        rows[stage] = above
    return rows


def kinds(events: tuple[Event, ...]) -> list[str]:
    return [kind(event) for event in events]
