"""Counts the calls that change something outside the program, and breaks off at one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from core.ports import ChannelDown, ServerFault
from tests.bot.support.world import World

Moment = Literal["before", "after"]
How = Literal["gone", "cut"]
"""Gone: the program ends there, as by `kill -9`. Cut: the call fails there, and the program goes on."""

SERVERS = ("upload", "stage", "withdraw", "desire", "verify", "report", "distribute", "state")
STORE = ("accept", "commit", "release", "shown", "sent")
CHANNEL = ("post_card", "edit_card", "post", "reply", "whisper", "direct")


class Tripwire:
    """`at` counts from 1; 0 is never reached. `calls` names what was called, in order."""

    def __init__(self, at: int = 0, moment: Moment = "before", how: How = "gone") -> None:
        self.calls: list[str] = []
        self.reached = asyncio.Event()
        self._at = at
        self._moment = moment
        self._how = how
        self._disarmed = asyncio.Event()

    def watch(self, world: World) -> None:
        """Put it around the calls of a world. A claim matters only once it took hold."""
        error = ServerFault("the connection broke off", temporary=True)
        for server in (world.public, *world.omegas.values()):
            self._guard(server.name, server, SERVERS, error)
        self._guard("chat", world.chat, CHANNEL, ChannelDown("the connection broke off"))
        if self._how == "gone":
            methods = STORE if self._moment == "before" else (*STORE, "claim")
            self._guard("store", world.store, methods, OSError("the disk did not answer"))

    def _guard(self, label: str, owner: object, methods: tuple[str, ...], error: Exception) -> None:
        for name in methods:
            setattr(owner, name, self._wrapped(f"{label} {name}", getattr(owner, name), error))

    def _wrapped(
        self, name: str, method: Callable[..., Awaitable[Any]], error: Exception
    ) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            mine = len(self.calls) == self._at
            if mine and self._moment == "before":
                await self._break_off(error)
            answer = await method(*args, **kwargs)
            if mine and self._moment == "after":
                await self._break_off(error)
            return answer

        return call

    async def _break_off(self, error: Exception) -> None:
        self.reached.set()
        if self._how == "cut":
            raise error
        await self._disarmed.wait()

    def disarm(self) -> None:
        """The test is over: what still hangs at the wire goes on."""
        self._at = 0
        self._disarmed.set()

    async def survived(self, world: World, act: Callable[[], Awaitable[Any]]) -> Any:
        """The answer of `act`; where the program ends during it, it is started again and `act` is done again."""
        doing, reached = asyncio.ensure_future(act()), asyncio.ensure_future(self.reached.wait())
        await asyncio.wait({doing, reached}, return_when=asyncio.FIRST_COMPLETED)
        if self._how == "cut" or not self.reached.is_set():
            reached.cancel()
            return await doing
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        self.reached = asyncio.Event()
        await world.crash()
        await world.restart()
        return await act()
