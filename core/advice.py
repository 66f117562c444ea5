"""What a careful colleague would say of a command that is allowed all the same."""

from __future__ import annotations

import re

from core.commands import Command, Push

_VAGUE = frozenset({
    "a", "b", "asdf", "bar", "baz", "bug", "bugfix", "build", "change", "changes", "code", "demo", "deploy", "final",
    "fix", "foo", "last", "latest", "misc", "my", "new", "old", "patch", "push", "qwerty", "release", "stuff", "temp",
    "test", "testing", "thing", "tmp", "try", "update", "v", "version", "wip", "x", "xx", "xxx", "y", "z",
})  # fmt: skip
_NUMBERED = re.compile(r"[\d._-]+")


def advice(command: Command) -> tuple[str, ...]:
    """Sentences of advice, most often none. Advice never refuses."""
    if not isinstance(command, Push):
        return ()
    found = []
    if _vague(command.id):
        found.append(f"The id {command.id} says little in the history; one like v1.2.3 or hotfix-auth-001 says more.")
    if len(command.description.split()) < 2 or command.description.lower() == command.id.lower():
        found.append("The description is all that approvers read first; a few words on what changes help them.")
    return tuple(found)


def _vague(update: str) -> bool:
    """`test`, `x`, `1`, `fix-2`; a number alone says nothing, but a version such as `v2` or `2024.1` does."""
    word = _NUMBERED.sub(" ", update.lower()).strip()
    if word in ("", "v"):
        return re.fullmatch(r"v?|\d{1,3}", update.lower()) is not None
    return all(part in _VAGUE for part in word.split())
