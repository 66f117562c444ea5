"""The playground on the demo's real servers: an update is clicked to production and back, and seen to get there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.cast import REGION
from demo.servers import Servers, start
from demo.session import Session, session
from tests.browser.windows import Window, chromium

BOUND = 300.0
"""Seconds, on a busy machine."""
FIRST, PATCH = "v1.2.2", "patch-v1.2.3"
MEMBERS = ("m1", "m2", "m3", "m4", "m5")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = start(tmp_path / "demo")
    try:
        yield servers
    finally:
        servers.stop()


@pytest.mark.timeout(BOUND)
async def test_an_update_is_clicked_to_production_and_back(servers: Servers) -> None:
    terminal = io.StringIO()
    async with session(servers, terminal, browser=True) as now, chromium() as browser:
        assert now.page is not None
        alice = await Window.opened(browser, now.page.link)
        bo = await Window.opened(browser, now.page.link, "bo")
        await configure(alice, servers)
        await deploy(alice, bo, FIRST, "Notes can be searched")
        await everywhere(alice, servers, FIRST)
        await alice.keep("demo-first")
        await deploy(alice, bo, PATCH, "Security fixes and performance improvements")
        await everywhere(alice, servers, PATCH)
        await bo.presses("Rollback", PATCH)
        await bo.answers("Rollback", "Only a drill")
        await alice.sees(PATCH, "Rolled back", "Only a drill")
        await everywhere(alice, servers, FIRST)
        await alice.keep("demo-rolled-back")
        await the_terminal_showed_it_too(now, terminal)
        await alice.close()
        await bo.close()
    async with session(servers, io.StringIO(), browser=True) as later, chromium() as browser:
        assert later.page is not None
        alice = await Window.opened(browser, later.page.link)
        await alice.sees(PATCH, "Rolled back")
        await alice.sees(FIRST, "Completed")
        await alice.close()


async def configure(window: Window, servers: Servers) -> None:
    await window.speaks_as("eve")
    await window.says(f"deploy configure public {servers.urls['public']} Staging")
    await window.says(f"deploy configure omega {servers.urls['omega']} Production --region {REGION}")
    await window.finds(f"omega/{REGION}", "Production, reachable")
    await window.speaks_as("alice")


async def deploy(alice: Window, bo: Window, update: str, description: str) -> None:
    """By clicks alone; `bo` sees it in a browser of their own, and approves."""
    await alice.page.locator("#new").click()
    dialog = alice.page.get_by_role("dialog")
    await dialog.locator("select").select_option(update)
    await dialog.get_by_label("Description").fill(description)
    await alice.answers("Push to Public")
    await alice.sees(update, "Staged", "Try it:")
    await alice.finds("public", update)
    await alice.presses("Verify", update)
    await bo.sees(update, "Awaiting approval", "Verification PASSED!")
    await bo.keep(f"demo-approve-{update}")
    await bo.presses("Approve", update)
    await bo.answers("Approve")
    await alice.sees(update, "Completed", "5 of 5 mainframes healthy")


async def everywhere(window: Window, servers: Servers, update: str) -> None:
    """What the picture shows is what the servers serve."""
    for place in (f"omega/{REGION}", *(f"mainframe/{REGION}/{name}" for name in MEMBERS)):
        await window.finds(place, update)
    async with httpx.AsyncClient(trust_env=False) as client:
        for name in ("omega", *MEMBERS):
            assert (await client.get(f"{servers.fronts[name]}/version")).json()["id"] == update


async def the_terminal_showed_it_too(now: Session, terminal: io.StringIO) -> None:
    assert now.page is not None
    text = terminal.getvalue()
    assert f"✅ Completed: {PATCH}" in text
    assert f"↩️ Rolled back: {PATCH}" in text
    assert now.page.link.partition("#")[2] not in text
