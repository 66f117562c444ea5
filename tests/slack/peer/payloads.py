"""The payloads that Slack sends, field by field, made of what stands in the workspace."""

from __future__ import annotations

from typing import Any

from tests.slack.peer.refused import Json
from tests.slack.peer.workspace import APP, BOT_USER, TEAM, Account, Conversation, Message, OpenView, Workspace


class Payloads:
    """`response_origin` is where response URLs point."""

    def __init__(self, workspace: Workspace) -> None:
        self.response_origin = ""
        self._workspace = workspace

    def slash(self, who: Account, room: Conversation, command: str, text: str) -> Json:
        names = {"public": room.name, "private": "privategroup", "im": "directmessage"}
        return {
            "token": "verification", "team_id": who.team, "team_domain": "acme", "channel_id": room.id,
            "channel_name": names[room.kind], "user_id": who.id, "user_name": who.name, "command": command,
            "text": text, "api_app_id": APP, "is_enterprise_install": "false",
            "response_url": self._response_url(who, room), "trigger_id": self._workspace.trigger(who.id),
        }  # fmt: skip

    def event(self, event: Json, team: str = TEAM, *, shared: bool = False) -> Json:
        now = self._workspace.now()
        stamped = {"event_ts": f"{now:.6f}", **event}
        authorization = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True,
                         "is_enterprise_install": False}  # fmt: skip
        return {
            "token": "verification", "team_id": team, "api_app_id": APP, "type": "event_callback",
            "event_id": f"Ev{self._workspace.number():08d}", "event_time": int(now), "event": stamped,
            "authorizations": [authorization], "is_ext_shared_channel": shared,
            "event_context": f"4-{self._workspace.number()}",
        }  # fmt: skip

    def said(self, who: Account, room: Conversation, message: Message) -> Json:
        """The inner event of a person's message."""
        said: Json = {
            "type": "message", "user": who.id, "text": message.fallback, "ts": message.ts, "team": who.team,
            "channel": room.id, "channel_type": {"public": "channel", "private": "group", "im": "im"}[room.kind],
            "blocks": [_rich(message.fallback)],
        }  # fmt: skip
        if message.thread_ts:
            said["thread_ts"] = message.thread_ts
        if who.bot_id:
            said |= {"bot_id": who.bot_id, "bot_profile": {"id": who.bot_id, "name": who.name}}
        if who.team != TEAM:
            said |= {"user_team": who.team, "source_team": who.team}
        return said

    def clicked(self, who: Account, on: Message, action: Json) -> Json:
        room = self._workspace.conversations[on.channel]
        seen: Json = {} if on.to else {"message": on.describe()}
        container: Json = {"type": "message", "message_ts": on.ts, "channel_id": on.channel,
                           "is_ephemeral": on.to is not None}  # fmt: skip
        if on.thread_ts:
            container["thread_ts"] = on.thread_ts
        return self._interaction("block_actions", who) | seen | {
            "container": container, "channel": {"id": room.id, "name": room.name}, "state": {"values": {}},
            "response_url": self._response_url(who, room, on), "actions": [action],
        }  # fmt: skip

    def clicked_in_view(self, who: Account, on: OpenView, action: Json) -> Json:
        view = on.describe()
        return self._interaction("block_actions", who) | {
            "container": {"type": "view", "view_id": on.id}, "view": view, "actions": [action],
        }  # fmt: skip

    def submitted(self, who: Account, on: OpenView, values: Json) -> Json:
        on.view["state"] = {"values": values}
        return self._interaction("view_submission", who) | {"view": on.describe(), "response_urls": []}

    def closed(self, who: Account, on: OpenView) -> Json:
        return self._interaction("view_closed", who) | {"view": on.describe(), "is_cleared": False}

    def suggestion(self, who: Account, on: OpenView, block_id: str, action_id: str, typed: str) -> Json:
        return self._interaction("block_suggestion", who) | {
            "container": {"type": "view", "view_id": on.id}, "view": on.describe(), "action_id": action_id,
            "block_id": block_id, "value": typed,
        }  # fmt: skip

    def _interaction(self, kind: str, who: Account) -> Json:
        return {
            "type": kind, "api_app_id": APP, "token": "verification", "enterprise": None,
            "user": {"id": who.id, "username": who.name, "name": who.name, "team_id": who.team},
            "team": {"id": who.team, "domain": "acme"}, "is_enterprise_install": False,
            "trigger_id": self._workspace.trigger(who.id),
        }  # fmt: skip

    def _response_url(self, who: Account, room: Conversation, on: Message | None = None) -> str:
        return f"{self.response_origin}/response/{self._workspace.response_url(who.id, room.id, on)}"


def _rich(text: str) -> dict[str, Any]:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "block_id": "typed", "elements": [section]}
