"""The Web API of one workspace: one session, one place where errors are read, and what was learnt about who is who."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.chat.cache import Cache
from adapters.slack.failures import translated
from adapters.slack.setup import Setup
from core.ports import Clock

_PATIENCE = 10.0
"""Seconds for one call."""
_AT_ONCE = 16
"""Calls at the same time. Those that wait for their turn use up none of their time."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in this workspace, by `auth.test`."""

    team: str
    user: str
    bot: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Member:
    """A person's account. Who is not full is a guest, a bot, deleted, or of another workspace."""

    id: str
    full: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A channel, as `conversations.info` tells it."""

    id: str
    name: str
    shared: bool
    """Shared with another organisation, or about to be."""
    archived: bool
    joined: bool


class Workspace:
    """`start` once there is an event loop, `close` when nothing more is sent."""

    def __init__(self, setup: Setup, clock: Clock) -> None:
        self.setup = setup
        self.client = AsyncWebClient(
            setup.bot_token.get_secret_value(), base_url=setup.api_url, timeout=int(_PATIENCE),
            retry_handlers=[],  # the default one repeats a post whose connection broke, and so would post it twice
        )  # fmt: skip
        self._identity: Identity | None = None
        self._lock = asyncio.Lock()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._members: Cache[Member] = Cache(clock)
        self._places: Cache[Place] = Cache(clock)
        self._directs: dict[str, str] = {}

    async def call(self, method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: Any) -> dict[str, Any]:
        """Call one method of `client`. Raises ChannelGone or ChannelDown."""
        self._session()
        async with self._turn:
            with translated():
                response = await method(**arguments)
        data = response.data
        return data if isinstance(data, dict) else {}

    async def respond(self, url: str, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        """To a `response_url`, for the asker's eyes alone. Raises ChannelGone or ChannelDown."""
        given = {"response_type": "ephemeral", "replace_original": False, "text": text, "blocks": list(blocks)}
        async with self._turn:
            with translated():
                async with self._session().post(url, json=given) as answer:
                    if answer.status != 200:
                        raise SlackApiError("the response URL was refused", answer)

    def _session(self) -> aiohttp.ClientSession:
        """One for all calls: a connection for each would cost thrice the time."""
        if self.client.session is None or self.client.session.closed:
            self.client.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE))
        return self.client.session

    async def close(self) -> None:
        if self.client.session is not None:
            await self.client.session.close()

    async def identity(self) -> Identity:
        """Asked once; a failed look is made again by the next who asks."""
        async with self._lock:
            if self._identity is None:
                self._identity = await self._ask()
            return self._identity

    async def _ask(self) -> Identity:
        response: AsyncSlackResponse | None = None

        async def asked() -> AsyncSlackResponse:
            nonlocal response
            response = await self.client.auth_test()
            return response

        data = await self.call(asked)
        assert response is not None
        granted = response.headers.get("x-oauth-scopes") or response.headers.get("X-OAuth-Scopes") or ""
        scopes = frozenset(scope.strip() for scope in granted.split(",") if scope.strip())
        return Identity(data["team_id"], data["user_id"], data.get("bot_id", ""), scopes)

    async def member(self, user: str) -> Member:
        """Whether this is a full member of our workspace. Raises ChannelGone or ChannelDown where nobody can say."""
        return await self._members.get(user, self._ask_member)

    async def _ask_member(self, user: str) -> Member:
        told = (await self.call(self.client.users_info, user=user))["user"]
        less = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger", "is_app_user")
        ours = told.get("team_id", self.setup.team) == self.setup.team
        return Member(user, ours and not any(told.get(flag) for flag in less))

    async def place(self, channel: str) -> Place:
        return await self._places.get(channel, self.ask_place)

    async def ask_place(self, channel: str) -> Place:
        """As `place`, and never from memory."""
        told = (await self.call(self.client.conversations_info, channel=channel))["channel"]
        shared = any(told.get(flag) for flag in ("is_ext_shared", "is_pending_ext_shared"))
        joined = bool(told.get("is_member") or told.get("is_im"))
        return Place(channel, told.get("name", channel), shared, bool(told.get("is_archived")), joined)

    async def direct(self, user: str) -> str:
        """The channel of the conversation with this person alone."""
        if user not in self._directs:
            opened = await self.call(self.client.conversations_open, users=[user])
            self._directs[user] = opened["channel"]["id"]
        return self._directs[user]
