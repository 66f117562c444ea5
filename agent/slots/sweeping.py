"""Clearing up: slots that nothing needs, once their last request is answered, and artifacts that are not kept."""

from __future__ import annotations

from collections.abc import Callable, Collection

from agent.logs import get_logger
from agent.settings import AgentSettings
from agent.slots.artifacts import ArtifactFolder
from agent.slots.records import ComponentRecord, Records
from agent.slots.slots import Slots
from agent.slots.switching import slot_name

_TOMBSTONES = 200
"""Records of withdrawn slots that are kept, so that a repeated request about them is still understood."""

log = get_logger(__name__)


class Sweeper:
    """Says what may go; nothing that is current, warm, staged or on its way up ever is."""

    def __init__(
        self,
        settings: AgentSettings,
        components: Records[ComponentRecord],
        slots: Slots,
        artifacts: ArtifactFolder,
    ) -> None:
        self._settings = settings
        self._components = components
        self._slots = slots
        self._artifacts = artifacts
        self._used_elsewhere: list[Callable[[], Collection[str]]] = []
        self._since: dict[str, float] = {}
        """When a slot was first seen to be surplus, in seconds of the monotonic clock."""
        self._warm_since: dict[str, float] = {}
        """When a slot was first seen to be warm. The wall clock, which jumps, is not asked."""

    def keep(self, digests: Callable[[], Collection[str]]) -> None:
        """Artifacts that `digests` names are kept too."""
        self._used_elsewhere.append(digests)

    def cool(self, now: float) -> None:
        """Warm slots whose time is over are no longer kept; a restart of the agent lets it begin anew."""
        warm = {record.component: record.warm for record in self._components.all() if record.warm}
        self._warm_since = {slot: self._warm_since.get(slot, now) for slot in warm.values()}
        for component, slot in warm.items():
            record = self._components.get(component)
            if record is not None and now - self._warm_since[slot] >= self._settings.limits.warm:
                self._components.put(component, record.model_copy(update={"warm": None}))

    def surplus(self) -> list[str]:
        """Slots of components that nothing needs."""
        needed = {name for record in self._components.all() for name in _needed(record)}
        return [slot.name for slot in self._slots.records.all() if not slot.staged and slot.name not in needed]

    def drained(self, surplus: list[str], in_flight: dict[str, int] | None, now: float) -> list[str]:
        """Those that may be ended: their requests are answered, or have had their time. None: nobody can count them."""
        self._since = {name: self._since.get(name, now) for name in surplus}
        return [name for name in surplus if self._is_quiet(name, in_flight) or self._has_waited(name, now)]

    def prune(self) -> None:
        """Remove artifacts and tombstones that are not kept."""
        withdrawn = [slot for slot in self._slots.records.all() if slot.status == "withdrawn"]
        for slot in sorted(withdrawn, key=lambda slot: slot.since, reverse=True)[_TOMBSTONES:]:
            self._slots.records.drop(slot.name)
        used = {slot.digest for slot in self._slots.records.all() if slot.status != "withdrawn"}
        for record in self._components.all():
            used |= {digest for digest in (record.release.digest, record.running_digest, record.replaced) if digest}
        for digests in self._used_elsewhere:
            used.update(digests())
        for digest in self._artifacts.prune(used, self._settings.limits.keep):
            log.info("artifact pruned", digest=digest)

    def _is_quiet(self, name: str, in_flight: dict[str, int] | None) -> bool:
        address = self._slots.address(name)
        return address is None or (in_flight is not None and not in_flight.get(address))

    def _has_waited(self, name: str, now: float) -> bool:
        return now - self._since[name] >= self._settings.limits.drain


def _needed(record: ComponentRecord) -> tuple[str | None, ...]:
    coming = slot_name(record.release) if record.status == "switching" else None
    return record.running, record.warm, coming
