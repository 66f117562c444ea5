"""What the host remembers: one JSON file per slot and per component, written durably before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from agent.files import read_or_none, sync_folder, write_durably
from core.release.manifest import Manifest
from core.release.wire import ComponentStatus, Digest, EnvelopeJson, Release, SlotStatus


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SlotRecord(_Record):
    """One release in a slot. `staged` ones were put there by name; the others belong to their component."""

    name: str
    staged: bool
    release: Release
    digest: Digest
    status: SlotStatus
    since: datetime
    error: str | None = None
    manifest: Manifest | None = None
    """Set once it is unpacked; a copy of our own, since the release may write in its folder."""
    migrated: bool = False
    port: int | None = None


class ComponentRecord(_Record):
    """What a component is to run (`release`, with the proof of it), and what it runs."""

    release: Release
    envelope: EnvelopeJson
    status: ComponentStatus
    since: datetime
    error: str | None = None
    running: str | None = None
    """The slot that is current; it stays so until a switch has succeeded."""
    running_release: Release | None = None
    replaced: Digest | None = None
    warm: str | None = None
    """The slot that the last switch replaced, while it is kept running."""

    @property
    def component(self) -> str:
        return self.release.component

    @property
    def running_digest(self) -> Digest | None:
        return self.running_release.digest if self.running_release else None


Kept = TypeVar("Kept", bound=BaseModel)


class Records(Generic[Kept]):
    """A folder of records, mirrored in memory; `changed` is called after each change is on the disk."""

    def __init__(self, folder: Path, model: type[Kept], file: str, changed: Callable[[], None]) -> None:
        self._folder = folder
        self._file = file
        self._changed = changed
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        found = {path: read_or_none(path / file) for path in sorted(folder.iterdir())}
        self._items = {path.name: model.model_validate_json(data) for path, data in found.items() if data is not None}
        self.unrecorded = [path for path, data in found.items() if data is None]
        """Folders that a crash left before their record was written."""

    def all(self) -> tuple[Kept, ...]:
        return tuple(self._items.values())

    def get(self, name: str) -> Kept | None:
        return self._items.get(name)

    def folder(self, name: str) -> Path:
        return self._folder / name

    def put(self, name: str, record: Kept) -> Kept:
        """On the disk first, then here."""
        folder = self.folder(name)
        if not folder.is_dir():
            folder.mkdir(mode=0o711)
            sync_folder(self._folder)
        write_durably(folder / self._file, record.model_dump_json().encode())
        self._items[name] = record
        self._changed()
        return record

    def drop(self, name: str) -> None:
        """Forget the record; its folder's other files are the caller's."""
        (self.folder(name) / self._file).unlink(missing_ok=True)
        self._items.pop(name, None)
        self._changed()
