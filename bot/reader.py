"""Answers questions: gathers what they are about from the store and the servers; core.views puts it in words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.checkpoints import whole
from bot.gather import Gatherer
from bot.signal import Signal
from core import commands as c
from core import say
from core.cards import Card
from core.facts import Facts
from core.help import help_for, plain_lines
from core.journal import Entry
from core.people import Person
from core.phases.blocks import unknown_component
from core.policy import Scope, may
from core.ports import (
    Agents,
    ArtifactProblem,
    ArtifactSource,
    Clock,
    Incoming,
    Outcome,
    Reply,
    ServerFault,
    Store,
)
from core.release.wire import Registered
from core.stages import MOVING, Stage
from core.state import Deployment, ReleaseRef, Server, omega
from core.text import nearest
from core.views import answers
from core.views.audit import evidence
from core.views.card import deployment_card
from core.workflow import Writing, not_allowed

_ASKING = 5.0
"""Seconds that an answer waits for one server."""
_PAGE = 1000
"""Journal entries read at once for a timeline."""
_RECENT = 50
"""A component's newest deployments, among which the rollback is that brought back what it runs."""
_LOOK_AGAIN = 1.0
"""Seconds after which a wait looks again by itself: another process may have made the change."""
_WAY = (
    Stage.PLANNED, Stage.STAGING, Stage.STAGED, Stage.VERIFYING, Stage.AWAITING_APPROVAL, Stage.SCHEDULED,
    Stage.DEPLOYING, Stage.DISTRIBUTING, Stage.COMPLETED,
)  # fmt: skip
"""The way to production: whoever is further along has reached what is before."""


_LOOKING = c.spec_of(c.Status())


@dataclass(frozen=True, slots=True)
class About:
    """Where people find help, from settings."""

    docs: str
    support: str


class Reader:
    def __init__(
        self, store: Store, gatherer: Gatherer, source: ArtifactSource, agents: Agents, clock: Clock, signal: Signal,
        about: About, alpha: str,
    ) -> None:  # fmt: skip
        self._store = store
        self._gather = gatherer
        self._source = source
        self._agents = agents
        self._clock = clock
        self._signal = signal
        self._about = about
        self._alpha = alpha
        self._reached: dict[str, tuple[bool, datetime]] = {}

    async def read(self, command: c.Command, asker: Person, message: Incoming) -> Reply:
        """The answer to one question. Whoever may not view gets no names and no ids."""
        if isinstance(command, Writing):
            raise TypeError("a command that writes is not read")
        facts = await self._gather.about(_subject(command), asker, message.channel)
        if isinstance(command, c.Whoami):
            return _done(answers.whoami(asker, message.platform, facts, shell=message.shell))
        if isinstance(command, c.Help):
            return _done(self._help(command, message))
        if not may(asker, c.spec_of(command), facts.policy):
            refused = not_allowed(facts, c.spec_of(command))
            return Reply("refused", Card(refused.why, tone="bad", summary=refused.why))
        return await self._allowed(command, facts, asker.time_zone)

    async def _allowed(self, command: c.Command, facts: Facts, zone: str) -> Reply:
        match command:
            case c.Status(id=None):
                return _done(await self._status(facts, zone))
            case c.Status(id=str(typed)):
                return await self._one(typed, facts, zone)
            case c.History(count, component):
                return await self._history(count, component, facts, zone)
            case c.When(id=typed):
                return await self._when(typed, facts, zone)
            case c.Show(id=typed):
                return await self._show(typed, facts, zone)
            case c.Audit(id=typed):
                return await self._audit(typed, facts, zone)
            case c.Servers():
                return _done(await self._servers(facts, zone))
            case c.Mainframes():
                return _done(await self._mainframes(facts, zone))
            case c.Wait():
                return await self._wait(command, facts, zone)
            case _:
                raise TypeError(f"{type(command).__name__} is not a question")

    def _help(self, command: c.Help, message: Incoming) -> Card:
        page = help_for(command.topic, shell=message.shell, docs=self._about.docs, support=self._about.support)
        lines = plain_lines(page, columns=message.shell)
        first, *rest = lines if command.topic or message.shell else ("Commands", *lines)
        return Card(first, tuple(rest), summary=first)

    # -- deployments ---------------------------------------------------------------------------------------------------

    async def _status(self, facts: Facts, zone: str) -> Card:
        active = [d for d in facts.unfinished if _sees(facts, d.component)]
        lanes = [lane for lane in facts.lanes if _sees(facts, lane.component)]
        since: dict[str, datetime] = {}
        for lane in lanes:
            for region, ref in lane.current:
                if ref is not None and (at := await self._runs_since(lane.component, region, ref)):
                    since[ref.key] = max(at, since.get(ref.key, at))
        return answers.status(active, lanes, since, await self._alpha_now(), facts, zone)

    async def _runs_since(self, component: str, region: str, ref: ReleaseRef) -> datetime | None:
        """When the release began to run there: by its own switch, or by another's rollback that brought it back."""
        own = await self._store.deployment(ref.id, ref.attempt)
        acts = [own] if own is not None else []
        if own is None or own.generation != ref.generation:
            page = await self._store.history(_RECENT, component=component)
            acts = [*(d for d in page.deployments if d.generation == ref.generation), *acts]
        rows = (d.placement(omega(region)) for d in acts)
        return next((row.since for row in rows if row is not None and row.since is not None), None)

    async def _one(self, typed: str, facts: Facts, zone: str) -> Reply:
        d = _found(facts)
        if d is None:
            return await self._missing(typed, facts)
        return Reply("done", deployment_card(d, self._gather.shown(d, facts), zone), d.name)

    async def _when(self, typed: str, facts: Facts, zone: str) -> Reply:
        d = _found(facts)
        if d is None:
            return await self._missing(typed, facts)
        return Reply("done", answers.when(d, self._gather.shown(d, facts), zone), d.name)

    async def _missing(self, typed: str, facts: Facts) -> Reply:
        known = [d.id for d in (await self._store.history(50)).deployments if _sees(facts, d.component)]
        card = answers.not_found(typed, nearest(c.split_id(typed)[0], known))
        return Reply("refused", card)

    async def _history(self, count: int, component: str | None, facts: Facts, zone: str) -> Reply:
        page = await self._store.history(count, component=component)
        shown = [d for d in page.deployments if _sees(facts, d.component)]
        if not shown and (unknown := unknown_component(component, facts)):
            return Reply("refused", Card(unknown, tone="bad", summary=unknown))
        notes = await self._store.noted([d.key for d in shown])
        return _done(answers.history(shown, notes, facts, zone, component))

    async def _journal(self, chain: str) -> Sequence[Entry]:
        return await self._store.journal(chain, limit=_PAGE)

    async def _show(self, typed: str, facts: Facts, zone: str) -> Reply:
        d = _found(facts)
        if d is None:
            return await self._missing(typed, facts)
        return Reply("done", answers.timeline(d, await self._journal(d.key), facts, zone), d.name)

    async def _audit(self, typed: str, facts: Facts, zone: str) -> Reply:
        """From its first event to its last, however many there are: evidence is not cut."""
        d = _found(facts)
        if d is None:
            return await self._missing(typed, facts)
        entries = [entry async for entry in whole(self._store, d.key)]
        return Reply("done", evidence(d, entries, facts, zone), d.name)

    async def _wait(self, command: c.Wait, facts: Facts, zone: str) -> Reply:
        """Until it has reached the stage, or (without one) until a person is needed or it has ended."""
        until = None if command.timeout is None else self._clock.now() + timedelta(seconds=command.timeout)
        while True:
            d = _found(facts)
            if d is None:
                return await self._missing(command.id, facts)
            outcome = _arrived(d, command.stage)
            if outcome is not None:
                return Reply(outcome, deployment_card(d, self._gather.shown(d, facts), zone), d.name)
            if until is not None and self._clock.now() >= until:
                limit = say.duration(command.timeout or 0)
                sentence = f"{d.name} is still {d.stage.words} after {limit}. `deploy status {d.name}`"
                return Reply("refused", Card(sentence, tone="bad", summary=sentence), d.name)
            await self._signal.wait(_LOOK_AGAIN)
            facts = await self._gather.about(command.id, facts.me, facts.channel)

    # -- servers -------------------------------------------------------------------------------------------------------

    async def _alpha_now(self) -> answers.AlphaSeen:
        try:
            updates = await self._source.updates()
        except ArtifactProblem as problem:
            return answers.AlphaSeen(self._alpha, 0, None, f"{self._alpha}: {problem}")
        return answers.AlphaSeen(self._alpha, len(updates), updates[0].id if updates else None)

    async def _servers(self, facts: Facts, zone: str) -> Card:
        seen = await asyncio.gather(*(self._seen(server) for server in facts.servers))
        return answers.servers(await self._alpha_now(), seen, facts.lanes, facts, zone)

    async def _seen(self, server: Server) -> answers.ServerSeen:
        problem: str | None = None
        state = None
        try:
            async with asyncio.timeout(_ASKING):
                state = await self._agents.at(server).state()
        except ServerFault as fault:
            problem = str(fault)
        except TimeoutError:
            problem = f"no answer within {say.duration(_ASKING)}"
        return answers.ServerSeen(server, state, problem, self._since(server, state is not None))

    def _since(self, server: Server, reachable: bool) -> datetime:
        """When it began to be reachable, or not, as far as this process has seen."""
        known = self._reached.get(server.url)
        if known is None or known[0] != reachable:
            known = self._reached[server.url] = (reachable, self._clock.now())
        return known[1]

    async def _mainframes(self, facts: Facts, zone: str) -> Card:
        omegas = [server for server in facts.servers if server.role == "omega"]
        fleets = await asyncio.gather(*(self._fleet(server) for server in omegas))
        page = await self._store.history(200)
        known = {d.digest: d.name for d in page.deployments if d.digest}
        return answers.mainframes(fleets, known, facts, zone)

    async def _fleet(self, server: Server) -> tuple[str, Sequence[Registered] | None, str | None]:
        try:
            async with asyncio.timeout(_ASKING):
                return server.region, await self._agents.at(server).mainframes(), None
        except ServerFault as fault:
            return server.region, None, str(fault)
        except TimeoutError:
            return server.region, None, f"no answer within {say.duration(_ASKING)}"


def _subject(command: c.Command) -> str:
    """The deployment that is asked about, as typed; empty where it is none alone."""
    match command:
        case c.Status(id=str(typed)) | c.When(id=typed) | c.Show(id=typed) | c.Audit(id=typed) | c.Wait(id=typed):
            return typed
        case _:
            return ""


def _found(facts: Facts) -> Deployment | None:
    """The deployment that is asked about, where the asker may see its component."""
    d = facts.deployment
    return d if d is not None and _sees(facts, d.component) else None


def _sees(facts: Facts, component: str) -> bool:
    """Whether the asker may look at what concerns this component: with any role for it."""
    return may(facts.me, _LOOKING, facts.policy, Scope(component))


def _done(card: Card) -> Reply:
    return Reply("done", card)


def _arrived(d: Deployment, stage: str | None) -> Outcome | None:
    """Whether a wait is over, and how: `refused` where the stage can no longer be reached."""
    if stage is None:
        return None if d.stage in MOVING and d.hold is None else "done"
    if d.stage == stage or (d.stage in _WAY and stage in _WAY and _WAY.index(d.stage) > _WAY.index(Stage(stage))):
        return "done"
    stuck = d.ended or d.stage in (Stage.FAILED, Stage.ROLLBACK_FAILED)
    return "refused" if stuck else None
