"""`ashat demo`: servers, a bot and a chat on this machine, with one whole deployment played before you take over."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from bot import logs, wiring
from bot.console import Completer, chat
from bot.keyboard import Keyboard
from core.state import PUBLIC
from demo.cast import PARTS, REGION
from demo.opening import open_page
from demo.ports import PortTakenError
from demo.servers import Servers, ServersError, start
from demo.session import Session, StoryBroken, session

FIRST = "v1.2.2"
"""The update that is played: production then has a console, and ALPHA a patch for it."""


def play(data: Path, *, keep: bool = False, servers_only: bool = False) -> int:
    """Start everything, play, serve until it is stopped, and end every process; the exit status."""
    logs.configure("auto", "warning")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _say("Starting a Public server, an OMEGA and six mainframes on this machine …")
        servers = start(data, keep)
        try:
            return asyncio.run(_wait(servers) if servers_only else _play(servers))
        finally:
            servers.stop()
            _say("All servers have ended.")
    except KeyboardInterrupt:
        return 0
    except (ServersError, PortTakenError, StoryBroken) as error:
        return _fail(error)
    except wiring.expected() as error:
        return _fail(error)


def _fail(error: Exception) -> int:
    print(f"ashat demo: {error}", file=sys.stderr)  # noqa: T201 - for the person who started it
    return 1


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 - for the person who started it


# -- the servers alone -------------------------------------------------------------------------------------------------


async def _wait(servers: Servers) -> int:
    _say(*_addresses(servers), "", *_how_to_start(servers))
    with _Interrupts() as stopped:
        await stopped.wait()
    return 0


def _how_to_start(servers: Servers) -> Sequence[str]:
    ashat, config, urls = _ashat(), quote(str(servers.config)), servers.urls
    return (
        "Start a bot for them in another terminal, and tell it what is where:",
        f"  {ashat} run --config {config}",
        f"  {ashat} deploy --config {config} configure public {urls['public']} Staging",
        f"  {ashat} deploy --config {config} configure omega {urls['omega']} Production --region {REGION}",
        f"  {ashat} deploy --config {config} push {FIRST} 'Notes can be searched'",
        "Ctrl-C ends the servers.",
    )


def _ashat() -> str:
    """The command as somebody types it in a terminal of their own, which need not know this environment."""
    return "ashat" if shutil.which("ashat") else quote(str(Path(sys.executable).with_name("ashat")))


# -- with a bot --------------------------------------------------------------------------------------------------------


async def _play(servers: Servers) -> int:
    keyboard: Keyboard | None = None
    with _Interrupts() as stopped:
        prompt = lambda: keyboard.standing() if keyboard else ""  # noqa: E731 - it sees the keyboard once there is one
        async with session(servers, sys.stdout, prompt, browser=True) as now:
            _show(now)
            playing = asyncio.create_task(_first_deployment(now))
            await _either(playing, stopped)
            if stopped.is_set():
                return 0
            await playing
            now.chat.tell("", *_addresses(servers), "")
            _suggest(now)
            if not sys.stdin.isatty():
                await stopped.wait()
                return 0
            complete = Completer(
                now.app, lambda: [p.id for p in now.app.parts.people.all()], asyncio.get_running_loop()
            )
            keyboard = Keyboard(lambda: f"@{now.talk.speaker}> ", complete, servers.data / "history")
            await _either(asyncio.create_task(chat(now.talk, keyboard.lines())), stopped)
    return 0


def _show(now: Session) -> None:
    """The same chat in the browser: its link, and where there is a screen, the page itself."""
    assert now.page is not None
    now.chat.tell("The same chat in your browser, where everything can be clicked:")
    now.chat.offer(now.page.link, "")
    if sys.stdin.isatty():
        open_page(now.page.link, now.servers.data)


async def _either(work: asyncio.Task[None], stopped: asyncio.Event) -> None:
    """Until the work is done, or cut short by an interrupt."""
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not work.done():
        work.cancel()
        await asyncio.wait({work})
    elif (error := work.exception()) is not None:
        raise error


async def _first_deployment(now: Session) -> None:
    """From nothing to production; where an earlier demo is gone on with, that has been played."""
    if await now.app.parts.store.servers():
        now.chat.tell("Going on with the data of the last demo.")
        return
    urls = now.servers.urls
    now.chat.tell(
        "Alice Ng pushes and verifies, Bo Li and Cy Roe approve, Eve Poe configures servers, Di Fox looks.",
        f"One deployment is played now: {FIRST}, from ALPHA to every licensed mainframe.",
    )
    await now.done("eve", f"deploy configure public {urls['public']} Staging")
    await now.done("eve", f"deploy configure omega {urls['omega']} Production --region {REGION}")
    await now.done("alice", f"deploy push {FIRST} 'Notes can be searched'")
    await now.done("alice", f"deploy verify {FIRST}")
    await now.done("bo", f"deploy approve {FIRST}")
    await now.done("alice", "deploy status")
    now.talk.speaker = "alice"


def _addresses(servers: Servers) -> Sequence[str]:
    fronts = servers.fronts
    names = {PUBLIC: "Public (staging)", "omega": f"OMEGA {REGION} (production)"}
    rows = [f"  {names.get(part.name, f'mainframe {part.name}'):24} {fronts[part.name]}" for part in PARTS]
    return ("Where the product can be seen:", *rows)


def _suggest(now: Session) -> None:
    """What to do next; each command can be copied as it stands."""
    if now.page:
        now.chat.tell("In the browser:")
        now.chat.offer(now.page.link)
    now.chat.tell("Now you. `@name` at the start of a line says who speaks; Tab completes. Try:")
    now.chat.offer(
        "deploy push patch-v1.2.3 'Security fixes and performance improvements' 'Fixes CVE-2024-001'",
        "deploy verify patch-v1.2.3",
        "@bo deploy approve patch-v1.2.3",
        "@bo deploy rollback patch-v1.2.3 'Only a drill'",
        "deploy mainframes",
        "deploy help",
    )
    now.chat.tell("One whose verification fails:")
    now.chat.offer("@alice deploy push feature-2024-q1 'New dashboard and analytics features'")
    now.chat.tell("From another terminal, as Eve:")
    now.chat.offer(f"{_ashat()} deploy --config {quote(str(now.servers.config))} status")
    now.chat.tell("Ctrl-C ends every process of the demo.")


class _Interrupts:
    """An event that Ctrl-C and SIGTERM set, in place of ending the program in the middle of something."""

    def __enter__(self) -> asyncio.Event:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        return stopped

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
