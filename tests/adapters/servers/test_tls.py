"""Certificates are checked by name, whatever address was connected to; a private authority is a file."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from core.ports import ServerFault
from tests.adapters.servers.conftest import Make, server
from tests.adapters.servers.peer import Handler, answers, peer
from tests.adapters.servers.samples import state

HONEST: Handler = answers(200, state())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def context_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.mark.parametrize("host", ["public.example", "127.0.0.1", "localhost"])
async def test_a_private_authority_is_trusted_where_settings_name_its_file(
    make: Make, authority: trustme.CA, ca_file: Path, host: str
) -> None:
    async with peer(HONEST, context_for(authority, host)) as one:
        url = one.at(host)
        assert await make(url, ca_file=ca_file).at(server(url)).state() == state()
        assert one.requests[0].headers["host"] == f"{host}:{one.port}"


async def test_an_unknown_authority_is_not_accepted(make: Make, authority: trustme.CA) -> None:
    async with peer(HONEST, context_for(authority, "public.example")) as one:
        url = one.at("public.example")
        agents = make(url)
        with pytest.raises(ServerFault, match="the certificate of staging was not accepted") as caught:
            await agents.at(server(url)).state()
        assert not caught.value.temporary
        assert one.requests == []
        found = await agents.probe(url)
        assert (found.kind, "certificate" in found.detail) == ("nothing", True)


async def test_a_certificate_of_another_name_is_not_accepted(make: Make, authority: trustme.CA, ca_file: Path) -> None:
    async with peer(HONEST, context_for(authority, "other.example", "127.0.0.1")) as one:
        url = one.at("public.example")
        with pytest.raises(ServerFault, match=r"not accepted: Hostname mismatch"):
            await make(url, ca_file=ca_file).at(server(url)).state()
        assert one.requests == []


def test_a_file_that_holds_no_certificates_is_named(make: Make, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match=rf"servers\.ca_file: .*{path.name}"):
            make(ca_file=path)
