"""One interaction: who did what where, out of Discord's payload; and its first answer, due within three seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.discord.drawing import EPHEMERAL, Drawing
from adapters.discord.rest import ACK, THREADS, Rest, is_full
from core.ports import ChannelDown, ChannelGone

log = structlog.get_logger("ashat.discord")

PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 1, 2, 3, 4, 5
"""Types of interactions: https://discord.com/developers/docs/interactions/receiving-and-responding."""
_MESSAGE, _DEFERRED, _DEFERRED_UPDATE, _UPDATE, _CHOICES, _FORM = 4, 5, 6, 7, 8, 9
_MARGIN = 0.3
"""Seconds of the three that the way here and back may have taken."""
_WAY = 0.1
"""Seconds from the last byte of a response until it has surely been read; who is faster is told to try again."""


@dataclass(slots=True)
class Request:
    """An interaction that came over HTTP."""

    answer: dict[str, Any] | None = None
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    there: bool = False
    """Whether Discord has read the answer: before that the token is good for nothing."""

    async def arrives(self) -> None:
        await self.sent.wait()
        await asyncio.sleep(_WAY)
        self.there = True


@dataclass(slots=True)
class Interaction:
    rest: Rest
    id: str
    token: str
    type: int
    user: str
    full: bool | None
    """Whether this is a full member of `guild`; None in a direct conversation, where nobody has said so."""
    roles: frozenset[str]
    """Ids of the guild's roles that they have."""
    guild: str
    """Empty in a direct conversation."""
    channel: str
    """Where it was done; of a thread, the channel that it belongs to."""
    place: str
    """The channel or thread itself."""
    data: Mapping[str, Any]
    source: str = ""
    """Of a click, the message that has the button."""
    arrived: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    answered: bool = False
    """Whether the first answer arrived in time: then the token is good for fifteen minutes."""
    too_late: bool = False
    """Whether Discord has given it up: then nothing is answered here any more."""
    asked: Request | None = None
    """Over HTTP, the request whose answer is the first one."""

    @classmethod
    def read(cls, payload: Mapping[str, Any], rest: Rest, asked: Request | None = None) -> Interaction:
        """Raises KeyError, TypeError or ValueError for what is none."""
        member = payload.get("member")
        user = member["user"] if member else payload["user"]
        channel = payload.get("channel") or {}
        place = str(payload.get("channel_id") or channel.get("id") or "")
        parent = channel.get("parent_id") if channel.get("type") in THREADS else None
        return cls(
            rest, str(payload["id"]), str(payload["token"]), int(payload["type"]), str(user["id"]),
            is_full(member) if member else None,
            frozenset(str(role) for role in (member or {}).get("roles") or ()),
            str(payload.get("guild_id") or ""), str(parent or place), place, payload.get("data") or {},
            str((payload.get("message") or {}).get("id", "")), asked=asked,
        )  # fmt: skip

    @property
    def is_being_answered(self) -> bool:
        """Whether the first answer is on its way, in the response of the request that is being handled."""
        return self.answered and self.asked is not None and not self.asked.there

    @property
    def age(self) -> float:
        """Seconds since it arrived."""
        return asyncio.get_running_loop().time() - self.arrived

    # -- the first answer ----------------------------------------------------------------------------------------------

    async def defer(self) -> None:
        """ "Ashat is thinking", for their eyes only; `settle` comes later."""
        await self._respond(_DEFERRED, {"flags": EPHEMERAL})

    async def defer_update(self) -> None:
        """As `defer`, in the place of the message that was clicked."""
        await self._respond(_DEFERRED_UPDATE, None)

    async def say(self, drawing: Drawing) -> None:
        """For their eyes only."""
        await self._respond(_MESSAGE, drawing.body(EPHEMERAL))

    async def update(self, drawing: Drawing) -> None:
        """In the place of the message that was clicked."""
        await self._respond(_UPDATE, drawing.body())

    async def offer(self, choices: list[dict[str, str]]) -> None:
        await self._respond(_CHOICES, {"choices": choices})

    async def open(self, form: dict[str, Any]) -> None:
        await self._respond(_FORM, form)

    async def _respond(self, kind: int, data: dict[str, Any] | None) -> None:
        """What is too late, or refused, is not raised: the answer then goes another way, see `answered`."""
        if self.asked is not None:
            self.asked.answer = {"type": kind} if data is None else {"type": kind, "data": data}
            self.answered = True
            return
        if self.too_late:
            return
        left = ACK - _MARGIN - self.age
        try:
            self.answered = await self.rest.respond(self.id, self.token, kind, data, max(left, 0.5))
            self.too_late = not self.answered
        except (ChannelGone, ChannelDown) as error:
            log.warning("interaction not acknowledged", interaction=self.id, why=str(error))
