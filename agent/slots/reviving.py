"""What should run and has ended: current releases and the front door, each started again after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.door.front import FrontDoor
from agent.jobs import Jobs
from agent.logs import get_logger
from agent.processes.kept import NotStarted
from agent.slots.crashes import Crashes
from agent.slots.records import ComponentRecord, Records
from agent.slots.slots import SlotFailed, Slots, Superseded
from agent.slots.switching import Switcher

_DOOR = "@door"
"""The front door among the crashes; no slot has such a name."""

log = get_logger(__name__)


class Reviver:
    """`risen` is called after a current release runs again, `noted` after a crash was noted.

    `seconds` is a monotonic clock: the back-off must not follow a wall clock that jumps.
    """

    def __init__(
        self,
        crashes: Crashes,
        components: Records[ComponentRecord],
        slots: Slots,
        door: FrontDoor,
        switcher: Switcher,
        jobs: Jobs,
        risen: Callable[[], None],
        noted: Callable[[], None],
        seconds: Callable[[], float],
    ) -> None:
        self._crashes = crashes
        self._components = components
        self._slots = slots
        self._door = door
        self._switcher = switcher
        self._jobs = jobs
        self._risen = risen
        self._noted = noted
        self._seconds = seconds

    async def after_reboot(self, down: list[str]) -> None:
        """Start current releases that went down with the host, at once and side by side."""
        for name in down:
            self._crashes.fell(name, "This host was restarted; it is being started again.", 0.0, at_once=True)
        await asyncio.gather(*(self._restart(name) for name in down))

    def look_at_current(self, slot: str) -> None:
        """Start a current release again where it has ended and its time has come."""
        if self._slots.alive(slot) or f"restart {slot}" in self._jobs:
            return
        if self._crashes.down(slot) is None:
            self._note(slot, self._slots.ended_words(slot))
        if self._crashes.due(slot, self._seconds()):
            self._jobs.begin(f"restart {slot}", lambda: self._restart(slot), lambda s: self._note(slot, s))

    def look_at_door(self) -> None:
        """Open the front door again where it has ended and its time has come."""
        if self._door.alive or "door" in self._jobs:
            return
        if self._crashes.down(_DOOR) is None:
            self._note(_DOOR, "The front door's process has ended.")
        if self._crashes.due(_DOOR, self._seconds()):
            self._jobs.begin("door", self._reopen, lambda sentence: self._note(_DOOR, sentence))

    async def _reopen(self) -> None:
        try:
            await self._door.keep()
        except NotStarted as failure:
            self._note(_DOOR, str(failure))
        else:
            self._crashes.rose(_DOOR, self._seconds())

    async def _restart(self, slot: str) -> None:
        """Where it fails, its next turn comes later."""

        def check_wanted() -> None:
            if all(record.running != slot for record in self._components.all()):
                raise Superseded

        try:
            await self._slots.bring_up(slot, check_wanted)
            component = next(r.component for r in self._components.all() if r.running == slot)
            await self._switcher.announce(component, slot)
        except Superseded:
            self._crashes.forget(slot)
        except SlotFailed as failure:
            self._note(slot, str(failure))
        else:
            self._crashes.rose(slot, self._seconds())
            log.info("current release runs again", slot=slot)
            self._risen()

    def _note(self, slot: str, words: str) -> None:
        self._crashes.fell(slot, words, self._seconds())
        log.warning("down", what=slot, error=words)
        self._noted()
