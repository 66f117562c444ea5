"""One agent from its settings to its end, in the order in which its parts start and stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AsyncExitStack

from agent.clock import utc_now
from agent.host import Host
from agent.logs import get_logger
from agent.ownership import OwnKey, bound_socket, locked, open_to_others
from agent.settings import AgentSettings, bot_token_hash

log = get_logger(__name__)


async def serve(settings: AgentSettings, environ: Mapping[str, str], *, end_slots: bool) -> None:
    """Until SIGTERM or SIGINT. `end_slots`: every process that this agent started ends with it, however it ends."""
    token = bot_token_hash(settings, environ)
    with locked(settings.data), contextlib.closing(bound_socket(settings.listen)) as listening:
        for path in open_to_others(settings.private_files):
            log.warning("a private file is open to others; chmod 0600", file=str(path))
        host, key = Host(settings, utc_now, tied=end_slots), OwnKey.at(settings.key_path)
        async with AsyncExitStack() as running:
            running.push_async_callback(host.close, end=end_slots)
            starting = asyncio.create_task(host.start())
            await asyncio.sleep(0)  # until it waits for processes to come up; the rest is imported meanwhile
            from agent.api.server import serve_api
            from agent.roles import Parts, duties_of

            await starting
            duties = await duties_of(Parts(settings, host, key), running)
            host.tend()
            log.info(
                "agent serves", role=settings.role, listen=settings.listen, front_door=host.url,
                public_key=key.public_text,
            )  # fmt: skip
            await serve_api(duties.app(settings, token), settings, listening, duties.stopping, duties.beside)
    log.info("agent stopped", slots="ended" if end_slots else "go on")
