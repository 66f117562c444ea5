"""The security scan: a real TLS server, a real slot, real files; each test breaks exactly one thing."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from agent.checks import secrets
from agent.settings import CheckSettings
from core.release.signing import new_key
from core.release.wire import CheckReport
from tests.agent.checks.app import App, Route, check

OVER_HTTP = "TLS is not applicable: Public is addressed over http"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def settings(authority: trustme.CA, tmp_path: Path) -> CheckSettings:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return CheckSettings(ca_file=ca_file)


@asynccontextmanager
async def public(
    authority: trustme.CA, host: str = "localhost", until: datetime | None = None, newest: ssl.TLSVersion | None = None
) -> AsyncIterator[str]:
    """Public's address, served with a certificate for `host`; the connection always goes to localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, not_after=until).configure_cert(context)
    if newest is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    served = App(Path("/nowhere"))
    await served.start(context)
    try:
        yield f"https://localhost:{served.port}"
    finally:
        await served.stop()


def now() -> datetime:
    return datetime.now(UTC)


async def test_everything_is_in_order(app: App, authority: trustme.CA, settings: CheckSettings) -> None:
    (app.folder / "app.py").write_text("print('hello')\n")
    async with public(authority) as address:
        report = await check(app.target(), "security", address=address, settings=settings, clock=now)
    assert (report.state, report.warning) == ("passed", None)


async def test_over_http_tls_does_not_apply_and_the_rest_still_runs(app: App) -> None:
    report = await check(app.target(), "security")
    assert (report.state, report.warning) == ("passed", OVER_HTTP)
    app.routes["/.env"] = Route(body=b"A=b")
    report = await check(app.target(), "security")
    assert (report.state, report.where, report.warning) == ("failed", "GET /.env", OVER_HTTP)


async def test_an_expired_certificate(app: App, authority: trustme.CA, settings: CheckSettings) -> None:
    async with public(authority, until=now() - timedelta(days=1)) as address:
        report = await check(app.target(), "security", address=address, settings=settings, clock=now)
    assert (report.state, report.seen, report.where) == ("failed", "one that has expired", address)


async def test_a_certificate_that_expires_soon(app: App, authority: trustme.CA, settings: CheckSettings) -> None:
    until = datetime(2040, 1, 31, 12, 0, tzinfo=UTC)
    async with public(authority, until=until) as address:

        async def seen_on(day: int, **options: Any) -> CheckReport:
            clock = lambda: datetime(2040, 1, day, 12, 0, tzinfo=UTC)  # noqa: E731 - a clock that stands
            return await check(app.target(), "security", options, address=address, settings=settings, clock=clock)

        assert (await seen_on(17)).state == "passed"
        report = await seen_on(18)
        assert (report.state, report.expected) == ("failed", "a certificate valid for 14 more days")
        assert report.seen == "one that expires on 2040-01-31 12:00 UTC"
        assert (await seen_on(18, min_days=10)).state == "passed"


async def test_a_certificate_for_another_host(app: App, authority: trustme.CA, settings: CheckSettings) -> None:
    async with public(authority, host="elsewhere.example") as address:
        report = await check(app.target(), "security", address=address, settings=settings, clock=now)
    assert (report.expected, report.seen) == ("a certificate for localhost", "one for another host")


async def test_an_authority_that_nobody_knows(app: App, settings: CheckSettings) -> None:
    async with public(trustme.CA()) as address:
        report = await check(app.target(), "security", address=address, settings=settings, clock=now)
    assert (report.state, report.expected) == ("failed", "a certificate chain that this host trusts")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_an_old_version_of_tls(app: App, authority: trustme.CA, settings: CheckSettings) -> None:
    async with public(authority, newest=ssl.TLSVersion.TLSv1_1) as address:
        report = await check(app.target(), "security", address=address, settings=settings, clock=now)
    assert (report.state, report.expected) == ("failed", "a handshake with TLS 1.2 or newer")


async def test_a_port_that_speaks_no_tls(app: App) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        report = await check(app.target(), "security", address=address, clock=now)
    assert (report.state, report.where) == ("failed", address)
    assert report.expected == "a handshake with TLS 1.2 or newer"


async def test_an_address_that_accepts_and_never_answers(app: App) -> None:
    app.routes["/"] = Route(hangs=True)
    address = app.url.replace("http:", "https:")
    report = await check(app.target(), "security", address=address, clock=now, timeout=0.3)
    assert (report.state, report.where) == ("timed_out", f"the TLS handshake with {address}")


async def test_nothing_answers_at_the_address(app: App, production: App) -> None:
    await production.stop()
    report = await check(app.target(), "security", address=f"https://127.0.0.1:{production.port}", clock=now)
    assert (report.state, report.expected) == ("failed", "a connection")


async def test_a_private_authority_that_cannot_be_read(app: App, tmp_path: Path) -> None:
    broken = CheckSettings(ca_file=tmp_path / "none.pem")
    report = await check(app.target(), "security", address="https://localhost:1", settings=broken, clock=now)
    assert (report.state, report.seen) == ("failed", "No such file or directory")


@pytest.mark.parametrize(
    ("required", "sent", "expected", "seen"),
    [
        ({"X-Frame-Options": ""}, {}, "response header X-Frame-Options", "no X-Frame-Options"),
        (
            {"X-Frame-Options": "^(deny|sameorigin)$"}, {"x-frame-options": "ALLOWALL"},
            "response header X-Frame-Options like '^(deny|sameorigin)$'", "X-Frame-Options: ALLOWALL",
        ),
    ],
)  # fmt: skip
async def test_required_headers(
    app: App, required: dict[str, str], sent: dict[str, str], expected: str, seen: str
) -> None:
    app.routes["/"] = Route(headers=sent)
    for where in ({"settings": CheckSettings(headers=required)}, {"options": {"headers": required}}):
        report = await check(app.target(), "security", **where)
        assert (report.state, report.expected, report.seen) == ("failed", expected, seen)
    app.routes["/"] = Route(headers={"X-Frame-Options": "Deny"})
    assert (await check(app.target(), "security", settings=CheckSettings(headers=required))).state == "passed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/.git/HEAD", b"ref: refs/heads/main\n"),
        ("/.git/config", b"[core]\n\tbare = false\n"),
        ("/.env", b"SECRET=hunter2\n"),
        ("/.env", b"\x00\x01binary"),
        ("/", b"<html><title>Index of /</title>"),
        ("/", b"<!DOCTYPE HTML><html><head><title>Directory listing for /</title>"),
        ("/static/", b"<h1>Index of /static</h1>"),
    ],
)
async def test_what_must_not_be_served(app: App, path: str, body: bytes) -> None:
    (app.folder / "static").mkdir()
    app.routes[path] = Route(body=body)
    report = await check(app.target(), "security")
    assert (report.state, report.where) == ("failed", f"GET {path}")
    assert "hunter2" not in report.model_dump_json()


async def test_an_app_that_answers_every_path_with_a_page(app: App) -> None:
    app.otherwise = Route(body=b"<html><p>Hello")
    assert (await check(app.target(), "security")).state == "passed"
    app.routes["/.env"] = Route(body=b"# settings\nexport API_KEY=hunter2\n")
    assert (await check(app.target(), "security")).where == "GET /.env"


def shaped(prefix: str, count: int, body: str = "Ab3") -> str:
    """A token of the right shape that never stands in this file as one."""
    return prefix + (body * count)[:count]


SECRETS: list[tuple[str, Callable[[], str], str]] = [
    ("key.pem", lambda: new_key().decode(), "a private key"),
    ("key.json", lambda: '{"k": "' + new_key().decode().replace("\n", "\\n") + '"}', "a private key"),
    ("a.py", lambda: f"key = '{shaped('AK' + 'IA', 16, 'AB3')}'", "an AWS access key"),
    ("a.py", lambda: shaped("gh" + "p_", 36), "a GitHub token"),
    ("a.py", lambda: shaped("github" + "_pat_", 40), "a GitHub token"),
    ("a.py", lambda: shaped("gl" + "pat-", 20), "a GitLab token"),
    ("a.py", lambda: shaped("xo" + "xb-", 30, "123"), "a Slack token"),
    ("a.py", lambda: shaped("xa" + "pp-1-", 30), "a Slack token"),
    ("a.py", lambda: "M" + shaped("", 25) + "." + shaped("", 6) + "." + shaped("", 38), "a Discord bot token"),
    ("a.py", lambda: shaped("sk" + "_live_", 24), "a Stripe key"),
    ("a.py", lambda: shaped("AI" + "za", 35), "a Google API key"),
    ("a.py", lambda: shaped("np" + "m_", 36), "an npm token"),
    (".env", lambda: "DEBUG=1\nDB_PASSWORD=hunter22\n", "a settings file with a secret"),
    ("prod.env", lambda: "DATABASE_URL=postgres://app:hunter22@db/x\n", "a settings file with a secret"),
]


@pytest.mark.parametrize(("name", "content", "kind"), SECRETS)
async def test_a_secret_in_a_file_is_named_and_not_shown(
    app: App, name: str, content: Callable[[], str], kind: str
) -> None:
    folder = app.folder / "deep" / "er"
    folder.mkdir(parents=True)
    text = content()
    (folder / name).write_text(f"one\n{text}\nthree\n")
    report = await check(app.target(), "security")
    assert (report.state, report.where) == ("failed", "the artifact's files")
    assert report.seen == f"deep/er/{name} looks like {kind}"
    shown = report.model_dump_json()
    assert not any(word in shown for word in text.split() if len(word) > 12)
    assert "hunter22" not in shown


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("parser.py", "HEADER = '-----BEGIN PRIVATE KEY-----'\n"),
        ("public.pem", "-----BEGIN PUBLIC KEY-----\n" + "A" * 64),
        (".env.example", "DB_PASSWORD=hunter22\n"),
        (".env", "DB_PASSWORD=\nAPI_KEY=$VAULT\nTOKEN=<yours>\nDEBUG=1\n"),
        ("readme.md", "set DB_PASSWORD=hunter22 or use AKIA as a prefix, and ghp_ too"),
    ],
)
async def test_what_is_no_secret(app: App, name: str, content: str) -> None:
    (app.folder / name).write_text(content)
    assert (await check(app.target(), "security")).state == "passed"


async def test_settings_may_leave_files_out_and_the_report_says_so(app: App) -> None:
    (app.folder / "test.pem").write_bytes(new_key())
    report = await check(app.target(), "security", {"ignore": ["*.pem"]})
    assert (report.state, report.warning) == ("passed", f"{OVER_HTTP}; 1 files were left out by settings")


async def test_many_secrets_make_one_line(app: App) -> None:
    for number in range(5):
        (app.folder / f"{number}.pem").write_bytes(new_key())
    report = await check(app.target(), "security")
    assert report.seen is not None
    assert report.seen.startswith("0.pem looks like a private key; 1.pem ")
    assert report.seen.endswith("; and 2 more")


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.pem"
    outside.write_bytes(new_key())
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "link.pem").symlink_to(outside)
    (artifact / "folder").symlink_to(tmp_path)
    os.mkfifo(artifact / "pipe")
    assert secrets.scan(artifact, (), lambda: False) == secrets.Scan((), 0, 0)


def test_reading_is_bounded_and_what_was_not_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"\x00" * (secrets.MAX_FILE + 1))
    (tmp_path / "small").write_bytes(b"\x00")
    assert secrets.scan(tmp_path, (), lambda: False).unread == 1


@pytest.mark.parametrize("before", [0, 256 * 1024 - 20, 256 * 1024 + 5, 3_000_000])
def test_a_secret_is_found_wherever_it_stands(before: int) -> None:
    token = shaped("gh" + "p_", 36).encode()
    assert secrets.kinds("dump", b" " * before + token + b" ") == ["a GitHub token"]


@pytest.mark.parametrize(
    "content", [b"\n" * 4_000_000, b"TOKEN" * 800_000, b"://a:" * 800_000, b"x" * 4_000_000, b"-----BEGIN A " * 300_000]
)
def test_a_file_made_to_be_slow_is_not(content: bytes) -> None:
    assert secrets.kinds(".env", content) == []


async def test_the_scanner_has_the_last_word(app: App) -> None:
    script = "pwd -P; echo '1 critical: CVE-2026-1' >&2; exit 1"
    found = CheckSettings(scanner=("/bin/sh", "-c", script))
    report = await check(app.target(), "security", settings=found)
    assert (report.state, report.where) == ("failed", "the scanner")
    assert report.seen == "exit status 1: 1 critical: CVE-2026-1"
    assert (await check(app.target(), "security", settings=CheckSettings(scanner=("true",)))).state == "passed"


async def test_everything_that_is_wrong_is_named(app: App) -> None:
    app.routes["/.env"] = Route(body=b"A=b")
    (app.folder / "key.pem").write_bytes(new_key())
    report = await check(app.target(), "security")
    assert report.where == "GET /.env"
    assert report.warning == f"also the artifact's files: key.pem looks like a private key; {OVER_HTTP}"
