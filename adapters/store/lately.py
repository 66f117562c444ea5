"""Answers that still hold: nobody has written since they were read, which the database itself tells.

A question asked again is then answered in the event loop, without the way to a thread and back: that takes longer than
all else that a question costs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Protocol, TypeVar

_KEPT = 256
"""Answers; a bot that is asked about more of them between two writes asks its database."""
T = TypeVar("T")


class Version(Protocol):
    """What a database tells at once, without a wait."""

    def now(self) -> int | None:
        """A number that every commit changes, whoever made it. None: it cannot be told now."""

    def close(self) -> None: ...


class Lately:
    """For one event loop. Without a `version` nothing is kept."""

    def __init__(self, version: Version | None) -> None:
        self._told = version
        self._version: int | None = None
        self._answers: dict[Hashable, Any] = {}

    async def get(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` answered, which must be nothing that can be changed."""
        version = None if self._told is None else self._told.now()
        if version is None:
            return await ask()
        if version != self._version:
            self._answers, self._version = {}, version
        elif question in self._answers:
            known: T = self._answers[question]
            return known
        told = await ask()  # as of this version or a later one, with which it is forgotten
        if version == self._version and len(self._answers) < _KEPT:
            self._answers[question] = told
        return told

    def close(self) -> None:
        if self._told is not None:
            self._told.close()
