"""What a message, a modal or a Home tab may hold; everything that an app sends goes through here."""

from __future__ import annotations

import json
from typing import Any

from tests.slack.peer import limits
from tests.slack.peer.blocks import Checker, Surface, words_of
from tests.slack.peer.models import faults_in_blocks, faults_in_view
from tests.slack.peer.refused import Json, Refused


def decoded(value: Any, error: str) -> Any:
    """Arguments that are structures arrive as JSON text in forms. Raises `error` where it is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise Refused(error) from None


def flag(args: Json, name: str, default: bool = False) -> bool:
    """A boolean argument: forms carry them as `1`, `true` …"""
    value = args.get(name, default)
    return value if isinstance(value, bool) else str(value).lower() in ("1", "true")


def content(args: Json, most_text: int) -> tuple[str, list[Json]]:
    """Text and blocks of a message. Raises no_text, msg_too_long, invalid_blocks …"""
    text = str(args.get("text") or "")
    blocks = decoded(args.get("blocks") or [], "invalid_blocks_format")
    attachments = decoded(args.get("attachments") or [], "invalid_attachments_format")
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    if not (text.strip() or blocks or attachments):
        raise Refused("no_text")
    if len(_escaped(text)) > most_text:
        raise Refused("msg_too_long")
    checker = Checker("message")
    checker.blocks(blocks)
    faults = [*checker.faults, *faults_in_blocks(blocks)]
    for number, attachment in enumerate(attachments):
        inner = attachment.get("blocks", [])
        checker.blocks(inner, f"/attachments/{number}/blocks")
        faults += faults_in_blocks(inner)
        blocks = [*blocks, *inner]
    faults = [*dict.fromkeys((*checker.faults, *faults))]
    if faults:
        raise Refused("invalid_blocks", faults)
    if sum(len(word) for word in words_of(blocks)) > limits.ALL_BLOCKS:
        raise Refused("msg_blocks_too_long")
    return text, blocks


def _escaped(text: str) -> str:
    plain = text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def metadata(args: Json) -> Json | None:
    """Raises invalid_metadata_format, metadata_too_large."""
    if not args.get("metadata"):
        return None
    value = decoded(args["metadata"], "invalid_metadata_format")
    payload = value.get("event_payload") if isinstance(value, dict) else None
    if not isinstance(payload, dict) or not isinstance(value.get("event_type"), str):
        raise Refused("invalid_metadata_format")
    if len(json.dumps(value).encode()) > limits.METADATA_BYTES:
        raise Refused("metadata_too_large")
    found: Json = value
    return found


_VIEW_KEYS = {
    "modal": {"title", "close", "submit", "clear_on_close", "notify_on_close", "submit_disabled"},
    "home": set[str](),
}
_ANY_VIEW = {"type", "blocks", "private_metadata", "callback_id", "external_id"}


def view(args: Json, kind: Surface) -> Json:
    """Raises invalid_arguments with all faults, view_too_large."""
    value = decoded(args.get("view"), "invalid_arguments")
    if not isinstance(value, dict):
        raise Refused("invalid_arguments", ["missing required field: view [json-pointer:/view]"])
    checker = Checker(kind)
    if value.get("type") != kind:
        checker.says("/view/type", f"must be {kind}")
        raise Refused("invalid_arguments", checker.faults)
    for key in value.keys() - _ANY_VIEW - _VIEW_KEYS[kind]:
        checker.says(f"/view/{key}", f"invalid additional property: {key}")
    _labels(checker, value, kind)
    _lengths(checker, value)
    checker.blocks(value.get("blocks"), "/view/blocks")
    faults = [*checker.faults, *faults_in_view(value)]
    if faults:
        raise Refused("invalid_arguments", faults)
    if len(json.dumps(value).encode()) > limits.VIEW_BYTES:
        raise Refused("view_too_large")
    return value


def _labels(checker: Checker, value: Json, kind: Surface) -> None:
    if kind == "home":
        return
    checker.text(value.get("title"), "/view/title", limits.VIEW_TITLE, plain=True)
    for key in ("submit", "close"):
        if key in value:
            checker.text(value[key], f"/view/{key}", limits.VIEW_TITLE, plain=True)
    asks = any(isinstance(b, dict) and b.get("type") == "input" for b in value.get("blocks") or [])
    if asks and "submit" not in value:
        checker.says("/view", "missing required field: submit, as there are input blocks")


def _lengths(checker: Checker, value: Json) -> None:
    for key, most in (
        ("private_metadata", limits.PRIVATE_METADATA), ("callback_id", limits.ID), ("external_id", limits.ID),
    ):  # fmt: skip
        if len(str(value.get(key, ""))) > most:
            checker.says(f"/view/{key}", f"must be less than {most + 1} characters")
