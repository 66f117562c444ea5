"""What people say, on its way in: the driving port."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from core.cards import Card
from core.commands import Seen
from core.parsing import Parsed, parse
from core.people import Account


@dataclass(frozen=True)
class Incoming:
    """What a person typed or clicked, translated by an adapter. A click is the text it stands for, with what it saw."""

    platform: str
    delivery: str
    """The platform's id of this delivery: the same one twice acts once."""
    account: Account
    channel: str
    """`<platform>:<channel>`: where it was said."""
    text: str
    seen: Seen | None = None
    shell: bool = False

    @cached_property
    def parsed(self) -> Parsed:
        """What is asked for."""
        return parse(self.text, shell=self.shell)


Outcome = Literal["done", "refused", "usage", "ignored", "failed"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the asker alone is told. `id` names the deployment that the command was about, where there is one."""

    outcome: Outcome
    card: Card
    id: str | None = None


class Door(Protocol):
    """The driving port: how adapters hand in what people say."""

    async def submit(self, message: Incoming) -> bool:
        """Make `message` durable; to be awaited before the platform is acknowledged. False: it had come before."""

    async def answer(self, message: Incoming) -> Reply:
        """Carry `message` out (or find that it was) and give its reply.

        Without a `submit` before, it becomes durable together with what it decided: for those who wait for the reply
        and need not acknowledge earlier. What is cut off then has not happened.
        """
