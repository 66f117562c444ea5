"""What is on this machine alone: the terminal, the shell's socket, the playground, and the right to run at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from bot.settings import Settings, SettingsError, sqlite_file
from bot.wiring.parts import SystemClock
from core.cards import Card
from core.people import Person
from core.ports import Channel, Clock, Door

if TYPE_CHECKING:
    from adapters.playground.room import Room
    from bot.app import App


class Chat(Channel, Protocol):
    """The terminal's channel, with what a chat loop prints besides."""

    def spoken(self, speaker: str, text: str) -> None: ...

    def answer(self, card: Card, *, refused: bool) -> None: ...

    def tell(self, *rows: str) -> None: ...

    def offer(self, *rows: str) -> None: ...


def terminal(stream: TextIO, prompt: Callable[[], str] | None = None) -> Chat:
    """A chat on `stream`, in the machine's own time zone; `prompt` gives what is being typed there."""
    from adapters.terminal import Screen, Terminal

    return Terminal(Screen(stream, prompt=prompt), lambda: datetime.now(UTC).astimezone())


class Page(Protocol):
    """The chat in the browser, once its room is a channel of the bot."""

    @property
    def link(self) -> str:
        """What a person opens; it holds this run's secret, so it is shown to them and never logged."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def players(people: Iterable[Person]) -> tuple[Person, ...]:
    """The people as the playground may speak for them: for data that is nobody else's."""
    from adapters.playground.personas import as_players

    return as_players(people)


def room(home: str, clock: Clock | None = None) -> Room:
    """What the playground shows: a channel to be given to the bot, at the address `home`."""
    from adapters.playground.room import Room

    return Room(home, clock or SystemClock())


def playground(app: App, shown: Room) -> Page:
    """The page for the room, not started yet. Raises PlaygroundRefused beside a real platform."""
    from adapters.playground.server import Playground
    from adapters.playground.site import Parts
    from bot.picture import PictureView

    parts = app.parts
    given = Parts(shown, app.door, parts.people, PictureView(app), parts.clock, app.settings.servers.allows)
    return Playground(given, beside=parts.channels)


class Listener(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@contextmanager
def claimed(settings: Settings) -> Iterator[None]:
    """The right to be the one bot of these settings' socket, and of their database where that is a file.

    Raises SocketRefused or StoreUnusable.
    """
    from adapters.shell.claim import claimed
    from adapters.store.alone import alone

    file = sqlite_file(settings)
    with claimed(settings.ashat.socket), alone(file) if file else nullcontext():
        yield


def shell(settings: Settings, door: Door, home: str) -> Listener:
    """What answers `ashat deploy`; to be started while the socket is claimed."""
    from adapters.shell.server import ShellServer

    return ShellServer(settings.ashat.socket, door, home)


def expected() -> tuple[type[Exception], ...]:
    """What stops a program at its start for a reason that its user can mend; each has its sentence."""
    from adapters.playground.refused import PlaygroundRefused
    from adapters.shell.claim import SocketRefused
    from adapters.store.database import StoreUnusable
    from bot.keys import KeyFileError
    from bot.web import CannotListen

    return (SettingsError, KeyFileError, StoreUnusable, SocketRefused, PlaygroundRefused, CannotListen)
