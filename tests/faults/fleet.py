"""Real servers and a real bot, each a process: to be frozen, killed and started again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from adapters.shell.client import NoBot, ask
from adapters.shell.wire import Answer
from demo.servers import Server, _end, _started, prepared, settle
from tests.contract.updates import product, tar_gz

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0
"""Seconds of real time; what is waited for takes one or two, on a machine that may be busy."""
SERVERS = ("public", "omega", "m1", "m2")

CONFIG = """\
[ashat]
data = "bot"
key_file = "bot.key.pem"
log_format = "text"

[alpha]
folder = "alpha"

[workflow]
poll_seconds = 0.1
own_push = true
max_commands_per_minute = 1000

[people.eve]
name = "Eve Poe"
roles = ["deployer", "approver", "admin"]
shell = {uid}
"""
AGENT = '\n[[agents]]\norigin = "{url}"\ntoken_file = "{token}"\npublic_key = "{key}"\n'
UNCHECKED = "".join(
    f"\n[checks.{check}]\nenabled = false\n" for check in ("modules", "api", "database", "performance", "security")
)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until it is so. Raises AssertionError after PATIENCE."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"within {PATIENCE:g} s it did not come true that {what}")
        time.sleep(0.01)


@dataclass
class Fleet:
    """Public, OMEGA and two mainframes, and a bot for them."""

    data: Path
    servers: dict[str, Server]
    driver: subprocess.Popen[str]
    bot: int | None = None
    """Its process id."""

    # -- servers -------------------------------------------------------------------------------------------------------

    def url(self, name: str) -> str:
        return self.servers[name].place.url

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """They stand still: connections stay open, and nothing answers."""
        for name in names:
            self.servers[name].process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                self.servers[name].process.send_signal(signal.SIGCONT)

    def serves(self, name: str, path: str = "/") -> str:
        """What people get from this server's front door."""
        with httpx.Client(trust_env=False, timeout=10) as client:
            return client.get(self.servers[name].place.front + path).text

    def ships(self, id_: str, *, component: str = "web", ballast: int = 0) -> None:
        files = product(f"this is {id_}", component, python=sys.executable)
        (self.data / "alpha" / f"{id_}.tar.gz").write_bytes(tar_gz(files | {"ballast": os.urandom(ballast)}))

    # -- the bot -------------------------------------------------------------------------------------------------------

    @property
    def socket(self) -> Path:
        return self.data / "bot" / "ashat.sock"

    def start(self) -> None:
        """Start the bot, and wait until it answers."""
        self.bot = int(self._told("start"))
        until(self._answers, "the bot answers")

    def _answers(self) -> bool:
        try:
            return ask(self.socket, ["whoami"], 10).outcome == "done"
        except NoBot:
            return False

    def kill(self) -> None:
        """At once, wherever it is."""
        assert self.bot is not None
        os.kill(self.bot, signal.SIGKILL)
        self.bot = None
        assert self._told() == "ended"

    def _told(self, line: str = "") -> str:
        """Tell the driver something, and give its next word."""
        assert self.driver.stdin is not None
        assert self.driver.stdout is not None
        if line:
            self.driver.stdin.write(f"{line}\n")
            self.driver.stdin.flush()
        word = self.driver.stdout.readline().strip()
        assert word, (self.data / "bot.log").read_text()[-2000:]
        return word

    def says(self, *words: str) -> Answer:
        answer = ask(self.socket, words, 60)
        assert answer.outcome == "done", answer
        return answer

    def stage(self, id_: str) -> str:
        """As it is stored, whether a bot runs or not."""
        return str(self._rows("SELECT stage FROM deployment WHERE id = ?", id_)[0][0])

    def reaches(self, id_: str, stage: str) -> None:
        """Wait until it is there. Raises AssertionError, with what the bot had to say, where it is not, or failed."""

        def is_there() -> bool:
            now = self.stage(id_)
            assert now == stage or now not in ("failed", "rollback_failed"), f"{id_} {now}"
            return now == stage

        try:
            until(is_there, f"{id_} is {stage}")
        except AssertionError as error:
            happened = f"{self.stage(id_)} after {self.journal(id_)}"
            log = (self.data / "bot.log").read_text()[-4000:]
            raise AssertionError(f"{error}; it is {happened}, and the bot's log ends with\n{log}") from error

    def journal(self, id_: str) -> list[str]:
        """The kinds of its events, in order."""
        return [str(row[0]) for row in self._rows("SELECT kind FROM journal WHERE chain = ? ORDER BY seq", f"{id_}#1")]

    def unsent(self) -> int:
        return int(str(self._rows("SELECT count(*) FROM outbox WHERE sent_at IS NULL")[0][0]))

    def _rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        database = self.data / "bot" / "ashat.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()


@contextmanager
def fleet(data: Path, settings: str = CONFIG) -> Iterator[Fleet]:
    """All of it, the bot by these settings; nothing is left running, whatever happens."""
    with prepared(data, keep=False) as mark:  # their ports stay theirs until they listen
        places = [place for place in settle(data, mark) if place.part.name in SERVERS]
        (data / "alpha").mkdir()
        config = settings.format(uid=os.getuid()) + UNCHECKED
        for place in places[:2]:
            config += AGENT.format(url=place.url, token=place.token_file, key=place.public_key)
        (data / "config.toml").write_text(config)
        servers = _started(places)
    made = Fleet(data, servers, _driver(data))
    try:
        yield made
    finally:
        if made.bot is not None:
            made.kill()
        made.driver.communicate()
        _end([server.process for server in made.servers.values()])


def _driver(data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.driver", "run", "--config", str(data / "config.toml")]
    pipe = subprocess.PIPE
    with (data / "bot.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=log, text=True)
