"""A bot whose disk fills up, in a process of its own: `python -m tests.faults.full_disk <folder> <bytes>`.

No file of the process may grow beyond so many bytes, so that its database can be written no more; then it may again. It
says on standard output what became of each command.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

from adapters.store.sql import SqlStore
from bot.checkpoints import faults
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World, running

_UNLIMITED = resource.RLIM_INFINITY
_ENOUGH = 400
"""Commands, far above what fits."""


async def main(folder: Path, room: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails with EFBIG
    clock = MovedClock()
    store = await SqlStore.open(f"sqlite:///{folder / 'ashat.db'}", clock)
    async with running(World(store, clock=clock)) as world:
        world.ships("v1")
        await world.alice.says("deploy push v1 'Fix the login'")
        await world.reaches("v1", Stage.STAGED)
        size = _largest(folder)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, _UNLIMITED))
        written, words = await _until_full(world)
        print(f"full after {written}: {words}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (_UNLIMITED, _UNLIMITED))
        await _goes_on(world, written)
    print("well again")


def _largest(folder: Path) -> int:
    return max(file.stat().st_size for file in folder.iterdir())


async def _until_full(world: World) -> tuple[int, str]:
    """How many notes were taken, and what was said about the one that was not."""
    for number in range(_ENOUGH):
        try:
            reply = await world.alice.says(f"deploy note v1 'Seen for the time {number}'")
        except Exception as error:  # noqa: BLE001 - what the platform's adapter would get, and deliver again
            return number, f"not accepted, {type(error).__name__}"
        if reply.outcome != "done":
            return number, f"{reply.outcome}, {reply.card.title}"
    raise AssertionError("the disk was never full")


async def _goes_on(world: World, written: int) -> None:
    """What was said to be done is there, nothing else is, and the journey goes on to its end."""
    for who, text, stage in (
        ("alice", "deploy verify v1", Stage.AWAITING_APPROVAL),
        ("bo", "deploy approve v1", Stage.COMPLETED),
    ):
        reply = await world.speaker(who).says(text)
        assert reply.outcome == "done", reply.card.title
        await world.reaches("v1", stage)
    await world.settles()
    notes = (await world.counted("v1"))["Noted"]
    assert notes in (written, written + 1), f"{notes} notes, not {written}: one may have waited in the inbox"
    world.nothing_took_hold_twice()
    assert await faults(world.store, [world.signer.public_key]) == []


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
