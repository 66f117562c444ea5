"""An OMEGA of an earlier version, which does not know of frozen mainframes: it never distributes to them unawares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.applications import Starlette
from starlette.responses import Response

from adapters.artifacts.content import ContentStore
from adapters.servers.client import HttpAgents
from adapters.servers.guard import Guard
from adapters.servers.link import Credential
from agent.api.app import build_app
from agent.api.auth import Doorman
from agent.api.endpoint import Call, Endpoint
from agent.errors import Refused
from agent.fleet.routes import fleet_endpoints
from core.ports import Agent, ServerFault
from core.release.wire import DistributionWanted, State
from core.state import Server
from tests.adapters.servers.samples import state
from tests.agent.fleet.world import BOT_TOKEN, START, World, token_hash


class Wanted(BaseModel):
    """`DistributionWanted` as it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: dict[str, Any]
    otherwise: dict[str, Any] | None = None
    hold: bool
    order: int


def as_it_was(endpoint: Endpoint) -> Endpoint:
    async def handle(call: Call) -> BaseModel | Response:
        return await endpoint.handle(replace(call, body=DistributionWanted(**call.body.model_dump())))

    return replace(endpoint, takes=Wanted, handle=handle) if endpoint.takes is DistributionWanted else endpoint


class OlderWorld(World):
    def _app(self) -> Starlette:
        endpoints = tuple(as_it_was(one) for one in fleet_endpoints(self.fleet))
        return build_app(endpoints, Doorman(token_hash(BOT_TOKEN), {}))


@pytest.fixture
async def older(tmp_path: Path) -> AsyncIterator[OlderWorld]:
    world = OlderWorld(tmp_path)
    world.mainframe("m1")
    await world.start_omega()
    yield world
    await world.close()


@pytest.fixture
async def omega(older: OlderWorld, tmp_path: Path) -> AsyncIterator[Agent]:
    credentials = {older.url: Credential(SecretStr(BOT_TOKEN))}
    guard = Guard({"127.0.0.1"}.__contains__)
    agents = HttpAgents(credentials, older.bot.signer, ContentStore.open(tmp_path / "store"), guard)
    yield agents.at(Server("omega", "main", "Production", older.url, "eve", START))
    await agents.close()


async def test_it_refuses_who_is_left_out_and_takes_what_leaves_nobody_out(older: OlderWorld, omega: Agent) -> None:
    release = older.bot.release(1, older.artifact(b"x"))
    with pytest.raises(ServerFault, match="left_out") as caught:
        await omega.distribute(release, hold=False, order=0, left_out=["m1"])
    assert not caught.value.temporary
    with pytest.raises(Refused, match="nothing of main has been distributed"):
        older.fleet.distribution("main")
    assert (await omega.distribute(release, hold=False, order=0)).generation == 1


def test_it_does_not_say_that_it_could() -> None:
    said = state("omega").model_dump(mode="json")
    del said["leaves_out"]
    assert not State.model_validate(said).leaves_out
