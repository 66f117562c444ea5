"""What a person typed, clicked or filled in on a chat platform, on its way to the door."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from core.cards import Card
from core.commands import Push, Seen, spec_of
from core.parsing import Ignore, Parsed, Reply, parse
from core.people import Person

_REMEMBERED = 10_000
ELSEWHERE = "Changes are made in listed channels only, and nothing was changed. Or write to Ashat directly."
"""To somebody who would change something where that is not done."""


@dataclass(frozen=True)
class Delivery:
    """`channel` is where it was said, empty where that is no channel."""

    delivery: str
    user: str
    text: str
    channel: str = ""
    seen: Seen | None = None
    source: str = ""
    """Of a click, the message that has the button."""

    @cached_property
    def parsed(self) -> Parsed:
        return parse(self.text)

    @property
    def writes(self) -> bool:
        """Whether it would change something."""
        return not isinstance(self.parsed, Ignore | Reply) and spec_of(self.parsed).writes

    @property
    def pushes(self) -> bool:
        return isinstance(self.parsed, Push)

    @property
    def asks(self) -> bool:
        """Whether it is a question, which has an answer that can be shared."""
        return not isinstance(self.parsed, Ignore | Reply) and not self.writes


class Deliveries:
    """Those of lately, so that what is sent twice is heard once; the store knows all that changed something."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, delivery: str) -> bool:
        return delivery in self._heard

    def add(self, delivery: str) -> None:
        self._heard[delivery] = None
        while len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)


def refusal(sentence: str) -> Card:
    """What somebody is told who is not heard, or not served."""
    return Card(sentence, tone="bad", summary=sentence)


def not_to_be_shared(said: Delivery, channels: Collection[str]) -> str | None:
    """Why its answer is not shown to everybody where it was asked for, or None."""
    if said.writes:
        return "Only answers to questions can be shared."
    return None if said.channel in channels else "Answers are shared in listed channels only."


def share_of(said: Delivery) -> str:
    """The nonce of what is shared: an answer is shared once, however often its button is clicked."""
    return f"share-{said.source or said.delivery}"


def shared(answer: Card, by: Person) -> Card:
    """An answer as everybody in the channel sees it."""
    return replace(answer, lines=(*answer.lines, f"Shared by {by.name}"), buttons=())
