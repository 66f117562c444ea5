"""Implements core.ports.Channel in memory: what stands in the room, for whom, and what changed last.

Everything that a page shows is a message with the number of its last change. Whoever reads says up to which change it
has read, and gets what is newer: a first visit, a reload and a reconnect are the same question.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from core.cards import Card
from core.people import Person
from core.plain import addressed
from core.ports import ChannelGone, Clock, Form, Outcome

Kind = Literal["card", "line", "reply", "whisper", "direct", "said", "answer", "form"]

KEPT = 1000
"""Messages that the room remembers; the oldest go first. A card that went is posted anew when it changes."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `number` is its place in the room, `change` that of its last change among all changes."""

    number: int
    change: int
    reference: str
    kind: Kind
    at: datetime
    card: Card
    person: str | None = None
    """Who alone sees it; None: everybody who may look."""
    thread: str | None = None
    """The reference of the card that it answers."""
    broadcast: bool = False
    """Shown in the channel besides its thread."""
    by: str | None = None
    """The name of whoever shared it."""
    outcome: Outcome | None = None
    shareable: bool = False
    form: Form | None = None


class Room:
    """One channel, `home`, with threads, answers for one person, and direct messages."""

    def __init__(self, home: str, clock: Clock) -> None:
        """`home` is its address, `<platform>:<channel>`. Any other channel is refused for good."""
        self.home = home
        self._clock = clock
        self._messages: dict[str, Message] = {}
        self._numbers = itertools.count(1)
        self._changes = itertools.count(1)
        self._changed = asyncio.Event()

    # -- the port ------------------------------------------------------------------------------------------------------

    @property
    def platform(self) -> str:
        return self.home.partition(":")[0]

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        """The same nonce again is the same card, brought up to date."""
        return await self.edit_card(channel, nonce, card)

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        """A card that is no longer there is posted anew, under the same reference."""
        self._check(channel)
        known = self._messages.get(reference)
        if known is None:
            return self._add(self._new(reference, "card", card))
        if known.card != card:
            self._put(replace(known, card=card, change=next(self._changes)))
        return reference

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        self._check(channel)
        self._add(self._new(nonce, "line", card))

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        """Where the card has gone from the room, its summary in the channel says which deployment it is about."""
        self._check(channel)
        card = addressed(card, mentions)
        if reference in self._messages:
            self._add(replace(self._new(nonce, "reply", card), thread=reference, broadcast=broadcast))
        else:
            self._add(self._new(nonce, "line", replace(card, title=card.summary or card.title)))

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        self._check(channel)
        self._add(replace(self._new(nonce, "whisper", card), person=person.id))

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        self._add(replace(self._new(nonce, "direct", card), person=person.id))

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        self._check(channel)
        self._add(
            replace(self._new(f"form-{next(self._changes)}", "form", Card(form.title)), person=person.id, form=form)
        )

    # -- what the page adds --------------------------------------------------------------------------------------------

    def said(self, person: str, text: str, delivery: str) -> None:
        """What a persona typed or clicked, which only they see."""
        self._add(replace(self._new(f"said-{delivery}", "said", Card(text)), person=person))

    def answered(self, person: str, card: Card, delivery: str, outcome: Outcome, *, shareable: bool) -> None:
        answer = self._new(f"answer-{delivery}", "answer", card)
        self._add(replace(answer, person=person, outcome=outcome, shareable=shareable))

    def share(self, number: int, person: str, name: str) -> bool:
        """Show an answer that `person` got to everybody. False where they have no such answer."""
        found = next((message for message in self._messages.values() if message.number == number), None)
        if found is None or found.person != person or not found.shareable:
            return False
        self._add(replace(self._new(f"shared-{number}", "line", replace(found.card, buttons=())), by=name))
        self._put(replace(found, shareable=False, change=next(self._changes)))
        return True

    # -- reading -------------------------------------------------------------------------------------------------------

    def since(self, change: int, person: str, *, may_look: bool) -> Sequence[Message]:
        """What `person` has not read after `change`, in the order of the changes."""
        new = [m for m in self._messages.values() if m.change > change and _visible(m, person, may_look=may_look)]
        return sorted(new, key=lambda message: message.change)

    def mail(self) -> Mapping[str, int]:
        """How many direct messages each person has."""
        counts: dict[str, int] = {}
        for message in self._messages.values():
            if message.kind == "direct" and message.person:
                counts[message.person] = counts.get(message.person, 0) + 1
        return counts

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change. To be taken before reading, so that no change falls between."""
        return self._changed

    def wake(self) -> None:
        """Make all readers look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _check(self, channel: str) -> None:
        if channel != self.home:
            raise ChannelGone(f"the playground has no channel {channel}")

    def _new(self, reference: str, kind: Kind, card: Card) -> Message:
        return Message(next(self._numbers), next(self._changes), reference, kind, self._clock.now(), card)

    def _add(self, message: Message) -> str:
        """The same reference again is the same message, come twice."""
        if message.reference not in self._messages:
            self._put(message)
        return message.reference

    def _put(self, message: Message) -> None:
        self._messages[message.reference] = message
        while len(self._messages) > KEPT:
            del self._messages[next(iter(self._messages))]
        self.wake()


def _visible(message: Message, person: str, *, may_look: bool) -> bool:
    return may_look if message.person is None else message.person == person
