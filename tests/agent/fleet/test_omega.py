"""OMEGA's endpoints over a real socket, asked by the bot, by mainframes, and by who should not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from agent.errors import Refused
from core.release.signing import new_key, sign, signer_from_pem
from core.release.wire import LeftOut, MainframeReport, Mainframes
from tests.agent.fleet.world import START, World, until


async def problem(world: World, method: str, path: str, **request: Any) -> tuple[int, str]:
    response = await world.call(method, path, **request)
    return response.status_code, response.json()["kind"]


# -- distributions -------------------------------------------------------------------------------------------


async def test_a_distribution_is_accepted_once_and_told(world: World) -> None:
    world.mainframe("m1")
    await world.start_omega()
    release = world.bot.release(7, world.artifact(b"x"))
    assert await problem(world, "GET", "/v1/distributions/main") == (404, "not_found")
    state = await world.distribute(release)
    assert (state.component, state.generation, state.hold, state.order) == ("main", 7, False, 0)
    assert [one.status for one in state.mainframes] == ["asleep"]
    assert await world.distribute(release) == state
    assert (await world.call("GET", "/v1/distributions/main")).json() == state.model_dump(mode="json")


async def test_what_is_not_to_be_distributed_is_refused_and_changes_nothing(world: World) -> None:
    await world.start_omega()
    digest = world.artifact(b"x")
    accepted = await world.distribute(world.bot.release(5, digest))
    older = await world.put(world.bot.release(4, digest))
    assert (older.status_code, older.json()["kind"]) == (409, "older_generation")
    other = await world.put(world.bot.release(5, world.artifact(b"y")))
    assert (other.status_code, other.json()["kind"]) == (409, "conflict")
    absent = await world.put(world.bot.release(6, "f" * 64))
    assert (absent.status_code, absent.json()["kind"]) == (404, "not_found")
    staged = world.bot.sign(world.bot.release(0, digest, purpose="stage"))
    body = {"release": staged, "hold": False, "order": 0}
    assert await problem(world, "PUT", "/v1/distributions/main", json=body) == (403, "refused")
    body["release"] = world.bot.sign(world.bot.release(6, digest))
    assert await problem(world, "PUT", "/v1/distributions/api", json=body) == (403, "refused")
    body["release"] = sign(signer_from_pem(new_key()), "release/v1", {"main": digest}, world.bot.release(6, digest))
    assert await problem(world, "PUT", "/v1/distributions/main", json=body) == (403, "refused")
    body["release"] = {"payload": 1, "payloadType": [], "signatures": [{"keyid": 1, "sig": None}]}
    assert await problem(world, "PUT", "/v1/distributions/main", json=body) == (403, "refused")
    assert world.fleet.distribution("main") == accepted


async def test_who_is_left_out_is_believed_only_where_the_bot_signed_it_for_this(world: World) -> None:
    await world.start_omega()
    release = world.bot.release(5, world.artifact(b"x"))
    right = world.bot.leave_out(release, "m1")
    strange = sign(signer_from_pem(new_key()), "left-out/v1", {"main": "0" * 64}, LeftOut(
        component="main", generation=5, order=0, mainframes=()))  # fmt: skip
    wrong = (
        strange, world.bot.leave_out(release, "m1", order=1), world.bot.leave_out(release, "m1", generation=4),
        world.bot.leave_out(release, "m1", component="api"), world.bot.sign(release),
    )  # fmt: skip
    for left_out in wrong:
        refused = await world.put(release, left_out=left_out)
        assert (refused.status_code, refused.json()["kind"]) == (403, "refused")
    assert (await world.put(release, left_out=right)).status_code == 200
    unsigned = await world.put(release, order=1)
    assert (unsigned.status_code, unsigned.json()["kind"]) == (403, "refused")
    replayed = await world.put(release, order=1, left_out=right)
    assert (replayed.status_code, replayed.json()["kind"]) == (403, "refused")


async def test_who_is_left_out_stays_so_over_a_restart(world: World) -> None:
    server = world.mainframe("m1")
    await world.start_omega()
    one, two = world.artifact(b"1"), world.artifact(b"2")
    world.wake("m1")
    await world.distribute(world.bot.release(1, one))
    await world.shows("m1", "healthy")
    release = world.bot.release(2, two)
    assert (await world.put(release, left_out=world.bot.leave_out(release, "m1"))).status_code == 200
    await world.restart_omega()
    assert world.shown("m1").status == "frozen"
    assert server.host.running() == one
    let_in = await world.put(release, order=1, left_out=world.bot.leave_out(release, order=1))
    assert let_in.status_code == 200
    await world.shows("m1", "healthy")
    assert server.host.desired == [1, 2]


async def test_an_offline_component_needs_no_artifact(world: World) -> None:
    await world.start_omega()
    assert (await world.distribute(world.bot.release(1, None))).digest is None


async def test_each_token_opens_its_own_doors(world: World) -> None:
    server = world.mainframe("m1")
    await world.start_omega()
    poll = {"after": 0, "wait": 0}
    assert (await world.call("POST", "/v1/poll", json=poll)).status_code == 403
    assert (await world.call("POST", "/v1/poll", token="guessed", json=poll)).status_code == 401
    assert (await world.call("GET", "/v1/mainframes", token=server.token)).status_code == 403
    assert (await world.call("GET", "/v1/distributions/main", token="x")).status_code == 401
    assert (await world.call("POST", "/v1/poll", token=server.token, json=poll)).status_code == 200


async def test_the_registry_is_listed(world: World) -> None:
    world.mainframe("m1", until=START + timedelta(hours=1))
    world.mainframe("m2", owner="Bo", tier="server-owner", revoked=True)
    await world.start_omega()
    report = MainframeReport(component="main", running=None, generation=1, status="offline")
    async with world.connected("m1") as omega:
        await omega.poll(0, 0, [report])
    rows = Mainframes.model_validate_json((await world.call("GET", "/v1/mainframes")).content).mainframes
    assert [(row.name, row.owner, row.licensed, row.online) for row in rows] == [
        ("m1", "Ada", True, True),
        ("m2", "Bo", False, False),
    ]
    assert (rows[0].reports, rows[0].last_seen) == ((report,), START)
    world.clock.passes(hours=1)
    assert [(row.licensed, row.online) for row in world.fleet.mainframes().mainframes] == [(False, False)] * 2


# -- polls ---------------------------------------------------------------------------------------------------


async def test_a_long_poll_is_answered_when_something_changes_for_it_and_costs_nothing_before(world: World) -> None:
    for name in ("m1", "m2"):
        world.mainframe(name, tier="server-owner" if name == "m1" else "standard")
    await world.start_omega()
    await world.distribute(world.bot.release(1, world.artifact(b"x")))
    statements: list[str] = []
    async with world.connected("m1") as owner, world.connected("m2") as other:
        first = await owner.poll(0, 30, ())
        second = await other.poll(0, 30, ())
        assert [item.component for item in first.items] == ["main"]
        event.listen(world.fleet._store._engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        polls = (
            asyncio.create_task(owner.poll(first.version, 30, ())),
            asyncio.create_task(other.poll(second.version, 1, ())),
        )
        await until(lambda: len(world.fleet._bell.names()) == 2)
        assert statements == []
        await world.distribute(world.bot.release(2, world.artifact(b"y"), level="server-owner"))
        answer, unchanged = await polls[0], await polls[1]
    assert answer.version == first.version + 1
    assert unchanged == second
    assert world.fleet._bell.names() == ()


async def test_a_poll_is_over_when_its_mainframe_has_gone(world: World) -> None:
    world.mainframe("m1")
    await world.start_omega()
    async with world.connected("m1") as omega:
        poll = asyncio.create_task(omega.poll(0, 60, ()))
        await until(lambda: world.fleet._bell.names() == ("m1",))
        world.clock.passes(hours=1)
        assert world.fleet.mainframes().mainframes[0].online  # an open poll is a sign of life
        poll.cancel()
        await asyncio.wait([poll])
    await until(lambda: world.fleet._bell.names() == ())
    world.clock.passes(seconds=91)
    assert not world.fleet.mainframes().mainframes[0].online


async def test_an_omega_that_stops_answers_its_polls_at_once(world: World) -> None:
    world.mainframe("m1")
    await world.start_omega()
    async with world.connected("m1") as omega:
        poll = asyncio.create_task(omega.poll(0, 60, ()))
        await until(lambda: world.fleet._bell.names() == ("m1",))
        world.fleet.stop()
        assert (await poll).items == ()


async def test_an_omega_restored_from_a_backup_does_not_leave_mainframes_waiting(world: World) -> None:
    world.mainframe("m1")
    await world.start_omega()
    await world.distribute(world.bot.release(1, world.artifact(b"x")))
    async with world.connected("m1") as omega:
        answer = await omega.poll(99, 60, ())
    assert (answer.version, len(answer.items)) == (1, 1)


async def test_what_a_mainframe_says_is_made_presentable(world: World) -> None:
    world.mainframe("m1")
    await world.start_omega()
    said = MainframeReport(
        component="main",
        running=None,
        generation=1,
        status="failed",
        error="a\x1b[31m\nb\u202e" + "c" * 600,
        url="javascript:alert(1)",
    )
    async with world.connected("m1") as omega:
        await omega.poll(0, 0, [said])
        with pytest.raises(Refused, match="at most 100 reports"):
            await omega.poll(0, 0, [said] * 101)
    (kept,) = world.fleet.mainframes().mainframes[0].reports
    assert kept.url is None
    assert kept.error is not None
    assert len(kept.error) == 500
    assert kept.error.startswith("a bc")


# -- receipts ------------------------------------------------------------------------------------------------


async def test_receipts_bind_mainframe_key_assignment_and_nonce(world: World) -> None:
    m1, m2 = world.mainframe("m1"), world.mainframe("m2")
    await world.start_omega()
    release = world.bot.release(1, world.artifact(b"x"))
    await world.distribute(release)
    async with world.connected("m1") as one, world.connected("m2") as two:
        with pytest.raises(Refused, match="never given to m1"):
            await one.send_receipt(m1.sign(m1.receipt(release)))
        await one.poll(0, 0, ())
        await two.poll(0, 0, ())
        good = m1.sign(m1.receipt(release))
        with pytest.raises(Refused, match="not signed with m1's registered key"):
            await one.send_receipt(m2.sign(m1.receipt(release)))
        with pytest.raises(Refused, match="not signed with m2's registered key"):
            await two.send_receipt(good)
        with pytest.raises(Refused, match="m1's, and it was sent with m2's token"):
            await two.send_receipt(m2.sign(m1.receipt(release)))
        with pytest.raises(Refused, match="nonce must be the assignment's"):
            await one.send_receipt(m1.sign(m1.receipt(release, nonce="another-nonce")))
        with pytest.raises(Refused, match="not signed"):
            await one.send_receipt(sign(m1.signer, "release/v1", {"main": "0" * 64}, m1.receipt(release)))
        assert world.shown("m1").status == "waiting"
        assert await one.send_receipt(good) is True
        assert await one.send_receipt(good) is True
        assert (world.shown("m1").status, world.shown("m1").receipt) == ("healthy", good)
        assert world.shown("m2").status == "waiting"


async def test_a_receipt_replayed_after_a_newer_grant_is_stale_and_recorded(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    first = world.bot.release(1, world.artifact(b"x"))
    await world.distribute(first)
    async with world.connected("m1") as omega:
        await omega.poll(0, 0, ())
        receipt = m1.sign(m1.receipt(first))
        assert await omega.send_receipt(receipt) is True
        back = world.bot.release(2, first.digest)
        await world.distribute(back)
        assert world.shown("m1").status == "waiting"  # the same digest again needs its own receipt
        await omega.poll(1, 0, ())
        assert await omega.send_receipt(receipt) is False
    assert world.shown("m1").status == "waiting"
    rows = (await world.fleet._store.contents()).receipts
    assert [(row.generation, row.counted) for row in rows] == [(1, False)]


async def test_receipts_of_long_ago_do_not_pile_up(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    digest = world.artifact(b"x")
    async with world.connected("m1") as omega:
        for generation in range(1, 31):
            release = world.bot.release(generation, digest)
            await world.distribute(release)
            await omega.poll(generation - 1, 0, ())
            await omega.send_receipt(m1.sign(m1.receipt(release)))
        await omega.send_receipt(m1.sign(m1.receipt(release, generation=2)))
    contents = await world.fleet._store.contents()
    assert [row.generation for row in contents.receipts] == list(range(20, 31))
    assert [row.generation for row in contents.distributions] == list(range(21, 31))
    await world.restart_omega()
    assert world.shown("m1").status == "healthy"


# -- artifacts -----------------------------------------------------------------------------------------------


async def test_a_mainframe_gets_only_what_it_was_given_while_it_is_licensed(world: World) -> None:
    m1 = world.mainframe("m1", until=START + timedelta(hours=1))
    await world.start_omega()
    digest, other = world.artifact(b"0123456789"), world.artifact(b"not for m1")
    await world.distribute(world.bot.release(1, digest))

    async def get(wanted: str, **headers: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {m1.token}", **headers}
        response = await world.call("GET", f"/v1/artifacts/{wanted}", headers=headers)
        return response.status_code, response.content

    assert (await get(digest))[0] == 404
    async with world.connected("m1") as omega:
        await omega.poll(0, 0, ())
    assert await get(digest) == (200, b"0123456789")
    assert await get(digest, Range="bytes=7-") == (206, b"789")
    assert (await get(digest, Range="bytes=10-"))[0] == 416
    assert (await get(other))[0] == 404
    world.clock.passes(hours=1)
    status, body = await get(digest)
    assert status == 403
    assert b"no valid licence" in body
    assert (await world.call("GET", f"/v1/artifacts/{other}")).content == b"not for m1"  # the bot may have any


async def test_what_mainframes_may_still_come_for_is_in_use(world: World) -> None:
    m1 = world.mainframe("m1")
    await world.start_omega()
    one, two, three = (world.artifact(content) for content in (b"1", b"2", b"3"))
    first = world.bot.release(1, one)
    await world.distribute(first)
    async with world.connected("m1") as omega:
        await omega.poll(0, 0, ())
        await world.distribute(world.bot.release(2, two))
        await world.distribute(world.bot.release(3, three, level="server-owner"))
        assert world.fleet.digests_in_use() == {one, two, three}
        await omega.send_receipt(m1.sign(m1.receipt(first)))
    assert world.fleet.digests_in_use() == {two, three}
