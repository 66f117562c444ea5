"""Implements core.ports.Memberships over the roles of the listed servers: a group is `<server>/<role>`, by their ids.

The role that everyone on a server has carries the server's own id. Who is in a role only a privileged intent tells.
"""

from __future__ import annotations

from adapters.discord.failures import NOT_THERE, Gone
from adapters.discord.rest import Rest, is_full
from adapters.discord.setup import PLATFORM
from core.people import Account
from core.ports import ChannelDown


class DiscordMemberships:
    """Of the roles that settings name."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    @property
    def platform(self) -> str:
        return PLATFORM

    async def of(self, account: Account) -> frozenset[str]:
        groups: set[str] = set()
        named = self._rest.setup.groups
        for guild in sorted({group.partition("/")[0] for group in named}):
            groups |= await self._in(guild, account.id)
        return frozenset(groups & named)

    async def members(self, group: str) -> frozenset[str] | None:
        return None

    async def _in(self, guild: str, user: str) -> frozenset[str]:
        try:
            member = await self._rest.member(guild, user)
        except Gone as gone:
            if gone.code in NOT_THERE:
                return frozenset()  # the bot is not there, and so nobody is
            raise ChannelDown(str(gone)) from gone
        roles = [str(role) for role in (member or {}).get("roles") or ()]
        return groups_of(guild, roles) if is_full(member) else frozenset()


def groups_of(guild: str, roles: list[str] | frozenset[str]) -> frozenset[str]:
    """As they are named, of a full member with these roles."""
    return frozenset(f"{guild}/{role}" for role in (*roles, guild))
