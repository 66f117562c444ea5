"""What a careful colleague would say of a command that is allowed all the same."""

from __future__ import annotations

import re

from core.commands import Command, Push

_VAGUE = frozenset({
    "a", "b", "asdf", "bar", "baz", "bug", "bugfix", "build", "change", "changes", "code", "demo", "deploy", "final",
    "fix", "foo", "last", "latest", "misc", "my", "new", "old", "patch", "push", "qwerty", "release", "stuff", "temp",
    "test", "testing", "thing", "tmp", "try", "update", "v", "version", "wip", "x", "xx", "xxx", "y", "z",
})  # fmt: skip
_SEPARATORS = re.compile(r"[\d._-]+")
_TELLING = re.compile(r"\d\.\d|\d{4}|v\d")
"""A version, a year, a ticket's number."""


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
    """`test`, `x`, `1`, `fix-2`: every part is a word that any update could carry, or a small number."""
    typed = update.lower()
    return not _TELLING.search(typed) and all(part in _VAGUE for part in _SEPARATORS.split(typed) if part)
