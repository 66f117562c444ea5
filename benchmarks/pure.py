"""Parsing and deciding alone: no I/O."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.rig import PERSON, rig
from benchmarks.table import Row, microseconds
from core.commands import Note
from core.parsing import parse
from core.workflow import decide

LINE = "deploy push patch-v1.2.3 'Security fixes and performance improvements' 'Fixes CVE-2024-001'"


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        async with rig(Path(name)) as bench:
            await bench.push("v1")
            facts = await bench.app.service.facts("v1#1")
    assert facts is not None
    asked = replace(facts, asker=PERSON)
    note = Note("v1", "Measured")
    floor = microseconds(lambda: shlex.split(LINE), 2000)
    return [
        Row("parse the guide's longest line", microseconds(lambda: parse(LINE), 2000), floor, "µs", "shlex.split"),
        Row("decide one command", microseconds(lambda: decide(note, asked), 5000), floor, "µs", "shlex.split"),
    ]
