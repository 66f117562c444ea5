"""Everything that can be held against the journal's proof: its chains and checkpoints, what is stored beside it, and
an anchor that was kept outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bot.checkpoints import proof, whole
from bot.keys import Trust
from core.commands import split_id
from core.events import SYSTEM, ServerConfigured, ServerUnconfigured
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
    """What is stored of deployments, lanes and servers otherwise than the journal tells, a sentence each."""
    replays: dict[str, Replay] = {}
    readable = True
    for head in await store.heads():
        if head.chain == SYSTEM:
            continue
        replay = replays[head.chain] = Replay(head.chain)
        async for entry in whole(store, head.chain):
            replay.entry(entry)
        try:
            fault = replay.unlike(await store.deployment(*split_id(head.chain)))
        except (ValueError, TypeError, LookupError):  # what a hand has left there is no deployment
            fault, readable = f"{head.chain} is stored so that it cannot be read", False
        if fault:
            yield fault
        replay.deployment = None  # there may be many
    stored = {lane.component: lane for lane in await store.lanes()}
    for component, told in sorted(lanes(replays.values()).items()):
        if told.generation and component not in stored:
            yield f"the lane of {component} is gone"
        elif component in stored and (fault := unlike_lane(told, stored[component])):
            yield fault
    if readable:
        async for d in _stored(store):
            if d.key not in replays:
                yield f"{d.key} is among the deployments, and has no journal"

    async for fault in _unlike_servers(store):
        yield fault


async def _unlike_servers(store: Store) -> AsyncIterator[str]:
    told: dict[tuple[str, str], tuple[str, str, str | None, str]] = {}
    async for entry in whole(store, SYSTEM):
        if entry.kind == ServerConfigured.__name__:
            data = entry.data
            told[data["role"], data["region"]] = (data["name"], data["url"], data["public_key"], entry.by)
        elif entry.kind == ServerUnconfigured.__name__:
            told.pop((entry.data["role"], entry.data["region"]), None)
    stored: dict[tuple[str, str], tuple[str, str, str | None, str]] = {
        (server.role, server.region): (server.name, server.url, server.public_key, server.configured_by)
        for server in await store.servers()
    }
    for place in sorted({*told, *stored}):
        if told.get(place) != stored.get(place):
            yield f"the server {' '.join(place)} is stored otherwise than the journal tells"


async def _stored(store: Store) -> AsyncIterator[Deployment]:
    before: str | None = None
    while True:
        page = await store.history(_PAGE, before)
        for d in page.deployments:
            yield d
        if page.before is None:
            return
        before = page.before
