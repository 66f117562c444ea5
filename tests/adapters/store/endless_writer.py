"""A process that commits until it is killed, and says each number once it is durable: `python -m … <file>`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from adapters.store.sql import SqlStore
from core.ports import Change, Settled, Store
from core.state import Placement
from tests.contract.store.samples import START, StoppedClock, message, new_deployment, note, outbound, reply


async def one(store: Store, number: int) -> None:
    """Everything of a decision at once; each part counts to the same number."""
    d = await store.deployment("v1") or new_deployment()
    lane = await store.lane("main")
    await store.accept(message(str(number)), START)
    await store.commit(
        Change(
            deployment=replace(d, info=str(number), placements=(Placement("public", "running", url=str(number)),)),
            lane=replace(lane, generation=number),
            entries=(note("v1#1", str(number)), note("system", str(number))),
            outbox=(outbound("a:1", str(number)),),
            follow=("a:1",),
            settled=Settled("console", str(number), reply(str(number))),
        )
    )


async def main(file: str) -> None:
    store = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
    d = await store.deployment("v1")
    number = d.version if d else 0
    while True:
        number += 1
        await one(store, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
