"""A bot for the demo's servers in this process, and its chat: what the demo and its story are both played in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TextIO

from bot import wiring
from bot.app import App
from bot.console import Conversation, Speakers, settled
from bot.settings import Settings, load
from bot.zone import local_zone
from core.ports import Channel, Outcome
from demo.servers import Servers
from demo.windows import Windows

_SHOWN_AGAIN = 10
"""Cards of an earlier run."""


class StoryBroken(Exception):
    """What was to happen did not. `str(error)` is one sentence."""


@dataclass(frozen=True)
class Session:
    """The servers, a bot that works on them, and the chat in which it is told to."""

    servers: Servers
    app: App
    chat: wiring.Chat
    talk: Conversation
    page: wiring.Page | None = None
    """The same chat in the browser."""

    async def says(self, speaker: str, line: str) -> Outcome:
        """One line by one person, and then what it began, to its end. Raises StoryBroken where it does not end."""
        outcome = await self.talk.say(f"@{speaker} {line}", echo=True)
        if not await settled(self.app):
            raise StoryBroken(f"`{line}` did not come to rest.")
        return outcome

    async def done(self, speaker: str, line: str) -> None:
        """As `says`. Raises StoryBroken where it was not done."""
        outcome = await self.says(speaker, line)
        if outcome != "done":
            raise StoryBroken(f"`{line}` by {speaker} was {outcome}.")


@asynccontextmanager
async def session(
    servers: Servers, stream: TextIO, prompt: Callable[[], str] | None = None, *, browser: bool = False
) -> AsyncIterator[Session]:
    """A bot that works and listens, until the block ends. People are those of the settings; `@name` is enough.

    With `browser` what the chat shows is in a page too, where the same people speak.
    """
    settings = with_local_zone(load(servers.config))
    chat = wiring.terminal(stream, prompt)
    home = f"{chat.platform}:{settings.ashat.home_channel}"
    room = wiring.room(home)
    windows = Windows((chat, room))
    overrides = wiring.Overrides(people=Speakers(wiring.players(settings.persons())), edit_gap=0.0)
    with wiring.claimed(settings):
        app = await wiring.build(settings, lambda: {chat.platform: windows if browser else chat}, overrides)
        async with AsyncExitStack() as running:
            running.push_async_callback(app.stop)
            await _filled(app, windows, room, home)
            await app.start()
            shell = wiring.shell(settings, app.door, home)
            running.push_async_callback(shell.stop)
            await shell.start()
            page = await _opened(wiring.playground(app, room), running) if browser else None
            yield Session(servers, app, chat, Conversation(app, chat, "alice"), page)


async def _filled(app: App, windows: Windows, room: Channel, home: str) -> None:
    """A browser begins with nothing: the newest cards of an earlier run are shown there again."""
    for d in reversed((await app.parts.store.history(_SHOWN_AGAIN)).deployments):
        row, drawn = await app.parts.store.card(home, d.key), await app.viewer.card(d.key)
        if row is not None and row.reference is not None and drawn is not None:
            await windows.fill(room, home, row.reference, drawn[0])


async def _opened(page: wiring.Page, running: AsyncExitStack) -> wiring.Page:
    running.push_async_callback(page.stop)
    await page.start()
    return page


def with_local_zone(settings: Settings) -> Settings:
    """The settings with the machine's own time zone, where none was chosen: texts are then in the reader's time."""
    zone = local_zone()
    if zone is None or settings.ashat.time_zone != "UTC":
        return settings
    return settings.model_copy(update={"ashat": settings.ashat.model_copy(update={"time_zone": zone})})
