"""Receipts that OMEGA has not acknowledged yet, kept over restarts so that they say when it really was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.files import read_or_none, write_durably
from core.release.manifest import Name


class PendingReceipt(BaseModel):
    """A signed receipt and what it is about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    component: Name
    generation: int
    nonce: str
    envelope: dict[str, Any]


class _Contents(BaseModel):
    pending: tuple[PendingReceipt, ...] = ()


class ReceiptOutbox:
    """At most one receipt a component: a newer one replaces what was not sent."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError where the file is there and is not an outbox."""
        self._path = path
        try:
            contents = _Contents.model_validate_json(read_or_none(path) or b"{}")
        except ValidationError as error:
            raise ValueError(f"{path} is damaged; remove it, and the receipts are signed anew") from error
        self._pending = {one.component: one for one in contents.pending}

    def get(self, component: str, generation: int, nonce: str) -> PendingReceipt | None:
        """The unsent receipt about exactly this."""
        found = self._pending.get(component)
        return found if found and (found.generation, found.nonce) == (generation, nonce) else None

    def put(self, receipt: PendingReceipt) -> None:
        self._pending[receipt.component] = receipt
        self._write()

    def remove(self, component: str) -> None:
        if self._pending.pop(component, None) is not None:
            self._write()

    def _write(self) -> None:
        pending = [one.model_dump(mode="json") for _, one in sorted(self._pending.items())]
        write_durably(self._path, json.dumps({"pending": pending}).encode())
