"""What Discord takes as a message: content, embeds, components, files, mentions; and whom it notifies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.discord.peer import limits
from tests.discord.peer.components import V2, Checker
from tests.discord.peer.guilds import State
from tests.discord.peer.permissions import BITS
from tests.discord.peer.refused import InvalidForm, Json, Refused

EPHEMERAL = 1 << 6
LOADING = 1 << 7
_FLAGS = 1 << 2 | EPHEMERAL | 1 << 12 | V2
"""Those that an app may set: no link previews, ephemeral, silent, Components V2."""


@dataclass(frozen=True)
class Upload:
    field: str
    name: str
    content: bytes


def check(state: State, body: Json, uploads: Sequence[Upload], *, before: Json | None = None) -> None:
    """A new message, or the edit of one that showed `before` (flags, content, embeds, components, files).

    Raises InvalidForm, 50006, 40005.
    """
    if any(len(upload.content) > limits.UPLOAD_BYTES for upload in uploads):
        raise Refused(413, 40005, "Request entity too large")
    faults: dict[str, tuple[str, str]] = {}
    after = {**(before or {}), **{key: value for key, value in body.items() if key in _SHOWN}}
    flags = int(body.get("flags") or 0) | int((before or {}).get("flags") or 0)
    _fields(body, faults)
    _uploads(body, uploads, faults)
    if flags & V2:
        for name in ("content", "embeds", "poll", "sticker_ids"):
            if after.get(name):
                words = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                faults[name] = ("MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", words)
    kept = tuple(str(one.get("filename")) for one in (before or {}).get("attachments") or [])
    checker = Checker("v2" if flags & V2 else "message", (*kept, *(upload.name for upload in uploads)))
    if body.get("components"):
        checker.check(body["components"])
    faults |= checker.faults
    if faults:
        raise InvalidForm(faults)
    if not uploads and not any(after.get(name) for name in _SHOWN):
        raise Refused(400, 50006, "Cannot send an empty message")


_SHOWN = ("content", "embeds", "components", "attachments", "poll", "sticker_ids")


def _fields(body: Json, faults: dict[str, tuple[str, str]]) -> None:
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        faults["content"] = ("STRING_TYPE_CONVERT", "Could not interpret as a string.")
    elif len(content or "") > limits.CONTENT:
        faults["content"] = ("BASE_TYPE_MAX_LENGTH", f"Must be {limits.CONTENT} or fewer in length.")
    if int(body.get("flags") or 0) & ~_FLAGS:
        faults["flags"] = ("MESSAGE_FLAGS_INVALID", "Only documented flags may be set.")
    nonce = body.get("nonce")
    if nonce is not None and len(str(nonce)) > limits.NONCE:
        faults["nonce"] = ("NONCE_TYPE_TOO_LONG", f"Nonce must be {limits.NONCE} or fewer in length.")
    _mentions(body.get("allowed_mentions"), faults)
    _embeds(body.get("embeds") or [], faults)


def _mentions(allowed: Json | None, faults: dict[str, tuple[str, str]]) -> None:
    for kind in ("users", "roles"):
        listed = (allowed or {}).get(kind) or []
        if listed and kind in ((allowed or {}).get("parse") or []):
            words = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            faults["allowed_mentions"] = ("MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", words)
        if len(listed) > 100:
            faults[f"allowed_mentions.{kind}"] = ("BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")


def _embeds(embeds: list[Json], faults: dict[str, tuple[str, str]]) -> None:
    if len(embeds) > limits.EMBEDS:
        faults["embeds"] = ("BASE_TYPE_MAX_LENGTH", f"Must be {limits.EMBEDS} or fewer in length.")
    total = 0
    for number, one in enumerate(embeds):
        fields = one.get("fields") or []
        texts = [("title", one.get("title"), limits.EMBED_TITLE)]
        texts += [("description", one.get("description"), limits.EMBED_DESCRIPTION)]
        texts += [("footer.text", (one.get("footer") or {}).get("text"), limits.EMBED_FOOTER)]
        texts += [("author.name", (one.get("author") or {}).get("name"), limits.EMBED_AUTHOR)]
        for place, field in enumerate(fields):
            texts += [(f"fields.{place}.name", field.get("name"), limits.EMBED_FIELD_NAME)]
            texts += [(f"fields.{place}.value", field.get("value"), limits.EMBED_FIELD_VALUE)]
        for path, text, most in texts:
            total += len(text or "")
            if len(text or "") > most:
                faults[f"embeds.{number}.{path}"] = ("BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
        if len(fields) > limits.EMBED_FIELDS:
            faults[f"embeds.{number}.fields"] = ("BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    if total > limits.EMBED_TOTAL:
        faults["embeds"] = ("MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {limits.EMBED_TOTAL}")


def _uploads(body: Json, uploads: Sequence[Upload], faults: dict[str, tuple[str, str]]) -> None:
    if len(uploads) > limits.ATTACHMENTS:
        faults["attachments"] = ("BASE_TYPE_MAX_LENGTH", f"Must be {limits.ATTACHMENTS} or fewer in length.")
    fields = {upload.field for upload in uploads}
    for number, one in enumerate(body.get("attachments") or []):
        new = len(str(one.get("id"))) < 15
        if new and f"files[{one['id']}]" not in fields:
            words = "The attachment was not part of the request"
            faults[f"attachments.{number}"] = ("ATTACHMENT_NOT_FOUND", words)


_MENTION = re.compile(r"<@(?P<role>&)?!?(?P<id>\d+)>|(?P<everyone>@everyone|@here)")


def pings(text: str, allowed: Json | None, may: int, replied: str | None = None) -> list[str]:
    """Whom a message notifies: what its text mentions, as far as `allowed_mentions` and permissions let it."""
    parse = ("users", "roles", "everyone") if allowed is None else tuple(allowed.get("parse") or ())
    listed = {kind: set(map(str, (allowed or {}).get(kind) or ())) for kind in ("users", "roles")}
    found = []
    for mention in _MENTION.finditer(text):
        if mention["everyone"]:
            if "everyone" in parse and may & BITS["mention_everyone"]:
                found.append("everyone")
            continue
        kind = "roles" if mention["role"] else "users"
        if kind in parse or mention["id"] in listed[kind]:
            found.append(mention["id"])
    if replied and (allowed is None or allowed.get("replied_user")):
        found.append(replied)
    return list(dict.fromkeys(found))
