"""Making a wanted release current: a slot that is healthy, then one atomic change, then the old one may go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime

from agent.logs import get_logger
from agent.settings import AgentSettings
from agent.slots.records import ComponentRecord, Records, SlotRecord
from agent.slots.slots import SlotFailed, Slots, Superseded
from core.release.wire import Release

_COMMAND = 60.0
"""Seconds for the host's switch command."""

log = get_logger(__name__)


def slot_name(release: Release) -> str:
    """The slot of a desired release; `@` keeps it apart from staged ones."""
    return f"{release.component}@{release.generation}"


class Switcher:
    """Carries out the newest wish for a component; it is asked again after a crash, and every step bears that."""

    def __init__(
        self,
        settings: AgentSettings,
        components: Records[ComponentRecord],
        slots: Slots,
        publish: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._components = components
        self._slots = slots
        self._publish = publish
        self._clock = clock

    async def switch(self, component: str) -> None:
        """Bring the wanted release up and make it current; where that fails, the old one stays current."""
        record = self._component(component)

        def check_wanted() -> None:
            if self._component(component).release != record.release:
                raise Superseded

        try:
            slot = None if record.release.digest is None else await self._ready_slot(record, check_wanted)
            check_wanted()
            await self.announce(component, slot)
        except Superseded:
            log.info("switch superseded", component=component, generation=record.release.generation)
        except SlotFailed as failure:
            self.fail(component, record.release, str(failure))
        else:
            self._commit(self._component(component), record.release, slot)

    def fail(self, component: str, release: Release, sentence: str) -> None:
        """Record that `release` did not come up, unless something newer is wanted by now."""
        record = self._component(component)
        if record.release == release:
            changes = {"status": "failed", "error": sentence, "since": self._clock()}
            self._components.put(component, record.model_copy(update=changes))
            log.warning("switch failed", component=component, generation=release.generation, error=sentence)

    async def announce(self, component: str, slot: str | None) -> None:
        """Tell the host's own proxy, where it has one. Raises SlotFailed."""
        if self._settings.switch_command is None:
            return
        address = self._slots.address(slot) if slot else None
        url = f"http://{address}/" if address else ""
        environment = {"PATH": os.defpath, "COMPONENT": component, "URL": url}
        command = self._settings.switch_command
        try:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            raise SlotFailed(f"the switch command cannot be run: {error}") from error
        try:
            async with asyncio.timeout(_COMMAND):
                status = await process.wait()
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise SlotFailed(f"the switch command did not end within {_COMMAND:g} s") from error
        if status != 0:
            raise SlotFailed(f"the switch command ended with status {status}")

    async def _ready_slot(self, record: ComponentRecord, check_wanted: Callable[[], None]) -> str:
        """A healthy slot with the wanted digest: the running or the warm one where it fits, else a new one."""
        for name in filter(None, (record.running, record.warm)):
            known = self._slots.records.get(name)
            if known is not None and known.digest == record.release.digest and self._slots.alive(name):
                try:
                    await self._slots.bring_up(name, check_wanted)
                except SlotFailed as failure:
                    log.info("warm slot not usable", slot=name, error=str(failure))
                else:
                    return name
        name = slot_name(record.release)
        if self._slots.records.get(name) is None:
            self._slots.records.put(name, new_slot(name, record.release, self._clock()))
        await self._slots.bring_up(name, check_wanted)
        return name

    def _commit(self, record: ComponentRecord, release: Release, slot: str | None) -> None:
        """The switch itself: recorded, then published. A crash between the two is mended at the next start."""
        changed = slot != record.running
        changes = {
            "status": "healthy" if slot else "offline",
            "since": self._clock(),
            "error": None,
            "running": slot,
            "running_release": release if slot else None,
            "replaced": record.replaced if record.running_digest == release.digest else record.running_digest,
            "warm": self._stays_warm(record, slot) if changed else record.warm,
        }
        self._components.put(record.component, record.model_copy(update=changes))
        self._publish()
        log.info(
            "switched", component=record.component, generation=release.generation, digest=release.digest,
            deployment=f"{release.deployment}#{release.attempt}", replaced=changes["replaced"],
        )  # fmt: skip

    def _stays_warm(self, record: ComponentRecord, slot: str | None) -> str | None:
        """What was running goes on running beside a release that asks for it; nothing does when all goes offline."""
        new = self._slots.records.get(slot) if slot else None
        wished = new is not None and new.manifest is not None and new.manifest.warm
        return record.running if wished and self._settings.keep_warm else None

    def _component(self, component: str) -> ComponentRecord:
        record = self._components.get(component)
        if record is None:
            raise Superseded
        return record


def new_slot(name: str, release: Release, now: datetime, *, staged: bool = False) -> SlotRecord:
    """A slot in which nothing has been done. `release` names a digest."""
    assert release.digest is not None
    return SlotRecord(name=name, staged=staged, release=release, digest=release.digest, status="preparing", since=now)
