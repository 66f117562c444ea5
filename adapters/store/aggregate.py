"""A deployment as rows: one for itself, one for each placement, check, vote and mainframe; and which of them changed.

Pure: nothing here talks to a database. Facts are immutable, so what did not change is equal, mostly even the same
object, and is not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Table

from adapters.store import codec
from adapters.store.codec import Row
from adapters.store.tables import CHECK, MAINFRAME, PLACEMENT
from core.replacing import replace
from core.state import Check, Deployment, Mainframe, Placement, Vote

Values = dict[str, Any]
Key = tuple[Any, ...]
_COLUMNS = ("id", "attempt", "component", "stage", "version", "pushed_at")
_LEFT_OUT: dict[str, Any] = {
    **dict.fromkeys((*_COLUMNS, "placements", "votes", "mainframes"), True),
    "verification": {"checks": True},
}
_PLACEMENT = ("server", "desired", "observed")
_CHECK = ("name", "state")
_MAINFRAME = ("region", "name", "status")
VOTE_COLUMNS = ("person", "run", "at")


def next_version(d: Deployment) -> Deployment:
    """`d` as it is stored and read back: one version on, mainframes in order."""
    mainframes = d.mainframes and tuple(sorted(d.mainframes, key=lambda mainframe: (mainframe.region, mainframe.name)))
    return replace(d, version=d.version + 1, mainframes=mainframes)


def deployment_row(d: Deployment) -> Values:
    """Its own row, without the key."""
    row: Values = {name: getattr(d, name) for name in _COLUMNS}
    row |= {"stage": d.stage.value, "active": int(not d.ended), "run": run_of(d)}
    row["data"] = codec.dump(d, _LEFT_OUT)
    return row


def deployment_changes(before: Deployment, after: Deployment) -> Values:
    """What may differ in its own row. SQLite writes each index of a column that is named, differ or not."""
    row: Values = {"version": after.version, "stage": after.stage.value, "run": run_of(after)}
    if after.ended != before.ended:
        row["active"] = int(not after.ended)
    row["data"] = codec.dump(after, _LEFT_OUT)
    return row


def run_of(d: Deployment) -> int | None:
    return d.verification.run if d.verification else None


# -- parts -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A table of parts of a deployment: the `facts` that are there, and `rows` of them by primary key without the
    deployment."""

    table: Table
    identity: tuple[str, ...]
    facts: Callable[[Deployment], object]
    rows: Callable[[Deployment], Mapping[Key, tuple[int, object]]]
    row: Callable[[Deployment, int, Any], Values]


@dataclass(frozen=True, slots=True)
class Differences:
    """Rows of one table to insert, to update, and primary keys to delete."""

    part: Part
    inserted: list[Values]
    updated: list[Values]
    deleted: list[Key]


def differences(before: Deployment | None, after: Deployment) -> Iterator[Differences]:
    """What must be written so that the parts of `before` become those of `after`; nothing for tables that stay."""
    for part in PARTS:
        if before and part.facts(before) is part.facts(after):
            continue
        old = part.rows(before) if before else {}
        new = part.rows(after)
        if part is CHECKS and before and run_of(before) != run_of(after):
            old = {}  # another run: its predecessor's rows stay
        found = Differences(part, [], [], [(after.key, *key) for key in old if key not in new])
        for key, (position, fact) in new.items():
            if old.get(key) != (position, fact):
                row = {"deployment": after.key, **part.row(after, position, fact)}
                (found.updated if key in old else found.inserted).append(row)
        if found.inserted or found.updated or found.deleted:
            yield found


def require_unique(d: Deployment) -> None:
    """Raises ValueError where two parts have the same key."""
    for part in PARTS:
        part.rows(d)


def votes_changed(before: Deployment | None, after: Deployment) -> tuple[list[Vote], list[Vote]]:
    """Votes that fell, and new ones."""
    old = before.votes if before else ()
    if old is after.votes:
        return [], []
    return [vote for vote in old if vote not in after.votes], [vote for vote in after.votes if vote not in old]


def _unique(
    d: Deployment, what: str, pairs: Iterable[tuple[Key, tuple[int, object]]]
) -> Mapping[Key, tuple[int, object]]:
    rows: dict[Key, tuple[int, object]] = {}
    for key, value in pairs:
        if key in rows:
            raise ValueError(f"{d.key} has two {what} named {'/'.join(map(str, key))}; each must be there once")
        rows[key] = value
    return rows


def _placements(d: Deployment) -> Mapping[Key, tuple[int, object]]:
    return _unique(d, "placements", (((p.server,), (position, p)) for position, p in enumerate(d.placements)))


def _checks(d: Deployment) -> Mapping[Key, tuple[int, object]]:
    run = d.verification
    checks = run.checks if run else ()
    return _unique(d, "checks", (((run and run.run, c.name), (position, c)) for position, c in enumerate(checks)))


def _mainframes(d: Deployment) -> Mapping[Key, tuple[int, object]]:
    return _unique(d, "mainframes", (((m.region, m.name), (0, m)) for m in d.mainframes))


def _placement_row(_: Deployment, position: int, place: Placement) -> Values:
    return {"position": position, **codec.split(place, _PLACEMENT)}


def _check_row(d: Deployment, position: int, check: Check) -> Values:
    assert d.verification is not None
    run = d.verification
    return {"run": run.run, "deadline": run.deadline, "position": position, **codec.split(check, _CHECK)}


def _mainframe_row(_: Deployment, _position: int, mainframe: Mainframe) -> Values:
    return codec.split(mainframe, _MAINFRAME)


def vote_row(d: Deployment, vote: Vote) -> Values:
    return {"deployment": d.key, "fallen_at": None, **codec.split(vote, VOTE_COLUMNS)}


CHECKS = Part(CHECK, ("run", "name"), attrgetter("verification"), _checks, _check_row)
PARTS = (
    Part(PLACEMENT, ("server",), attrgetter("placements"), _placements, _placement_row),
    CHECKS,
    Part(MAINFRAME, ("region", "name"), attrgetter("mainframes"), _mainframes, _mainframe_row),
)


# -- and back ----------------------------------------------------------------------------------------------------------

Rows = Sequence[Row]


def assemble(row: Row, placements: Rows, checks: Rows, votes: Rows, mainframes: Rows) -> Deployment:
    """The deployment that was taken apart; parts are in order (mainframes by region and name, as core keeps them)."""
    values = codec.fields(row, _COLUMNS)
    values["placements"] = [codec.fields(part, _PLACEMENT) for part in placements]
    values["votes"] = [codec.fields(part, VOTE_COLUMNS) for part in votes]
    values["mainframes"] = [codec.fields(part, _MAINFRAME) for part in mainframes]
    if values["verification"] is not None:
        values["verification"]["checks"] = [codec.fields(part, _CHECK) for part in checks]
    return codec.build(Deployment, values)
