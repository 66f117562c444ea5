"""The doctor: each thing that can be wrong is found, over real sockets where it is about servers."""

from __future__ import annotations

import json
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from adapters.artifacts.memory import MemoryStore
from adapters.servers.client import HttpAgents
from adapters.servers.guard import Guard
from adapters.servers.link import Credential
from bot import doctor, keys
from bot.doctor.finding import Finding
from bot.doctor.local import local_findings
from bot.doctor.people import people_findings
from bot.settings import Settings, load, token_of
from core.release.signing import new_key, signer_from_pem
from core.release.wire import About, Role, State
from core.state import Server

TOKEN = "a-token-of-the-tests-0123456789"
KEY = "ab" * 32


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Answering:
    """A server that answers as an agent does, with what a test makes it say."""

    role: Role = "public"
    skew: timedelta = timedelta(0)
    free_bytes: int = 50 * 1024**3
    garbage: bool = False
    bot_keys: tuple[str, ...] = ()
    leaves_out: bool = True
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def state(self) -> bytes:
        if self.garbage:
            return b"<html>welcome</html>"
        about = About.model_validate(
            {
                "version": "0.1.0",
                "role": self.role,
                "name": "p",
                "public_key": KEY,
                "now": datetime.now(UTC) + self.skew,
            }
        )
        said = State(
            about=about, url=None, free_bytes=self.free_bytes, bot_keys=self.bot_keys, leaves_out=self.leaves_out
        )
        return said.model_dump_json().encode()


class Handler(BaseHTTPRequestHandler):
    answering: Answering

    def do_GET(self) -> None:
        self.answering.asked.append(self.path)
        known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        refusal = json.dumps({"kind": "unauthorised", "problem": "The token is not this agent's."}).encode()
        body = self.answering.state() if known else refusal
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests read findings, not access logs."""


def serve(tls: ssl.SSLContext | None = None) -> Iterator[Answering]:
    answering = Answering()
    handler = type("Bound", (Handler,), {"answering": answering})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        answering.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield answering
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def agent(place: Place) -> Iterator[Answering]:
    for answering in serve():
        answering.bot_keys = (place.newest,)
        yield answering


@dataclass
class Place:
    """A working installation in a folder: tests break one thing of it, and see what is said."""

    folder: Path

    @property
    def key_file(self) -> Path:
        return self.folder / "data" / "bot.key.pem"

    @property
    def newest(self) -> str:
        return keys.known(self.key_file)[-1].public

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def settings(self, *urls: str, more: str = "") -> Settings:
        agents = "".join(f'[[agents]]\norigin = "{url}"\ntoken_file = "token"\n' for url in urls)
        roles = 'roles = ["deployer", "approver", "admin"]'
        self.config.write_text(f'[people.alice]\nname = "Alice"\n{roles}\n{agents}{more}')
        return load(self.config)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    keys.new(tmp_path / "data" / "bot.key.pem")
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "alpha").mkdir()
    (tmp_path / "alpha" / "v1.zip").write_bytes(b"PK")
    with closing(sqlite3.connect(tmp_path / "data" / "ashat.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE journal (n INTEGER PRIMARY KEY, event TEXT)")
        database.executemany("INSERT INTO journal (event) VALUES (?)", [("x" * 200,)] * 500)
        database.commit()
    (tmp_path / "data" / "ashat.db").chmod(0o600)
    return Place(tmp_path)


def at(url: str, role: Any = "public") -> Server:
    return Server(role, "main", "Staging", url, "alice", datetime(2026, 1, 1, tzinfo=UTC))


async def examine(settings: Settings, *servers: Server, config: Path | None = None) -> list[Finding]:
    agents = HttpAgents(
        {each.origin: Credential(token_of(each), each.public_key) for each in settings.agents},
        signer_from_pem(new_key()),
        MemoryStore(),
        Guard(settings.servers.allows),
        settings.servers.ca_file,
    )
    try:
        return await doctor.run(settings, agents, servers, SystemClock(), config)
    finally:
        await agents.close()


def wrong(findings: list[Finding]) -> list[str]:
    assert all(bool(each.mend) == (each.level != "ok") for each in findings), "each problem has its mend"
    return [str(each) for each in findings if each.level != "ok"]


async def test_a_working_installation_is_well(place: Place, agent: Answering) -> None:
    settings = place.settings(agent.url)
    findings = await examine(settings, at(agent.url), config=place.config)
    assert wrong(findings) == ["warn  Servers: omega is not configured. Mend: `deploy configure omega <url> <name>`"]
    said = [each.what for each in findings]
    assert "Staging: answers as public, version 0.1.0, and knows the bot's token." in said
    assert "Staging: its clock agrees with this one." in said
    assert f"ALPHA: {place.folder}/alpha holds 1 update." in said
    assert agent.asked == ["/v1/state"]


def test_settings_are_read_or_their_problems_told(place: Place) -> None:
    place.settings()
    settings, findings = doctor.read(place.config)
    assert settings is not None
    assert findings[0].level == "ok"
    place.config.write_text("[workflow]\nquorum = 0\nfoo = 1")
    settings, findings = doctor.read(place.config)
    assert settings is None
    assert [each.level for each in findings] == ["fail", "fail"]
    assert "line 2: workflow.quorum" in findings[0].what


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _overwrite_the_middle(folder: Path) -> None:
    with (folder / "data" / "ashat.db").open("r+b") as file:
        file.seek(4096 + 16)
        file.write(b"\xff" * 20_000)


def _journal_in_a_file(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "data" / "ashat.db")) as database:
        database.execute("PRAGMA journal_mode=DELETE")


BROKEN: list[tuple[Callable[[Path], object], str, str]] = [
    (_remove("data/bot.key.pem"), "fail", "Key: There is no key at"),
    (_write("data/bot.key.pem", b"x"), "fail", "is no Ed25519 private key"),
    (lambda folder: (folder / "data/bot.key.pem").chmod(0o644), "warn", "bot.key.pem has mode 0644, open to others."),
    (_remove("token"), "fail", "cannot be read: [Errno 2] No such file"),
    (_write("token", b"short"), "fail", "shorter than 16 characters"),
    (_remove("alpha/v1.zip"), "warn", "alpha holds no update."),
    (lambda folder: (folder / "alpha").rename(folder / "beta"), "fail", "alpha cannot be read: No such file"),
    (_remove("data/ashat.db"), "warn", "ashat.db does not exist yet."),
    (
        _write("data/ashat.db", b"no database, but as long as one" * 50),
        "fail",
        "cannot be used",
    ),
    (_overwrite_the_middle, "fail", "Database: "),
    (_journal_in_a_file, "warn", "is in journal mode delete, expected wal."),
]


@pytest.mark.parametrize(("damage", "level", "said"), BROKEN, ids=[said[:40] for *_, said in BROKEN])
async def test_what_is_broken_here_is_found(
    place: Place, damage: Callable[[Path], object], level: str, said: str
) -> None:
    settings = place.settings("http://127.0.0.1:9")
    damage(place.folder)
    found = [each for each in local_findings(settings, place.config) if each.level != "ok"]
    assert len(found) == 1, found
    assert found[0].level == level
    assert said in found[0].what
    assert found[0].mend


def test_a_database_that_another_process_holds_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.doctor.local._BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(place.folder / "data" / "ashat.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = wrong(local_findings(place.settings()))
    assert "database is locked" in found[0]


def test_an_authority_that_is_no_certificate_is_said(place: Place) -> None:
    settings = place.settings(more='[servers]\nca_file = "token"')
    assert "cannot be read as PEM" in wrong(local_findings(settings))[0]


SERVERS = [
    ({"role": "omega"}, "fail", "Staging is an agent of role omega, expected public"),
    ({"skew": timedelta(minutes=2)}, "warn", "its clock and this one differ by 1"),
    ({"skew": timedelta(minutes=-2)}, "warn", "its clock and this one differ by 1"),
    ({"free_bytes": 1024}, "warn", "0.0 GiB are free there."),
    ({"garbage": True}, "fail", "answered GET /v1/state with something else"),
]


@pytest.mark.parametrize(("says", "level", "said"), SERVERS, ids=[said[:40] for *_, said in SERVERS])
async def test_what_is_wrong_with_a_server_is_found(
    place: Place, agent: Answering, says: dict[str, Any], level: str, said: str
) -> None:
    for name, value in says.items():
        setattr(agent, name, value)
    found = await examine(place.settings(agent.url), at(agent.url))
    about_it = [each for each in found if each.level != "ok" and each.what.startswith("Staging")]
    assert len(about_it) == 1, about_it
    assert about_it[0].level == level
    assert said in about_it[0].what


@pytest.mark.parametrize("leaves_out", [True, False])
async def test_an_omega_that_cannot_leave_frozen_mainframes_out_is_said(
    place: Place, agent: Answering, *, leaves_out: bool
) -> None:
    agent.role, agent.leaves_out = "omega", leaves_out
    found = wrong(await examine(place.settings(agent.url), replace(at(agent.url), role="omega")))
    said = (
        "warn  Staging: its agent cannot leave frozen mainframes out, so nothing goes there while one is frozen. "
        "Mend: update its agent"
    )
    assert (said in found) is not leaves_out


async def test_a_server_with_another_key_is_not_trusted(place: Place, agent: Answering) -> None:
    settings = place.settings(agent.url)
    other, same = (replace(at(agent.url), public_key=key) for key in ("cd" * 32, KEY))
    assert any("expected cdcdcdcdcdcd" in each for each in wrong(await examine(settings, other)))
    assert not any("key is" in each for each in wrong(await examine(settings, same)))


async def test_keys_are_told_with_their_age_and_whether_servers_know_them(place: Place, agent: Answering) -> None:
    settings = place.settings(agent.url)

    async def about_keys() -> list[str]:
        found = await examine(settings, at(agent.url))
        return [str(each) for each in found if each.what.startswith(("Key: ", "Staging: it "))]

    old = keys.known(place.key_file)[0]
    assert await about_keys() == [
        f"ok    Key: the bot signs with {old.short}, which is 0 days old ({place.key_file}).",
        f"ok    Staging: it knows the bot's newest key, {old.short}.",
    ]
    now = datetime.now(UTC)
    keys.rotate(place.key_file, now)
    new = keys.known(place.key_file)[1]
    told = await about_keys()
    assert told[1] == f"ok    Key: {old.short} signs releases besides the newest, since 0 days."
    assert told[2] == (
        f"warn  Staging: it does not know the bot's newest key, {new.short}. "
        f'Mend: add "{new.public}" to [trust] bot_keys of its agent, and restart that'
    )
    keys.retire(place.key_file, old.short, now)
    told = await about_keys()
    assert told[1].startswith(f"ok    Key: {old.short} is retired since ")
    assert told[2].startswith("fail  Staging: it knows none of the bot's keys, so it does nothing that the bot asks.")
    assert told[3].startswith(f"warn  Staging: it still trusts {old.short}, which is retired. Mend: take ")
    agent.bot_keys = ()
    assert (await about_keys())[2] == ("warn  Staging: it does not say which keys it trusts. Mend: update its agent")


def test_an_old_key_and_a_forgotten_rotation_are_said(place: Place) -> None:
    place.key_file.unlink()
    (place.key_file.with_name("bot.key.register.json")).unlink()
    now = datetime.now(UTC)
    keys.new(place.key_file, now - timedelta(days=800))
    assert "which is 800 days old" in wrong(local_findings(place.settings()))[0]
    keys.rotate(place.key_file, now - timedelta(days=40))
    found = wrong(local_findings(place.settings()))
    assert len(found) == 1
    assert "signs releases besides the newest, since 40 days. Mend: once every agent knows the newest:" in found[0]
    keys.private_halves(place.key_file)[0].unlink()
    assert "the private half of" in wrong(local_findings(place.settings()))[0]


async def test_a_token_that_the_server_does_not_know_is_said(place: Place, agent: Answering) -> None:
    (place.folder / "token").write_text("another-token-0123456789")
    found = wrong(await examine(place.settings(agent.url), at(agent.url)))
    assert any("Staging" in each and "token" in each for each in found)


async def test_nothing_is_sent_where_no_token_belongs_or_the_host_is_not_allowed(
    place: Place, agent: Answering
) -> None:
    found = wrong(await examine(place.settings(), at(agent.url)))
    assert any(f'there is no token for it. Mend: add [[agents]] with origin = "{agent.url}"' in each for each in found)
    closed = place.settings(agent.url, more='[servers]\nallowed_hosts = ["a.example"]')
    found = wrong(await examine(closed, at(agent.url)))
    assert any('add "127.0.0.1" to [servers] allowed_hosts' in each for each in found)
    assert agent.asked == []


async def test_a_server_that_is_down_and_an_origin_that_nobody_uses_are_said(place: Place, agent: Answering) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    down = f"http://127.0.0.1:{port}"
    found = wrong(await examine(place.settings(agent.url, down), at(down)))
    assert any(each.startswith("fail  Staging") and down in each for each in found)
    assert any(f"no configured server is at {agent.url}." in each for each in found)


@pytest.mark.parametrize(
    ("days", "trusted", "level", "said"),
    [(90, True, "ok", "good for 89 days"), (5, True, "warn", "ends in 4 days"), (-1, True, "fail", "expired"),
     (90, False, "fail", "refused: ")],
)  # fmt: skip
async def test_certificates_are_looked_at_as_a_client_sees_them(
    place: Place, days: int, trusted: bool, level: str, said: str
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=days))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(tls)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(place.folder / "ca.pem"))
    for agent in serve(tls):
        settings = place.settings(agent.url, more='[servers]\nca_file = "ca.pem"')
        found = await examine(settings, at(agent.url))
        (about_it,) = [each for each in found if "its certificate" in each.what]
        assert (about_it.level, said in about_it.what) == (level, True), about_it


def test_people_that_the_workflow_lacks_are_named(place: Place) -> None:
    place.config.write_text('[workflow]\nquorum = 2\n[people.al]\nname = "Al"\nroles = ["approver"]\n')
    assert wrong(people_findings(load(place.config))) == [
        "warn  People: nobody is deployer, so nobody may push. Mend: give somebody the role under [people]",
        "warn  People: nobody is admin, so nobody may configure servers. Mend: give somebody the role under [people]",
        "warn  People: the quorum is 2, and approvers are 1. Mend: list more, or lower the quorum",
    ]
