"""What follows an acknowledgement gives way to acknowledgements, and is neither lost nor forgotten."""

from __future__ import annotations

import asyncio

import pytest

from adapters.slack import tasks
from adapters.slack.tasks import Tasks
from tests.bot.support.world import until


async def note(done: list[str], what: str) -> None:
    done.append(what)


async def test_it_begins_in_order_once_nobody_waits_for_an_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_PATIENCE", 3600.0)
    work, done = Tasks(), list[str]()
    with work.hearing():
        for what in ("first", "second"):
            work.start(note(done, what))
        await asyncio.sleep(4 * tasks._LULL)
        assert done == []
        assert not work.idle
    await until(lambda: work.idle)
    assert done == ["first", "second"]


async def test_it_begins_all_the_same_where_deliveries_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_PATIENCE", 0.0)
    work, done = Tasks(), list[str]()
    with work.hearing():
        work.start(note(done, "first"))
        await until(lambda: done == ["first"])


async def test_what_cannot_wait_does_not() -> None:
    work, done = Tasks(), list[str]()
    with work.hearing():
        work.start_now(note(done, "form"))
        await until(lambda: done == ["form"])


async def test_a_stop_carries_out_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_PATIENCE", 3600.0)
    work, done = Tasks(), list[str]()
    with work.hearing():
        work.start(note(done, "first"))
        await work.stop()
    assert done == ["first"]
    assert work.idle


async def test_what_takes_too_long_is_left_to_the_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_GRACE", 0.0)
    work, done = Tasks(), list[str]()
    with work.hearing():
        work.start(note(done, "first"))
        await work.stop()
    assert done == []


async def test_a_few_begin_at_a_time_and_those_that_slack_keeps_waiting_hold_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "_AT_ONCE", 2)
    work, done, slow = Tasks(), list[str](), asyncio.Event()

    async def waits() -> None:
        done.append("slow")
        await slow.wait()

    for _ in range(2):
        work.start(waits())
    work.start(note(done, "next"))
    await until(lambda: len(done) == 2)
    assert done == ["slow", "slow"]
    await until(lambda: "next" in done)
    assert not work.idle
    slow.set()
    await until(lambda: work.idle)
