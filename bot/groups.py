"""What one platform says about who is in which group, with how long that holds.

An answer holds for half a minute. What is older, or was not answered, is known, and not certain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from core.people import Account
from core.ports import ChannelDown, Clock, Memberships

log = structlog.get_logger("ashat.groups")

FRESH = timedelta(seconds=30)
"""How long an answer counts: whoever left a group loses its roles within this time."""
AGAIN = timedelta(seconds=5)
"""How long a platform that did not answer is left alone."""
_PATIENCE = 4.0
"""Seconds that a person's command waits for a platform."""
_AT_ONCE = 8
"""Accounts that are asked about at the same time."""


@dataclass(frozen=True, slots=True)
class _Heard:
    groups: frozenset[str]
    at: datetime


class PlatformGroups:
    def __init__(self, memberships: Memberships, groups: Iterable[str], clock: Clock) -> None:
        """`groups` are those of the platform that matter."""
        self.platform = memberships.platform
        self._memberships = memberships
        self._groups = sorted(groups)
        self._clock = clock
        self._heard: dict[str, _Heard] = {}
        self._listed_at: datetime | None = None
        self._lists = True
        """Whether the platform tells who is in a group, as far as is known."""
        self._silent_since: datetime | None = None
        self._turn = asyncio.Lock()

    def known(self, account: str) -> frozenset[str]:
        """Its groups by what was last heard, however long ago."""
        heard = self._heard.get(account)
        return heard.groups if heard else frozenset()

    def certain(self, account: str) -> frozenset[str] | None:
        """Its groups now; None where that would have to be asked."""
        heard = self._heard.get(account)
        return heard.groups if heard and self._within(heard.at, FRESH) else None

    def hear(self, account: str, domain: str, groups: frozenset[str]) -> None:
        """Said unasked: of the groups that begin with `domain` it is in exactly these. Others stay as they were."""
        meant = {group for group in self._groups if group.startswith(domain)}
        heard = self._heard.get(account)
        if len(meant) == len(self._groups):
            self._note(account, groups & meant)
        elif heard is not None:
            self._heard[account] = _Heard(heard.groups - meant | groups & meant, heard.at)

    def members(self) -> Sequence[str]:
        """Every account that was in any of the groups when last heard. For any thread: so it looks at a copy."""
        return sorted(account for account, heard in [*self._heard.items()] if heard.groups)

    @property
    def silent(self) -> bool:
        """Whether it did not answer the last question."""
        return self._silent_since is not None

    async def ask(self, accounts: Iterable[str], *, everybody: bool = False) -> None:
        """Make those certain who are not; `everybody`: and whoever is in a group, where the platform tells that.

        Where nobody answers in time, they are not.
        """
        async with self._turn:
            wanted = [account for account in dict.fromkeys(accounts) if self.certain(account) is None]
            listing = everybody and self._lists and not self._within(self._listed_at, FRESH)
            if not (wanted or listing) or self._within(self._silent_since, AGAIN):
                return
            try:
                async with asyncio.timeout(_PATIENCE):
                    if not await self._list(wanted):
                        await self._one_by_one(wanted)
            except* (ChannelDown, TimeoutError) as errors:
                self._silent_since = self._clock.now()
                why = str(errors.exceptions[0]) or "no answer in time"
                log.warning("groups not asked", platform=self.platform, why=why)
            else:
                self._silent_since = None

    async def _list(self, accounts: Sequence[str]) -> bool:
        """Ask who is in each group; False where the platform does not tell."""
        lists: dict[str, frozenset[str]] = {}
        for group in self._groups if self._lists else ():
            members = await self._memberships.members(group)
            if members is None:
                self._lists = False
                break
            lists[group] = members
        if not self._lists:
            return False
        for account in {*self._heard, *accounts, *(id_ for members in lists.values() for id_ in members)}:
            self._note(account, frozenset(group for group, members in lists.items() if account in members))
        self._listed_at = self._clock.now()
        return True

    async def _one_by_one(self, accounts: Sequence[str]) -> None:
        turn = asyncio.Semaphore(_AT_ONCE)

        async def ask(account: str) -> None:
            async with turn:
                self._note(account, await self._memberships.of(Account(self.platform, account)))

        async with asyncio.TaskGroup() as asking:
            for account in accounts:
                asking.create_task(ask(account))

    def _note(self, account: str, groups: frozenset[str]) -> None:
        self._heard[account] = _Heard(groups, self._clock.now())

    def _within(self, at: datetime | None, time: timedelta) -> bool:
        return at is not None and timedelta() <= self._clock.now() - at < time
