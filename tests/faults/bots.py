"""Bots as processes that are quick to start and to kill: everything is imported once, and each line of input forks.

`python -m tests.faults.bots`: each line names a settings file, and is answered with the process id of a bot for it. Its
memory, sockets and connections are its own. It is the bot of `ashat run`, in a hurry: it waits a second where that one
waits for half a minute, and what it posts is written to a file, so that what is told twice is seen.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bot.reconciler
from adapters.people import SettingsPeople
from adapters.servers.client import HttpAgents
from adapters.servers.failures import Patience
from adapters.servers.guard import Guard
from adapters.servers.link import Credential
from bot import keys, logs, wiring
from bot.app import App, Parts
from bot.settings import Settings, load, token_of
from core.cards import Card
from core.people import Person
from core.ports import Form

LEASE = 1.0
"""Seconds that the work of a killed bot is kept from the next one."""
PATIENCE = Patience(connect=1.0, silence=1.0, answer=1.5, stored=3.0)
BACKOFF = (0.1, 0.2, 0.5, 1.0, 1.0)
PAPER = "paper.jsonl"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Paper:
    """A chat platform that is a file: a line a message, in order. It knows no repetitions."""

    file: Path

    platform = "paper"

    def _write(self, kind: str, card: Card, nonce: str) -> None:
        line = json.dumps({"kind": kind, "title": card.title, "nonce": nonce}) + "\n"
        with self.file.open("ab", buffering=0) as out:
            out.write(line.encode())

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        self._write("card", card, nonce)
        return nonce

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        return reference

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        self._write("post", card, nonce)

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        self._write("reply", card, nonce)

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        self._write("whisper", card, nonce)

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        self._write("direct", card, nonce)

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        raise NotImplementedError("nobody clicks here")


async def serve(settings: Settings) -> None:
    clock, artifacts = wiring.SystemClock(), wiring.artifacts_of(settings)
    signer = keys.load(settings.ashat.key_file)
    credentials = {agent.origin: Credential(token_of(agent), agent.public_key) for agent in settings.agents}
    paper = Paper(settings.ashat.data / PAPER)
    with wiring.claimed(settings):
        parts = Parts(
            store=await wiring.store_of(settings, clock),
            people=SettingsPeople(settings.persons()),
            clock=clock,
            policy=wiring.policy_of(settings),
            source=wiring.source_of(settings),
            artifacts=artifacts,
            agents=HttpAgents(credentials, signer, artifacts, Guard(settings.servers.allows), patience=PATIENCE),
            channels={paper.platform: paper},
            signer=signer,
        )
        app = App(parts, settings, edit_gap=0.0, lease=LEASE)
        shell = wiring.shell(settings, app.door, f"{paper.platform}:deployments")
        await app.start()
        await shell.start()
        await asyncio.Event().wait()


def begun(config: Path) -> int:
    """The process id of a bot for these settings."""
    child = os.fork()
    if child:
        return child
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # no bot outlives this program
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    bot.reconciler._BACKOFF = BACKOFF
    try:
        settings = load(config)
        logs.configure("json", settings.ashat.log_level)
        asyncio.run(serve(settings))
    finally:
        sys.stderr.flush()
        os._exit(1)  # it is killed, or it failed


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has been killed is nobody's zombie
    for line in sys.stdin:
        print(begun(Path(line.strip())), flush=True)


if __name__ == "__main__":
    main()
