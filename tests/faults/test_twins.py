"""A short form of what `make torture` does for minutes, on the bot alone: clocks, stores, disks, texts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bot.support.world import World, running
from tests.faults import garble
from tests.faults.ground import ROOT, until
from tests.faults.twins import clock_jumps, failing_stores

SEED = 20260302


async def test_a_journey_goes_on_whatever_the_clock_does() -> None:
    (await clock_jumps(12, SEED)).is_clean()


async def test_the_timer_goes_on_where_the_clock_was_put_back() -> None:
    async with running(World()) as world:
        await asyncio.sleep(0)
        job = world.app._scheduler.get_job("poll_verifications")
        job.modify(next_run_time=datetime.now(UTC) + timedelta(hours=1))
        world.clock.move(-3600)
        await until(lambda: job.next_run_time < datetime.now(UTC) + timedelta(minutes=1), "the timer does not wait")


async def test_a_journey_goes_on_whichever_call_of_the_store_fails() -> None:
    (await failing_stores(2)).is_clean()


def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    said = filled_up(tmp_path, 40_000)
    assert "failed, Our fault" in said
    assert "well again" in said


def filled_up(folder: Path, room: int) -> str:
    """What a bot says of which the database may grow by so many bytes only, and then without a limit."""
    command = [sys.executable, "-m", "tests.faults.full_disk", str(folder), str(room)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def test_hostile_texts_are_read_cleaned_and_shown() -> None:
    for tally in (garble.parser(3000, SEED), garble.cleaning(5000, SEED), garble.rendering(200, SEED)):
        tally.is_clean()
