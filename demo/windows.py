"""One room with several windows: what is posted shows in the terminal and in the browser alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from core.cards import Card
from core.people import Person
from core.ports import Channel, Form

_BETWEEN = "\n"
"""Between the windows' own names of a message; none of them has a line break in it."""


class Windows:
    """Implements core.ports.Channel by the channels of all windows, of which the first gives the platform's name."""

    def __init__(self, windows: Sequence[Channel]) -> None:
        self._windows = tuple(windows)

    @property
    def platform(self) -> str:
        return self._windows[0].platform

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        return _BETWEEN.join([await window.post_card(channel, card, nonce) for window in self._windows])

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        pairs = self._with(reference)
        return _BETWEEN.join([await window.edit_card(channel, own, card) for window, own in pairs])

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        for window in self._windows:
            await window.post(channel, card, nonce)

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        for window, own in self._with(reference):
            await window.reply(channel, own, card, nonce, broadcast=broadcast, mentions=mentions)

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        for window in self._windows:
            await window.whisper(channel, person, card, nonce)

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        for window in self._windows:
            await window.direct(person, card, nonce)

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        for window in self._windows:
            await window.ask(channel, person, form)

    async def fill(self, window: Channel, channel: str, reference: str, card: Card) -> None:
        """Show in one window, which was opened later, a card that stands in the room already."""
        for known, own in self._with(reference):
            if known is window:
                await window.edit_card(channel, own, card)

    def _with(self, reference: str) -> Iterator[tuple[Channel, str]]:
        """Each window with its own name of the message; a reference of one window alone is all windows' name."""
        names = reference.split(_BETWEEN)
        return zip(self._windows, names if len(names) == len(self._windows) else repeat(names[0]), strict=False)
