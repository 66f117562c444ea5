"""The bot as one thing that can be started and stopped: service, reconciler, notifier and the timer that ticks them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import roster
from bot.checkpoints import Anchor, Checkpoints
from bot.effects import Effects
from bot.gather import Gatherer
from bot.logs import reference
from bot.notifier import EDIT_GAP, Notifier
from bot.pace import Pace
from bot.past import Past
from bot.reader import About, Reader
from bot.reconciler import Reconciler
from bot.service import Kicks, Service
from bot.settings import Settings, sqlite_file
from bot.signal import Signal
from bot.standing import Standing
from bot.viewer import Viewer
from core.people import Group
from core.policy import Policy
from core.ports import Agents, ArtifactSource, ArtifactStore, Channel, Clock, Door, Memberships, People, Store
from core.release.signing import Signs
from core.stages import MOVING, Stage
from core.state import Deployment
from core.steps import has_duty

log = structlog.get_logger("ashat.app")

_SWEEP = 10.0
"""Seconds after which a message that was accepted and not carried out is taken to be cut off."""
_GLANCE = 0.5
"""Seconds between two looks at what other replicas have committed, or have left behind."""
_CHECKPOINT = 60.0
"""Seconds between signed checkpoints of the journal, where it has grown."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the bot is made of; tests put twins in their places."""

    store: Store
    people: People
    clock: Clock
    policy: Policy
    source: ArtifactSource
    artifacts: ArtifactStore
    agents: Agents
    channels: Mapping[str, Channel]
    signer: Signs
    groups: Sequence[Group] = ()
    """Groups on the platforms that give roles, and where it is asked who is in them."""
    memberships: Sequence[Memberships] = ()
    strangers_vote: bool = True
    """Whether somebody whom the settings do not list may approve or administer: only where one human surely has one
    account."""


class Attached(Protocol):
    """What people are heard through: a chat platform, or the server that it calls."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Hear nothing more, and let the answers that are under way arrive."""

    async def close(self) -> None:
        """Nothing more is sent."""


class App:
    def __init__(
        self, parts: Parts, settings: Settings, *, edit_gap: float | None = None, kicks: bool = True,
        lease: float | None = None,
    ) -> None:  # fmt: skip
        """`kicks` False: only the timer's jobs wake anybody, as a test of them needs it.

        `lease`: seconds after which another replica takes over from one that is silent.
        """
        self._alone = sqlite_file(settings) is not None
        """Whether no other replica works on this database: then nothing happens there that this one does not know."""
        self.parts = parts
        self.settings = settings
        self.signal = Signal()
        work, about = settings.workflow, About(settings.about.docs, settings.about.support)
        self.people = Standing(
            parts.people, parts.groups, parts.memberships, parts.clock,
            zone=settings.ashat.time_zone, strangers_vote=parts.strangers_vote,
        )  # fmt: skip
        """Who is who, with what their groups give them."""
        gather = Gatherer(parts.store, self.people, parts.clock, parts.policy, parts.source, parts.agents)
        self.viewer = Viewer(gather, settings.ashat.time_zone)
        reader = Reader(
            parts.store, gather, parts.source, parts.agents, parts.clock, self.signal, about, settings.alpha.name
        )
        wake = Kicks(self._kick_reconciler, self._kick_notifier) if kicks else Kicks(self.signal.set, self.signal.set)
        pace = Pace(work.max_commands_per_minute)
        self.service = Service(parts.store, self.people, parts.clock, gather, reader, wake, pace)
        effects = Effects(
            parts.store, parts.agents, parts.source, parts.artifacts, parts.signer, self.viewer.progressed
        )
        self.reconciler = Reconciler(parts.store, self.service, effects, parts.clock, work.poll_seconds, lease)
        gap = EDIT_GAP if edit_gap is None else edit_gap
        self.notifier = Notifier(parts.store, parts.channels, self.people, self.viewer, parts.clock, gap, lease)
        self.viewer.listen(self.notifier.progressed)
        anchor = settings.proof.anchor_channel and Anchor(settings.proof.anchor_channel, settings.proof.anchor_every)
        self.checkpoints = Checkpoints(parts.store, parts.signer, parts.clock, anchor or None)
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._tasks: list[asyncio.Task[None]] = []
        self._minding: asyncio.Task[None] | None = None
        self._attached: list[Attached] = []

    def attach(self, part: Attached) -> None:
        """Have `part` started once the bot works, and stopped before the bot stops."""
        self._attached.append(part)

    @property
    def door(self) -> Door:
        return self.service

    async def start(self) -> None:
        """Begin to work. What a crash left behind is taken up by the first tick, or once its leases have ended."""
        parts = self.parts
        if self._alone:
            await parts.store.free_all(parts.clock.now())
        await roster.record(parts.store, parts.people.all(), parts.policy, parts.clock, parts.groups)
        self._tasks = [asyncio.create_task(self.reconciler.run()), asyncio.create_task(self.notifier.run())]
        self._schedule("poll_verifications", self._poll_verifications, self.settings.workflow.poll_seconds)
        self._schedule("post_status_changes", self._post_status_changes, self.settings.workflow.poll_seconds)
        self._schedule("sweep_inbox", self._sweep, _SWEEP)
        self._schedule("checkpoint", self._checkpoint, _CHECKPOINT)
        if not self._alone:
            self._schedule("look_at_others", self._look_at_others, _GLANCE)
        self._scheduler.start()
        self._minding = asyncio.create_task(self._mind_the_clock())
        await self.service.sweep(0.0 if self._alone else _SWEEP)  # another replica may be answering what is newer
        self.reconciler.kick()
        self.notifier.kick()
        for part in self._attached:
            await part.start()
        log.info("started", people=len(self.parts.people.all()), channels=sorted(self.parts.channels))

    async def stop(self) -> None:
        """Take no new work, let what is in flight end, and close."""
        for part in reversed(self._attached):
            await part.stop()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        if self._minding is not None:
            self._minding.cancel()
        self.reconciler.stop()
        self.notifier.stop()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if ended is not None:
                log.error("ended by an error", reference=reference(), exc_info=ended)
        for part in self._attached:
            await part.close()
        await self._checkpoint()
        await self.parts.agents.close()
        await self.parts.store.close()
        log.info("stopped")

    def _schedule(self, name: str, job: object, seconds: float) -> None:
        """Async jobs that only set events, coalesced and never dropped for being late (see APScheduler's misfires)."""
        self._scheduler.add_job(
            job, "interval", seconds=seconds, id=name, name=name, coalesce=True, max_instances=1,
            misfire_grace_time=None,
        )  # fmt: skip

    async def _poll_verifications(self) -> None:
        self.reconciler.kick()

    async def _post_status_changes(self) -> None:
        self.notifier.kick()

    async def _mind_the_clock(self) -> None:
        """The timer goes by the clock on the wall: its jobs would rest until one that was put back has caught up."""
        past = Past(self.parts.clock)
        while True:
            await asyncio.sleep(_GLANCE)
            if past.has_come_back():
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))

    async def _look_at_others(self) -> None:
        """What another replica has decided or left behind is taken up as if it had been decided here."""
        self._kick_reconciler()
        self._kick_notifier()

    async def _sweep(self) -> None:
        try:
            await self.service.sweep(_SWEEP)
        except Exception:
            log.exception("cannot carry out what was cut off", reference=reference())

    async def _checkpoint(self) -> None:
        try:
            if await self.checkpoints.write():
                self._kick_notifier()
        except Exception:
            log.exception("cannot sign a checkpoint", reference=reference())

    def _kick_reconciler(self) -> None:
        self.signal.set()
        self.reconciler.kick()

    def _kick_notifier(self) -> None:
        self.notifier.kick()

    # -- for those who wait until it has come to rest ------------------------------------------------------------------

    async def at_rest(self) -> bool:
        """Whether nothing moves by itself now: every deployment waits for a person or has ended, and all is told."""
        active = await self.parts.store.active()
        moving = [d for d in active if self._moves(d)]
        duties = [d for d in (await self.parts.store.history(50)).deployments if has_duty(d)]
        waiting = [name for name in await self.parts.store.channels_waiting() if self.notifier.channel_of(name)]
        due = await self.parts.store.next_due()
        ready = due is not None and due <= self.parts.clock.now()
        return not (moving or duties or waiting or ready) and self.reconciler.idle and self.notifier.idle

    @staticmethod
    def _moves(d: Deployment) -> bool:
        return d.stage in MOVING and d.stage is not Stage.SCHEDULED and d.hold is None
