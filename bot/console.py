"""The chat loop of a terminal: who speaks, what they say, what is answered; and, in a script, what came of it."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol

from bot.app import App
from core.cards import Card
from core.completion import CompletionContext, complete
from core.people import Account, Person, Role
from core.ports import ArtifactProblem, Incoming, Outcome
from core.stages import Stage

PLATFORM = "terminal"
SETTLING = 900.0
"""Seconds that a line of a script may take until what it began has settled: above every stage's own time-out."""
_LOOK_AGAIN = 0.05
_SPEAKER = re.compile(r"@([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:\s+(.*))?", re.DOTALL)
_QUIT = frozenset({"exit", "quit"})
EVERY_ROLE: frozenset[Role] = frozenset({"viewer", "deployer", "approver", "admin"})


class Paper(Protocol):
    """What the loop prints on, besides the channel."""

    def spoken(self, speaker: str, text: str) -> None: ...

    def answer(self, card: Card, *, refused: bool) -> None: ...

    def tell(self, *lines: str) -> None: ...


CONSOLE_ROLES = "this console, whose speakers hold every role"


class Speakers:
    """People whom the terminal takes at their word: `@name` is enough. For data that is nobody else's."""

    def __init__(self, people: Iterable[Person], newcomers: frozenset[Role] = frozenset(), zone: str = "UTC") -> None:
        """`newcomers` are the roles of names that nobody had before; with none they are strangers."""
        self._people = {person.id: person for person in people}
        self._newcomers = newcomers
        self._zone = zone

    def find(self, account: Account) -> Person | None:
        if account.platform == PLATFORM:
            return self._people.get(account.id) or self._new(account.id)
        return next((person for person in self._people.values() if account in person.accounts), None)

    def get(self, id: str) -> Person | None:  # noqa: A002 - the word of the port
        return self._people.get(id)

    def all(self) -> Sequence[Person]:
        return tuple(self._people.values())

    def _new(self, name: str) -> Person | None:
        if not self._newcomers:
            return None
        person = Person(name, name, self._newcomers, time_zone=self._zone, roles_from=CONSOLE_ROLES)
        self._people[name] = person
        return person


class Conversation:
    """One terminal's chat with a bot that runs in this process."""

    def __init__(self, app: App, paper: Paper, speaker: str) -> None:
        self.app = app
        self.speaker = speaker
        self._paper = paper
        self._channel = f"{PLATFORM}:{app.settings.ashat.home_channel}"

    async def say(self, line: str, *, echo: bool = False) -> Outcome:
        """Carry out one line and print the answer; `@name` at its start says who speaks from now on."""
        text = self._addressed(line.strip())
        if not text:
            return "ignored"
        if echo:
            self._paper.spoken(self.speaker, text)
        account = Account(PLATFORM, self.speaker)
        message = Incoming(PLATFORM, uuid.uuid4().hex, account, self._channel, text, shell=True)  # noqa: S604 - no shell
        reply = await self.app.door.answer(message)
        if reply.outcome != "ignored":
            self._paper.answer(reply.card, refused=reply.outcome in ("refused", "usage", "failed"))
        return reply.outcome

    def _addressed(self, line: str) -> str:
        match = _SPEAKER.fullmatch(line)
        if match is None:
            return line
        self.speaker = match[1]
        return (match[2] or "").strip()


async def settled(app: App, limit: float = SETTLING) -> bool:
    """Wait until nothing moves by itself any more; False where that took longer than `limit` seconds.

    Two looks in a row must agree: what moves between the questions of one look may escape it.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + limit
    quiet = 0
    while quiet < 2:
        if loop.time() > until:
            return False
        quiet = quiet + 1 if await app.at_rest() else 0
        await app.signal.wait(_LOOK_AGAIN)
    return True


async def run_script(talk: Conversation, lines: AsyncIterator[str], paper: Paper) -> bool:
    """Each line, and then what it began, to its end. Whether every line was done."""
    good = True
    async for line in lines:
        if line.strip() in _QUIT:
            break
        outcome = await talk.say(line, echo=True)
        good = good and outcome in ("done", "ignored")
        if not await settled(talk.app):
            paper.tell(f"What the line began had not settled after {SETTLING:.0f} s.")
            good = False
    return good


async def chat(talk: Conversation, lines: AsyncIterator[str]) -> None:
    """What a person types, until they leave. What a line began goes on beside the next one."""
    async for line in lines:
        if line.strip() in _QUIT:
            break
        await talk.say(line)


class Completer:
    """What can be typed next, with the ids that exist now. Called from the thread that reads the keyboard."""

    def __init__(self, app: App, speakers: Callable[[], Sequence[str]], loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._speakers = speakers
        self._loop = loop

    def __call__(self, text: str) -> list[str]:
        """The words that can stand where `text` ends. None where the bot is busy: no key waits for it."""
        speaker = _SPEAKER.fullmatch(text)
        if text.startswith("@") and (speaker is None or speaker[2] is None):
            return [f"@{name}" for name in self._speakers() if name.startswith(text[1:])]
        typed = speaker[2] if speaker else text
        known = asyncio.run_coroutine_threadsafe(context_of(self._app), self._loop)
        try:
            return complete(typed or "", known.result(1.0))
        except TimeoutError:
            known.cancel()
            return []


async def context_of(app: App) -> CompletionContext:
    """What completion knows: ids by stage with the newest first, ALPHA's updates, components, regions,
    and mainframes as the newest deployment of each region met them: no key that is pressed asks a server."""
    store = app.parts.store
    found: dict[Stage, list[str]] = {}
    fleets: dict[str, tuple[str, ...]] = {}
    for d in (await store.history(100)).deployments:
        found.setdefault(d.stage, []).append(d.name)
        for region in {m.region for m in d.mainframes} - fleets.keys():
            fleets[region] = tuple(m.name for m in d.mainframes if m.region == region)
    try:
        updates = [file.id for file in await app.parts.source.updates()]
    except ArtifactProblem:
        updates = []
    return CompletionContext(  # noqa: S604 - no shell: the commands that a terminal has too
        ids=found,
        updates=updates,
        components=sorted({lane.component for lane in await store.lanes()} | set(app.settings.components)),
        regions=[server.region for server in await store.servers() if server.role == "omega"],
        mainframes=sorted({name for names in fleets.values() for name in names}),
        shell=True,
    )
