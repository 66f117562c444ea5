"""The host: what is wanted here, what runs here, and whatever is next between the two.

Level-triggered: a request records what is wanted, durably, and then `_look` compares it with what is. The same look
is taken twice a second, after each finished job and at the start, so a crash at any instant is repaired by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel

from agent.changes import Changes
from agent.checks.target import Target
from agent.door.front import FrontDoor
from agent.errors import Refused
from agent.jobs import Jobs
from agent.logs import get_logger
from agent.processes.kept import Keepers
from agent.settings import AgentSettings
from agent.slots.artifacts import ArtifactFolder
from agent.slots.crashes import Crashes
from agent.slots.records import ComponentRecord, Records, SlotRecord
from agent.slots.reviving import Reviver
from agent.slots.slots import SlotFailed, Slots, Superseded
from agent.slots.sweeping import Sweeper
from agent.slots.switching import Switcher, new_slot
from agent.slots.views import Views
from agent.slots.wishes import is_repeated, is_staged_already, wishing
from core.release.signing import SignatureRefused, opened, public_key
from core.release.wire import ComponentState, EnvelopeJson, Release, SlotState

_TICK = 0.5
"""Seconds between two looks: how soon a release that died is noticed."""

_LONG = 3600.0
"""Seconds after which whoever waits for a change looks anyway."""

Said = TypeVar("Said", bound=BaseModel)
log = get_logger(__name__)


class Host:
    """All releases of one server.

    `artifacts` and `changes` are for its neighbours: `changes` is marked whenever a component or a slot changes.
    `tied`: every process that is started here ends with this one, however it ends (for a demonstration).
    """

    def __init__(
        self,
        settings: AgentSettings,
        clock: Callable[[], datetime],
        *,
        seconds: Callable[[], float] = time.monotonic,
        tied: bool = False,
    ) -> None:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.changes = Changes()
        self.artifacts = ArtifactFolder(settings.data / "artifacts", settings.limits.artifact_bytes, seconds)
        self._settings = settings
        self._clock = clock
        self._seconds = seconds
        self._keepers = Keepers(tied)
        changed = self.changes.mark
        self._components = Records(settings.data / "components", ComponentRecord, "component.json", changed)
        self._slots = Slots(settings, self.artifacts, self._keepers, changed, clock)
        self._door = FrontDoor(settings.data / "door", settings.front.listen, self._keepers)
        self._switcher = Switcher(settings, self._components, self._slots, self._publish, clock)
        self._sweeper = Sweeper(settings, self._components, self._slots, self.artifacts)
        self._crashes = Crashes()
        self._views = Views(settings, self._slots, self._crashes, self._door)
        self._jobs = Jobs(self._look)
        self._reviver = Reviver(
            self._crashes, self._components, self._slots, self._door, self._switcher, self._jobs,
            risen=self._tell_risen, noted=changed, seconds=seconds,
        )  # fmt: skip
        self._ticking: asyncio.Task[None] | None = None
        self._closing = False

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Adopt what still runs, and start again the current releases that went down with the host.

        Nothing is cleared up, and nothing else is started, before `tend`.
        """
        down = [r.running for r in self._components.all() if r.running and not self._slots.alive(r.running)]
        self._publish()
        if self._settings.switch_command is None:
            await self._door.keep()
        await self._reviver.after_reboot(down)
        for slot in self._staged():
            if slot.status == "healthy" and not self._slots.alive(slot.name):
                self._slots.mark(slot, status="starting")

    def tend(self) -> None:
        """From now on, bring about what is wanted."""
        self._ticking = asyncio.create_task(self._tick(), name="host-tick")

    async def close(self, *, end: bool = False) -> None:
        """Stop looking after things. `end`: also end every process; else releases and front door go on alone."""
        self._closing = True
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        await self._jobs.close()
        if end:
            names = [slot.name for slot in self._slots.records.all()]
            await asyncio.gather(self._door.stop(), *(self._slots.stop(name) for name in names))

    def keep(self, digests: Callable[[], Collection[str]]) -> None:
        """Never prune the artifacts that `digests` names, whatever runs here. To be said before `tend`."""
        self._sweeper.keep(digests)

    # -- what neighbours and requests ask ---------------------------------------------------------------------------

    def trusted(self, envelope: EnvelopeJson) -> Release:
        """The release inside an envelope that a trusted bot key signed. Raises Refused("refused", …)."""
        return self.trusted_as(envelope, "release/v1", Release)

    def trusted_as(self, envelope: EnvelopeJson, name: str, model: type[Said]) -> Said:
        """What a trusted bot key signed in an envelope of predicate `name`. Raises Refused("refused", …)."""
        try:
            keys = [public_key(text) for text in self._settings.trust.bot_keys]
            return opened(envelope, keys, name, model)
        except SignatureRefused as error:
            raise Refused("refused", f"{error}; this host takes releases from the keys in trust.bot_keys") from error

    async def desire(self, release: Release, envelope: EnvelopeJson) -> ComponentState:
        """Make `release` (from `trusted`) its component's wanted one; persisted before anything is done.

        Returns at once; the switch goes on by itself and `changes` is marked. The same again answers the state; with
        another nonce it tries again what has failed. Raises Refused: `older_generation`, `conflict` (another digest
        at the same generation), `not_found` (the artifact is not complete here), `bad_request`.
        """
        if release.purpose != "desired":
            raise Refused("bad_request", "the release is signed for staging; a desired one is expected here")
        known = self._components.get(release.component)
        if known is None or not is_repeated(known, release):
            self._must_have(release.digest)
            self._components.put(release.component, wishing(known, release, envelope, self._clock()))
            self.artifacts.claimed(release.digest)
            log.info("desired", component=release.component, generation=release.generation, digest=release.digest)
            self._look()
        return self.component(release.component)

    def stage(self, slot: str, release: Release) -> SlotState:
        """Put `release` (from `trusted`) into a slot of its own; the same again answers the state.

        With another nonce, one that failed, crashed or was withdrawn is tried again, from its artifact; one that is
        well goes on under the new nonce. Raises Refused: `bad_request`, `conflict` (the slot has another digest),
        `not_found` (no such artifact here).
        """
        if release.purpose != "stage" or slot != f"{release.deployment}.{release.attempt}":
            raise Refused("bad_request", f"the release is not signed to be staged as {slot}")
        known = self._slots.records.get(slot)
        if known is None or not is_staged_already(known, release):
            self._must_have(release.digest)
            self._slots.records.put(slot, new_slot(slot, release, self._clock(), staged=True))
            self.artifacts.claimed(release.digest)
            log.info("stage", slot=slot, digest=release.digest, component=release.component)
            self._look()
        elif known.release.nonce != release.nonce:
            self._slots.mark(known, release=release)
        return self.slot(slot)

    def withdraw(self, slot: str) -> SlotState:
        """End and remove a staged slot; again, it changes nothing. Raises Refused: `not_found`."""
        record = self._staged_record(slot)
        if record.status != "withdrawn":
            self._slots.mark(record, status="withdrawn", error=None)
            self._look()
        return self.slot(slot)

    def component(self, name: str) -> ComponentState:
        """Raises Refused: `not_found`."""
        record = self._components.get(name)
        if record is None:
            raise Refused("not_found", f"nothing was ever wanted of the component {name} here")
        return self._views.component(record)

    def components(self) -> tuple[ComponentState, ...]:
        """How every component stands here."""
        return tuple(self._views.component(record) for record in self._components.all())

    def slot(self, name: str) -> SlotState:
        """Raises Refused: `not_found`."""
        return self._views.slot(self._staged_record(name))

    def slots(self) -> tuple[SlotState, ...]:
        """Every staged slot that has not been withdrawn."""
        return tuple(self._views.slot(record) for record in self._staged() if record.status != "withdrawn")

    def slot_target(self, slot: str) -> Target | None:
        """Where the checks find a healthy staged slot, or None."""
        record = self._slots.records.get(slot)
        return self._slots.target(slot) if record is not None and record.staged else None

    async def slot_target_soon(self, slot: str) -> Target | None:
        """As `slot_target`, once the slot is no longer on its way up."""
        while (record := self._slots.records.get(slot)) is not None and record.status in ("preparing", "starting"):
            await self.changes.wait(self.changes.version, _LONG)
        return self.slot_target(slot)

    def knows_slot(self, slot: str) -> bool:
        """Whether it is here, or was withdrawn not long ago."""
        return self._slots.records.get(slot) is not None

    def current_target(self, component: str) -> Target | None:
        """Where the checks find what a component currently runs, or None."""
        record = self._components.get(component)
        return self._slots.target(record.running) if record is not None and record.running else None

    @property
    def url(self) -> str | None:
        """The front door as people see it; None where the host has a proxy of its own and no url in its settings."""
        return self._views.front_url()

    @property
    def bot_keys(self) -> tuple[str, ...]:
        return self._settings.trust.bot_keys

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._settings.data).free

    # -- the look ---------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(_TICK)

    def _look(self) -> None:
        """Compare what is wanted with what is, and begin whatever is missing. What a full disk prevents comes later."""
        if self._closing:
            return
        try:
            self._look_around()
        except OSError:
            log.exception("cannot write; trying again", seconds=_TICK)

    def _look_around(self) -> None:
        self._keepers.reap()
        for record in self._components.all():
            self._look_at_component(record)
        for slot in self._staged():
            self._look_at_staged(slot)
        self._sweeper.cool(self._seconds())
        surplus = self._sweeper.surplus()
        if surplus:
            self._jobs.begin("sweep", self._sweep, lambda _: None)
        self._publish()
        if self._settings.switch_command is None:
            self._reviver.look_at_door()

    def _look_at_component(self, record: ComponentRecord) -> None:
        name = record.component
        if record.status == "switching":

            def failed(sentence: str) -> None:
                self._switcher.fail(name, record.release, sentence)

            self._jobs.begin(f"switch {name}", lambda: self._switcher.switch(name), failed)
        if record.running:
            self._reviver.look_at_current(record.running)

    def _look_at_staged(self, slot: SlotRecord) -> None:
        def failed(sentence: str) -> None:
            self._end_staging(slot.name, sentence)

        match slot.status:
            case "preparing" | "starting":
                self._jobs.begin(f"stage {slot.name}", lambda: self._stage(slot), failed)
            case "healthy" if not self._slots.alive(slot.name):
                self._slots.mark(slot, status="crashed", error=self._slots.ended_words(slot.name))
            case "withdrawn" if self._slots.has_files(slot.name):
                self._jobs.begin(f"withdraw {slot.name}", lambda: self._clear(slot.name), lambda _: None)

    def _tell_risen(self) -> None:
        self._publish()
        self.changes.mark()

    def _publish(self) -> None:
        """The routes as they should be now; where nothing has changed, nothing is written."""
        if self._settings.switch_command is None:
            routes = self._views.routes(self._components.all())
            if self._door.publish(routes):
                log.info("routes published", routes={route.component: route.upstream for route in routes})

    # -- jobs -------------------------------------------------------------------------------------------------------

    async def _stage(self, slot: SlotRecord) -> None:
        def check_wanted() -> None:
            now = self._slots.records.get(slot.name)
            if now is None or now.release != slot.release or now.status == "withdrawn":
                raise Superseded

        try:
            await self._slots.bring_up(slot.name, check_wanted)
        except Superseded:
            log.info("staging superseded", slot=slot.name)
        except SlotFailed as failure:
            self._end_staging(slot.name, str(failure))

    def _end_staging(self, name: str, sentence: str) -> None:
        record = self._slots.records.get(name)
        if record is not None and record.status != "withdrawn":
            self._slots.mark(record, status="failed", error=sentence)

    async def _clear(self, slot: str) -> None:
        await self._slots.clear_withdrawn(slot)
        self._sweeper.prune()

    async def _sweep(self) -> None:
        in_flight = None if self._settings.switch_command else await self._door.in_flight()
        for name in self._sweeper.drained(self._sweeper.surplus(), in_flight, self._seconds()):
            log.info("slot ended", slot=name)
            await self._slots.remove(name)
            self._crashes.forget(name)
        self._sweeper.prune()
        await asyncio.sleep(0.05)  # what is still in flight is asked for again, not in a tight loop

    def _staged(self) -> list[SlotRecord]:
        return [record for record in self._slots.records.all() if record.staged]

    def _staged_record(self, name: str) -> SlotRecord:
        record = self._slots.records.get(name)
        if record is None or not record.staged:
            raise Refused("not_found", f"there is no slot {name} on this host")
        return record

    def _must_have(self, digest: str | None) -> None:
        if digest is not None and not self.artifacts.complete(digest):
            raise Refused("not_found", f"the artifact {digest[:12]}… is not complete on this host; send it first")
