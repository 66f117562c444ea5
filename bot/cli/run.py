"""`ashat run`: the bot."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from bot.cli.common import DEFAULT_CONFIG, Config, explained

if TYPE_CHECKING:
    from bot.settings import Settings


def run(config: Config = DEFAULT_CONFIG) -> None:
    """Run the bot until SIGTERM or Ctrl-C. The channel is told on standard output, the log on standard error."""
    import asyncio

    from bot import logs
    from bot.settings import load

    with explained():
        settings = load(config)
        logs.configure(settings.ashat.log_format, settings.ashat.log_level)
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    import asyncio
    import gc

    from bot import wiring

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    chat = wiring.terminal(sys.stdout)
    with wiring.claimed(settings):
        app = await wiring.build(settings, lambda: {chat.platform: chat}, chats=True)
        shell = wiring.shell(settings, app.door, f"{chat.platform}:{settings.ashat.home_channel}")
        try:
            await app.start()
            await shell.start()
            gc.freeze()  # what is there now stays; to look through all of it again would stop everybody for 0.1 s
            await stopped.wait()
        finally:
            await shell.stop()
            await app.stop()
