"""Level-triggered: claims deployments that are due, asks core what comes next, does it, and hands back what was seen.

One pass takes a deployment as far as it goes without waiting. Whatever cuts a pass, the lease ends and the next pass
begins with a look at the servers, so nothing has to be remembered here.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.effects import Effects
from bot.logs import reference
from bot.past import Past
from bot.service import Service
from core import effects as fx
from core import steps as s
from core.facts import Facts, Outcome, StepFailed
from core.ports import ArtifactProblem, Change, Clock, FenceLost, Lease, ServerFault, Store
from core.stages import MOVING
from core.state import Deployment
from core.workflow import due

log = structlog.get_logger("ashat.reconciler")

LEASE = 15.0
"""Seconds that a claim lasts without a heartbeat; another replica takes over this long after a crash."""
_IN_FLIGHT = 32
"""Deployments worked on at once by one process."""
_RECENT = 100
"""Deployments, ended ones among them, that may have a duty or be watched."""
_STEPS = 200
"""Steps in one pass, far above what any stage needs: a bound for what must not loop."""
_GRACE = 5.0
"""Seconds that passes in flight get to end when the program stops."""
_BACKOFF = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before the next try after a fault, by how often it failed in a row."""


class Reconciler:
    def __init__(
        self, store: Store, service: Service, effects: Effects, clock: Clock, poll: float, lease: float | None = None
    ) -> None:
        self._store = store
        self._service = service
        self._effects = effects
        self._clock = clock
        self._poll = poll
        self._lease = LEASE if lease is None else lease
        self._owner = uuid.uuid4().hex
        self._past = Past(clock)
        self._woken = asyncio.Event()
        self._working: dict[str, tuple[Lease, asyncio.Task[None]]] = {}
        self._faults: dict[str, int] = {}
        self._missed: dict[str, frozenset[str]] = {}
        """What did not answer in a deployment's last pass; lost with the process, which then asks once more."""
        self._looking = False
        self._stopping = False

    def kick(self) -> None:
        """Look now. Called by a commit, and by the job `poll_verifications`."""
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop`; then give what is in flight a moment to end, and leave the rest to its lease."""
        beat = asyncio.create_task(self._heartbeat())
        try:
            while not self._stopping:
                await self._woken.wait()
                self._woken.clear()
                self._looking = True
                if self._past.has_come_back():
                    await self._hurry()
                await self._claim()
                self._looking = False
            await self._drain()
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    def stop(self) -> None:
        """Take no new work. `run` returns once what is in flight has ended."""
        self._stopping = True
        self._woken.set()

    async def _drain(self) -> None:
        tasks = [task for _, task in self._working.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def idle(self) -> bool:
        return not (self._working or self._looking or self._woken.is_set())

    async def _hurry(self) -> None:
        """The clock was put back: look at everything now that would wait for a time that has to come again."""
        log.warning("the clock was put back")
        try:
            recent = (await self._store.history(_RECENT)).deployments
            keys = {d.key for d in (*await self._store.active(), *recent)}
            now = self._clock.now()
            await self._store.commit(Change(due=tuple((key, now) for key in sorted(keys))))
        except Exception:
            log.exception("cannot look at everything again", reference=reference())

    async def _claim(self) -> None:
        while not self._stopping and (room := _IN_FLIGHT - len(self._working)) > 0:
            try:
                leases = await self._store.claim(self._owner, self._clock.now(), self._lease, room)
            except Exception:
                log.exception("cannot claim work", reference=reference())
                return
            if not leases:
                return
            for lease in leases:
                self._begin(lease)

    def _begin(self, lease: Lease) -> None:
        """One pass at a time for each deployment: where an earlier one has lost its lease, it ends here."""
        if lease.key in self._working:
            self._working[lease.key][1].cancel()
        self._working[lease.key] = (lease, asyncio.create_task(self._work(lease)))

    async def _heartbeat(self) -> None:
        """Keep the leases of what is in flight; what lost its lease is stopped. The snapshot comes before the query."""
        while True:
            await asyncio.sleep(self._lease / 3)
            mine = dict(self._working)
            if not mine:
                continue
            try:
                leases = [lease for lease, _ in mine.values()]
                held = await self._store.extend(leases, self._clock.now(), self._lease)
            except Exception:
                log.exception("cannot extend leases", reference=reference())
                continue
            kept = {lease.key for lease in held}
            for key, (lease, task) in mine.items():
                if key not in kept and self._working.get(key) == (lease, task):
                    log.warning("lease lost", deployment=key)
                    task.cancel()

    async def _work(self, lease: Lease) -> None:
        try:
            again = await self._again(lease)
            due_at = None if again is None else self._clock.now() + timedelta(seconds=again)
            await self._store.release(lease, due_at)
        except FenceLost:
            log.warning("lease lost", deployment=lease.key)
        except Exception:
            log.exception("cannot give work back; its lease ends by itself", deployment=lease.key,
                          reference=reference())  # fmt: skip
        finally:
            if self._working.get(lease.key, (None,))[0] is lease:
                del self._working[lease.key]
            self._woken.set()

    async def _again(self, lease: Lease) -> float | None:
        """One pass; seconds until the next look, or None. Raises FenceLost."""
        try:
            again = await self._pass(lease)
        except FenceLost:
            raise
        except (ServerFault, ArtifactProblem) as fault:
            again = await self._later(lease.key)
            log.warning("server fault", deployment=lease.key, why=str(fault), again=again)
        except Exception:
            again = await self._later(lease.key)
            log.exception("pass failed", deployment=lease.key, reference=reference(), again=again)
        else:
            self._faults.pop(lease.key, None)
        return again

    async def _later(self, key: str) -> float | None:
        """The wait after a fault: longer each time in a row, but never beyond the stage's deadline."""
        count = self._faults[key] = self._faults.get(key, -1) + 1
        wait = _BACKOFF[min(count, len(_BACKOFF) - 1)]
        facts = await self._service.facts(key)
        return wait if facts is None or facts.deployment is None else self._until(wait, facts.deployment, facts)

    async def _pass(self, lease: Lease) -> float | None:
        """Take one deployment as far as it goes; seconds until the next look, or None.

        The facts are read again after every step: what a person decided meanwhile counts from then on, and what was
        seen under another intent is seen again.
        """
        fresh = fx.Observed(missed=self._missed.pop(lease.key, frozenset()))
        seen, before = fresh, None
        for _ in range(_STEPS):
            facts = await self._service.facts(lease.key)
            if facts is None or facts.deployment is None:
                return None
            seen = seen if _intent(facts.deployment) == before else fresh
            before = _intent(facts.deployment)
            step = s.next_step(facts.deployment, seen, facts, self._poll)
            if isinstance(step, fx.Wait):
                if seen.away:
                    self._missed[lease.key] = frozenset(seen.away)
                return self._until(step.seconds, facts.deployment, facts)
            if not isinstance(step, Outcome):
                seen = await self._perform(step, seen, facts, lease)
            elif step in seen.fruitless:
                return self._until(self._poll, facts.deployment, facts)
            elif not await self._service.observe(lease.key, step, lease):
                seen = replace(seen, fruitless=(*seen.fruitless, step))
        raise RuntimeError(f"{lease.key} did not come to rest in {_STEPS} steps")

    def _until(self, seconds: float | None, d: Deployment, facts: Facts) -> float | None:
        """The next look: what the step asks for, or the stage's deadline where that comes first."""
        deadline = due(d, facts.policy)
        if deadline is None:
            return seconds
        left = max(0.0, (deadline - facts.now).total_seconds())
        return left if seconds is None else min(seconds, left)

    async def _perform(self, effect: fx.Effect, seen: fx.Observed, facts: Facts, lease: Lease) -> fx.Observed:
        """`seen` with what came of the effect. One that is refused for good fails the stage, perhaps only later."""
        try:
            seen = await self._effects.perform(effect, seen, facts)
        except (ServerFault, ArtifactProblem) as fault:
            if (isinstance(fault, ServerFault) and fault.temporary) or not _fails_by_it(facts):
                raise
            failed = StepFailed(str(fault), _region(effect), unseen=isinstance(effect, fx.Look))
            if not await self._service.observe(lease.key, failed, lease):
                raise
            return fx.Observed()
        log.debug("performed", deployment=lease.key, effect=type(effect).__name__)
        return seen


def _intent(d: Deployment) -> tuple[object, ...]:
    """What effects are for: when it changes, what was seen before may be of an act that is over."""
    return d.stage, d.nonce, d.order, d.verification and d.verification.run


def _fails_by_it(facts: Facts) -> bool:
    """Whether a step that cannot be done fails the stage. A duty that outlives the stage is only tried again."""
    return facts.deployment is not None and facts.deployment.stage in MOVING


def _region(effect: fx.Effect) -> str | None:
    place = getattr(effect, "place", "")
    return place.removeprefix("omega/") if place.startswith("omega/") else None
