"""Groups of a platform in memory, for tests: who is in which, and a platform that does not say."""

from __future__ import annotations

from collections.abc import Mapping

from core.people import Account
from core.ports import ChannelDown


class MemoryMemberships:
    """`groups` are group ids to the ids of their accounts; tests change them as people come and go."""

    def __init__(self, platform: str, groups: Mapping[str, set[str]], *, lists: bool = True) -> None:
        """`lists` False: like a platform that tells of one account, and never who is in a group."""
        self.groups = {group: set(members) for group, members in groups.items()}
        self.asked = 0
        """How many questions were asked."""
        self.silent = False
        self._platform = platform
        self._lists = lists

    @property
    def platform(self) -> str:
        return self._platform

    async def of(self, account: Account) -> frozenset[str]:
        self._answers()
        return frozenset(group for group, members in self.groups.items() if account.id in members)

    async def members(self, group: str) -> frozenset[str] | None:
        if not self._lists:
            return None
        self._answers()
        return frozenset(self.groups.get(group, ()))

    def _answers(self) -> None:
        self.asked += 1
        if self.silent:
            raise ChannelDown(f"{self._platform} does not answer")
