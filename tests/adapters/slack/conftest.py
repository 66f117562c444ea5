"""Slack and a bot, for every test of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.slack.world import SlackWorld, workspace


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack_sdk would go through a proxy of the machine even on loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def world() -> AsyncIterator[SlackWorld]:
    """Over HTTP."""
    async with workspace() as running:
        yield running
