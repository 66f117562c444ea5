"""The program ends, or a connection breaks off, before and after every single call that changes something outside.

One journey is played without faults to count the calls; then once for each of them. Each time the end is the same: the
same stages, the same effects on servers, each once, the same journal, the same messages.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from bot.checkpoints import faults
from tests.bot.support.tripwire import How, Moment, Tripwire
from tests.bot.support.world import World, running

JOURNEY = (
    ("alice", "deploy push v1 'Fix the login page'"),
    ("alice", "deploy verify v1"),
    ("bo", "deploy approve v1"),
    ("bo", "deploy rollback v1 'login errors'"),
)
NOISE = ("MainframeChanged", "OutcomeStale")
"""What depends on when somebody looked."""


@dataclass(frozen=True)
class End:
    """How a journey ended, without what is random."""

    stages: dict[str, str]
    took_hold: Counter[str]
    events: Counter[str]
    thread: list[str]
    direct: Counter[str]


async def played(wire: Tripwire) -> End:
    """The journey with `wire` around the bot's calls; what cannot differ is checked here."""
    world = World()
    async with running(world):
        await world.is_still()
        wire.watch(world)
        world.ships("v1")
        try:
            for number, (name, text) in enumerate(JOURNEY):
                await said(world, wire, name, text, f"step-{number}")
                await wire.survived(world, world.settles)
        finally:
            wire.disarm()
        world.public.settle()
        world.nothing_took_hold_twice()
        await world.production_runs(None)
        assert await faults(world.store, [world.signer.public_key]) == []
        return await end_of(world)


async def said(world: World, wire: Tripwire, name: str, text: str, delivery: str) -> None:
    """People repeat what was not answered: their platform delivers it again."""

    async def say() -> None:
        reply = await world.speaker(name).says(text, delivery=delivery)
        assert reply.outcome == "done", reply.card.title

    await wire.survived(world, say)


async def end_of(world: World) -> End:
    events = {kind: times for kind, times in (await world.counted("v1")).items() if kind not in NOISE}
    direct = [f"{m.person}: {m.card.title}" for m in world.chat.messages if m.kind == "direct"]
    return End(
        stages=await world.stages(),
        took_hold=Counter(what for what, _ in world.took_hold()),
        events=Counter(events),
        thread=world.thread("v1"),
        direct=Counter(direct),
    )


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("how", ["gone", "cut"])
async def test_the_end_is_the_same_wherever_it_breaks_off(how: How, moment: Moment) -> None:
    whole = Tripwire(0, moment, how)
    wanted = await played(whole)
    assert wanted.stages == {"v1": "rolled_back"}
    assert len(whole.calls) > 30
    for at, call in enumerate(whole.calls, 1):
        got = await played(Tripwire(at, moment, how))
        assert got == wanted, f"{how} {moment} call {at}, {call}"
