"""Channels and threads: looked up, started, archived, reopened, deleted; and direct messages opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.discord.peer import limits
from tests.discord.peer.guilds import APP, BITS, Channel, State
from tests.discord.peer.payloads import Payloads
from tests.discord.peer.refused import InvalidForm, Json, Refused, missing_access, missing_permissions, unknown


@dataclass
class Rooms:
    state: State
    payloads: Payloads
    tell: Callable[[str, Channel], Awaitable[None]]

    def read(self, id_: str) -> Json:
        """GET /channels/{id}."""
        return self.payloads.channel(self.state.channel(id_))

    def of_guild(self, guild: str) -> list[Json]:
        """GET /guilds/{id}/channels: those that the bot sees, without threads."""
        self.member_of(guild)
        mine = [c for c in self.state.channels.values() if c.guild == guild and c.kind == "text"]
        return [self.payloads.channel(c) for c in mine if self.state.allowed(c, APP)]

    def member_of(self, guild: str) -> None:
        """Raises 10004 where there is no such guild, and 50001 where the bot is not in it."""
        known = self.state.guilds.get(guild)
        if known is None:
            raise unknown("Guild", 10004)
        if APP not in known.members:
            raise missing_access()

    async def start(self, channel: str, message: str | None, body: Json) -> Json:
        """POST /channels/{id}/messages/{id}/threads, or without the message."""
        room = self.state.channel(channel, "create_public_threads")
        if room.kind != "text":
            raise Refused(400, 50024, "Cannot execute action on this channel type")
        name = body.get("name")
        faults: dict[str, tuple[str, str]] = {}
        if not isinstance(name, str) or not 1 <= len(name) <= limits.THREAD_NAME:
            faults["name"] = ("BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {limits.THREAD_NAME} in length.")
        if body.get("auto_archive_duration", 1440) not in limits.AUTO_ARCHIVE:
            faults["auto_archive_duration"] = ("BASE_TYPE_CHOICES", "Value must be one of {60, 1440, 4320, 10080}.")
        if faults:
            raise InvalidForm(faults)
        on = self.state.message(channel, message) if message else None
        if on and on.thread:
            raise Refused(400, 160004, "A thread has already been created for this message")
        made = Channel(on.id if on else self.state.snowflake(), str(name), "thread", room.guild, parent=room.id)
        made.auto_archive, made.made_at = body.get("auto_archive_duration", 1440), self.state.stamp()
        self.state.channels[made.id] = made
        if on:
            on.thread = made.id
        await self.tell("THREAD_CREATE", made)
        return self.payloads.channel(made)

    async def change(self, id_: str, body: Json) -> Json:
        """PATCH /channels/{id}: of a thread its name, and whether it is archived or locked."""
        room = self.state.channel(id_)
        if room.kind != "thread":
            raise missing_permissions()
        manages = bool(self.state.allowed(room, APP) & BITS["manage_threads"])
        if room.locked and not manages:
            raise missing_permissions()
        if room.archived and body.get("archived") is not False:
            raise Refused(400, 50083, "Thread is archived")
        if "locked" in body and bool(body["locked"]) != room.locked and not manages:
            raise missing_permissions()
        if "name" in body and not 1 <= len(str(body["name"])) <= limits.THREAD_NAME:
            raise InvalidForm({"name": ("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")})
        room.name = body.get("name", room.name)
        room.archived = bool(body.get("archived", room.archived))
        room.locked = bool(body.get("locked", room.locked))
        room.auto_archive = body.get("auto_archive_duration", room.auto_archive)
        await self.tell("THREAD_UPDATE", room)
        return self.payloads.channel(room)

    async def join(self, id_: str) -> None:
        """PUT /channels/{id}/thread-members/@me."""
        room = self.state.channel(id_)
        if room.kind != "thread":
            raise Refused(400, 50024, "Cannot execute action on this channel type")
        if room.archived:
            raise Refused(400, 50083, "Thread is archived")

    def active(self, guild: str) -> Json:
        """GET /guilds/{id}/threads/active."""
        self.member_of(guild)
        mine = [c for c in self.state.channels.values() if c.guild == guild and c.kind == "thread" and not c.archived]
        return {"threads": [self.payloads.channel(c) for c in mine if self.state.allowed(c, APP)], "members": [],
                "has_more": False}  # fmt: skip

    def direct(self, body: Json) -> Json:
        """POST /users/@me/channels: opening them works even where a message would not."""
        user = str(body.get("recipient_id", ""))
        account = self.state.accounts.get(user)
        if account is None:
            raise InvalidForm({"recipient_id": ("INVALID_RECIPIENT", "Unknown user")})
        if account.bot:
            raise Refused(400, 50007, "Cannot send messages to this user")
        return self.payloads.channel(self.state.direct(user))

    # -- guilds, members, roles ----------------------------------------------------------------------------------------

    def guild(self, id_: str) -> Json:
        self.member_of(id_)
        return self.payloads.plain_guild(self.state.guilds[id_])

    def guilds(self) -> list[Json]:
        """GET /users/@me/guilds."""
        mine = [one for one in self.state.guilds.values() if APP in one.members]
        return [{"id": one.id, "name": one.name, "icon": None, "banner": None, "owner": False, "features": [],
                 "permissions": str(one.roles[one.id].permissions)} for one in mine]  # fmt: skip

    def roles(self, guild: str) -> list[Json]:
        self.member_of(guild)
        return [role.describe() for role in self.state.guilds[guild].roles.values()]

    def member(self, guild: str, user: str) -> Json:
        """GET /guilds/{id}/members/{id}."""
        self.member_of(guild)
        found = self.state.guilds[guild]
        if user not in found.members:
            raise unknown("Member", 10007) if user in self.state.accounts else unknown("User", 10013)
        return self.payloads.member(found, user)

    def members(self, guild: str) -> Json:
        """GET /guilds/{id}/members needs a privileged intent, which nobody granted."""
        self.member_of(guild)
        raise missing_access()
