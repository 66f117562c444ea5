"""Interactions over HTTP: what is not Discord's own, fresh and whole is refused before anything is read from it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from adapters.chat.signed import MAX_BODY
from adapters.discord.ingress import Ingress
from tests.adapters.discord.test_journey import answer
from tests.adapters.discord.world import DiscordWorld, servers
from tests.discord.peer.endpoint import Endpoint

PING = json.dumps({"type": 1}).encode()


def endpoint(world: DiscordWorld) -> Endpoint:
    return world.discord.by_http(world.url)


async def test_people_are_heard_and_messages_are_not_needed() -> None:
    async with servers("http") as world:
        assert "viewer" in await answer(world, await world.discord.vi.slash("whoami"))
        assert await world.discord.alice.looks_for("history", "component") == []
        assert world.discord.gateway.connects == 0
        assert world.platform.health.state == "connected"


async def test_what_is_not_signed_fresh_and_whole_is_refused() -> None:
    async with servers("http") as world:
        at = endpoint(world)
        now = int(world.clock.now().timestamp())
        good = at.signed(PING)
        assert (await at.request(PING, good))[0] == 200
        for name, value in (
            ("X-Signature-Ed25519", "00" * 64), ("X-Signature-Ed25519", "no hex"), ("X-Signature-Ed25519", ""),
            ("X-Signature-Timestamp", str(now + 1)), ("X-Signature-Timestamp", "yesterday"),
            ("X-Signature-Timestamp", "²"), ("X-Signature-Timestamp", ""),
        ):  # fmt: skip
            assert (await at.request(PING, {**good, name: value}))[0] == 401, name
        for stale in (now - 301, now + 301):
            assert (await at.request(PING, at.signed(PING, str(stale))))[0] == 401
        changed = PING.replace(b"1", b"2")
        assert (await at.request(changed, good))[0] == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b'{"type": 2}', 403), (b'{"type": 2, "application_id": "1"}', 403),
     (b'{"type": 2, "application_id": "100000000000000001"}', 400)],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(body: bytes, status: int) -> None:
    async with servers("http") as world:
        at = endpoint(world)
        assert (await at.request(body, at.signed(body)))[0] == status


async def test_what_is_larger_than_anything_of_discords_is_refused() -> None:
    async with servers("http") as world, httpx.AsyncClient() as client:
        body = b"x" * (MAX_BODY + 1)
        told = await client.post(world.url, content=body, headers=endpoint(world).signed(body))
        assert told.status_code == 413


async def test_the_same_request_again_acts_once() -> None:
    async with servers("http") as world:
        world.ships("v1")
        pushed = await world.discord.alice.slash("push", id="v1", description="x")
        await answer(world, pushed)
        body = json.dumps(world.discord.payloads.interaction(pushed)).encode()
        at = endpoint(world)
        await at.request(body, at.signed(body))
        await world.settles()
        assert len(world.discord.channel("#deployments").cards()) == 1


def test_a_key_that_is_none_is_refused() -> None:
    class Nobody:
        def is_ours(self, payload: Any) -> bool:
            return True

        async def interaction(self, payload: Any, asked: Any = None) -> None: ...

    for key in ("", "abcd", "zz" * 32):
        with pytest.raises(ValueError, match=r".+"):
            Ingress(Nobody(), key, None)  # type: ignore[arg-type]
