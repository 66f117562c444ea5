"""The store's twin: the same contract on dictionaries. Facts are immutable, so none is copied; none is durable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from adapters.store import aggregate, steps
from adapters.store.codec import canonical_text
from adapters.store.journal import seal_all
from adapters.store.reads import place_of, server_order
from adapters.store.schedule import Work
from core.events import Noted
from core.journal import Entry, Head
from core.ports import (
    CardRow,
    Change,
    Clock,
    Conflict,
    FenceLost,
    Incoming,
    Lease,
    Outbound,
    Page,
    Queued,
    Reply,
    Settled,
    Surroundings,
    Waiting,
)
from core.stages import Stage
from core.state import Block, Deployment, Lane, Server


@dataclass(slots=True)
class _Message:
    waiting: Waiting
    reply: Reply | None = None


@dataclass(slots=True)
class _Step:
    deployment: str
    component: str
    stage: str
    seconds: float
    counted: bool = False


class MemoryStore:
    """See core.ports.Store. No method gives way to another task half-way, which makes each of them one transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._inbox: dict[tuple[str, str], _Message] = {}
        self._deployments: dict[str, Deployment] = {}
        self._lanes: dict[str, Lane] = {}
        self._servers: dict[tuple[str, str], Server] = {}
        self._blocks: dict[str, Block] = {}
        self._chains: dict[str, list[Entry]] = {}
        self._checkpoints: list[str] = []
        self._steps: list[_Step] = []
        self._tested: set[tuple[str, str]] = set()
        self._work: dict[str, Work] = {}
        self._duties: dict[str, tuple[str, datetime]] = {}
        self._outbox: dict[int, Queued] = {}
        self._queued = 0
        self._cards: dict[tuple[str, str], CardRow] = {}
        self._parked: dict[str, tuple[datetime | None, str]] = {}

    async def close(self) -> None:
        """Nothing is held."""

    # -- inbox ---------------------------------------------------------------------------------------------------------

    async def accept(self, message: Incoming, at: datetime) -> bool:
        key = (message.platform, message.delivery)
        if key in self._inbox:
            return False
        self._inbox[key] = _Message(Waiting(message, at))
        return True

    async def settled(self, platform: str, delivery: str) -> Reply | None:
        message = self._inbox.get((platform, delivery))
        return message.reply if message else None

    async def unsettled(self, before: datetime, limit: int) -> Sequence[Waiting]:
        left = (m.waiting for m in self._inbox.values() if m.reply is None and m.waiting.received_at < before)
        return sorted(left, key=lambda waiting: waiting.received_at)[:limit]

    # -- decisions -----------------------------------------------------------------------------------------------------

    async def commit(self, change: Change) -> None:
        """What may be refused comes first; from then on nothing fails."""
        self._check(change)
        sealed = seal_all(change.entries, {chain: (len(old), old[-1].hash) for chain, old in self._chains.items()})
        if change.deployment:
            self._store(aggregate.next_version(change.deployment), change.follow)
        if change.lane:
            current = tuple(sorted(change.lane.current, key=lambda row: row[0]))
            self._lanes[change.lane.component] = replace(change.lane, version=change.lane.version + 1, current=current)
        self._servers = {place: server for place, server in self._servers.items() if place not in change.removed}
        self._servers |= {(server.role, server.region): server for server in change.servers}
        self._blocks = {key: block for key, block in self._blocks.items() if key not in change.lifted}
        self._blocks |= {block.id: block for block in change.blocks}
        self._tested |= set(change.tested)
        for place, card in self._cards.items():
            if card.deployment in change.redraw:
                self._cards[place] = replace(card, wanted=card.wanted + 1)
        for entry in sealed:
            self._chains.setdefault(entry.chain, []).append(entry)
        self._send(change.outbox)
        if change.settled:
            self._settle(change.settled)
        for key, due_at in change.due:
            if key in self._work or due_at is not None:
                self._work[key] = self._work.get(key, Work(key)).wished(due_at)

    async def decide(
        self,
        id: str,  # noqa: A002 - the port's word
        attempt: int | None,
        decision: Callable[[Surroundings], Change | None],
        component: str | None = None,
    ) -> Change | None:
        change = decision(self._surroundings(id, attempt, component))
        if change is not None:
            await self.commit(change)
        return change

    async def surroundings(self, id: str, attempt: int | None = None) -> Surroundings:  # noqa: A002 - the port's word
        return self._surroundings(id, attempt)

    def _surroundings(self, id: str, attempt: int | None, component: str | None = None) -> Surroundings:  # noqa: A002 - the port's word
        servers = self._all_servers()
        active = tuple(d for d in self._deployments.values() if not d.ended)
        if not id:
            lanes = tuple(self._lanes[component] for component in sorted(self._lanes))
            return Surroundings(None, servers, blocks=self._standing(), unfinished=active, lanes=lanes)
        d = self._latest(id, attempt)
        its = component or (d.component if d else None)
        if its is None:
            return Surroundings(None, servers, blocks=self._standing())
        siblings = tuple(other for other in active if other.component == its and other is not d)
        lane = self._lanes.get(its, Lane(its))
        return Surroundings(d, servers, lane, siblings, self._standing(), active if component else ())

    def _all_servers(self) -> tuple[Server, ...]:
        return tuple(sorted(self._servers.values(), key=server_order))

    def _standing(self) -> tuple[Block, ...]:
        return tuple(sorted(self._blocks.values(), key=lambda block: (block.at, block.id)))

    def _check(self, change: Change) -> None:
        if change.lease and not self._holds(change.lease):
            raise FenceLost(
                f"{change.lease.owner} no longer holds {change.lease.key}: it was claimed again or given back"
            )
        if change.deployment:
            aggregate.require_unique(change.deployment)
            stored = self._deployments.get(change.deployment.key)
            if change.deployment.version != (stored.version if stored else 0):
                raise Conflict(f"{change.deployment.key} is no longer at version {change.deployment.version}")
        elif change.follow:
            raise ValueError(f"{', '.join(change.follow)} can follow a deployment only in a change that holds it")
        if change.lane:
            lane = self._lanes.get(change.lane.component, Lane(change.lane.component))
            if change.lane.version != lane.version:
                raise Conflict(f"the lane of {lane.component} is no longer at version {change.lane.version}")
        if change.judged is not None and change.judged != set(self._blocks):
            raise Conflict("somebody locked or froze, or lifted that, meanwhile")
        if change.relied_on is not None and change.relied_on != self._all_servers():
            raise Conflict("somebody configured a server meanwhile")
        for block in change.blocks:
            if block.id in self._blocks and block.id not in change.lifted:
                raise Conflict(f"{block.id} stands already")
        if change.settled:
            self._check_settled(change.settled)

    def _check_settled(self, settled: Settled) -> None:
        name = f"{settled.platform} message {settled.delivery}"
        message = self._inbox.get((settled.platform, settled.delivery))
        if message is None and settled.message is None:
            raise ValueError(f"{name} was never accepted; accept it before it settles")
        if message is not None and message.reply is not None:
            raise Conflict(f"{name} is settled already")

    def _settle(self, settled: Settled) -> None:
        key = (settled.platform, settled.delivery)
        if key not in self._inbox and settled.message is not None:
            self._inbox[key] = _Message(Waiting(settled.message, self._clock.now()))
        self._inbox[key].reply = settled.reply

    def _store(self, after: Deployment, follow: Sequence[str]) -> None:
        before = self._deployments.get(after.key)
        self._deployments[after.key] = after
        if step := steps.measured(before, after):
            self._steps.append(_Step(after.key, after.component, *step))
        if after.stage is Stage.COMPLETED:
            for row in self._steps:
                row.counted = row.counted or row.deployment == after.key
        for place, card in self._cards.items():
            if card.deployment == after.key:
                self._cards[place] = replace(card, wanted=max(card.wanted + 1, after.version))
        for channel in follow:
            self._cards.setdefault((channel, after.key), CardRow(channel, after.key, None, 0, after.version))

    async def deployment(self, id: str, attempt: int | None = None) -> Deployment | None:  # noqa: A002 - the port's word
        return self._latest(id, attempt)

    def _latest(self, id: str, attempt: int | None) -> Deployment | None:  # noqa: A002 - the port's word
        found = [d for d in self._deployments.values() if d.id == id and attempt in (None, d.attempt)]
        return max(found, key=lambda d: d.attempt, default=None)

    async def active(self, component: str | None = None) -> Sequence[Deployment]:
        return [d for d in self._deployments.values() if not d.ended and component in (None, d.component)]

    async def history(self, limit: int, before: str | None = None, component: str | None = None) -> Page:
        numbered = list(enumerate(self._deployments.values(), start=1))
        end = place_of(before) if before is not None else len(numbered) + 1
        found = [(n, d) for n, d in reversed(numbered) if n < end and component in (None, d.component)]
        page = found[:limit]
        return Page(tuple(d for _, d in page), str(page[-1][0]) if page and len(found) > limit else None)

    async def lane(self, component: str) -> Lane:
        return self._lanes.get(component, Lane(component))

    async def lanes(self) -> Sequence[Lane]:
        return [self._lanes[component] for component in sorted(self._lanes)]

    async def servers(self) -> Sequence[Server]:
        return self._all_servers()

    async def blocks(self) -> Sequence[Block]:
        return self._standing()

    async def durations(self, component: str, limit: int = 20) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for row in reversed(self._steps):
            if row.counted and row.component == component:
                found.setdefault(row.stage, []).append(row.seconds)
        return {stage: seconds[:limit] for stage, seconds in found.items()}

    async def tested(self, id: str) -> Sequence[str]:  # noqa: A002 - the port's word
        return sorted(digest for update, digest in self._tested if update == id)

    # -- journal -------------------------------------------------------------------------------------------------------

    async def journal(self, chain: str, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        return self._chains.get(chain, [])[after : after + limit]

    async def noted(self, chains: Sequence[str]) -> dict[str, list[str]]:
        return {
            chain: [entry.data["text"] for entry in self._chains.get(chain, []) if entry.kind == Noted.__name__]
            for chain in chains
        }

    async def heads(self) -> Sequence[Head]:
        return [Head(chain, len(entries), entries[-1].hash) for chain, entries in sorted(self._chains.items())]

    async def add_checkpoint(
        self, envelope: dict[str, Any], at: datetime, number: int, outbox: Sequence[Outbound] = ()
    ) -> None:
        if number != len(self._checkpoints) + 1:
            raise Conflict(f"checkpoint {number} is not the next one: another one was signed meanwhile")
        self._checkpoints.append(canonical_text(envelope))
        self._send(outbox)

    async def checkpoints(self, after: int = 0) -> Sequence[dict[str, Any]]:
        return [json.loads(text) for text in self._checkpoints[after:]]

    # -- work ----------------------------------------------------------------------------------------------------------

    def _holds(self, lease: Lease) -> bool:
        return lease.key in self._work and self._work[lease.key].holds(lease)

    async def claim(self, owner: str, now: datetime, lease: float, limit: int) -> Sequence[Lease]:
        until = now + timedelta(seconds=lease)
        ready = sorted(
            (work.ready_at, key) for key, work in self._work.items() if work.ready_at and work.ready_at <= now
        )
        claimed = [self._work[key].claimed(owner, until) for _, key in ready[:limit]]
        self._work |= {work.key: work for work in claimed}
        return sorted((Lease(w.key, owner, w.fence, until) for w in claimed), key=lambda held: held.key)

    async def extend(self, leases: Sequence[Lease], now: datetime, lease: float) -> Sequence[Lease]:
        extended = [replace(one, until=now + timedelta(seconds=lease)) for one in leases if self._holds(one)]
        self._work |= {one.key: replace(self._work[one.key], lease_until=one.until) for one in extended}
        return extended

    async def release(self, lease: Lease, due_at: datetime | None) -> None:
        if self._holds(lease):
            self._work[lease.key] = self._work[lease.key].released(due_at)

    async def next_due(self) -> datetime | None:
        now = self._clock.now()
        ready = ((work.ready_at, work.lease_owner) for work in self._work.values())
        return min((at for at, owner in ready if at and (owner is None or at <= now)), default=None)

    async def hold(self, duty: str, owner: str, now: datetime, lease: float) -> bool:
        holder, until = self._duties.get(duty, (owner, now))
        if holder != owner and until > now:
            return False
        self._duties[duty] = (owner, now + timedelta(seconds=lease))
        return True

    async def let_go(self, owner: str) -> None:
        self._duties = {duty: held for duty, held in self._duties.items() if held[0] != owner}

    async def free_all(self, now: datetime) -> None:
        self._work = {key: work.ended(now) for key, work in self._work.items()}
        self._duties = {}

    def _send(self, outbox: Sequence[Outbound]) -> None:
        for message in outbox:
            self._queued += 1
            self._outbox[self._queued] = Queued(self._queued, message, 0)

    # -- channels ------------------------------------------------------------------------------------------------------

    async def outbox(self, channel: str, limit: int) -> Sequence[Queued]:
        return [queued for queued in self._outbox.values() if queued.message.channel == channel][:limit]

    async def channels_waiting(self) -> Sequence[str]:
        now = self._clock.now()
        parked = {channel for channel, (until, _) in self._parked.items() if until is None or until > now}
        waiting = {queued.message.channel for queued in self._outbox.values()}
        return sorted((waiting | {card.channel for card in self._cards.values() if card.shown < card.wanted}) - parked)

    async def sent(self, numbers: Sequence[int], at: datetime) -> None:
        for number in numbers:
            self._outbox.pop(number, None)

    async def stale_cards(self, channel: str, limit: int) -> Sequence[CardRow]:
        return [c for c in self._cards.values() if c.channel == channel and c.shown < c.wanted][:limit]

    async def card(self, channel: str, deployment: str) -> CardRow | None:
        return self._cards.get((channel, deployment))

    async def shown(self, channel: str, deployment: str, reference: str, version: int) -> None:
        card = self._cards.get((channel, deployment))
        if card is None:
            raise LookupError(f"{channel} does not follow {deployment}: there is no card to show")
        self._cards[channel, deployment] = replace(card, reference=reference, shown=version, tries=0)

    async def park(self, channel: str, why: str, until: datetime | None) -> None:
        self._parked[channel] = (until, why)
        for queued in await self.outbox(channel, 1):
            self._outbox[queued.number] = replace(queued, tries=queued.tries + 1)
        for card in await self.stale_cards(channel, 1):
            self._cards[channel, card.deployment] = replace(card, tries=card.tries + 1)

    async def unpark(self, channel: str) -> None:
        self._parked.pop(channel, None)
