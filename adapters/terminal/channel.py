"""Implements core.ports.Channel on a screen: what was posted stays, so an edit prints what is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from adapters.terminal.news import new_facts, new_lines
from adapters.terminal.screen import Line, Screen
from core import say
from core.cards import Card
from core.moments import Moment
from core.people import Person
from core.plain import addressed, buttons, line_of, lines, safe
from core.ports import Form

_INDENT = 10
"""Columns of the time and the space behind it: facts stand below the words of their headline."""
_FRESH = timedelta(seconds=2)
"""A fact that was printed so shortly before is still in front of the reader, and is not printed again: what goes to a
card, its thread and three people elsewhere stands together here."""


class Terminal:
    """The chat of one terminal. Nobody is hidden from anybody there, so what is private says whom it is for."""

    def __init__(self, screen: Screen, now: Callable[[], datetime]) -> None:
        """`now` gives the time in the reader's zone."""
        self._screen = screen
        self._now = now
        self._shown: dict[str, Card] = {}
        self._said: dict[str, datetime] = {}

    @property
    def platform(self) -> str:
        return "terminal"

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        self._whole(card)
        self._shown[nonce] = card
        return nonce

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        """Another stage prints the headline and the facts that are new; the same stage one line with what is new."""
        before = self._shown.get(reference)
        self._shown[reference] = card
        if before is None:
            self._whole(card)
        elif before.title != card.title:
            self._block(card.title, new_lines(before, card, self._hands), card, buttons(card.buttons))
        elif news := new_facts(before, card, self._hands):
            self._screen.show([self._headline(f"{safe(card.title)} · {' · '.join(news)}")])
        return reference

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        self._whole(card)

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        """The summary names the deployment whose thread it is; the facts are indented below it."""
        shown = addressed(card, mentions)
        self._block(card.summary or card.title, self._facts(shown), card)

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        self._to(person, card)

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        self._to(person, card)

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        """A terminal has no dialogs: it shows what to type."""
        words = " ".join(f"<{label}>" if required else f"[{label}]" for _, label, required in form.fields)
        self._screen.show(
            [self._headline(f"(to {safe(person.name)}) {safe(form.title)}: `deploy {form.command} {words}`")]
        )

    def _to(self, person: Person, card: Card) -> None:
        self._block(f"(to {person.name}) {card.title}", self._facts(card), card)

    def _whole(self, card: Card) -> None:
        self._block(card.title, self._facts(card), card, buttons(card.buttons))

    def _block(self, headline: str, facts: Sequence[str], card: Card, below: str = "") -> None:
        fresh = self._unsaid(facts)
        if not fresh and facts and self._unsaid([safe(card.title)]) == []:
            return
        rows = [Line(fact, _INDENT, 2) for fact in (*fresh, below) if fact]
        self._screen.show([self._headline(safe(headline), card), *rows])
        self._remember(facts)

    def _facts(self, card: Card) -> list[str]:
        return [line_of(line, self._hands) for line in card.lines]

    def _hands(self, moment: Moment) -> str:
        """A moment in the reader's zone."""
        now = self._now()
        zone = now.tzinfo or UTC
        return say.hands(moment.at, zone, say.style_of(moment.at, zone, now))

    def _unsaid(self, facts: Sequence[str]) -> list[str]:
        now = self._now()
        self._said = {fact: at for fact, at in self._said.items() if now - at < _FRESH}
        return [fact for fact in facts if fact and fact not in self._said]

    def _remember(self, facts: Sequence[str]) -> None:
        self._said |= dict.fromkeys(facts, self._now())

    def _headline(self, text: str, card: Card | None = None) -> Line:
        return Line(f"{self._now():%H:%M:%S}  {text}", 0, _INDENT, card.tone if card else "neutral")

    # -- the chat loop's own lines -------------------------------------------------------------------------------------

    def spoken(self, speaker: str, text: str) -> None:
        """What somebody said, where it was not typed here."""
        self._screen.show([Line(""), Line(f"@{safe(speaker)}> {safe(text)}", 0, 4)])

    def answer(self, card: Card, *, refused: bool) -> None:
        """What the asker is told: an arrow, or a cross where it was refused."""
        first, *rest = lines(card, self._hands) or [""]
        mark = "✗" if refused else "→"
        tone = "bad" if refused else "neutral"
        self._screen.show([Line(f"{mark} {first}", 0, 2, tone), *(Line(row, 2, 2) for row in rest)])
        self._remember([first, *rest])

    def tell(self, *rows: str) -> None:
        """Lines of the program itself."""
        self._screen.show([Line(safe(row), 0, 4, "faint") for row in rows])

    def offer(self, *rows: str) -> None:
        """Commands and addresses to copy, each alone and whole in its line."""
        self._screen.show([Line(safe(row), 2, 0, "faint", whole=True) for row in rows])
