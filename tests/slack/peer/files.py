"""Files, as far as a bot that shares a log needs them: an address to upload to, and the end of it."""

from __future__ import annotations

from collections.abc import Callable

from tests.slack.peer.content import decoded
from tests.slack.peer.refused import Json, Refused
from tests.slack.peer.workspace import BOT, BOT_USER, Message, Workspace


class Files:
    def __init__(self, workspace: Workspace, origin: Callable[[], str]) -> None:
        self._workspace = workspace
        self._origin = origin

    def upload_url(self, args: Json) -> Json:
        """files.getUploadURLExternal."""
        if not args.get("filename"):
            raise Refused("invalid_arguments", ["missing required field: filename"])
        if int(args.get("length") or 0) <= 0:
            raise Refused("missing_argument")
        name = f"F{self._workspace.number()}"
        self._workspace.files[name] = {"id": name, "name": args["filename"], "length": int(args["length"])}
        return {"upload_url": f"{self._origin()}/upload/{name}", "file_id": name}

    def complete(self, args: Json) -> Json:
        """files.completeUploadExternal: shares them where `channel_id` says."""
        told = []
        for one in decoded(args.get("files"), "invalid_arguments"):
            kept = self._workspace.files.get(str(one.get("id")))
            if kept is None or "content" not in kept:
                raise Refused("file_not_found")
            kept["title"] = one.get("title", kept["name"])
            told.append({"id": kept["id"], "title": kept["title"]})
        if args.get("channel_id"):
            self._share(str(args["channel_id"]), args, ", ".join(one["title"] for one in told))
        return {"files": told}

    def _share(self, channel: str, args: Json, titles: str) -> None:
        room = self._workspace.conversation(channel)
        if BOT_USER not in room.members:
            raise Refused("not_in_channel")
        text = "\n".join(filter(None, (str(args.get("initial_comment") or ""), titles)))
        version = (self._workspace.now(), text, list[Json]())
        thread = str(args["thread_ts"]) if args.get("thread_ts") else None
        self._workspace.messages.append(Message(room.id, self._workspace.ts(), BOT_USER, [version], BOT, thread))
