"""What a workspace holds: people, groups, channels, messages, views. The driver and the Web API both work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from tests.slack.peer.blocks import words_of
from tests.slack.peer.refused import Json, Refused

TEAM = "T0ACME"
DOMAIN = "acme"
APP = "A0ASHAT"
BOT_USER = "U0ASHAT"
BOT = "B0ASHAT"

ConversationKind = Literal["public", "private", "im"]


@dataclass
class Account:
    """A member of a workspace: a person, a guest, or another app's bot."""

    id: str
    name: str
    real_name: str
    team: str = TEAM
    deleted: bool = False
    bot_id: str | None = None
    guest: Literal["no", "multi-channel", "single-channel"] = "no"
    time_zone: str = "Europe/Berlin"

    @property
    def email(self) -> str:
        return f"{self.name}@{DOMAIN}.example"

    def describe(self, *, email: bool) -> Json:
        """As users.info gives it."""
        profile: Json = {"real_name": self.real_name, "display_name": self.name, "team": self.team}
        if email and not self.bot_id:
            profile["email"] = self.email
        if self.bot_id:
            profile["bot_id"] = self.bot_id
        return {
            "id": self.id, "team_id": self.team, "name": self.name, "real_name": self.real_name,
            "deleted": self.deleted, "is_bot": bool(self.bot_id), "is_app_user": False, "is_admin": False,
            "is_restricted": self.guest != "no", "is_ultra_restricted": self.guest == "single-channel",
            "is_stranger": self.team != TEAM, "tz": self.time_zone, "profile": profile,
        }  # fmt: skip


@dataclass
class Conversation:
    """A channel, public or private, or the direct messages of one person and the app."""

    id: str
    name: str
    kind: ConversationKind = "public"
    members: set[str] = field(default_factory=set)
    archived: bool = False
    shared: bool = False

    @property
    def scope(self) -> str:
        """The word for its kind in scopes: `channels`, `groups`, `im`."""
        return {"public": "channels", "private": "groups", "im": "im"}[self.kind]

    def describe(self) -> Json:
        if self.kind == "im":
            other = next(iter(self.members - {BOT_USER}))
            return {"id": self.id, "is_im": True, "user": other, "is_archived": self.archived}
        return {
            "id": self.id, "name": self.name, "is_channel": self.kind == "public", "is_group": self.kind == "private",
            "is_im": False, "is_private": self.kind == "private", "is_archived": self.archived,
            "is_member": BOT_USER in self.members, "is_shared": self.shared, "is_ext_shared": self.shared,
            "is_org_shared": False, "num_members": len(self.members), "context_team_id": TEAM,
        }  # fmt: skip


@dataclass
class Message:
    """One message. `versions` are all that it ever showed, with the time, the newest last."""

    channel: str
    ts: str
    user: str
    versions: list[tuple[float, str, list[Json]]]
    bot_id: str | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    to: str | None = None
    """The one person who sees it: it is ephemeral, and not in any history."""
    unfurls: bool = False
    deleted: bool = False

    @property
    def fallback(self) -> str:
        return self.versions[-1][1]

    @property
    def blocks(self) -> list[Json]:
        return self.versions[-1][2]

    @property
    def edits(self) -> list[float]:
        """When it was edited."""
        return [at for at, _, _ in self.versions[1:]]

    @property
    def text(self) -> str:
        """What a reader sees of it: its blocks' words where it has blocks, a line each."""
        return "\n".join(words_of(self.blocks)) if self.blocks else self.fallback

    def describe(self, *, metadata: bool = True, replies: int = 0) -> Json:
        """As conversations.history gives it."""
        said: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.fallback, "team": TEAM}
        if self.blocks:
            said["blocks"] = self.blocks
        if self.bot_id:
            said |= {"bot_id": self.bot_id, "app_id": APP if self.bot_id == BOT else "A0OTHER"}
        if self.thread_ts:
            said |= {"thread_ts": self.thread_ts, "parent_user_id": self.user}
        if self.broadcast:
            said["subtype"] = "thread_broadcast"
        if len(self.versions) > 1:
            said["edited"] = {"user": self.user, "ts": self.ts}
        if replies:
            said |= {"thread_ts": self.ts, "reply_count": replies}
        if self.metadata and metadata:
            said["metadata"] = self.metadata
        return said


@dataclass
class Trigger:
    user: str
    at: float
    used: bool = False


@dataclass
class OpenView:
    """A modal that a person has before them, or their Home tab."""

    id: str
    user: str
    view: Json
    hash: str
    errors: Json = field(default_factory=dict)

    def describe(self) -> Json:
        state = self.view.get("state", {"values": {}})
        return {**self.view, "id": self.id, "team_id": TEAM, "app_id": APP, "bot_id": BOT, "hash": self.hash,
                "state": state, "root_view_id": self.id, "previous_view_id": None}  # fmt: skip


@dataclass
class ResponseUrl:
    user: str
    channel: str
    at: float
    message: Message | None = None
    uses: int = 0


@dataclass
class Workspace:
    now: Callable[[], float]
    accounts: dict[str, Account] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    groups: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    """User groups by id: handle and members."""
    messages: list[Message] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    modals: dict[str, list[OpenView]] = field(default_factory=dict)
    """By person, the stack of modals before them, the visible one last."""
    homes: dict[str, OpenView] = field(default_factory=dict)
    response_urls: dict[str, ResponseUrl] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def number(self) -> int:
        return next(self._numbers)

    def ts(self) -> str:
        """A message's name: the time in seconds, made unique by its last six digits."""
        return f"{int(self.now())}.{self.number():06d}"

    def conversation(self, name: str, seen_by: str = BOT_USER) -> Conversation:
        """By id, or by a member's id for their direct messages. Raises channel_not_found, as for a hidden one."""
        if name in self.accounts:
            return self.direct(name)
        found = self.conversations.get(name)
        if found is None or (found.kind != "public" and seen_by not in found.members):
            raise Refused("channel_not_found")
        return found

    def direct(self, user: str) -> Conversation:
        """The direct messages of `user` and the app, made where there are none. Raises user_not_found and kin."""
        account = self.accounts.get(user)
        if account is None:
            raise Refused("user_not_found")
        if account.deleted:
            raise Refused("user_disabled")
        if account.bot_id:
            raise Refused("cannot_dm_bot")
        name = f"D{user[1:]}"
        return self.conversations.setdefault(name, Conversation(name, "directmessage", "im", {user, BOT_USER}))

    def message(self, channel: str, ts: object) -> Message:
        """One that stands in its history. Raises message_not_found."""
        for message in self.messages:
            if (message.channel, message.ts) == (channel, ts) and not message.deleted and message.to is None:
                return message
        raise Refused("message_not_found")

    def standing(self, channel: str) -> list[Message]:
        """All that everyone in it can see, oldest first."""
        return [m for m in self.messages if m.channel == channel and not m.deleted and m.to is None]

    def trigger(self, user: str) -> str:
        name = f"{self.number()}.{TEAM[1:]}.{user}"
        self.triggers[name] = Trigger(user, self.now())
        return name

    def response_url(self, user: str, channel: str, message: Message | None = None) -> str:
        """The name of a fresh one."""
        name = f"r{self.number()}"
        self.response_urls[name] = ResponseUrl(user, channel, self.now(), message)
        return name
