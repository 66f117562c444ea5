"""Mainframes with their loops, over real sockets: they pull, prove it, and come back from whatever happens."""

from __future__ import annotations

import json
from datetime import timedelta

from core.release.signing import new_key, opened, public_key, public_text, signer_from_pem
from core.release.wire import Receipt
from tests.agent.fleet.world import START, Bot, Wire, World, until


async def test_a_mainframe_fetches_switches_and_sends_a_receipt(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    world.wake("m1")
    digest = world.artifact(b"release one")
    state = await world.distribute(world.bot.release(1, digest))
    assert state.digest == digest
    shown = await world.shows("m1", "healthy")
    assert (shown.running, shown.generation) == (digest, 1)
    assert m1.host.artifacts.path(digest).read_bytes() == b"release one"
    assert shown.receipt is not None
    receipt = opened(shown.receipt, [public_key(public_text(m1.signer))], "receipt/v1", Receipt)
    assert (receipt.mainframe, receipt.digest, receipt.nonce) == ("m1", digest, "nonce-0001")


async def test_two_generations_in_a_row_and_back_and_offline(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    world.wake("m1")
    one, two = world.artifact(b"one"), world.artifact(b"two")
    await world.distribute(world.bot.release(1, one))
    await world.distribute(world.bot.release(2, two))
    assert (await world.shows("m1", "healthy")).running == two
    await world.distribute(world.bot.release(3, one))
    assert (await world.shows("m1", "healthy")).running == one
    await world.distribute(world.bot.release(4, None))
    assert (await world.shows("m1", "healthy")).running is None
    assert m1.host.desired[-3:] == [2, 3, 4]


async def test_one_that_slept_goes_straight_to_the_newest(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    world.wake("m1")
    await world.distribute(world.bot.release(1, world.artifact(b"1")))
    await world.shows("m1", "healthy")
    await world.sleep("m1")
    world.clock.passes(days=7)
    for generation in (2, 3, 4):
        await world.distribute(world.bot.release(generation, world.artifact(str(generation).encode())))
    assert world.shown("m1").status == "asleep"
    world.wake("m1")
    await world.shows("m1", "healthy")
    assert m1.host.desired == [1, 4]


async def test_an_expired_licence_gets_nothing_and_keeps_what_it_runs(world: World) -> None:
    m1 = world.mainframe("m1", until=START + timedelta(hours=1))
    m2 = world.mainframe("m2")
    await world.start_omega()
    one, two = world.artifact(b"one"), world.artifact(b"two")
    world.wake("m1")
    world.wake("m2")
    await world.distribute(world.bot.release(1, one))
    await world.shows("m1", "healthy")
    world.clock.passes(hours=1)
    await world.distribute(world.bot.release(2, two))
    await world.shows("m2", "healthy")
    assert world.shown("m1").status == "unlicensed"
    assert (m1.host.running(), m2.host.running()) == (one, two)
    assert m1.host.artifacts.offset(two) == 0
    m1.until = START + timedelta(days=1)
    await world.restart_omega()
    await world.shows("m1", "healthy")
    assert m1.host.running() == two


async def test_server_owner_level_reaches_only_that_tier(world: World) -> None:
    owner, other = world.mainframe("m1", tier="server-owner"), world.mainframe("m2")
    await world.start_omega()
    one, two = world.artifact(b"one"), world.artifact(b"two")
    await world.distribute(world.bot.release(1, one))
    await world.distribute(world.bot.release(2, two, level="server-owner"))
    world.wake("m1")
    world.wake("m2")  # it was asleep at generation 1, and that is the newest that includes it
    await world.shows("m1", "healthy")
    assert world.shown("m2").status == "not_included"
    await until(lambda: other.host.running() == one)
    assert owner.host.running() == two
    await world.distribute(world.bot.release(3, two))
    await world.shows("m2", "healthy")
    assert other.host.running() == two


async def test_a_hold_keeps_it_from_those_that_have_not_been_given_it(world: World) -> None:
    early, late = world.mainframe("m1"), world.mainframe("m2")
    await world.start_omega()
    one, two = world.artifact(b"one"), world.artifact(b"two")
    await world.distribute(world.bot.release(1, one))
    for name in ("m1", "m2"):
        world.wake(name)
        await world.shows(name, "healthy")
    await world.sleep("m2")
    release = world.bot.release(2, two)
    await world.distribute(release)
    await world.shows("m1", "healthy")
    await world.distribute(release, hold=True, order=1)
    await world.restart_omega()
    world.wake("m2")
    await until(lambda: late.host.running() == one and world.shown("m2").status == "waiting")
    assert world.shown("m1").status == "healthy"
    assert (early.host.running(), late.host.desired) == (two, [1])
    await world.distribute(release, hold=False, order=2)
    await world.shows("m2", "healthy")
    assert late.host.running() == two


async def test_a_download_that_is_cut_goes_on_where_it_was(world: World, wire: Wire) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    content = bytes(range(256)) * 16384
    cuts: list[int] = []

    def cut_twice(data: bytes) -> bytes | None:
        wire.passed += len(data)
        if len(cuts) < 2 and wire.passed > 1_000_000 * (len(cuts) + 1):
            cuts.append(wire.passed)
            return None
        return data

    wire.bend = cut_twice
    world.wake("m1", wire.url)
    digest = world.artifact(content)
    await world.distribute(world.bot.release(1, digest))
    await world.shows("m1", "healthy")
    assert len(cuts) == 2
    assert wire.passed < len(content) + 500_000  # what had come was not sent again
    assert m1.host.artifacts.path(digest).read_bytes() == content


async def test_a_download_that_only_lacks_its_last_word_is_finished(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    digest = world.artifact(b"all of it")
    m1.host.artifacts.path(digest).with_name(f"{digest}.part").write_bytes(b"all of it")
    world.wake("m1")
    await world.distribute(world.bot.release(1, digest))
    await world.shows("m1", "healthy")


async def test_a_flipped_byte_is_refused_shown_and_mended_later(world: World, wire: Wire) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    wire.bend = lambda data: data.replace(b"good bytes", b"g0od bytes")
    world.wake("m1", wire.url)
    digest = world.artifact(b"good bytes")
    await world.distribute(world.bot.release(1, digest))
    shown = await world.shows("m1", "failed")
    assert "digest" in (shown.error or "")
    assert shown.receipt is None
    assert m1.host.desired == []
    wire.bend = lambda data: data
    await world.shows("m1", "healthy")


async def test_what_the_bot_did_not_sign_is_refused_whoever_passes_it_on(world: World) -> None:
    m1 = world.mainframe("m1")
    m1.host.trusted = Bot().trusted
    await world.start_omega()
    world.wake("m1")
    await world.distribute(world.bot.release(1, world.artifact(b"x")))
    shown = await world.shows("m1", "failed")
    assert "refused what OMEGA assigned" in (shown.error or "")
    assert m1.host.desired == []


async def test_a_release_that_fails_is_shown_with_its_error_until_a_newer_one(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    good, bad = world.artifact(b"good"), world.artifact(b"bad")
    m1.host.fails[bad] = "exited with status 3 after 1 s"
    world.wake("m1")
    await world.distribute(world.bot.release(1, good))
    await world.shows("m1", "healthy")
    await world.distribute(world.bot.release(2, bad))
    shown = await world.shows("m1", "failed")
    assert (shown.error, shown.running, shown.generation) == ("exited with status 3 after 1 s", good, 2)
    await world.distribute(world.bot.release(3, good))
    await world.shows("m1", "healthy")


async def test_one_that_crashes_after_its_receipt_is_no_longer_healthy(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    world.wake("m1")
    await world.distribute(world.bot.release(1, world.artifact(b"x")))
    await world.shows("m1", "healthy")
    m1.host.crash("killed by signal 9")
    assert (await world.shows("m1", "failed")).error == "killed by signal 9"


async def test_omega_away_for_long_loses_nothing(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    world.wake("m1")
    digest = world.artifact(b"x")
    await world.distribute(world.bot.release(1, digest))
    await world.shows("m1", "healthy")
    await world.restart_omega()
    shown = world.shown("m1")
    assert (shown.status, shown.running) == ("healthy", digest)
    await world.distribute(world.bot.release(2, world.artifact(b"y")))
    await world.shows("m1", "healthy")
    assert m1.host.desired == [1, 2]


async def test_a_receipt_is_sent_again_until_it_is_acknowledged(world: World, wire: Wire) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    world.wake("m1", wire.url)
    outbox = m1.folder / "receipts.json"
    wire.bend = lambda data: None if b"204 No Content" in data else data
    await world.distribute(world.bot.release(1, world.artifact(b"x")))
    await world.shows("m1", "healthy")  # it was received; only the mainframe does not know
    await world.sleep("m1")
    (pending,) = json.loads(outbox.read_bytes())["pending"]
    assert pending["envelope"] == world.shown("m1").receipt
    wire.bend = lambda data: data
    world.wake("m1", wire.url)
    await until(lambda: json.loads(outbox.read_bytes())["pending"] == [])
    assert world.shown("m1").receipt == pending["envelope"]


async def test_a_wrong_key_in_omegas_settings_is_mended_by_a_restart(world: World) -> None:
    m1 = world.mainframe("m1")
    right, m1.signer = m1.signer, signer_from_pem(new_key())
    await world.start_omega()
    m1.signer = right
    world.wake("m1")
    await world.distribute(world.bot.release(1, world.artifact(b"x")))
    await until(lambda: m1.host.running() is not None)
    assert world.shown("m1").status == "waiting"
    await world.restart_omega()
    await world.shows("m1", "healthy")


async def test_components_do_not_wait_for_each_other(world: World, wire: Wire) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    stuck = world.artifact(b"never arrives whole")
    wire.bend = lambda data: None if b"never arrives" in data else data
    world.wake("m1", wire.url)
    await world.distribute(world.bot.release(1, stuck))
    await world.distribute(world.bot.release(1, world.artifact(b"api"), component="api"))
    await world.shows("m1", "healthy", "api")
    assert m1.host.running() is None
    await world.distribute(world.bot.release(2, world.artifact(b"better")))  # the stuck one is given up for it
    await world.shows("m1", "healthy")
