"""The chat.* methods: messages posted, edited, whispered, deleted."""

from __future__ import annotations

from tests.slack.peer import limits
from tests.slack.peer.content import content, flag, metadata
from tests.slack.peer.rates import Rates
from tests.slack.peer.refused import Json, Refused
from tests.slack.peer.workspace import BOT, BOT_USER, Conversation, Message, Workspace


class Chat:
    """`scopes` are those of the token that calls."""

    def __init__(self, workspace: Workspace, rates: Rates, scopes: set[str]) -> None:
        self._workspace = workspace
        self._rates = rates
        self._scopes = scopes

    def post(self, args: Json) -> Json:
        """chat.postMessage."""
        room = self._writable(args)
        text, blocks = content(args, limits.TEXT_POSTED)
        known = metadata(args)
        thread = self._parent(room, args)
        self._rates.post(room.id)
        message = self._made(room, text, blocks, thread)
        message.metadata = known
        message.broadcast = bool(thread) and flag(args, "reply_broadcast")
        message.unfurls = flag(args, "unfurl_links") or flag(args, "unfurl_media", default=True)
        self._workspace.messages.append(message)
        return {"channel": room.id, "ts": message.ts, "message": message.describe()}

    def ephemeral(self, args: Json) -> Json:
        """chat.postEphemeral."""
        room = self._writable(args)
        text, blocks = content(args, limits.TEXT_POSTED)
        user = str(args.get("user", ""))
        if user not in self._workspace.accounts:
            raise Refused("user_not_found")
        if user not in room.members:
            raise Refused("user_not_in_channel")
        message = self._made(room, text, blocks, str(args["thread_ts"]) if args.get("thread_ts") else None)
        message.to = user
        self._workspace.messages.append(message)
        return {"message_ts": message.ts}

    def update(self, args: Json) -> Json:
        """chat.update."""
        room = self._seen(args)
        if room.archived:
            raise Refused("is_inactive")
        message = self._workspace.message(room.id, args.get("ts"))
        if message.bot_id != BOT:
            raise Refused("cant_update_message")
        text, blocks = content(args, limits.TEXT_UPDATED)
        message.versions.append((self._workspace.now(), text, blocks))
        if args.get("metadata"):
            message.metadata = metadata(args)
        return {"channel": room.id, "ts": message.ts, "text": text, "message": message.describe()}

    def delete(self, args: Json) -> Json:
        """chat.delete."""
        room = self._seen(args)
        message = self._workspace.message(room.id, args.get("ts"))
        if message.bot_id != BOT:
            raise Refused("cant_delete_message")
        message.deleted = True
        return {"channel": room.id, "ts": message.ts}

    def _seen(self, args: Json) -> Conversation:
        return self._workspace.conversation(str(args.get("channel", "")))

    def _writable(self, args: Json) -> Conversation:
        room = self._seen(args)
        if room.archived:
            raise Refused("is_archived")
        if BOT_USER not in room.members and "chat:write.public" not in self._scopes:
            raise Refused("not_in_channel")
        return room

    def _parent(self, room: Conversation, args: Json) -> str | None:
        """The thread it goes to. A reply, or nothing at all, cannot be replied to."""
        if not args.get("thread_ts"):
            return None
        try:
            parent = self._workspace.message(room.id, args["thread_ts"])
        except Refused:
            raise Refused("cannot_reply_to_message") from None
        if parent.thread_ts:
            raise Refused("cannot_reply_to_message")
        return parent.ts

    def _made(self, room: Conversation, text: str, blocks: list[Json], thread: str | None) -> Message:
        now = self._workspace.now()
        return Message(room.id, self._workspace.ts(), BOT_USER, [(now, text, blocks)], BOT, thread)
