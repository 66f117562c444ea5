"""Verification runs on disk: one file a run, replaced whole and synced whenever a check finishes."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.files import read_or_none, write_durably
from core.release.wire import Report, VerificationWanted

log = logging.getLogger(__name__)

_SLOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,70}")


class Record(BaseModel):
    """What was asked for a slot, and how far it has come. `report.checks` is in the order of `wanted.checks`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slot: str
    wanted: VerificationWanted
    report: Report


class Records:
    """`<folder>/<slot>/<run>.json`. Calls block for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, slot: str, run: int) -> Record | None:
        """The record, or None where there is none, as for every name that no slot can have."""
        if not _SLOT.fullmatch(slot):
            return None
        content = read_or_none(self._folder / slot / f"{run}.json")
        return None if content is None else Record.model_validate_json(content)

    def write(self, record: Record) -> None:
        """Raises OSError, and the old record stands."""
        path = self._folder / record.slot / f"{record.wanted.run}.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, record.model_dump_json().encode())

    def latest_run(self, slot: str) -> int:
        """The highest run of a slot, 0 where there is none."""
        return max((int(path.stem) for path in self._runs(slot)), default=0)

    def slots(self) -> list[str]:
        """Every slot of which a run is recorded."""
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else []

    def remove(self, slot: str) -> None:
        """Remove every run of a slot."""
        shutil.rmtree(self._folder / slot)

    def unfinished(self) -> Iterator[Record]:
        """Every record with a check that has still to run. One that cannot be read is logged and left as it is."""
        for slot in self.slots():
            for path in sorted(self._runs(slot)):
                try:
                    record = Record.model_validate_json(path.read_bytes())
                except ValidationError:
                    log.exception("the verification run in %s cannot be read, so it is not taken up again", path)
                    continue
                if not record.report.finished:
                    yield record

    def _runs(self, slot: str) -> list[Path]:
        return [path for path in (self._folder / slot).glob("*.json") if path.stem.isdigit()]
