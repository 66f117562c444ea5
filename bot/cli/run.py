"""`ashat run`: the bot."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.common import DEFAULT_CONFIG, Config, explained

if TYPE_CHECKING:
    from bot.settings import Settings


def run(config: Config = DEFAULT_CONFIG) -> None:
    """Run the bot until SIGTERM or Ctrl-C. The channel is told on standard output, the log on standard error."""
    import asyncio
    import gc

    gc.disable()  # what a start makes stays: to look through it again and again would take a sixth of the start
    try:
        from bot import logs
        from bot.settings import load

        with explained():
            settings = load(config)
            logs.configure(settings.ashat.log_format, settings.ashat.log_level)
            asyncio.run(_serve(settings, config))
    finally:
        gc.enable()


async def _serve(settings: Settings, config: Path) -> None:
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
        _warn_of_open_files(settings, config)
        try:
            await app.start()
            await shell.start()
            gc.collect()
            gc.freeze()  # nor later: it would stop everybody for 0.1 s
            gc.enable()
            await stopped.wait()
        finally:
            await shell.stop()
            await app.stop()


def _warn_of_open_files(settings: Settings, config: Path) -> None:
    """It runs all the same, as the agents do: secrets that systemd or a container hands in have modes of their own."""
    import structlog

    from bot.settings import insecure_files

    log = structlog.get_logger("ashat.run")
    for each in insecure_files(settings, config):
        log.warning(f"{each.path} {each.problem}", mend=each.mend)
