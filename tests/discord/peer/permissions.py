"""Permissions: the bits, and what a member may do in a channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

BITS = {
    "administrator": 1 << 3,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "embed_links": 1 << 14,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "mention_everyone": 1 << 17,
    "use_application_commands": 1 << 31,
    "manage_threads": 1 << 34,
    "create_public_threads": 1 << 35,
    "send_messages_in_threads": 1 << 38,
}
EVERYTHING = (1 << 53) - 1
PEOPLE = (
    "view_channel", "send_messages", "embed_links", "attach_files", "read_message_history", "use_application_commands",
    "create_public_threads", "send_messages_in_threads",
)  # fmt: skip
"""What @everyone may do in a new guild, of the bits above."""


class Overwrite(NamedTuple):
    """For one role or member in one channel."""

    target: str
    member: bool
    allow: int
    deny: int


def bits(names: Iterable[str]) -> int:
    return sum(BITS[name] for name in set(names))


def granted(base: int, overwrites: Iterable[Overwrite], everyone: str, roles: Iterable[str], member: str) -> int:
    """Discord's own order: @everyone of the channel, then the member's roles together, then the member."""
    if base & BITS["administrator"]:
        return EVERYTHING
    by_target = {one.target: one for one in overwrites}
    if one := by_target.get(everyone):
        base = base & ~one.deny | one.allow
    mine = [by_target[role] for role in roles if role in by_target]
    denied = allowed = 0
    for one in mine:
        denied, allowed = denied | one.deny, allowed | one.allow
    base = base & ~denied | allowed
    if one := by_target.get(member):
        base = base & ~one.deny | one.allow
    return base if base & BITS["view_channel"] else 0
