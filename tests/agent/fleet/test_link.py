"""A mainframe's connection to OMEGA: encrypted and verified, or not at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import trustme
from pydantic import SecretStr

from agent.fleet.backoff import Backoff
from agent.fleet.link import OmegaAwayError, OmegaConnection
from agent.fleet.outbox import PendingReceipt, ReceiptOutbox


@asynccontextmanager
async def answering(answer: bytes, certificate: trustme.LeafCert | None = None) -> AsyncIterator[int]:
    """A server that says `answer` to everyone; its port."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if certificate and context:
        certificate.configure_cert(context)
    server = await asyncio.start_server(say, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def http(status: str, body: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()


async def test_a_private_authority_is_a_file_and_nothing_else_is_believed(tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ours.pem")
    theirs.cert_pem.write_to_path(tmp_path / "theirs.pem")
    ok = http("200 OK", '{"version": 3, "items": []}')
    async with answering(ok, ours.issue_cert("127.0.0.1")) as port:
        url = f"https://127.0.0.1:{port}"
        async with OmegaConnection(url, SecretStr("t"), tmp_path / "ours.pem") as omega:
            assert (await omega.poll(0, 0, ())).version == 3
        for ca_file in (tmp_path / "theirs.pem", None):
            async with OmegaConnection(url, SecretStr("t"), ca_file) as omega:
                with pytest.raises(OmegaAwayError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
                    await omega.poll(0, 0, ())


async def test_a_certificate_for_another_name_is_not_believed(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with (
        answering(b"", authority.issue_cert("elsewhere.example")) as port,
        OmegaConnection(f"https://127.0.0.1:{port}", SecretStr("t"), tmp_path / "ca.pem") as omega,
    ):
        with pytest.raises(OmegaAwayError, match="certificate"):
            await omega.poll(0, 0, ())


def test_a_token_never_crosses_a_network_unencrypted() -> None:
    with pytest.raises(ValueError, match="use https"):
        OmegaConnection("http://omega.example:9101", SecretStr("t"))


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", "hello"),
        http("302 Found"),
        http("404 Not Found", "<html>"),
        http("502 Bad Gateway"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
async def test_whatever_is_no_omega_counts_as_away(answer: bytes) -> None:
    async with answering(answer) as port, OmegaConnection(f"http://127.0.0.1:{port}", SecretStr("t")) as omega:
        with pytest.raises(OmegaAwayError):
            await omega.poll(0, 0, ())


def test_backoff_grows_to_its_ceiling_and_never_in_step() -> None:
    backoff = Backoff(1, 60, Random(7))
    delays = [backoff.delay() for _ in range(9)]
    for delay, step in zip(delays, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=True):
        assert step / 2 <= delay <= step
    assert len(set(delays)) == 9
    backoff.reset()
    assert backoff.delay() <= 1


def test_the_outbox_outlives_the_process_and_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "receipts.json"
    first, second = (
        PendingReceipt(component="main", generation=n, nonce="nonce-of-it", envelope={"n": n}) for n in (1, 2)
    )
    ReceiptOutbox(path).put(first)
    assert ReceiptOutbox(path).get("main", 1, "nonce-of-it") == first
    assert ReceiptOutbox(path).get("main", 1, "another-nonce") is None
    ReceiptOutbox(path).put(second)
    assert ReceiptOutbox(path).get("main", 1, "nonce-of-it") is None
    assert path.stat().st_mode & 0o777 == 0o600
    ReceiptOutbox(path).remove("main")
    assert ReceiptOutbox(path).get("main", 2, "nonce-of-it") is None
    path.write_text("{")
    with pytest.raises(ValueError, match="remove it"):
        ReceiptOutbox(path)
