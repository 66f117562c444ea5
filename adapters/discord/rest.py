"""Discord's REST API: discord.py's client with its rate limits, at the settings' address, with errors in one place.

The library's own weaknesses that are covered here: it retries a POST that was answered 500, so each post carries a
nonce (see `posted`); it raises on a connection that was cut, so an acknowledgement is tried again while it can count;
it waits for ever on a server that says nothing, so the session has time-outs; and it slows down with every interaction
of the last five minutes, so what it remembers of them is cleared away.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
from discord.gateway import DiscordClientWebSocketResponse
from discord.http import HTTPClient, Route, json_or_text

from adapters.chat.cache import Cache
from adapters.discord.failures import (
    ACKNOWLEDGED,
    NOT_THERE,
    TOO_FAST,
    UNKNOWN_INTERACTION,
    UNKNOWN_MEMBER,
    UNKNOWN_USER,
    Gone,
    Refused,
    translated,
)
from adapters.discord.setup import Setup
from core.ports import ChannelDown, Clock

_CONNECT = 5.0
_SILENCE = 15.0
"""Seconds without a byte, after which a request is given up."""
_LONGEST_WAIT = 30.0
"""Seconds that a full rate bucket is waited for in place; where it takes longer, the notifier comes back later."""
_BUCKETS = 512
"""Rate buckets that are kept without looking which of them still say anything."""
_AGAIN = 0.2
"""Seconds before an acknowledgement whose connection broke is sent again."""
ACK = 3.0
"""Seconds: https://discord.com/developers/docs/interactions/receiving-and-responding."""


@dataclass(frozen=True, slots=True)
class Place:
    """A channel or thread. `parent` is a thread's channel, else the channel itself."""

    id: str
    guild: str | None
    """None: a direct conversation."""
    name: str
    parent: str


class Client(HTTPClient):
    """discord.py's, with the session's time-outs and the API's address of our own."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(asyncio.get_running_loop(), max_ratelimit_timeout=_LONGEST_WAIT)
        self._enough = _BUCKETS
        self._base = setup.api_url.rstrip("/")
        self.token = setup.token.get_secret_value()
        self._global_over = asyncio.Event()
        self._global_over.set()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), ws_response_class=DiscordClientWebSocketResponse,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_SILENCE),
        )  # fmt: skip
        vars(self)["_HTTPClient__session"] = self.session  # what `static_login` makes, without its question who we are
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        """The last one that was opened."""

    def _try_clear_expired_ratelimits(self) -> None:
        """The library looks through all buckets whenever one is made, and each interaction makes two."""
        if len(self._buckets) < self._enough:
            return
        now = self.loop.time()
        newest = next(reversed(self._buckets))
        used = {
            key: bucket for key, bucket in self._buckets.items()
            if key == newest or bucket.outgoing or (bucket.expires is not None and bucket.expires > now)
        }  # fmt: skip
        self._buckets = used
        self._enough = max(2 * len(used), _BUCKETS)

    async def request(self, route: Route, **given: Any) -> Any:
        route.url = self._base + route.url.removeprefix(route.BASE)
        return await super().request(route, **given)

    async def acknowledge(self, interaction: str, token: str, body: dict[str, Any]) -> None:
        """The first answer, which no rate limit holds up, and which the library would wait a second to try again.

        https://discord.com/developers/docs/interactions/receiving-and-responding
        """
        path = "/interactions/{webhook_id}/{webhook_token}/callback"
        url = Route("POST", path, webhook_id=interaction, webhook_token=token).url.removeprefix(Route.BASE)
        headers = {"User-Agent": self.user_agent, "Content-Type": "application/json"}
        async with self.session.post(self._base + url, data=json.dumps(body).encode(), headers=headers) as response:
            if response.status < 400:
                return
            told = await json_or_text(response)
            if response.status == TOO_FAST and isinstance(told, dict) and "retry_after" in told:
                raise discord.RateLimited(float(told["retry_after"]))  # the header has whole seconds only
            raise discord.HTTPException(response, told)

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        self.socket = await super().ws_connect(url, compress=compress)
        return self.socket


class Rest:
    """`client` is made by the first call, when there is an event loop; `close` when nothing more is sent."""

    def __init__(self, setup: Setup, clock: Clock) -> None:
        self.setup = setup
        self._client: Client | None = None
        self._closed = False
        self._lock = asyncio.Lock()
        self._self = ""
        self._directs: dict[str, str] = {}
        self._places: Cache[Place] = Cache(clock)
        self._members: Cache[frozenset[str]] = Cache(clock)

    @property
    def client(self) -> Client:
        if self._closed:
            raise ChannelDown("Discord was left: the bot is stopping")
        if self._client is None:
            self._client = Client(self.setup)
        return self._client

    async def close(self) -> None:
        self._closed = True
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def call(self, method: str, path: str, body: Any = None, *, file: discord.File | None = None,
                   params: dict[str, str] | None = None, **ids: str) -> Any:  # fmt: skip
        """One request; `ids` fill the path, and choose the rate bucket. Raises ChannelGone or ChannelDown."""
        given: dict[str, Any] = {"params": params} if params else {}
        if file is not None:
            given |= {"files": [file], "form": _form(body, file)}
        elif body is not None:
            given["json"] = body
        with translated():
            return await self.client.request(Route(method, path, **ids), **given)

    # -- interactions --------------------------------------------------------------------------------------------------

    async def respond(self, interaction: str, token: str, kind: int, data: dict[str, Any] | None, left: float) -> bool:
        """The first answer, within `left` seconds; a cut connection is tried again. False: it came too late."""
        body = {"type": kind} if data is None else {"type": kind, "data": data}
        try:
            async with asyncio.timeout(left):
                return await self._responded(interaction, token, body)
        except TimeoutError:
            return False

    async def _responded(self, interaction: str, token: str, body: dict[str, Any]) -> bool:
        while True:
            try:
                with translated():
                    await self.client.acknowledge(interaction, token, body)
            except Refused as refused:
                if refused.code == ACKNOWLEDGED:
                    return True  # an earlier try arrived, and only its answer was lost
                if refused.code == UNKNOWN_INTERACTION:
                    return False
                if refused.code not in (0, TOO_FAST):
                    raise
                await asyncio.sleep(refused.retry_after or _AGAIN)
            except ChannelDown:
                await asyncio.sleep(_AGAIN)
            else:
                return True

    async def settle(self, token: str, body: dict[str, Any], file: discord.File | None = None) -> None:
        """Put the answer in the place of the first one. Raises ChannelGone or ChannelDown."""
        await self.call(
            "PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", body, file=file,
            webhook_id=self.setup.application, webhook_token=token,
        )  # fmt: skip

    # -- who and where -------------------------------------------------------------------------------------------------

    async def own_id(self) -> str:
        """The bot's user id. Asked once; a failed look is made again by the next who asks."""
        async with self._lock:
            if not self._self:
                self._self = str((await self.call("GET", "/users/@me"))["id"])
            return self._self

    async def place(self, channel: str) -> Place:
        """Raises ChannelGone or ChannelDown where nobody can say."""
        return await self._places.get(channel, self.ask_place)

    async def ask_place(self, channel: str) -> Place:
        """As `place`, and never from memory."""
        told = await self.call("GET", "/channels/{channel_id}", channel_id=channel)
        thread = told.get("type") in THREADS
        return Place(channel, told.get("guild_id"), str(told.get("name") or channel),
                     str(told["parent_id"]) if thread and told.get("parent_id") else channel)  # fmt: skip

    async def listed(self, user: str) -> frozenset[str]:
        """The listed guilds of which this person is a full member. Raises ChannelDown where nobody can say."""
        return await self._members.get(user, self._ask_listed)

    async def _ask_listed(self, user: str) -> frozenset[str]:
        """A server that the bot is not in says nothing; where that leaves doubt, it is raised."""
        found, silent = set[str](), None
        for guild in sorted(self.setup.guilds):
            try:
                if is_full(await self.member(guild, user)):
                    found.add(guild)
            except Gone as gone:
                if gone.code not in NOT_THERE:
                    raise
                silent = gone
        if silent is not None and not found:
            raise silent
        return frozenset(found)

    async def member(self, guild: str, user: str) -> dict[str, Any] | None:
        """The member as Discord tells it, None where they are none."""
        try:
            told = await self.call("GET", "/guilds/{guild_id}/members/{user_id}", guild_id=guild, user_id=user)
        except Refused as refused:
            if refused.code == UNKNOWN_MEMBER:
                return None
            raise
        except Gone as gone:
            if gone.code == UNKNOWN_USER:
                return None
            raise
        return told if isinstance(told, dict) else None

    async def direct(self, user: str) -> str:
        """The channel of the conversation with this person alone."""
        if user not in self._directs:
            opened = await self.call("POST", "/users/@me/channels", {"recipient_id": user})
            self._directs[user] = str(opened["id"])
        return self._directs[user]


THREADS = frozenset({10, 11, 12})
"""Channel types: https://discord.com/developers/docs/resources/channel."""
_GUEST = 1 << 4
"""Member flag: let in for one voice channel only."""


def is_full(member: dict[str, Any] | None) -> bool:
    """Whether this is a person's account that has passed the guild's screening."""
    if member is None or member.get("pending") or int(member.get("flags") or 0) & _GUEST:
        return False
    user = member.get("user") or {}
    return not (user.get("bot") or user.get("system"))


def _form(body: Any, file: discord.File) -> Sequence[dict[str, Any]]:
    return (
        {"name": "payload_json", "value": json.dumps(body), "content_type": "application/json"},
        {"name": "files[0]", "value": file.fp, "filename": file.filename, "content_type": "text/plain"},
    )
