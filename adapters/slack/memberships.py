"""Implements core.ports.Memberships by Slack's user groups."""

from __future__ import annotations

import structlog

from adapters.slack.failures import Refused
from adapters.slack.setup import PLATFORM
from adapters.slack.workspace import Workspace
from core.people import Account
from core.ports import ChannelDown, ChannelGone

log = structlog.get_logger("ashat.slack")

_NO_GROUP = frozenset({"no_such_subteam", "subteam_not_found"})
"""Deleted, or never there."""


class SlackMemberships:
    """Of the groups that settings name; Slack has no question for the groups of one account."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def platform(self) -> str:
        return PLATFORM

    async def of(self, account: Account) -> frozenset[str]:
        groups = sorted(self._workspace.setup.groups)
        return frozenset([group for group in groups if account.id in await self.members(group)])

    async def members(self, group: str) -> frozenset[str]:
        client = self._workspace.client
        try:
            told = await self._workspace.call(client.usergroups_users_list, usergroup=group)
        except ChannelGone as gone:
            raise ChannelDown(f"Slack does not tell who is in {group}: {gone}") from gone
        except Refused as refused:
            if refused.error not in _NO_GROUP:
                raise
            log.warning("no such user group", group=group)
            return frozenset()
        return frozenset(told.get("users", ()))
