"""A database as years leave it: ended deployments by the hundred thousand, with whole chains."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.rig import rig
from core.journal import GENESIS, Draft, Entry, first_fault
from core.release.signing import canonical

TEXTS = ("Seen", "Seen again", "Fine", "Looks good", "Wait for Bo", "Bo agrees")
SHELF = 500
"""Deployments that are written at once."""
_OF_DEPLOYMENT = ("placement", "verification_check", "vote", "mainframe", "card")
_INTO_JOURNAL = (
    'INSERT INTO journal (chain, seq, kind, data, at, "by", via, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'
)


async def database(folder: Path, events: int) -> Path:
    """One deployment is pushed, noted and cancelled by the bot itself; the others are written as its copies."""
    async with rig(folder) as bench:
        await bench.push("old0")
        for line in (*(f"note old0 '{text}'" for text in TEXTS), "cancel old0"):
            reply = await bench.say(line)
            assert reply.outcome == "done", reply.card.title
        await bench.push("v1")
    file = folder / "ashat.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as c:
        c.row_factory = sqlite3.Row
        c.execute("PRAGMA synchronous=OFF")
        _copy(c, events)
        _prove(c)
        c.execute("ANALYZE")
    return file


def _copy(c: sqlite3.Connection, events: int) -> None:
    row = dict(c.execute("SELECT * FROM deployment WHERE id = 'old0'").fetchone())
    number = c.execute("SELECT max(number) FROM deployment").fetchone()[0]
    drafts = [_draft(each) for each in c.execute("SELECT * FROM journal WHERE chain = 'old0#1' ORDER BY seq")]
    parts = {t: [dict(r) for r in c.execute(f"SELECT * FROM {t} WHERE deployment = 'old0#1'")] for t in _OF_DEPLOYMENT}
    lines = [_line(seq, draft) for seq, draft in enumerate(drafts, 1)]
    count = events // len(drafts)
    for start in range(1, count, SHELF):
        names = [f"old{n}" for n in range(start, min(start + SHELF, count))]
        c.execute("BEGIN IMMEDIATE")
        rows = [{**row, "number": number + start + i, "id": name, "key": f"{name}#1"} for i, name in enumerate(names)]
        _insert(c, "deployment", rows)
        for table, originals in parts.items():
            copies = [{**old, "deployment": f"{name}#1"} for name in names for old in originals]
            _insert(c, table, [{k: v for k, v in one.items() if k != "number"} for one in copies])
        c.executemany(_INTO_JOURNAL, (row for name in names for row in _chain(f"{name}#1", lines)))
        c.execute("COMMIT")


def _draft(row: sqlite3.Row) -> Draft:
    at = datetime.fromisoformat(row["at"]).replace(tzinfo=UTC)
    return Draft(row["chain"], row["kind"], _json_of(row["data"]), at, row["by"], row["via"])


def _json_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """An entry of any chain: what is hashed between the chain's name and the hash before it, and what is in its row."""

    hashed: str
    row: tuple[object, ...]


def _line(seq: int, draft: Draft) -> _Line:
    at = draft.at.isoformat(timespec="microseconds")
    hashed = canonical([seq, draft.kind, draft.data, at, draft.by, draft.via]).decode()[1:-1]
    at = draft.at.replace(tzinfo=None).isoformat(" ", timespec="microseconds")
    data = canonical(draft.data).decode()
    return _Line(hashed, (seq, draft.kind, data, at, draft.by, draft.via))


def _chain(chain: str, lines: Sequence[_Line]) -> Iterator[tuple[object, ...]]:
    """As core.journal seals them, at a twentieth of the time: see `_prove`."""
    previous = GENESIS
    for line in lines:
        hash_ = sha256(f'["{chain}",{line.hashed},"{previous}"]'.encode()).hexdigest()
        yield (chain, *line.row, previous, hash_)
        previous = hash_


def _insert(c: sqlite3.Connection, table: str, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        names = ", ".join(f'"{name}"' for name in rows[0])
        places = ", ".join(f":{name}" for name in rows[0])
        c.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)


def _prove(c: sqlite3.Connection) -> None:
    """A chain in the middle is what the bot would have written."""
    rows = c.execute("SELECT * FROM journal WHERE chain = 'old7#1' ORDER BY seq").fetchall()
    entries = [
        Entry(d.chain, r["seq"], d.kind, d.data, d.at, d.by, d.via, r["previous"], r["hash"])
        for r, d in ((row, _draft(row)) for row in rows)
    ]
    fault = first_fault(entries)
    if fault or not entries:
        raise ValueError(f"the grown database is not what the bot writes: {fault}")
