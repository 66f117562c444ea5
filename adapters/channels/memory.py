"""A chat platform in memory, for tests of the whole workflow: it keeps what was posted, and fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from core.cards import Card
from core.moments import flat
from core.people import Person
from core.ports import ChannelDown, ChannelGone, Form

Kind = Literal["post", "reply", "broadcast", "whisper", "direct", "form"]
When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Message:
    """What stands in a channel, or was sent to one person. `thread` is the reference of the card that it answers."""

    kind: Kind
    channel: str
    card: Card
    person: str | None = None
    thread: str | None = None
    mentions: tuple[str, ...] = ()
    """The ids of the people whom it pings."""

    @property
    def text(self) -> str:
        """All its words: the title, then a line each."""
        return text_of(self.card)


@dataclass(slots=True)
class Shown:
    """A card in a channel. `versions` are all that it ever showed, the newest last."""

    channel: str
    reference: str
    versions: list[Card]

    @property
    def card(self) -> Card:
        return self.versions[-1]

    @property
    def text(self) -> str:
        return text_of(self.card)


def text_of(card: Card) -> str:
    lines = (line if isinstance(line, str) else f"{line.text} {line.after}".strip() for line in card.lines)
    return flat("\n".join((card.title, *lines)))


@dataclass
class MemoryChannel:
    """One platform. The same nonce again gives the message that is there."""

    platform: str = "memory"
    cards: list[Shown] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """The channel of each call, in order, whatever came of it."""
    _nonces: dict[str, str] = field(default_factory=dict)
    _away: tuple[float | None] | None = None
    """While it is down: how long it asks for patience."""
    _gone: set[str] = field(default_factory=set)
    _unreachable: set[str] = field(default_factory=set)
    _cuts: list[tuple[str, When]] = field(default_factory=list)

    # -- what tests say ------------------------------------------------------------------------------------------------

    def down(self, retry_after: float | None = None) -> None:
        """The platform cannot be reached until `up`."""
        self._away = (retry_after,)

    def up(self) -> None:
        self._away = None

    def delete(self, channel: str) -> None:
        """The channel refuses for good."""
        self._gone.add(channel)

    def restore(self, channel: str) -> None:
        self._gone.discard(channel)

    def refuse_direct(self, person: str) -> None:
        """They do not take direct messages."""
        self._unreachable.add(person)

    def lose(self, reference: str) -> None:
        """Somebody deleted the message of a card."""
        self.cards = [shown for shown in self.cards if shown.reference != reference]

    def cut(self, method: str, when: When) -> None:
        """The next call of `method` breaks off `before` or `after` it took hold. Several are used up in order."""
        if not hasattr(self, method):
            raise ValueError(f"a channel has no method {method!r}")
        self._cuts.append((method, when))

    # -- the port ------------------------------------------------------------------------------------------------------

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        with self._call("post_card", channel):
            reference = self._nonces.setdefault(nonce, f"{channel}/{len(self._nonces) + 1}")
            self._shown(channel, reference).versions.append(card)
        return reference

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        """A card whose message was deleted is posted anew."""
        with self._call("edit_card", channel):
            there = any(shown.reference == reference for shown in self.cards)
            reference = reference if there else f"{reference}'"
            self._shown(channel, reference).versions.append(card)
        return reference

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        with self._call("post", channel):
            self._keep(nonce, Message("post", channel, card))

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        kind: Kind = "broadcast" if broadcast else "reply"
        pinged = tuple(person.id for person in mentions)
        with self._call("reply", channel):
            self._keep(nonce, Message(kind, channel, card, thread=reference, mentions=pinged))

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        with self._call("whisper", channel):
            self._keep(nonce, Message("whisper", channel, card, person.id))

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        with self._call("direct", f"@{person.id}"):
            if person.id in self._unreachable:
                raise ChannelGone(f"{person.name} takes no direct messages")
            self._keep(nonce, Message("direct", "", card, person.id))

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        with self._call("ask", channel):
            labels = tuple(label for _, label, _ in form.fields)
            self.messages.append(Message("form", channel, Card(form.title, labels), person.id))

    # -- inside --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _call(self, method: str, channel: str) -> Iterator[None]:
        self.calls.append(channel)
        if self._away is not None:
            raise ChannelDown(f"{self.platform} does not answer", *self._away)
        if channel in self._gone:
            raise ChannelGone(f"{channel} was deleted")
        self._cut(method, "before")
        yield
        self._cut(method, "after")

    def _shown(self, channel: str, reference: str) -> Shown:
        found = next((shown for shown in self.cards if shown.reference == reference), None)
        if found is None:
            found = Shown(channel, reference, [])
            self.cards.append(found)
        return found

    def _cut(self, method: str, when: When) -> None:
        planned = next((cut for cut in self._cuts if cut[0] == method), None)
        if planned == (method, when):
            self._cuts.remove(planned)
            raise ChannelDown(f"{self.platform} broke off the connection")

    def _keep(self, nonce: str, message: Message) -> None:
        if nonce not in self._nonces:
            self._nonces[nonce] = ""
            self.messages.append(message)
