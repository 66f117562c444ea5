"""What Discord holds: accounts, guilds with roles and channels, messages, interactions. Everything here works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Literal

from tests.discord.peer import permissions
from tests.discord.peer.permissions import BITS, Overwrite
from tests.discord.peer.refused import Json, missing_access, missing_permissions, unknown

EPOCH = 1420070400000
"""Discord's, in Unix milliseconds: ids hold the time since then."""
APP = "100000000000000001"
"""The application's id, which is its bot's account too."""
GUILD = "200000000000000001"
LABS = "200000000000000002"
STRANGERS = "200000000000000003"

TOKEN = "aW50"
"""What the token of an interaction begins with; its id follows."""

ChannelKind = Literal["text", "thread", "dm"]
TYPES = {"text": 0, "dm": 1, "thread": 11}


@dataclass
class Account:
    """A person, or another app's bot. `closed`: takes no direct messages from apps."""

    id: str
    name: str
    real_name: str
    bot: bool = False
    closed: bool = False

    def describe(self) -> Json:
        made: Json = {
            "id": self.id, "username": self.name, "global_name": None if self.bot else self.real_name, "avatar": None,
            "discriminator": "0", "public_flags": 0, "flags": 0, "primary_guild": None,
        }  # fmt: skip
        return made | ({"bot": True} if self.bot else {})


@dataclass
class Role:
    id: str
    name: str
    position: int
    permissions: int = 0

    def describe(self) -> Json:
        return {"id": self.id, "name": self.name, "permissions": str(self.permissions), "position": self.position,
                "color": 0, "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
                "hoist": False, "managed": self.name == "Ashat", "mentionable": False, "icon": None,
                "unicode_emoji": None, "flags": 0}  # fmt: skip


@dataclass
class Channel:
    """A text channel, a thread of one, or the direct messages of one person and the app."""

    id: str
    name: str
    kind: ChannelKind = "text"
    guild: str | None = None
    parent: str | None = None
    person: str | None = None
    """Of direct messages: who else is in them."""
    overwrites: list[Overwrite] = field(default_factory=list)
    archived: bool = False
    locked: bool = False
    auto_archive: int = 1440
    made_at: str = ""


@dataclass
class Message:
    """One message. `versions` are all that it ever showed: time, content, components; the newest last."""

    id: str
    channel: str
    author: str
    versions: list[tuple[float, str, list[Json]]]
    type: int = 0
    flags: int = 0
    embeds: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    pings: list[str] = field(default_factory=list)
    """Whom it notifies, by id: people, roles, `everyone`."""
    nonce: str | int | None = None
    replies_to: str | None = None
    interaction: Interaction | None = None
    """What it answers."""
    to: str | None = None
    """The one person who sees it: it is ephemeral, and not in any history."""
    thread: str | None = None
    webhook: str | None = None
    forward: bool = False
    deleted: bool = False

    @property
    def content(self) -> str:
        return self.versions[-1][1]

    @property
    def components(self) -> list[Json]:
        return self.versions[-1][2]

    @property
    def at(self) -> float:
        return self.versions[0][0]

    @property
    def edits(self) -> list[float]:
        """When it was edited."""
        return [at for at, _, _ in self.versions[1:]]

    @property
    def text(self) -> str:
        """What a reader sees of it: content, embeds and components, a line each."""
        found = [self.content, *_of_embeds(self.embeds), *words_of(self.components)]
        return "\n".join(words for words in found if words)


@dataclass
class Interaction:
    """What a person did to the app, and how the app answered. `token` lives 15 minutes."""

    id: str
    token: str
    type: int
    user: str
    channel: str
    guild: str | None
    at: float
    data: Json
    source: Message | None = None
    """The message that the button was on."""
    parent: Interaction | None = None
    """The interaction that the modal had answered."""
    callback: int | None = None
    """The type of its first answer."""
    original: Message | None = None
    """That answer, where it is a message."""
    modal: Json | None = None
    choices: list[Json] = field(default_factory=list)
    follow_ups: list[Message] = field(default_factory=list)
    expired: bool = False

    @property
    def loading(self) -> bool:
        """The person still looks at "is thinking…"."""
        return self.callback == 5 and self.original is not None and bool(self.original.flags & 1 << 7)

    @property
    def text(self) -> str:
        """All that they were told, a line each."""
        answered = [self.original] if self.original and self.callback in (4, 5) else []
        return "\n".join(m.text for m in (*answered, *self.follow_ups) if not m.deleted)


@dataclass
class Guild:
    id: str
    name: str
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    """Role ids by account id."""
    pending: set[str] = field(default_factory=set)
    """Ids of those who have not passed its screening yet."""
    unavailable: bool = False


@dataclass
class State:
    now: Callable[[], float]
    accounts: dict[str, Account] = field(default_factory=dict)
    guilds: dict[str, Guild] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    interactions: dict[str, Interaction] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """Uploads by the path of their address."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def snowflake(self) -> str:
        """A new id: the time in its upper bits, a number in its lower 22."""
        return str((int(self.now() * 1000) - EPOCH << 22) | (next(self._numbers) & 0x3FFFFF))

    def stamp(self, at: float | None = None) -> str:
        """ISO 8601, as all times are given."""
        return datetime.fromtimestamp(self.now() if at is None else at, UTC).isoformat()

    def interaction(
        self, kind: int, user: str, room: Channel, data: Json, source: Message | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:  # fmt: skip
        """One that begins now."""
        id_ = self.snowflake()
        made = Interaction(id_, f"{TOKEN}{id_}", kind, user, room.id, room.guild, self.now(), data, source, parent)
        self.interactions[id_] = made
        return made

    # -- channels ------------------------------------------------------------------------------------------------------

    def channel(self, id_: str, *needs: str) -> Channel:
        """One that the bot may use so. Raises 10003, 50001, 50013."""
        found = self.channels.get(id_)
        if found is None:
            raise unknown("Channel", 10003)
        if found.kind == "dm":
            return found
        may = self.allowed(found, APP)
        if not may & BITS["view_channel"]:
            raise missing_access()
        if any(not may & BITS[need] for need in needs):
            raise missing_permissions()
        return found

    def allowed(self, channel: Channel, user: str) -> int:
        """The permissions of a member there, as bits. A thread has those of its channel."""
        if channel.guild is None:
            return permissions.EVERYTHING if user in (APP, channel.person) else 0
        guild = self.guilds[channel.guild]
        roles = guild.members.get(user)
        if roles is None:
            return 0
        base = guild.roles[guild.id].permissions
        for role in roles:
            base |= guild.roles[role].permissions
        room = self.channels[channel.parent] if channel.parent else channel
        return permissions.granted(base, room.overwrites, guild.id, roles, user)

    def direct(self, user: str) -> Channel:
        """The direct messages of `user` and the app, made where there are none."""
        for channel in self.channels.values():
            if channel.person == user:
                return channel
        made = Channel(self.snowflake(), "", "dm", person=user)
        self.channels[made.id] = made
        return made

    def threads(self, channel: str) -> list[Channel]:
        return [one for one in self.channels.values() if one.parent == channel]

    # -- messages ------------------------------------------------------------------------------------------------------

    def message(self, channel: str, id_: str) -> Message:
        """One that stands there. Raises 10008."""
        found = self.messages.get(id_)
        if found is None or found.channel != channel or found.deleted or found.to:
            raise unknown("Message", 10008)
        return found

    def standing(self, channel: str) -> list[Message]:
        """All that everyone in it can see, oldest first."""
        return [m for m in self.messages.values() if m.channel == channel and not m.deleted and not m.to]


def words_of(components: list[Json]) -> Iterator[str]:
    """What a reader sees of them, top to bottom, a line each; buttons as `[label]`, all of a row in one line."""
    for one in components:
        match one["type"]:
            case 1:
                yield " ".join(words_of(one["components"]))
            case 2:
                yield f"[{one.get('label') or (one.get('emoji') or {}).get('name', '')}]"
            case 3 | 5 | 6 | 7 | 8:
                yield f"<{one.get('placeholder', '')}>"
            case 9:
                yield from words_of([*one["components"], one["accessory"]])
            case 10:
                yield one["content"]
            case 13:
                yield f"({one['file']['url'].removeprefix('attachment://')})"
            case 17:
                yield from words_of(one["components"])
            case _:
                pass


def _of_embeds(embeds: list[Json]) -> Iterator[str]:
    for one in embeds:
        yield from (one.get("title", ""), one.get("description", ""))
        yield from (f"{f['name']}: {f['value']}" for f in one.get("fields", []))
        yield (one.get("footer") or {}).get("text", "")
