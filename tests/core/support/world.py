"""A whole bot without I/O: it decides, commits and acts as the program does, one step after another.

What is committed is what `core.changes` says, on a store of plain dictionaries; the journal keeps each event as it was
written, read back from its JSON. `tests.core.support.laws` holds all of it against what must never be otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from adapters.store.codec import event_from
from adapters.store.schedule import Work
from core import commands as c
from core import effects as fx
from core import steps as s
from core.changes import change
from core.events import KINDS, SYSTEM, DeploymentEvent, Event
from core.facts import (
    AlphaFacts,
    ArtifactCopied,
    Decided,
    Facts,
    Outcome,
    PackageSigned,
    Refused,
    RegistrySeen,
    StatementSigned,
    StepFailed,
    Verdict,
)
from core.moments import flat
from core.people import Person
from core.policy import Policy, barriers
from core.ports import AlphaFile, ArtifactProblem, Change, Lease, Outbound, ServerFault
from core.release.manifest import Manifest, Run
from core.release.wire import Release
from core.stages import MOVING, Stage
from core.state import PUBLIC, Block, Deployment, Lane, ManifestFacts, Server, omega
from core.workflow import Writing, about, conclude, decide, due
from tests.core.support.servers import Mainframe, Omega, Public
from tests.core.support.team import EVERYBODY, HOME, OMEGA_EU, POLICY, PUBLIC_SERVER, START

POLL = 2.0
LEASE = 15.0
STEPS = 200


@dataclass(frozen=True)
class Line:
    """One event as the journal has it, with the rules and the people of that moment."""

    chain: str
    event: Event
    at: datetime
    by: str
    policy: Policy
    people: tuple[Person, ...]
    regions: tuple[str, ...]


class CutError(Exception):
    """The program was killed here."""


def digest_of(update: str, attempt: int = 1) -> str:
    return hashlib.sha256(f"{update} {attempt}".encode()).hexdigest()


@dataclass
class World:
    policy: Policy = POLICY
    people: tuple[Person, ...] = EVERYBODY
    now: datetime = START
    updates: dict[str, ManifestFacts] = field(default_factory=dict)
    """ALPHA: the updates there, and what their manifests say."""
    servers: list[Server] = field(default_factory=lambda: [PUBLIC_SERVER, OMEGA_EU])
    public: Public = field(default_factory=Public)
    omegas: dict[str, Omega] = field(default_factory=lambda: {"eu": Omega(name="eu", mainframes=fleet())})
    deployments: dict[str, Deployment] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    journal: list[Line] = field(default_factory=list)
    outbox: list[Outbound] = field(default_factory=list)
    cards: list[tuple[str, str]] = field(default_factory=list)
    work: dict[str, Work] = field(default_factory=dict)
    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)
    """All that was ever observed: to come again, too late."""
    watchers: list[Callable[[Change], None]] = field(default_factory=list)
    missed: dict[str, frozenset[str]] = field(default_factory=dict)
    """What did not answer in a deployment's last look."""
    judged: dict[tuple[str, int], Release] = field(default_factory=dict)
    """What the laws have looked at, by region and identity; kept, so that no identity is used again."""
    _nonces: int = 0

    # -- facts, as bot.gather has them ---------------------------------------------------------------------------------

    def facts(self, asker: Person | None, d: Deployment | None, component: str | None = None) -> Facts:
        self._nonces += 1
        facts = Facts(self.now, self.policy, self.people, tuple(self.servers), asker, HOME, f"nonce-{self._nonces:08}")
        facts = replace(facts, blocks=tuple(self.blocks.values()))
        name = component or (d.component if d else None)
        if name is None:
            return facts
        siblings = tuple(o for o in self.deployments.values() if not o.ended and o.component == name and o is not d)
        return replace(facts, deployment=d, lane=self.lane(name), siblings=siblings)

    def lane(self, component: str) -> Lane:
        return self.lanes.get(component, Lane(component))

    def latest(self, typed: str) -> Deployment | None:
        name, attempt = c.split_id(typed)
        found = [d for d in self.deployments.values() if d.id == name and attempt in (None, d.attempt)]
        return max(found, key=lambda d: d.attempt, default=None)

    def facts_of(self, command: Writing, asker: Person) -> Facts:
        """As bot.gather: what this command is decided by."""
        unfinished = tuple(d for d in self.deployments.values() if not d.ended)
        match command:
            case c.Configure():
                return replace(self.facts(asker, None), unfinished=unfinished, lanes=self._lanes())
            case c.Push(id=update):
                return replace(self._for_push(update, asker), alpha=self._alpha(update), unfinished=unfinished)
            case _:
                typed = about(command)
                if typed is None:
                    return replace(
                        self.facts(asker, None), unfinished=unfinished, leaving_out=self._leaving_out(),
                        registries=self._registries(), lanes=self._lanes(),
                    )  # fmt: skip
                return self.facts(asker, self.latest(typed))

    def _lanes(self) -> tuple[Lane, ...]:
        return tuple(self.lanes[component] for component in sorted(self.lanes))

    def _leaving_out(self) -> tuple[Deployment, ...]:
        keys = [lane.leaves_out for lane in self.lanes.values() if lane.leaves_out]
        return tuple(self.deployments[key] for key in keys if self.deployments[key].ended)

    def _registries(self) -> tuple[RegistrySeen, ...]:
        return tuple(
            RegistrySeen(region, None if host.away else tuple(host.mainframes)) for region, host in self.omegas.items()
        )

    def _for_push(self, update: str, asker: Person) -> Facts:
        component = self.updates[update].component if update in self.updates else "main"
        return replace(self.facts(asker, None, component), deployment=self.latest(update))

    def _alpha(self, update: str) -> AlphaFacts:
        if update not in self.updates:
            return AlphaFacts(nearest=tuple(self.updates)[:1])
        facts = self.updates[update]
        manifest = Manifest(component=facts.component, level=facts.level, irreversible=facts.irreversible,
                            contains=facts.contains, run=Run(start=("./start",)))  # fmt: skip
        file = AlphaFile(update, f"{update}.tar.gz", 1000, START)
        return AlphaFacts((file,), manifest, tested=True, mainframes=3)

    # -- people --------------------------------------------------------------------------------------------------------

    def says(self, person: Person, command: Writing) -> Verdict:
        """Decide and commit, as bot.service does. The person's roles are those of now."""
        asker = next((one for one in self.people if one.id == person.id), person)
        facts = self.facts_of(command, asker)
        verdict = decide(command, facts)
        if isinstance(verdict, Decided):
            self.commit(change(facts, verdict.events, via="console"))
        return verdict

    def done(self, person: Person, command: Writing) -> tuple[str, ...]:
        """What the person is told; the command must not be refused."""
        verdict = self.says(person, command)
        assert isinstance(verdict, Decided), verdict
        return tuple(flat(said) for said in verdict.says)

    def refused(self, person: Person, command: Writing) -> Refused:
        verdict = self.says(person, command)
        assert isinstance(verdict, Refused), verdict
        return replace(verdict, why=flat(verdict.why), more=tuple(flat(more) for more in verdict.more))

    # -- the store -----------------------------------------------------------------------------------------------------

    def commit(self, made: Change) -> None:
        for watcher in self.watchers:
            watcher(made)
        if made.deployment:
            self.deployments[made.deployment.key] = replace(made.deployment, version=made.deployment.version + 1)
        if made.lane:
            self.lanes[made.lane.component] = replace(made.lane, version=made.lane.version + 1)
        for server in made.servers:
            self._configured(server)
        self.servers = [one for one in self.servers if (one.role, one.region) not in made.removed]
        assert made.judged is None or made.judged == set(self.blocks)
        assert made.relied_on is None or made.relied_on == tuple(self.servers)
        self.blocks = {key: block for key, block in self.blocks.items() if key not in made.lifted}
        assert not self.blocks.keys() & {block.id for block in made.blocks}
        self.blocks |= {block.id: block for block in made.blocks}
        regions = tuple(sorted(server.region for server in self.servers if server.role == "omega"))
        for entry in made.entries:
            event = event_from(entry.kind, entry.data)
            self.journal.append(Line(entry.chain, event, entry.at, entry.by, self.policy, self.people, regions))
        self.outbox += made.outbox
        self.cards += [(channel, made.deployment.key) for channel in made.follow if made.deployment]
        for key, at in made.due:
            if key in self.work or at is not None:
                self.work[key] = self.work.get(key, Work(key)).wished(at)

    def _configured(self, server: Server) -> None:
        others = [old for old in self.servers if (old.role, old.region) != (server.role, server.region)]
        self.servers = [*others, server]
        if server.role == "omega":
            self.omegas.setdefault(server.region, Omega(name=server.region, mainframes=fleet()))

    def events(self, chain: str) -> list[Event]:
        return [line.event for line in self.journal if line.chain == chain]

    # -- the reconciler ------------------------------------------------------------------------------------------------

    def ready(self) -> list[str]:
        return sorted(key for key, work in self.work.items() if work.ready_at and work.ready_at <= self.now)

    def tick(self) -> None:
        """One pass for each that is due."""
        for key in self.ready():
            self.look(key)

    def look(self, key: str, killed_after: int | None = None) -> None:
        """Claim and take one deployment as far as it goes; `killed_after` so many steps the program dies."""
        self.work[key] = self.work.get(key, Work(key)).claimed("me", self.now + timedelta(seconds=LEASE))
        lease = Lease(key, "me", self.work[key].fence, self.now + timedelta(seconds=LEASE))
        try:
            again = self._pass(key, killed_after)
        except CutError:
            return
        except (ServerFault, ArtifactProblem):
            again = POLL
        assert self.work[key].holds(lease)
        self.work[key] = self.work[key].released(None if again is None else self.now + timedelta(seconds=again))

    def _pass(self, key: str, killed_after: int | None) -> float | None:
        fresh = fx.Observed(missed=self.missed.pop(key, frozenset()))
        seen, intent = fresh, None
        for number in range(STEPS):
            if number == killed_after:
                raise CutError
            d = self.deployments[key]
            facts = self.facts(None, d)
            seen = seen if _intent(d) == intent else fresh
            intent = _intent(d)
            step = s.next_step(d, seen, facts, POLL)
            if isinstance(step, fx.Wait):
                if seen.away:
                    self.missed[key] = frozenset(seen.away)
                return self._until(step.seconds, d)
            if not isinstance(step, Outcome):
                seen = self._perform(step, seen, key)
            elif step in seen.fruitless:
                return self._until(POLL, d)
            elif not self.observe(key, step):
                seen = replace(seen, fruitless=(*seen.fruitless, step))
        raise AssertionError(f"{key} did not come to rest in {STEPS} steps: {self.deployments[key].stage}")

    def _until(self, seconds: float | None, d: Deployment) -> float | None:
        deadline = due(d, self.policy)
        if deadline is None:
            return seconds
        left = max(0.0, (deadline - self.now).total_seconds())
        return left if seconds is None else min(seconds, left)

    def observe(self, key: str, outcome: Outcome) -> tuple[DeploymentEvent, ...]:
        facts = self.facts(None, self.deployments[key])
        events = conclude(outcome, facts)
        self.outcomes.append((key, outcome))
        if events:
            self.commit(change(facts, events))
        return events

    def _perform(self, effect: fx.Effect, seen: fx.Observed, key: str) -> fx.Observed:
        try:
            return self._act(effect, seen, key)
        except (ServerFault, ArtifactProblem) as fault:
            if (isinstance(fault, ServerFault) and fault.temporary) or self.deployments[key].stage not in MOVING:
                raise
            place = getattr(effect, "place", "")
            region = place.removeprefix("omega/") if place.startswith("omega/") else None
            if not self.observe(key, StepFailed(str(fault), region, unseen=isinstance(effect, fx.Look))):
                raise
            return fx.Observed()

    def _act(self, effect: fx.Effect, seen: fx.Observed, key: str) -> fx.Observed:
        match effect:
            case fx.Copy(id=update):
                d = self.deployments[key]
                copied = ArtifactCopied(digest_of(update, d.attempt), 1000, self.updates[update], tested=True)
                return replace(seen, copied=copied)
            case fx.Package(release=release):
                assert release.digest is not None
                return replace(seen, package=PackageSigned(digest_of(release.digest)))
            case fx.Attest(unattested):
                return replace(seen, statement=StatementSigned({"says": dict(unattested)}, "cd" * 32, "key"))
            case fx.Upload(place, digest):
                self._host(place).upload(digest)
                return replace(seen, uploaded=seen.uploaded | {(place, digest)})
            case fx.PutSlot(place, slot, release):
                return replace(seen, slots={**seen.slots, place: self.public.stage(slot, release)})
            case fx.Withdraw(slot=slot):
                self.public.withdraw(slot)
                return replace(seen, withdrawn=True)
            case fx.StartChecks(slot=slot, wanted=wanted):
                return replace(seen, reports={**seen.reports, wanted.run: self.public.verify(slot, wanted)})
            case fx.LookReport(slot=slot, run=run):
                return replace(seen, reports={**seen.reports, run: self.public.report(slot, run)})
            case fx.Desire(place, release):
                component = self._host(place).desire(release, self.now)
                return replace(seen, components={**seen.components, place: component})
            case fx.Look() | fx.Distribute():
                return self._ask(effect, seen)

    def _ask(self, effect: fx.Look | fx.Distribute, seen: fx.Observed) -> fx.Observed:
        place = effect.place
        try:
            if isinstance(effect, fx.Look):
                return replace(seen, states={**seen.states, place: self._host(place).state()})
            fleet_now = self._omega(place).distribute(
                effect.release, effect.hold, effect.order, effect.otherwise, effect.left_out
            )
            return replace(seen, distributions={**seen.distributions, place: fleet_now})
        except ServerFault as fault:
            if not fault.temporary:
                raise
            return replace(seen, away={**seen.away, place: str(fault)})

    def _host(self, place: str) -> Public | Omega:
        return self.public if place == PUBLIC else self._omega(place)

    def _omega(self, place: str) -> Omega:
        if not any(server.place == place for server in self.servers):
            raise ServerFault(f"{place} is no longer configured", temporary=False)
        return next(one for region, one in self.omegas.items() if omega(region) == place)

    # -- to the end ----------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Every server answers and is well from now on."""
        for host in (self.public, *self.omegas.values()):
            host.away = host.breaks = host.slow = False
        self.public.endings.clear()
        for one in self.omegas.values():
            for mainframe in one.mainframes.values():
                mainframe.mood = "well"

    def settle(self, limit: int = 60) -> None:
        """Let time pass until nothing is due any more. Raises AssertionError where that does not come."""
        for _ in range(limit):
            self.tick()
            times = [work.ready_at for work in self.work.values() if work.ready_at]
            if not times:
                return
            self.now = max(self.now + timedelta(seconds=0.01), min(times))
        busy = {key: self.deployments[key].stage.value for key, work in self.work.items() if work.ready_at}
        raise AssertionError(f"still at work after {limit} rounds: {busy}")

    def stuck(self) -> list[str]:
        """Deployments that neither wait for a person nor have ended, though nobody is going to look at them."""
        return [d.key for d in self.deployments.values() if d.stage in MOVING and d.hold is None and not self._waits(d)]

    def _waits(self, d: Deployment) -> bool:
        return d.stage is Stage.SCHEDULED and (
            self.lane(d.component).holder not in (None, d.key) or bool(barriers(d, self.facts(None, d)))
        )


def fleet() -> dict[str, Mainframe]:
    """An ordinary one, an owner's, and one whose licence has expired."""
    found = (Mainframe("m1"), Mainframe("m2", "server-owner"), Mainframe("m3", licensed=False))
    return {one.name: one for one in found}


def _intent(d: Deployment) -> tuple[object, ...]:
    """As bot.reconciler: when it changes, what was seen before may be of an act that is over."""
    return d.stage, d.nonce, d.order, d.verification and d.verification.run


__all__ = ["KINDS", "SYSTEM", "Line", "World", "digest_of", "fleet"]
