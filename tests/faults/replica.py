"""One replica of the bot as a process: `python -m tests.faults.replica <settings.json>`; people speak on its input.

Each line in is `{"person", "text"}`, each line out the outcome and title of the reply. It ends when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters.artifacts.content import ContentStore
from adapters.artifacts.folder import FolderSource
from adapters.people import SettingsPeople
from adapters.servers.client import HttpAgents
from adapters.servers.guard import Guard
from adapters.servers.link import Credential
from adapters.store.sql import SqlStore
from bot import keys, logs
from bot.app import App, Parts
from bot.settings import Settings
from bot.wiring import SystemClock, policy_of
from core.cards import Card
from core.people import Person
from core.policy import CheckRule
from core.ports import Form
from tests.bot.support.people import PLATFORM, TEAM, Speaker


@dataclass(frozen=True)
class Paper:
    """A chat platform that all replicas write to: a file, a line a message, in order; it shows every try."""

    file: Path
    name: str

    platform = PLATFORM

    def _write(self, kind: str, where: str, card: Card, nonce: str) -> None:
        line = json.dumps({"by": self.name, "kind": kind, "where": where, "title": card.title, "nonce": nonce}) + "\n"
        with self.file.open("ab", buffering=0) as out:
            out.write(line.encode())

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        self._write("card", channel, card, nonce)
        return nonce

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        self._write("edit", channel, card, "")
        return reference

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        self._write("post", channel, card, nonce)

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        self._write("reply", channel, card, nonce)

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        self._write("whisper", channel, card, nonce)

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        self._write("direct", person.id, card, nonce)

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        raise NotImplementedError("nobody clicks here")


async def build(given: dict[str, Any]) -> App:
    ashat = {"database_url": given["database_url"]}
    settings = Settings.model_validate({"ashat": ashat, "workflow": {"poll_seconds": 0.2}})
    clock, artifacts = SystemClock(), ContentStore.open(Path(given["artifacts"]))
    signer = keys.load(Path(given["key_file"]))
    credentials = {url: Credential(SecretStr(given["token"])) for url in given["agents"]}
    parts = Parts(
        store=await SqlStore.open(given["database_url"], clock),
        people=SettingsPeople(TEAM),
        clock=clock,
        policy=replace(policy_of(settings), checks=(CheckRule("Health Check", "health", 30.0),)),
        source=FolderSource(Path(given["alpha"])),
        artifacts=artifacts,
        agents=HttpAgents(credentials, signer, artifacts, Guard(settings.servers.allows)),
        channels={PLATFORM: Paper(Path(given["paper"]), given["name"])},
        signer=signer,
    )
    return App(parts, settings, edit_gap=0.0, lease=given["lease"])


async def main(given: dict[str, Any]) -> None:
    logs.configure("json", "info")
    app = await build(given)
    await app.start()
    print(json.dumps({"owner": app.reconciler._owner}), flush=True)
    people = {person.id: person for person in TEAM}
    while line := await asyncio.to_thread(sys.stdin.readline):
        said = json.loads(line)
        speaker = Speaker(app.door, people[said["person"]].accounts[0])
        reply = await speaker.says(said["text"], delivery=f"{os.getpid()}-{said['number']}")
        print(json.dumps({"outcome": reply.outcome, "title": reply.card.title}), flush=True)
    await app.stop()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
