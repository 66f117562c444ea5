"""Everything that can be held against the journal's proof: its chains and checkpoints, what is stored beside it, and
an anchor that was kept outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bot.checkpoints import proof, whole
from bot.keys import Trust
from core.commands import split_id
from core.events import SYSTEM
from core.ports import Store
from core.release.signing import digest_of
from core.replay import Replay, lanes, unlike_lane
from core.state import Deployment

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint's number and hash, as it was posted to a channel."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Audit:
    chains: int
    events: int
    checkpoints: int
    faults: tuple[str, ...]


def anchor_of(text: str) -> Anchor | None:
    """`12:9f3a…` with all 64 digits; None where it is none."""
    number, _, hash_ = text.replace(" ", "").lower().partition(":")
    if not number.isdecimal() or int(number) < 1 or len(hash_) != 64 or set(hash_) - set("0123456789abcdef"):
        return None
    return Anchor(int(number), hash_)


async def audit(store: Store, trust: Trust, anchors: tuple[Anchor, ...] = ()) -> Audit:
    """Look twice where something seems wrong: a bot that writes meanwhile can look like a fault."""
    found = await _audit(store, trust, anchors)
    if not found.faults:
        return found
    again = await _audit(store, trust, anchors)
    return Audit(again.chains, again.events, again.checkpoints, tuple(f for f in again.faults if f in found.faults))


async def _audit(store: Store, trust: Trust, anchors: tuple[Anchor, ...]) -> Audit:
    taken = await proof(store, trust.keys, trust.retired)
    faults = [*taken.faults(), *await anchor_faults(store, anchors)]
    if not faults:  # state that was folded from a journal which is wrong already says nothing
        faults = [fault async for fault in unlike(store)]
    return Audit(len(taken.heads), taken.events, taken.checkpoints, tuple(faults))


async def anchor_faults(store: Store, anchors: tuple[Anchor, ...]) -> list[str]:
    """A checkpoint that was known outside must still be the same."""
    found = []
    for anchor in anchors:
        envelopes = list(await store.checkpoints(after=anchor.number - 1))[:1]
        if not envelopes:
            found.append(f"checkpoint {anchor.number} was anchored outside, and is gone")
        elif digest_of(envelopes[0]) != anchor.hash:
            found.append(f"checkpoint {anchor.number} is not the one that was anchored outside")
    return found


async def unlike(store: Store) -> AsyncIterator[str]:
    """What is stored of deployments and lanes otherwise than the journal tells, a sentence each."""
    replays: dict[str, Replay] = {}
    for head in await store.heads():
        if head.chain == SYSTEM:
            continue
        replay = replays[head.chain] = Replay(head.chain)
        async for entry in whole(store, head.chain):
            replay.entry(entry)
        if fault := replay.unlike(await store.deployment(*split_id(head.chain))):
            yield fault
    async for d in _stored(store):
        if d.key not in replays:
            yield f"{d.key} is among the deployments, and has no journal"
    stored = {lane.component: lane for lane in await store.lanes()}
    for component, told in sorted(lanes(replays.values()).items()):
        if told.generation and component not in stored:
            yield f"the lane of {component} is gone"
        elif component in stored and (fault := unlike_lane(told, stored[component])):
            yield fault


async def _stored(store: Store) -> AsyncIterator[Deployment]:
    before: str | None = None
    while True:
        page = await store.history(_PAGE, before)
        for d in page.deployments:
            yield d
        if page.before is None:
            return
        before = page.before
