"""`ashat console`: a chat with a bot of one's own, or a script for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import REFUSED, complain, explained

if TYPE_CHECKING:
    from bot.own import Own


def console(
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder of its bot; DIR/config.toml is used.")] = Path(
        "ashat-data"
    ),
) -> None:
    """Chat with a bot of your own, or pipe commands into it: then exit status 1 says that a line was refused."""
    import asyncio

    from bot import logs
    from bot.own import prepared

    with explained():
        try:
            own = prepared(data)
        except OSError as error:
            complain(f"{data} cannot be used: {error.strerror}.")
            raise typer.Exit(REFUSED) from error
        logs.configure("auto", "warning")
        good = asyncio.run(_talk(own))
    raise typer.Exit(0 if good else REFUSED)


async def _talk(own: Own) -> bool:
    import asyncio

    from bot import wiring
    from bot.console import Completer, Conversation, chat, run_script
    from bot.keyboard import Keyboard, file_lines

    interactive = sys.stdin.isatty()
    speakers = own.speakers
    keyboard: Keyboard | None = None
    paper = wiring.terminal(sys.stdout, lambda: keyboard.standing() if keyboard else "")
    overrides = wiring.Overrides(people=speakers, own_push=True, edit_gap=0.0)
    with wiring.claimed(own.settings):
        app = await wiring.build(own.settings, lambda: {paper.platform: paper}, overrides)
        shell = wiring.shell(own.settings, app.door, f"{paper.platform}:{own.settings.ashat.home_channel}")
        await app.start()
        try:
            await shell.start()
            paper.tell(*_greeting(own))
            if own.new_key:
                paper.tell("Its key is new. Servers take its word with:")
                paper.offer(f'bot_keys = ["{own.new_key}"]')
            talk = Conversation(app, paper, own.speaker)
            if not interactive:
                return await run_script(talk, file_lines(), paper)
            complete = Completer(app, lambda: [p.id for p in speakers.all()], asyncio.get_running_loop())
            keyboard = Keyboard(lambda: f"@{talk.speaker}> ", complete, own.settings.ashat.data / "history")
            await chat(talk, keyboard.lines())
            return True
        finally:
            await shell.stop()
            await app.stop()


def _greeting(own: Own) -> Sequence[str]:
    return (
        f"A console of its own, in {own.settings.ashat.data}.",
        "Everybody who speaks here (`@name text`) holds every role, and may approve their own push.",
        "`help` lists the commands, `exit` or Ctrl-D ends it.",
    )
