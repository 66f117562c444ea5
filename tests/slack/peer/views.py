"""The views.* methods: modals opened with a trigger, updated and stacked; Home tabs published."""

from __future__ import annotations

from tests.slack.peer import content, limits
from tests.slack.peer.refused import Json, Refused
from tests.slack.peer.workspace import OpenView, Workspace


class Views:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def open(self, args: Json) -> Json:
        """views.open."""
        user = self._triggered(args)
        opened = self.made(content.view(args, "modal"), user)
        self._workspace.modals[user] = [opened]
        return {"view": opened.describe()}

    def push(self, args: Json) -> Json:
        """views.push."""
        user = self._triggered(args)
        stack = self._workspace.modals.setdefault(user, [])
        if len(stack) >= limits.VIEW_STACK:
            raise Refused("push_limit_reached")
        opened = self.made(content.view(args, "modal"), user)
        stack.append(opened)
        return {"view": opened.describe()}

    def update(self, args: Json) -> Json:
        """views.update, by id or external id."""
        found = self._found(args)
        if args.get("hash") and args["hash"] != found.hash:
            raise Refused("hash_conflict")
        self.replace(found, content.view(args, "modal"))
        return {"view": found.describe()}

    def publish(self, args: Json) -> Json:
        """views.publish: the Home tab of one person."""
        user = str(args.get("user_id", ""))
        if user not in self._workspace.accounts:
            raise Refused("user_not_found")
        shown = self._workspace.homes.get(user)
        if args.get("hash") and shown and args["hash"] != shown.hash:
            raise Refused("hash_conflict")
        published = self.made(content.view(args, "home"), user)
        self._workspace.homes[user] = published
        return {"view": published.describe()}

    def made(self, view: Json, user: str) -> OpenView:
        number = self._workspace.number()
        return OpenView(f"V{number}", user, view, f"{int(self._workspace.now())}.h{number}")

    def replace(self, shown: OpenView, view: Json) -> None:
        shown.view = view
        shown.errors = {}
        shown.hash = f"{int(self._workspace.now())}.h{self._workspace.number()}"

    def _triggered(self, args: Json) -> str:
        """Whose trigger it is. Raises invalid_trigger_id, exchanged_trigger_id, expired_trigger_id."""
        trigger = self._workspace.triggers.get(str(args.get("trigger_id", "")))
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if self._workspace.now() - trigger.at > limits.TRIGGER_SECONDS:
            raise Refused("expired_trigger_id")
        if trigger.used:
            raise Refused("exchanged_trigger_id")
        trigger.used = True
        return trigger.user

    def _found(self, args: Json) -> OpenView:
        for stack in self._workspace.modals.values():
            for one in stack:
                outside = args.get("external_id")
                if one.id == args.get("view_id") or (outside and one.view.get("external_id") == outside):
                    return one
        raise Refused("not_found")
