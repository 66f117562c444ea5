"""`ashat alpha test` on real updates: the agent, the slot and the checks are those of Public."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.store.sql import SqlStore
from bot import wiring
from bot.rehearsal import rehearse
from bot.settings import Settings, load
from core.ports import ArtifactProblem
from demo.updates import archive, updates


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "alpha").mkdir()
    for update in updates():
        if update.id in ("docs-v1.0.0", "fails-api"):
            (tmp_path / "alpha" / f"{update.id}.{update.format}").write_bytes(archive(update))
    (tmp_path / "config.toml").write_text("[checks.performance]\noptions = { requests = 50 }\n")
    return load(tmp_path / "config.toml")


async def recorded(settings: Settings, id: str) -> int:  # noqa: A002 - the word of the domain
    store = await SqlStore.open(settings.ashat.database_url.get_secret_value(), wiring.SystemClock())
    try:
        return len(await store.tested(id))
    finally:
        await store.close()


async def test_what_passes_is_recorded(settings: Settings) -> None:
    said: list[str] = []
    assert await rehearse(settings, "docs-v1.0.0", said.append)
    assert [line[0] for line in said if line.startswith("✅")] == ["✅"] * 6
    assert await recorded(settings, "docs-v1.0.0") == 1


async def test_what_fails_is_not_and_says_why(settings: Settings) -> None:
    said: list[str] = []
    assert not await rehearse(settings, "fails-api", said.append)
    assert [line for line in said if line.startswith("❌ API Endpoint Test: expected")]
    assert "nothing was recorded" in said[-1]
    assert await recorded(settings, "fails-api") == 0


async def test_what_alpha_has_not_is_refused(settings: Settings) -> None:
    with pytest.raises(ArtifactProblem, match="ALPHA has no v9"):
        await rehearse(settings, "v9", print)
