"""JSON Schema, judged in a process of its own.

A schema comes from an artifact: a pattern in it can keep Python's `re`, and with it the whole agent, busy for hours.
A child can be killed at the check's deadline. It also keeps the library out of the agent, which starts fast.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.checks.process import run_process


@dataclass(frozen=True)
class Violation:
    """Where a body breaks its schema. It names rules, places and types; values of the body are not repeated."""

    expected: str
    seen: str


async def violations(pairs: Sequence[tuple[dict[str, Any], Any]]) -> list[Violation | None]:
    """For each (schema, body): what is wrong first, or None. Raises RuntimeError where the child itself fails."""
    if not pairs:
        return []
    child = Path(__file__).with_name("schema_child.py")
    # -I: neither the environment nor the folder of the script can put another module in the library's place.
    command = (sys.executable, "-I", str(child))
    finished = await run_process(command, child.parent, stdin=json.dumps(list(pairs)).encode())
    if finished.status:
        raise RuntimeError(f"the JSON Schema process ended with {finished.status}: {finished.last_line}")
    return [None if found is None else Violation(*found) for found in json.loads(finished.last_line)]
