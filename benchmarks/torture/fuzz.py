"""What agents are given: archives and manifests by the hundred thousand, requests by the thousand.

Hypothesis makes one in ten, each unlike the others and small where it finds a fault; the other nine are that one, bent
by chance, which takes a fraction of the time.
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from tests.agent.product import crashing, product
from tests.agent.running import TOKEN, Agent
from tests.faults.tally import Tally
from tests.fuzz import archives, manifests
from tests.fuzz.api import Api, envelope

_BENT = 9
"""Of each case, so many that are bent."""


def parts(cases: int) -> Iterator[Tally]:
    """`cases` archives, as many manifests; requests to a real agent of each role take longer, and are fewer."""
    made = max(1, cases // (1 + _BENT))
    with tempfile.TemporaryDirectory(dir=archives.SCRATCH) as folder:

        def unpack(data: bytes, seen: Counter[str]) -> None:
            archives.judge(data, Path(tempfile.mkdtemp(dir=folder)), seen)

        yield _judged("archives: crafted, damaged", archives.archives(), bent_archive, unpack, made)
    yield _judged("manifests", manifests.manifests(), bent_text, manifests.judge, made)
    for role in ("public", "omega"):
        yield asyncio.run(_asked(role, max(1, cases // 50)))


Given = TypeVar("Given")


def _judged(
    what: str, strategy: SearchStrategy[Given], bent: Callable[[Random, Given], Given],
    judge: Callable[[Given, Counter[str]], None], cases: int,
) -> Tally:  # fmt: skip
    tally, seen = Tally(what), Counter[str]()

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def one(case: Given) -> None:
        judge(case, seen)
        random = Random(repr(case))  # the same again, where hypothesis makes it smaller
        for _ in range(_BENT):
            judge(bent(random, case), seen)

    try:
        one()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for; hypothesis has made it small
        tally.fault(f"{type(error).__name__} {error}")
    tally.held_well(seen.total())
    return tally.ends(", ".join(f"{word} {times:,}" for word, times in sorted(seen.items())))


def bent_archive(random: Random, data: bytes) -> bytes:
    """Its bytes, or those that were packed in it, with some changed, left out or repeated."""
    if random.random() < 0.5:
        with suppress(OSError, EOFError, zlib.error):
            return gzip.compress(_bent(random, gzip.decompress(data)), 1)
    return _bent(random, data)


def _bent(random: Random, data: bytes) -> bytes:
    bent = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(min(len(bent), random.choice((600, 1 << 30))) + 1)  # mostly where there is a header
        match random.randrange(4):
            case 0:
                bent[at : at + 1] = bytes((random.randrange(256),))
            case 1:
                bent[at : at + 8] = random.randbytes(random.randrange(9))
            case 2:
                del bent[at : at + random.choice((1, 12, 512))]
            case _:
                bent[at:at] = bent[at : at + random.choice((1, 12, 512, 1024))]
    return bytes(bent)


def bent_text(random: Random, text: str) -> str:
    return _bent(random, text.encode(errors="surrogatepass")).decode(errors="replace")


async def _asked(role: str, cases: int) -> Tally:
    """Requests after the agent's own OpenAPI document, and releases signed with the bot's key."""
    tally, seen, signed = Tally(f"requests to an agent of role {role}"), Counter[int](), Counter[int]()
    with tempfile.TemporaryDirectory() as folder:
        agent = await Agent(Path(folder) / "agent", role=role, process=True, end_slots=True).start()
        try:
            digests = [artifact.digest for artifact in (product("one"), crashing()) if await agent.upload(artifact)]

            def ask() -> None:
                with Api(f"http://127.0.0.1:{agent.port}", {"Authorization": f"Bearer {TOKEN}"}) as api:
                    api.fuzz(max(1, cases // 40), seen)
                    api.fuzz_signed(lambda release: envelope(agent.signer, release), digests, cases, signed)

            await asyncio.to_thread(ask)
            assert (await agent.state())["about"]["name"] == "tested", "it answers no more"
        except Exception as error:  # noqa: BLE001 - as above
            tally.fault(f"{type(error).__name__} {error}")
        finally:
            await agent.close()
    tally.held_well(seen.total() + signed.total())
    answers = seen + signed
    return tally.ends(", ".join(f"{status} {times:,}" for status, times in sorted(answers.items())))
