"""Messages in channels, threads and direct messages: posted, edited, read, deleted, replied to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tests.discord.peer import content, guilds, limits
from tests.discord.peer.components import V2, numbered
from tests.discord.peer.content import Upload
from tests.discord.peer.guilds import APP, Channel, Interaction, Message, State
from tests.discord.peer.payloads import Payloads
from tests.discord.peer.rates import Rates
from tests.discord.peer.refused import InvalidForm, Json, Refused, missing_permissions


@dataclass
class Messages:
    """`tell` spreads news of a message; `origin` is the peer's address, for files."""

    state: State
    payloads: Payloads
    rates: Rates
    tell: Callable[[str, Message], Awaitable[None]]
    reopen: Callable[[Channel], Awaitable[None]]
    origin: Callable[[], str]

    async def post(self, channel: str, body: Json, uploads: Sequence[Upload]) -> Json:
        """POST /channels/{id}/messages."""
        room = self.state.channel(channel)
        self._may_send(room, uploads)
        if room.archived and room.locked:
            raise Refused(400, 50083, "Thread is archived")
        content.check(self.state, body, uploads)
        if int(body.get("flags") or 0) & content.EPHEMERAL:
            raise InvalidForm({"flags": ("MESSAGE_FLAGS_INVALID", "Only answers to interactions can be ephemeral.")})
        replied = self._replied(room, body.get("message_reference"))
        if same := self._same(room, body):
            return self.payloads.message(same)
        message = self.made(room, body, uploads)
        message.nonce = body.get("nonce")
        if replied is not None:
            message.replies_to, message.type = replied.id, 19
            message.pings = self._pings(room, message, body, replied)
        if room.archived:
            await self.reopen(room)  # a message reopens a thread that no moderator has locked
        await self.tell("MESSAGE_CREATE", message)
        return self.payloads.message(message)

    def made(self, room: Channel, body: Json, uploads: Sequence[Upload], answers: Interaction | None = None) -> Message:
        """A new message of the app, checked before."""
        version = (self.state.now(), body.get("content") or "", numbered(body.get("components") or []))
        message = Message(self.state.snowflake(), room.id, APP, [version], flags=int(body.get("flags") or 0))
        message.embeds = body.get("embeds") or []
        message.attachments = self._kept(message.id, uploads)
        message.interaction = answers
        message.pings = self._pings(room, message, body)
        if message.flags & content.EPHEMERAL and answers:
            message.to = answers.user
        self.state.messages[message.id] = message
        return message

    async def edit(self, channel: str, id_: str, body: Json, uploads: Sequence[Upload]) -> Json:
        """PATCH /channels/{id}/messages/{id}."""
        room = self.state.channel(channel)
        message = self.state.message(channel, id_)
        if message.author != APP:
            raise Refused(403, 50005, "Cannot edit a message authored by another user")
        if room.archived:
            raise Refused(400, 50083, "Thread is archived")
        self.check_edit(message, body, uploads)
        if self.state.now() - message.at > limits.OLD_SECONDS:
            self.rates.old_edit(channel, self.state.now())
        await self.changed(message, body, uploads)
        return self.payloads.message(message)

    def check_edit(self, message: Message, body: Json, uploads: Sequence[Upload]) -> None:
        if message.flags & V2 and body.get("flags") is not None and not int(body["flags"]) & V2:
            raise InvalidForm({"flags": ("MESSAGE_FLAGS_INVALID", "IS_COMPONENTS_V2 cannot be removed.")})
        before = {"flags": message.flags & V2, "content": message.content, "embeds": message.embeds,
                  "components": message.components, "attachments": message.attachments}  # fmt: skip
        content.check(self.state, body, uploads, before=before)

    async def changed(self, message: Message, body: Json, uploads: Sequence[Upload], *, quietly: bool = False) -> None:
        """Carry out an edit that was checked."""
        text = (body["content"] or "") if "content" in body else message.content
        parts = numbered(body["components"] or []) if "components" in body else message.components
        message.versions.append((self.state.now(), text, parts))
        if "embeds" in body:
            message.embeds = body["embeds"] or []
        if "attachments" in body:
            kept = {str(one.get("id")) for one in body["attachments"] or []}
            message.attachments = [one for one in message.attachments if one["id"] in kept]
        message.attachments = [*message.attachments, *self._kept(message.id, uploads)]
        if body.get("flags") is not None:
            message.flags = int(body["flags"]) | message.flags & (V2 | content.EPHEMERAL)
        message.flags &= ~content.LOADING
        if not quietly and message.to is None:
            await self.tell("MESSAGE_UPDATE", message)

    def read(self, channel: str, id_: str) -> Json:
        """GET /channels/{id}/messages/{id}."""
        self.state.channel(channel, "read_message_history")
        return self.payloads.message(self.state.message(channel, id_))

    def history(self, channel: str, query: dict[str, str]) -> list[Json]:
        """GET /channels/{id}/messages: the newest first; nothing without the permission to read it."""
        room = self.state.channel(channel)
        if room.guild and not self.state.allowed(room, APP) & guilds.BITS["read_message_history"]:
            return []
        most = int(query.get("limit", 50))
        if not 1 <= most <= 100:
            raise InvalidForm({"limit": ("NUMBER_TYPE_MAX", "int value should be between 1 and 100.")})
        found = self.state.standing(channel)
        if "after" in query:
            found = [m for m in found if int(m.id) > int(query["after"])][:most]
        if "before" in query:
            found = [m for m in found if int(m.id) < int(query["before"])]
        return [self.payloads.message(m) for m in reversed(found[-most:])]

    async def delete(self, channel: str, id_: str) -> None:
        """DELETE /channels/{id}/messages/{id}."""
        room = self.state.channel(channel)
        message = self.state.message(channel, id_)
        if message.author != APP and not self.state.allowed(room, APP) & guilds.BITS["manage_messages"]:
            raise missing_permissions()
        if room.archived:
            raise Refused(400, 50083, "Thread is archived")
        message.deleted = True
        await self.tell("MESSAGE_DELETE", message)

    def _may_send(self, room: Channel, uploads: Sequence[Upload]) -> None:
        """Raises 50001, 50007, 50013."""
        if room.kind == "dm":
            if self.state.accounts[str(room.person)].closed:
                raise Refused(403, 50007, "Cannot send messages to this user")
            return
        self.state.channel(room.id, "send_messages_in_threads" if room.kind == "thread" else "send_messages")
        if uploads:
            self.state.channel(room.id, "attach_files")

    def _replied(self, room: Channel, reference: Json | None) -> Message | None:
        if not reference:
            return None
        if room.guild and not self.state.allowed(room, APP) & guilds.BITS["read_message_history"]:
            raise Refused(403, 160002, "Cannot reply without permission to read message history")
        try:
            return self.state.message(room.id, str(reference["message_id"]))
        except Refused:
            if reference.get("fail_if_not_exists") is False:
                return None
            raise InvalidForm({"message_reference": ("MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")}) from None

    def _same(self, room: Channel, body: Json) -> Message | None:
        """With an enforced nonce: the message that was posted with it in the past few minutes."""
        if not body.get("enforce_nonce") or body.get("nonce") is None:
            return None
        since = self.state.now() - limits.NONCE_SECONDS
        mine = [m for m in self.state.standing(room.id) if m.author == APP and m.at >= since]
        return next((m for m in mine if m.nonce is not None and str(m.nonce) == str(body["nonce"])), None)

    def _pings(self, room: Channel, message: Message, body: Json, replied: Message | None = None) -> list[str]:
        may = self.state.allowed(room, APP)
        if message.flags & content.EPHEMERAL:
            return []
        return content.pings(message.text, body.get("allowed_mentions"), may, replied.author if replied else None)

    def _kept(self, message: str, uploads: Sequence[Upload]) -> list[Json]:
        made = []
        for upload in uploads:
            path = f"attachments/{message}/{quote(upload.name)}"
            self.state.files[path] = upload.content
            url = f"{self.origin()}/{path}"
            made.append({"id": self.state.snowflake(), "filename": upload.name, "size": len(upload.content), "url": url,
                         "proxy_url": url, "content_type": "text/plain; charset=utf-8"})  # fmt: skip
        return made
