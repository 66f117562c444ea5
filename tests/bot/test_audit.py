"""`deploy audit`: one deployment's events with their grounds, read from the journal, and nobody's without a role."""

from __future__ import annotations

from dataclasses import replace

from bot.proof import unlike
from core import say
from core.changes import plain
from core.events import CheckFinished, kind
from core.journal import GENESIS, Draft, seal
from core.views.audit import evidence
from tests.bot.support.world import World, running
from tests.bot.test_journey import complete
from tests.core.support.making import in_stage


async def test_it_tells_who_when_why_and_on_what_grounds(world: World) -> None:
    await complete(world, "v1")
    await world.bo.says("deploy note v1 'All is well'")
    told = await world.vi.says("deploy audit v1")
    assert (told.outcome, told.card.title, told.id) == ("done", "Evidence: v1, completed", "v1")
    lines = [str(line) for line in told.card.lines]
    entries = await world.store.journal("v1#1")
    d = await world.deployment("v1")
    assert d.digest is not None
    for entry in entries:
        (line,) = [line for line in lines if line.startswith(f"{entry.seq}. ")]
        assert line.endswith(f"[{say.digest(entry.hash)}]")
        assert f"{entry.at:%Y-%m-%d %H:%M:%S} UTC" in line
    whole = "\n".join(lines)
    (vote,) = d.votes
    for words in (
        "Alice Ng (alice) on chat: pushed v1.tar.gz, attempt 1",
        f"sha256 {d.digest}",
        "planned checks: Health Check, ",
        "Bo Li (bo) on chat: approved: ",
        f"covers sha256 {say.digest(d.digest)}, run 1; terms {say.digest(vote.covers)}",
        "OMEGA main ran nothing",
        "statement for OMEGA, sha256 ",
        "statement of the deployment, sha256 ",
        "Bo Li (bo) on chat: note: All is well",
        f"The chain is whole: {len(entries)} events, head {say.digest(entries[-1].hash)}",
        "`ashat attest verify v1` checks its statement",
    ):
        assert words in whole, whole


def test_a_check_has_what_was_expected_seen_and_measured() -> None:
    making = in_stage("completed")
    event = CheckFinished(1, "Health Check", "passed", "200", "200 twice", "/healthz", None, {"p95": 0.25, "max": 1.5})
    entry = seal(Draft("v1#1", kind(event), plain(event), making.now, "ashat"), 1, GENESIS)
    lines = evidence(making.deployment, [entry], making.facts(), "UTC").lines
    assert "   expected 200, seen 200 twice at /healthz" in lines
    assert "   measured max 1.5, p95 0.25" in lines


async def test_a_rollback_and_a_failure_have_their_grounds(world: World) -> None:
    world.public.fail_check("Health Check", seen="500")
    world.ships("v1")
    for words in ("push v1 'x'", "verify v1"):
        await world.alice.says(f"deploy {words}")
        await world.settles()
    await world.alice.says("deploy rollback v1 'It is broken'")
    await world.settles()
    whole = "\n".join(str(line) for line in (await world.vi.says("deploy audit v1#1")).card.lines)
    assert "❌ Health Check failed: expected 200, got 500 at /healthz" in whole
    assert "rollback: “It is broken”" in whole
    assert "ashat attest" not in whole


async def test_a_chain_that_is_broken_says_so(world: World) -> None:
    await complete(world, "v1")
    chain = world.store._chains["v1#1"]  # type: ignore[attr-defined] # the twin's
    chain[2] = replace(chain[2], by="mallory")
    lines = [str(line) for line in (await world.vi.says("deploy audit v1")).card.lines]
    assert f"❌ The chain is broken: v1#1 event 3 ({chain[2].kind}) was changed after it was written" in lines


async def test_strangers_and_what_is_not_there(world: World) -> None:
    assert "You have no role here" in (await world.speaker("nobody").says("deploy audit v1")).card.title
    told = await world.vi.says("deploy audit v7")
    assert (told.outcome, told.card.title) == (
        "refused", "There is no deployment v7. `deploy status` lists what is there")  # fmt: skip


async def test_what_is_stored_of_regions_is_what_the_journal_tells_also_once_one_is_out() -> None:
    async with running(World(), configured=False) as world:
        await world.eve.says(f"deploy configure omega {world.omega.url} Production")
        told = await world.eve.says("deploy configure omega https://eue.example.com Prod --region eue")
        assert told.card.title == "OMEGA eue is now Prod at https://eue.example.com"
        told = await world.eve.says("deploy unconfigure eue")
        assert told.card.title.startswith("OMEGA eue is taken out: Prod at https://eue.example.com.")
        assert [server.region for server in await world.store.servers()] == ["main"]
        assert [fault async for fault in unlike(world.store)] == []
