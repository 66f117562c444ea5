"""The methods that read: conversations, people, user groups; and those that open direct messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tests.slack.peer.content import flag
from tests.slack.peer.refused import Json, Refused
from tests.slack.peer.workspace import BOT_USER, Account, Conversation, Message, Workspace

Item = TypeVar("Item")
_KINDS = {"public_channel": "public", "private_channel": "private", "im": "im"}


class Reads:
    """`scopes` are those of the token that calls."""

    def __init__(self, workspace: Workspace, scopes: set[str]) -> None:
        self._workspace = workspace
        self._scopes = scopes

    # -- conversations -------------------------------------------------------------------------------------------------

    def open(self, args: Json) -> Json:
        """conversations.open, for one person."""
        users = [user for user in str(args.get("users", "")).split(",") if user]
        if not users:
            raise Refused("users_list_not_supplied")
        if len(users) > 1:
            raise Refused("method_not_supported_for_channel_type")  # several people at once: nothing here needs it
        self.needs("im:write")
        room = self._workspace.direct(users[0])
        return {"channel": {"id": room.id}}

    def info(self, args: Json) -> Json:
        """conversations.info."""
        room = self._room(args, "read")
        return {"channel": room.describe()}

    def members(self, args: Json) -> Json:
        """conversations.members."""
        room = self._room(args, "read")
        page, cursor = self._page(sorted(room.members), args)
        return {"members": page, "response_metadata": {"next_cursor": cursor}}

    def conversations(self, args: Json) -> Json:
        """conversations.list."""
        kinds = [_KINDS[kind.strip()] for kind in str(args.get("types") or "public_channel").split(",")]
        visible = []
        for room in self._workspace.conversations.values():
            if room.kind in kinds and (room.kind == "public" or BOT_USER in room.members):
                self.needs(f"{room.scope}:read")
                visible.append(room)
        if flag(args, "exclude_archived"):
            visible = [room for room in visible if not room.archived]
        page, cursor = self._page(visible, args)
        return {"channels": [room.describe() for room in page], "response_metadata": {"next_cursor": cursor}}

    def history(self, args: Json) -> Json:
        """conversations.history: newest first, replies left out."""
        room = self._readable(args)
        found = [m for m in self._workspace.standing(room.id) if m.thread_ts is None or m.broadcast]
        return self._messages([*reversed(self._between(found, args))], args)

    def replies(self, args: Json) -> Json:
        """conversations.replies: the parent, then its replies, oldest first."""
        room = self._readable(args)
        try:
            parent = self._workspace.message(room.id, args.get("ts"))
        except Refused:
            raise Refused("thread_not_found") from None
        root = parent.thread_ts or parent.ts
        found = [m for m in self._workspace.standing(room.id) if root in (m.ts, m.thread_ts)]
        return self._messages(self._between(found, args), args)

    def _messages(self, found: Sequence[Message], args: Json) -> Json:
        page, cursor = self._page(found, args)
        all_metadata = flag(args, "include_all_metadata")
        threads = [m.thread_ts for m in self._workspace.standing(page[0].channel)] if page else []
        told = [m.describe(metadata=all_metadata, replies=threads.count(m.ts)) for m in page]
        more = {"next_cursor": cursor}
        return {"messages": told, "has_more": bool(cursor), "response_metadata": more}

    def _between(self, found: Sequence[Message], args: Json) -> Sequence[Message]:
        oldest, latest = float(args.get("oldest") or 0), float(args.get("latest") or "inf")
        if flag(args, "inclusive"):
            return [m for m in found if oldest <= float(m.ts) <= latest]
        return [m for m in found if oldest < float(m.ts) < latest]

    def _room(self, args: Json, what: str) -> Conversation:
        name = str(args.get("channel", ""))
        if name not in self._workspace.conversations:
            raise Refused("channel_not_found")
        room = self._workspace.conversation(name)
        self.needs(f"{room.scope}:{what}")
        return room

    def _readable(self, args: Json) -> Conversation:
        room = self._room(args, "history")
        if BOT_USER not in room.members:
            raise Refused("not_in_channel")
        return room

    def _page(self, items: Sequence[Item], args: Json) -> tuple[list[Item], str]:
        """At most `limit` items from `cursor`, and the cursor of the next."""
        limit, start = min(int(args.get("limit") or 100), 1000), int(args.get("cursor") or 0)
        end = start + limit
        return [*items[start:end]], str(end) if end < len(items) else ""

    # -- people --------------------------------------------------------------------------------------------------------

    def user(self, args: Json) -> Json:
        """users.info."""
        account = self._workspace.accounts.get(str(args.get("user", "")))
        if account is None:
            raise Refused("user_not_found")
        return {"user": self._described(account)}

    def users(self, args: Json) -> Json:
        """users.list."""
        page, cursor = self._page([*self._workspace.accounts.values()], args)
        return {"members": [self._described(one) for one in page], "response_metadata": {"next_cursor": cursor}}

    def groups(self, _args: Json) -> Json:
        """usergroups.list."""
        told = [
            {"id": id_, "is_usergroup": True, "handle": handle, "name": handle, "user_count": len(members)}
            for id_, (handle, members) in self._workspace.groups.items()
        ]
        return {"usergroups": told}

    def group(self, args: Json) -> Json:
        """usergroups.users.list."""
        found = self._workspace.groups.get(str(args.get("usergroup", "")))
        if found is None:
            raise Refused("no_such_subteam")
        return {"users": sorted(found[1])}

    def _described(self, account: Account) -> Json:
        return account.describe(email="users:read.email" in self._scopes)

    # -- scopes --------------------------------------------------------------------------------------------------------

    def needs(self, scope: str) -> None:
        """Raises missing_scope, with what is needed and what there is."""
        if scope not in self._scopes:
            raise Refused("missing_scope", needed=scope, provided=",".join(sorted(self._scopes)))
