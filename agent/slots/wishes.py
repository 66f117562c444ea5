"""What a signed release asks for, beside what this host has already accepted. Decisions only: nothing is done here."""

from __future__ import annotations

from datetime import datetime

from agent.errors import Refused
from agent.slots.records import ComponentRecord, SlotRecord
from core.release.wire import EnvelopeJson, Release


def is_repeated(known: ComponentRecord, release: Release) -> bool:
    """Whether nothing is to be done. Raises Refused for what must not be done."""
    highest = known.release
    if release.generation < highest.generation:
        raise Refused(
            "older_generation",
            f"generation {release.generation} of {release.component} is older than {highest.generation}, "
            "which this host has accepted; ask its lane for a new one",
        )
    if release.generation > highest.generation:
        return False
    if release.digest != highest.digest:
        raise Refused("conflict", f"generation {release.generation} of {release.component} is of another digest here")
    return known.status != "failed" or release.nonce == highest.nonce


def is_staged_already(known: SlotRecord, release: Release) -> bool:
    """Whether the slot stays as it is. Raises Refused where it holds something else."""
    if known.release.nonce == release.nonce:
        return True
    if known.status in ("failed", "crashed", "withdrawn"):
        return False
    if known.digest != release.digest:
        raise Refused("conflict", f"the slot {known.name} has another digest; withdraw it first")
    return True


def wishing(known: ComponentRecord | None, release: Release, envelope: EnvelopeJson, now: datetime) -> ComponentRecord:
    """The component's record once `release` is wanted of it; what runs is not touched by that."""
    if known is None:
        return ComponentRecord(release=release, envelope=envelope, status="switching", since=now)
    changes = {"release": release, "envelope": envelope, "status": "switching", "since": now, "error": None}
    return known.model_copy(update=changes)
