"""What agents are given: archives, manifests, requests, by the ten thousand."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from tests.agent.product import crashing, product
from tests.agent.running import TOKEN, Agent
from tests.faults.tally import Tally
from tests.fuzz import archives, manifests
from tests.fuzz.api import Api, envelope


def parts(cases: int) -> Iterator[Tally]:
    """`cases` archives, as many manifests; requests to a real agent of each role take longer, and are fewer."""
    with tempfile.TemporaryDirectory(dir=archives.SCRATCH) as folder:

        def unpack(data: bytes, seen: Counter[str]) -> None:
            archives.judge(data, Path(tempfile.mkdtemp(dir=folder)), seen)

        yield _judged("archives: crafted, damaged", archives.archives(), unpack, cases)
    yield _judged("manifests", manifests.manifests(), manifests.judge, cases)
    for role in ("public", "omega"):
        yield asyncio.run(_asked(role, cases // 10))


Given = TypeVar("Given")


def _judged(
    what: str, strategy: SearchStrategy[Given], judge: Callable[[Given, Counter[str]], None], cases: int
) -> Tally:
    tally, seen = Tally(what), Counter[str]()

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def one(case: Given) -> None:
        judge(case, seen)

    try:
        one()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for; hypothesis has made it small
        tally.fault(f"{type(error).__name__} {error}")
    tally.held_well(seen.total())
    return tally.ends(", ".join(f"{word} {times:,}" for word, times in sorted(seen.items())))


async def _asked(role: str, cases: int) -> Tally:
    """Requests after the agent's own OpenAPI document, and releases signed with the bot's key."""
    tally, seen, signed = Tally(f"requests to an agent of role {role}"), Counter[int](), Counter[int]()
    with tempfile.TemporaryDirectory() as folder:
        agent = await Agent(Path(folder) / "agent", role=role, process=True, end_slots=True).start()
        try:
            digests = [artifact.digest for artifact in (product("one"), crashing()) if await agent.upload(artifact)]

            def ask() -> None:
                with Api(f"http://127.0.0.1:{agent.port}", {"Authorization": f"Bearer {TOKEN}"}) as api:
                    api.fuzz(cases // 40, seen)
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
