"""The last of what releases printed whose slots are gone: where to look after a rollback or a withdrawal."""

from __future__ import annotations

import os
from pathlib import Path

from agent.files import write_durably

_TAIL = 256 * 1024
"""Bytes kept of each log."""
_KEPT = 50
"""Logs kept; the newest."""


class OldLogs:
    """`<folder>/<slot>.log`, readable by the agent's user alone. Calls block for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, slot: str, log: Path) -> None:
        """Keep the end of `log` and of the part that was turned away before it; nothing where nothing was printed."""
        text = (_tail(log.with_name(f"{log.name}.1")) + _tail(log))[-_TAIL:]
        if text:
            write_durably(self._folder / f"{slot}.log", text)
            self._prune()

    def _prune(self) -> None:
        logs = sorted(self._folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in logs[_KEPT:]:
            path.unlink()


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read()
    except FileNotFoundError:
        return b""
