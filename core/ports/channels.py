"""Where people read: a chat platform's channels, threads and direct messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.cards import Card
from core.people import Person


class ChannelGone(Exception):
    """The channel refuses for good (deleted, archived, not a member): park it."""


class ChannelDown(Exception):
    """The platform cannot be reached, or asks for patience; `retry_after` seconds where it says so."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Form:
    """Questions to a person, as a dialog where the platform has one. `command` is completed by the answers."""

    title: str
    command: str
    fields: tuple[tuple[str, str, bool], ...] = field(default=())
    """Name, label, required."""


class Channel(Protocol):
    """A chat platform. `reference` is the platform's own name of a message. All raise ChannelGone or ChannelDown."""

    @property
    def platform(self) -> str: ...

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        """Post and give the reference. Where the platform can, the same `nonce` again gives the same message.

        It then shows this `card`: the program may have ended before it had the reference.
        """

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        """Bring it up to date; the reference may be a new one where the old message is gone."""

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        """One message in the channel."""

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        """One message in the thread of `reference`; `broadcast` shows it in the channel too.

        `mentions` are told of it, as the platform does that; it names whoever it cannot tell.
        """

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        """A message that only `person` sees, in `channel`, or directly where the platform has no such thing."""

    async def direct(self, person: Person, card: Card, nonce: str) -> None: ...

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        """Open a form. Its answer comes back as an Incoming."""
