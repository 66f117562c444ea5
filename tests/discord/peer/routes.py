"""Which request does what: the part of REST v10 that a bot in guilds uses."""

from __future__ import annotations

from typing import Any

from tests.discord.peer.commands import Commands
from tests.discord.peer.gateway import Gateway
from tests.discord.peer.guilds import APP
from tests.discord.peer.interactions import Interactions
from tests.discord.peer.messages import Messages
from tests.discord.peer.payloads import Payloads
from tests.discord.peer.refused import InvalidForm, missing_access, unknown
from tests.discord.peer.rooms import Rooms
from tests.discord.peer.site import Asked, Site


def lay(
    site: Site, rooms: Rooms, messages: Messages, interactions: Interactions, commands: Commands, payloads: Payloads,
    gateway: Gateway,
) -> None:  # fmt: skip
    """Everything that the site answers."""
    _about(site, payloads, gateway)
    _rooms(site, rooms)
    _messages(site, messages)
    _answers(site, interactions)
    _commands(site, commands, rooms)


def _about(site: Site, payloads: Payloads, gateway: Gateway) -> None:
    async def me(_: Asked) -> tuple[int, Any]:
        return 200, payloads.me()

    async def application(_: Asked) -> tuple[int, Any]:
        return 200, payloads.application()

    async def user(asked: Asked) -> tuple[int, Any]:
        if asked.ids["user"] not in payloads.state.accounts:
            raise unknown("User", 10013)
        return 200, payloads.account(asked.ids["user"])

    async def where(_: Asked) -> tuple[int, Any]:
        return 200, {"url": gateway.url()}

    async def where_bots(_: Asked) -> tuple[int, Any]:
        left = 1000 - len(gateway.identifies)
        limit = {"total": 1000, "remaining": left, "reset_after": 14_400_000, "max_concurrency": 1}
        return 200, {"url": gateway.url(), "shards": 1, "session_start_limit": limit}

    site.route("GET", "/users/@me", me)
    site.route("GET", "/users/{user:\\d+}", user)
    site.route("GET", "/oauth2/applications/@me", application)
    site.route("GET", "/applications/@me", application)
    site.route("GET", "/gateway", where)
    site.route("GET", "/gateway/bot", where_bots)


def _rooms(site: Site, rooms: Rooms) -> None:
    async def read(asked: Asked) -> tuple[int, Any]:
        return 200, rooms.read(asked.ids["channel"])

    async def change(asked: Asked) -> tuple[int, Any]:
        return 200, await rooms.change(asked.ids["channel"], asked.body or {})

    async def start(asked: Asked) -> tuple[int, Any]:
        return 201, await rooms.start(asked.ids["channel"], asked.ids.get("message"), asked.body or {})

    async def join(asked: Asked) -> tuple[int, Any]:
        await rooms.join(asked.ids["channel"])
        return 204, None

    async def typing(asked: Asked) -> tuple[int, Any]:
        rooms.state.channel(asked.ids["channel"], "send_messages")
        return 204, None

    async def direct(asked: Asked) -> tuple[int, Any]:
        return 200, rooms.direct(asked.body or {})

    async def mine(_: Asked) -> tuple[int, Any]:
        return 200, rooms.guilds()

    async def guild(asked: Asked) -> tuple[int, Any]:
        return 200, rooms.guild(asked.ids["guild"])

    async def channels(asked: Asked) -> tuple[int, Any]:
        return 200, rooms.of_guild(asked.ids["guild"])

    async def roles(asked: Asked) -> tuple[int, Any]:
        return 200, rooms.roles(asked.ids["guild"])

    async def active(asked: Asked) -> tuple[int, Any]:
        return 200, rooms.active(asked.ids["guild"])

    async def member(asked: Asked) -> tuple[int, Any]:
        user = APP if asked.ids["user"] == "@me" else asked.ids["user"]
        return 200, rooms.member(asked.ids["guild"], user)

    async def members(asked: Asked) -> tuple[int, Any]:
        return 200, rooms.members(asked.ids["guild"])

    site.route("GET", "/channels/{channel}", read)
    site.route("PATCH", "/channels/{channel}", change)
    site.route("POST", "/channels/{channel}/messages/{message}/threads", start)
    site.route("POST", "/channels/{channel}/threads", start)
    site.route("PUT", "/channels/{channel}/thread-members/@me", join)
    site.route("POST", "/channels/{channel}/typing", typing)
    site.route("POST", "/users/@me/channels", direct)
    site.route("GET", "/users/@me/guilds", mine)
    site.route("GET", "/guilds/{guild}", guild)
    site.route("GET", "/guilds/{guild}/channels", channels)
    site.route("GET", "/guilds/{guild}/roles", roles)
    site.route("GET", "/guilds/{guild}/threads/active", active)
    site.route("GET", "/guilds/{guild}/members", members)
    site.route("GET", "/guilds/{guild}/members/{user}", member)


def _messages(site: Site, messages: Messages) -> None:
    async def post(asked: Asked) -> tuple[int, Any]:
        return 200, await messages.post(asked.ids["channel"], asked.body or {}, asked.uploads)

    async def edit(asked: Asked) -> tuple[int, Any]:
        return 200, await messages.edit(asked.ids["channel"], asked.ids["message"], asked.body or {}, asked.uploads)

    async def read(asked: Asked) -> tuple[int, Any]:
        return 200, messages.read(asked.ids["channel"], asked.ids["message"])

    async def history(asked: Asked) -> tuple[int, Any]:
        return 200, messages.history(asked.ids["channel"], asked.query)

    async def delete(asked: Asked) -> tuple[int, Any]:
        await messages.delete(asked.ids["channel"], asked.ids["message"])
        return 204, None

    site.route("POST", "/channels/{channel}/messages", post)
    site.route("GET", "/channels/{channel}/messages", history)
    site.route("GET", "/channels/{channel}/messages/{message}", read)
    site.route("PATCH", "/channels/{channel}/messages/{message}", edit)
    site.route("DELETE", "/channels/{channel}/messages/{message}", delete)


def _answers(site: Site, interactions: Interactions) -> None:
    async def first(asked: Asked) -> tuple[int, Any]:
        tells = asked.query.get("with_response") in ("1", "true")
        ids = asked.ids
        made = await interactions.callback(ids["id"], ids["token"], asked.body or {}, asked.uploads, tells=tells)
        return (204 if made is None else 200), made

    async def follow_up(asked: Asked) -> tuple[int, Any]:
        return 200, await interactions.follow_up(asked.ids["token"], asked.body or {}, asked.uploads)

    async def edit(asked: Asked) -> tuple[int, Any]:
        ids = asked.ids
        return 200, await interactions.edit(ids["token"], ids["message"], asked.body or {}, asked.uploads)

    async def read(asked: Asked) -> tuple[int, Any]:
        return 200, interactions.read(asked.ids["token"], asked.ids["message"])

    async def delete(asked: Asked) -> tuple[int, Any]:
        await interactions.delete(asked.ids["token"], asked.ids["message"])
        return 204, None

    site.route("POST", "/interactions/{id}/{token}/callback", first)
    site.route("POST", "/webhooks/{app}/{token}", follow_up)
    site.route("PATCH", "/webhooks/{app}/{token}/messages/{message}", edit)
    site.route("GET", "/webhooks/{app}/{token}/messages/{message}", read)
    site.route("DELETE", "/webhooks/{app}/{token}/messages/{message}", delete)


def _commands(site: Site, commands: Commands, rooms: Rooms) -> None:
    def of(asked: Asked) -> str:
        """The guild's id, "" for global commands. Raises 50001, 10002."""
        if asked.ids["app"] != APP:
            raise unknown("Application", 10002)
        guild = asked.ids.get("guild", "")
        if guild and APP not in getattr(rooms.state.guilds.get(guild), "members", {}):
            raise missing_access()
        return guild

    async def overwrite(asked: Asked) -> tuple[int, Any]:
        guild = of(asked)
        if not isinstance(asked.body, list):
            raise InvalidForm({"body": ("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")})
        return 200, commands.overwrite(guild, asked.body)

    async def all_(asked: Asked) -> tuple[int, Any]:
        return 200, commands.all(of(asked))

    async def create(asked: Asked) -> tuple[int, Any]:
        made, new = commands.create(of(asked), asked.body or {})
        return (201 if new else 200), made

    async def one(asked: Asked) -> tuple[int, Any]:
        return 200, commands.one(of(asked), asked.ids["command"])

    async def edit(asked: Asked) -> tuple[int, Any]:
        return 200, commands.edit(of(asked), asked.ids["command"], asked.body or {})

    async def delete(asked: Asked) -> tuple[int, Any]:
        commands.delete(of(asked), asked.ids["command"])
        return 204, None

    for path in ("/applications/{app}/commands", "/applications/{app}/guilds/{guild}/commands"):
        site.route("PUT", path, overwrite)
        site.route("GET", path, all_)
        site.route("POST", path, create)
        site.route("GET", path + "/{command}", one)
        site.route("PATCH", path + "/{command}", edit)
        site.route("DELETE", path + "/{command}", delete)
