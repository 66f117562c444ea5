"""One update's whole way, from push to rollback, on real servers; and whether it came to its one right end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from adapters.shell.client import NoBot, ask
from adapters.shell.wire import Answer
from adapters.store.sql import SqlStore
from bot.checkpoints import faults
from bot.keys import load
from bot.wiring import SystemClock
from demo.cast import ROUTES
from tests.contract.updates import tar_gz
from tests.faults.bots import PAPER
from tests.faults.cutting import Proxy
from tests.faults.ground import PATIENCE, ROOT, Ground, configuration, until

STEPS = ("push", "verify", "approve", "rollback")
ENDS = {"push": "staged", "verify": "awaiting_approval", "approve": "completed", "rollback": "rolled_back"}
FAILED = ("failed", "rollback_failed")
AGAIN = {"push": "retry", "verify": "verify", "approve": "retry", "rollback": "rollback"}
"""What a person says where a server's answer was such that the bot would not go on by itself."""
CLEARED = {"SlotWithdrawn", "BaselineSet"}
"""What is done after the end."""
EVENTUALLY = {*CLEARED, "CheckFinished", "MainframeChanged", "OutcomeStale", "HealthWorsened", "HealthRecovered"}
"""Events that there may be several of, or that depend on when somebody looked."""
WHOLE = Counter(
    [
        "Pushed",
        "ArtifactFixed",
        "Staged",
        "VerificationStarted",
        "VerificationPassed",
        "Voted",
        "Approved",
        "LaneTaken",
        "Packaged",
        "RegionAsked",
        "RegionSwitched",
        "DistributionStarted",
        "DistributionTaken",
        "Completed",
        "Attested",
        "RollbackStarted",
        "RegionRestored",
        "RolledBack",
    ]
) + Counter(DistributionTaken=1)
"""All other events of a journey."""
MILESTONES = ("OMEGA eu runs ID", "✅ ID is complete", "↩️ Eve Poe rolls ID back", "↩️ ID is rolled back")
"""What its thread tells, in order."""
_ANSWER = 60.0

PRODUCT = b"""\
import os, socket, threading
BODY = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s" % (len("WORD"), b"WORD")

def answer(connection):
    with connection:
        while b"\\r\\n\\r\\n" not in (connection.recv(65536) or b"\\r\\n\\r\\n"):
            pass
        connection.sendall(BODY)
        connection.shutdown(socket.SHUT_WR)

door = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    threading.Thread(target=answer, args=door.accept()[:1], daemon=True).start()
"""
MANIFEST = """\
component = "{component}"
[run]
start = ["{python}", "-I", "-S", "server.py"]
start_timeout = 30
"""


def update(id_: str, component: str) -> bytes:
    """A release that answers with its id, whatever it is asked for. It is up in 20 ms."""
    manifest = MANIFEST.format(component=component, python=sys.executable)
    return tar_gz({"release.toml": manifest.encode(), "server.py": PRODUCT.replace(b"WORD", id_.encode())})


class Nursery:
    """Makes bots."""

    def __init__(self, log: Path) -> None:
        pipe = subprocess.PIPE
        with log.open("ab") as err:
            command = [sys.executable, "-m", "tests.faults.bots"]
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=err, text=True)
        self._lock = asyncio.Lock()

    async def start(self, config: Path) -> int:
        """Its process id."""
        async with self._lock:
            return int(await asyncio.to_thread(self._told, str(config)))

    def _told(self, line: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline()

    def end(self) -> None:
        self._process.communicate()


@dataclass
class Bot:
    """A bot with a component of its own, and what it remembers and has told."""

    ground: Ground
    nursery: Nursery
    component: str
    home: Path
    config: Path
    proxies: dict[str, Proxy]
    pid: int | None = None

    async def start(self) -> None:
        self.pid = await self.nursery.start(self.config)
        await until(self._answers, f"the bot for {self.component} answers")

    def _answers(self) -> bool:
        assert _exists(self.pid), f"the bot for {self.component} ended by itself"
        try:
            return ask(self.home / "ashat.sock", ["whoami"], 10).outcome == "done"
        except NoBot:
            return False

    async def kill(self) -> None:
        """At once, wherever it is."""
        if self.pid is not None and _exists(self.pid):
            os.kill(self.pid, signal.SIGKILL)
            await until(lambda: not _exists(self.pid), "the bot is dead")
        self.pid = None

    async def says(self, *words: str) -> Answer:
        """Raises NoBot where it is killed before it has answered."""
        return await asyncio.to_thread(ask, self.home / "ashat.sock", words, _ANSWER)

    async def done(self, *words: str) -> None:
        answer = await self.says(*words)
        assert answer.outcome == "done", answer

    def ships(self, id_: str) -> None:
        (self.home / "alpha" / f"{id_}.tar.gz").write_bytes(update(id_, self.component))

    # -- what came of it -----------------------------------------------------------------------------------------------

    def rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.home / 'ashat.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def stage(self, id_: str) -> str:
        """As it is stored, whether a bot runs or not."""
        found = self.rows("SELECT stage FROM deployment WHERE id = ?", id_)
        return str(found[0][0]) if found else "unknown"

    def journal(self, id_: str) -> list[str]:
        return [str(row[0]) for row in self.rows("SELECT kind FROM journal WHERE chain = ? ORDER BY seq", f"{id_}#1")]

    def unsent(self) -> int:
        return int(str(self.rows("SELECT count(*) FROM outbox WHERE sent_at IS NULL")[0][0]))

    def thread(self, id_: str) -> list[str]:
        """What was told in its thread, in order, once for each message, as a platform that knows nonces shows it."""
        lines = [json.loads(line) for line in (self.home / PAPER).read_text().splitlines()]
        told = {line["nonce"]: line["title"] for line in lines if line["kind"] == "reply"}
        return [title.replace(id_, "ID") for title in told.values() if id_ in title.split()]

    async def audited(self) -> list[str]:
        """What is wrong with its journal."""
        store = await SqlStore.open(f"sqlite:///{self.home / 'ashat.db'}", SystemClock())
        try:
            return [str(fault) for fault in await faults(store, [load(self.ground.data / "bot.key.pem").public_key])]
        finally:
            await store.close()


def _exists(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    return True


class Journey:
    """`id_` from push to rollback. It begins and ends with the component's base in production."""

    def __init__(self, bot: Bot, id_: str, *, patience: float = 0.0) -> None:
        """`patience`: seconds that a server may take to serve what it has said it runs, because it was killed."""
        self.bot = bot
        self.id = id_
        self.asked_again = 0
        """How often a person had to say it again, because an answer was not an agent's or a host went down."""
        self._base = base_of(bot.component)
        self._patience = patience

    async def play(self, before: Callable[[str], object] = lambda step: None) -> None:
        """All of it, with `before` called when a step begins. Raises AssertionError where it does not end right."""
        self.bot.ships(self.id)
        for step in STEPS:
            before(step)
            await self.say(step)
            await self.arrives(step)
        await self.ended()

    async def say(self, step: str) -> None:
        answer = await self.bot.says(*self.words(step))
        assert answer.outcome == "done", answer

    def words(self, step: str) -> tuple[str, ...]:
        return (step, self.id, "Fix the login") if step == "push" else (step, self.id)

    async def arrives(self, step: str) -> None:
        """Raises AssertionError where it does not; so also where servers do not serve what they should then."""
        while True:
            await until(lambda: self.bot.stage(self.id) in (ENDS[step], *FAILED), f"{self.id} is {ENDS[step]}")
            if self.bot.stage(self.id) == ENDS[step]:
                break
            self.asked_again += 1
            assert self.asked_again < 20, f"{self.id} fails again and again"
            await self.bot.done(AGAIN[step], self.id)
        if step in ("approve", "rollback"):
            await self._are_served(self.id if step == "approve" else self._base, "omega", "m1", "m2")

    async def _are_served(self, word: str, *names: str, patience: float | None = None) -> None:
        limit = time.monotonic() + (self._patience if patience is None else patience)
        for name in names:
            while (found := await self.bot.ground.served(name, ROUTES[self.bot.component])) != word:
                assert time.monotonic() < limit, f"{name} serves {found}, not {word}"
                await asyncio.sleep(0.05)

    async def ended(self) -> None:
        """Its end is the only one that there may be, also for what is cleared up behind it."""
        await self._are_served(self._base, "public", patience=PATIENCE)
        limit = time.monotonic() + PATIENCE
        while await self.bot.ground.has_slot(f"{self.id}.1"):
            assert time.monotonic() < limit, f"the slot of {self.id} stays"
            await asyncio.sleep(0.05)
        await until(lambda: set(self.bot.journal(self.id)) >= CLEARED, f"all of {self.id} is cleared up")
        times = Counter(kind for kind in self.bot.journal(self.id) if kind not in EVENTUALLY)
        if self.asked_again:
            times = Counter(dict.fromkeys(times.keys() & WHOLE.keys(), 1)) | Counter(DistributionTaken=2)
        assert times == WHOLE, f"{self.id}: its journal differs from the whole: {times - WHOLE}, {WHOLE - times}"
        doubled = self.bot.ground.doubled(self.bot.component)
        assert not doubled, f"took hold twice: {doubled}"
        await until(lambda: self.bot.unsent() == 0, f"everything about {self.id} has been told")
        self._is_told()

    def _is_told(self) -> None:
        told = [title for title in self.bot.thread(self.id) if title in MILESTONES]
        wanted = list(dict.fromkeys(told)) if self.asked_again else told
        assert wanted == list(MILESTONES), f"{self.id}: its thread tells {told}"


async def begin(bot: Bot) -> None:
    """It runs, knows its servers through its proxies, and has its base in production."""
    (bot.home / "alpha").mkdir(parents=True, mode=0o700)
    urls = {name: proxy.url for name, proxy in bot.proxies.items()}
    bot.config.write_text(configuration(bot.ground, bot.home.name, urls))
    await bot.start()
    await bot.done("configure", "public", urls["public"], "Staging")
    await bot.done("configure", "omega", urls["omega"], "Production", "--region", "eu")
    base = Journey(bot, base_of(bot.component), patience=10.0)
    bot.ships(base.id)
    for step in STEPS[:-1]:
        await base.say(step)
        await base.arrives(step)


def base_of(component: str) -> str:
    return f"base-{component}"
