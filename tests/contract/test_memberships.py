"""What every Memberships keeps: the twin in memory, Slack's user groups, and roles on Discord, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from adapters.discord.memberships import DiscordMemberships
from adapters.discord.rest import Rest
from adapters.people.memory import MemoryMemberships
from core.people import Account
from core.ports import ChannelDown, Memberships
from tests.adapters.discord.world import setup_of
from tests.adapters.slack.world import workspace
from tests.contract.store.samples import StoppedClock
from tests.discord.peer.discord import Discord
from tests.discord.peer.guilds import GUILD, LABS


@dataclass
class Club:
    """Two groups, `first` with Bo and Eve, `second` with Cy; their ids are the platform's own."""

    memberships: Memberships
    first: str
    second: str
    bo: str
    cy: str
    leaves: Callable[[str], None]
    """Takes an account out of the first group."""
    falls_silent: Callable[[], None]


@asynccontextmanager
async def memory() -> AsyncIterator[Club]:
    twin = MemoryMemberships("chat", {"G1": {"U1", "U3"}, "G2": {"U2"}})
    yield Club(twin, "G1", "G2", "U1", "U2", twin.groups["G1"].discard, lambda: setattr(twin, "silent", True))


@asynccontextmanager
async def slack() -> AsyncIterator[Club]:
    async with workspace() as world:
        groups = world.slack.workspace.groups
        yield Club(
            world.platform.memberships, "S0OPS", "S0SEC", "U0BO", "U0CY", groups["S0OPS"][1].discard,
            world.slack.goes_away,
        )  # fmt: skip


@asynccontextmanager
async def discord() -> AsyncIterator[Club]:
    async with Discord() as peer:
        first, second = (f"{GUILD}/{peer.role(name)}" for name in ("approver", "security"))
        peer.gives(peer.eve, "approver")
        rest = Rest(setup_of(peer, groups=frozenset({first, second, f"{LABS}/{LABS}"})), StoppedClock())

        def leaves(id_: str) -> None:
            peer.state.guilds[GUILD].members[id_].discard(peer.role("approver"))

        peer.state.guilds[LABS].members.clear()
        yield Club(DiscordMemberships(rest), first, second, peer.bo.id, peer.cy.id, leaves, peer.goes_away)
        await rest.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack_sdk would go through a proxy of the machine even on loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[memory, slack, discord])
async def club(request: pytest.FixtureRequest) -> AsyncIterator[Club]:
    made: AbstractAsyncContextManager[Club] = request.param()
    async with made as opened:
        yield opened


def account(club: Club, id_: str) -> Account:
    return Account(club.memberships.platform, id_)


async def test_an_account_is_in_its_groups_and_a_stranger_in_none(club: Club) -> None:
    assert await club.memberships.of(account(club, club.bo)) == {club.first}
    assert await club.memberships.of(account(club, "U0NOBODY")) == frozenset()


async def test_where_members_are_listed_they_are_those_of_the_group(club: Club) -> None:
    members = await club.memberships.members(club.second)
    assert members in ({club.cy}, None)
    assert await club.memberships.members("S0NOWHERE") in (frozenset(), None)


async def test_whoever_left_is_out_at_the_next_question(club: Club) -> None:
    club.leaves(club.bo)
    assert await club.memberships.of(account(club, club.bo)) == frozenset()


async def test_where_nobody_can_say_it_is_said(club: Club) -> None:
    club.falls_silent()
    with pytest.raises(ChannelDown):
        await club.memberships.of(account(club, club.bo))


async def test_a_platform_that_lists_nobody_says_so() -> None:
    twin = MemoryMemberships("chat", {"G1": {"U1"}}, lists=False)
    assert await twin.members("G1") is None
    assert await twin.of(Account("chat", "U1")) == {"G1"}
