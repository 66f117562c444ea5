"""discord.py's own connection to the gateway, with our ears in place of its cache, and less patience.

It speaks the protocol: compression, heartbeats, identify, resume. Its event handlers are replaced by those that are
given, so that payloads are read as they come, and none of them can end the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import discord
import structlog
from discord.errors import ConnectionClosed
from discord.gateway import DiscordWebSocket, ReconnectWebSocket, WebSocketClosure

from adapters.discord.rest import Rest

log = structlog.get_logger("ashat.discord")

INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
"""None is privileged: what a message says is told to the bot where it is mentioned, or written to directly."""


class Socket(DiscordWebSocket):
    """One connection. A class of its own for each gateway: the library takes its address from the class."""

    quiet: float
    patience: float

    async def poll_event(self) -> None:
        """The next event. A gateway that is quiet for long is asked, and one that does not answer is left."""
        try:
            async with asyncio.timeout(self.quiet):
                return await super().poll_event()
        except TimeoutError:
            log.debug("the gateway is quiet")
        try:
            async with asyncio.timeout(self.patience):
                await self.send_heartbeat(self._beat())
                return await super().poll_event()
        except TimeoutError:
            log.warning("the gateway does not answer", seconds=self.quiet + self.patience)
            raise ReconnectWebSocket(self.shard_id) from None

    async def received_message(self, msg: Any, /) -> None:
        """One event that cannot be read is left out; one that cannot be unpacked breaks all that come after it."""
        try:
            await super().received_message(msg)
        except (ReconnectWebSocket, ConnectionClosed, WebSocketClosure, OSError, aiohttp.ClientError):
            raise
        except Exception as error:
            if isinstance(msg, bytes) and not isinstance(error, ValueError | KeyError | TypeError | AttributeError):
                log.warning("the gateway's stream is broken", why=f"{type(error).__name__}: {error}")
                raise ReconnectWebSocket(self.shard_id) from error
            log.warning("malformed gateway event left out", why=f"{type(error).__name__}: {error}")

    def _beat(self) -> dict[str, Any]:
        """As the library counts them: else it takes its own last one for unanswered."""
        return {"op": self.HEARTBEAT, "d": self.sequence} if self._keep_alive is None else self._keep_alive.beat()

    def leave(self) -> None:
        """Stop the heartbeat; nothing more is expected of the other side."""
        if self._keep_alive is not None:
            self._keep_alive.stop()
            self._keep_alive = None


class Client(discord.Client):
    """What the library's socket asks of a client: our REST session, and our ears in place of its cache."""

    def __init__(self, rest: Rest, parsers: Mapping[str, Callable[[Any], None]]) -> None:
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody speaks here
        super().__init__(intents=INTENTS, allowed_mentions=discord.AllowedMentions.none())
        self.loop = asyncio.get_running_loop()
        self.http = self._connection.http = rest.client
        self._connection.parsers = dict(parsers)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library waits five seconds here; the supervisor's own waiting is enough."""
