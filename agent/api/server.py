"""Uvicorn as an agent runs it: on a socket that is already bound, beside a loop that may end it, stopped gently."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Never

import uvicorn
from starlette.applications import Starlette

from agent.settings import AgentSettings

_GRACE = 3
"""Seconds for requests to end when the agent stops; what still runs then is cut."""


async def serve_api(
    app: Starlette,
    settings: AgentSettings,
    listening: socket.socket,
    stopping: Callable[[], None],
    beside: Coroutine[Any, Any, Never] | None,
) -> None:
    """Serve until SIGTERM or SIGINT. Where the loop `beside` dies, serving ends and raises what that died of.

    `stopping` is called at the end, before open requests are waited for, so that they can be answered.
    """
    server = _Server(_config(app, settings), stopping)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    other = asyncio.create_task(beside) if beside is not None else None
    try:
        await asyncio.wait({serving, other} if other else {serving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving
        if other is not None and other.cancel():
            await asyncio.wait({other})
    if other is not None and not other.cancelled():
        other.result()


class _Server(uvicorn.Server):
    """Uvicorn without its own way of ending: it would raise the signal again, and the process would die of it."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)


def _config(app: Starlette, settings: AgentSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=75,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
