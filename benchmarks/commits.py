"""A command that is authorised, decided, journaled and on disk, beside the same rows written by raw sqlite3."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.rig import Rig, rig
from benchmarks.table import Row

_TIMES = 300
RAW = "raw sqlite3, one fsynced transaction"
WHY = (
    "A committed command also finds out who may, decides, seals its entry in a hash chain, tells the channel, marks\n"
    "the card and logs a line, and changes nearly twice as many pages of the database; one at a time it also changes\n"
    "threads twice. Those in flight share an fsync."
)


def raw(folder: Path, times: int) -> float:
    """Microseconds of one fsynced transaction with the rows of one command: inbox, update, journal, settled."""
    c = sqlite3.connect(folder / "raw.db", isolation_level=None)
    c.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE deployment (key TEXT PRIMARY KEY, version INT, body TEXT);"
        "CREATE TABLE journal (chain TEXT, seq INT, hash TEXT, body TEXT, PRIMARY KEY (chain, seq));"
        "CREATE TABLE inbox (platform TEXT, delivery TEXT, body TEXT, reply TEXT, PRIMARY KEY (platform, delivery));"
        "INSERT INTO deployment VALUES ('v1#1', 0, '{}');"
    )
    body, found = "x" * 400, []
    for number in range(times):
        start = time.perf_counter()
        c.execute("BEGIN IMMEDIATE")
        c.execute("INSERT INTO inbox VALUES ('bench', ?, ?, ?)", (f"d{number}", body, body))
        c.execute("UPDATE deployment SET version = version + 1, body = ? WHERE key = 'v1#1'", (body,))
        c.execute("INSERT INTO journal VALUES ('v1#1', ?, ?, ?)", (number, "0" * 64, body))
        c.execute("COMMIT")
        found.append((time.perf_counter() - start) * 1e6)
    c.close()
    return median(found)


def fsynced_insert(folder: Path, times: int) -> float:
    """Microseconds of one row that is on disk."""
    c = sqlite3.connect(folder / "insert.db", isolation_level=None)
    c.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE said (text TEXT);")
    found = []
    for _ in range(times):
        start = time.perf_counter()
        c.execute("INSERT INTO said VALUES ('measured')")
        found.append((time.perf_counter() - start) * 1e6)
    c.close()
    return median(found)


async def committed(bench: Rig, in_flight: int) -> float:
    """Microseconds a command, `in_flight` at once, each on a deployment of its own."""
    rounds = max(1, _TIMES // in_flight)
    start = time.perf_counter()
    for _ in range(rounds):
        replies = await asyncio.gather(*(bench.say(f"note v{i} 'Measured'") for i in range(in_flight)))
        assert all(reply.outcome == "done" for reply in replies), replies[0].card.title
    return (time.perf_counter() - start) / (rounds * in_flight) * 1e6


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floor = raw(folder, _TIMES)
        async with rig(folder) as bench:
            for i in range(64):
                await bench.push(f"v{i}")
            await committed(bench, 1)  # the first pays for imports and plans
            rows = [(n, await committed(bench, n)) for n in (1, 16, 64)]
    return [
        Row(f"committed command, {n} in flight ({1e6 / ours:,.0f}/s)", ours, floor, "µs", RAW, why=WHY)
        for n, ours in rows
    ]
