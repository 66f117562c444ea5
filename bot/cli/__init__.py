"""The command `ashat`. Every command imports what it needs when it is called, so that each starts as fast as it can."""

from __future__ import annotations

from bot.cli.program import main, program

__all__ = ["main", "program"]
