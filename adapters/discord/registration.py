"""Tells Discord the slash command, for each listed server, and only where it is another than Discord has."""

from __future__ import annotations

import asyncio
from itertools import chain, repeat

import structlog

from adapters.discord.commands import registration, same
from adapters.discord.rest import Rest
from core.ports import ChannelDown, ChannelGone

log = structlog.get_logger("ashat.discord")

PATH = "/applications/{application_id}/guilds/{guild_id}/commands"
_PATIENCE = (2.0, 5.0, 15.0, 60.0)
"""Seconds before Discord, being away, is asked again."""


class Registration:
    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        for guild in sorted(self._rest.setup.guilds):
            self.joined(guild)

    async def stop(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def joined(self, guild: str) -> None:
        """The bot is in this server: at the start, with each new session, or because it was let in just now."""
        if guild not in self._rest.setup.guilds:
            log.warning("in a server that the settings do not list", guild=guild)
        elif guild not in self._under_way:
            self._under_way[guild] = asyncio.create_task(self._kept(guild))

    async def _kept(self, guild: str) -> None:
        try:
            for pause in chain(_PATIENCE, repeat(_PATIENCE[-1])):
                if await self._tried(guild):
                    return
                await asyncio.sleep(pause)
        finally:
            del self._under_way[guild]

    async def _tried(self, guild: str) -> bool:
        """Whether there is nothing more to be tried."""
        try:
            await self.bring_up(guild)
        except ChannelDown as down:
            log.warning("slash command not registered yet", guild=guild, why=str(down))
            return False
        except ChannelGone as gone:
            log.warning("slash command refused", guild=guild, why=str(gone), mend="ashat discord invite")
        except Exception:
            log.exception("slash command not registered", guild=guild)
        return True

    async def bring_up(self, guild: str) -> bool:
        """Whether it had to be changed: Discord allows 200 changes a day. Raises ChannelGone or ChannelDown."""
        application = self._rest.setup.application
        wanted = registration()
        found = await self._rest.call("GET", PATH, application_id=application, guild_id=guild)
        if len(found) == 1 and same(found[0], wanted):
            return False
        await self._rest.call("PUT", PATH, [wanted], application_id=application, guild_id=guild)
        log.info("slash command registered", guild=guild, options=len(wanted["options"]))
        return True
