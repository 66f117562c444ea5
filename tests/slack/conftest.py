"""Slack on loopback, for every test of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.slack.peer.slack import Slack


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slack]:
    """A workspace with people. slack_sdk would go through a proxy of the machine even on loopback: there is none."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with Slack() as running:
        yield running
