"""One verification run under way: its checks one after the other, each result on disk before the next begins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from agent.checks.context import CheckContext, Place
from agent.checks.records import Record, Records
from core.release.wire import CheckReport, CheckState, CheckWanted, Report, VerificationWanted

log = logging.getLogger(__name__)

OPEN: frozenset[CheckState] = frozenset({"waiting", "running"})
"""States of a check that has still to end."""


class Progress:
    """Carries out what is open of a record. `record` is always the newest state, whatever is on disk yet.

    `find` answers the checks' surroundings once the release is up, or None where it will not be.
    """

    def __init__(
        self,
        record: Record,
        find: Callable[[], Awaitable[CheckContext | None]],
        clock: Callable[[], datetime],
        records: Records,
        measuring: asyncio.Lock,
    ) -> None:
        self.record = record
        self._find = find
        self._clock = clock
        self._records = records
        self._measuring = measuring
        self._task = asyncio.create_task(self._carry_out())

    async def cancel(self) -> None:
        """Stop at once, the running check's processes included, and wait until that is done."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _carry_out(self) -> None:
        try:
            context = await self._find()
            if context is None:
                await self._close_without_release()
                return
            for index in running_order(self.record.wanted.checks):
                if self.record.report.checks[index].state in OPEN:
                    await self._one(index, context)
        except Exception as error:
            log.exception("run %s of %s cannot go on", self.record.wanted.run, self.record.slot)
            seen = f"a fault of the agent ({type(error).__name__}); its log says more"
            self.record = closed(self.record, "failed", self._clock(), expected="a run that can be recorded", seen=seen)

    async def _close_without_release(self) -> None:
        missing = "no such release in the slot after a restart of the agent"
        ended = closed(self.record, "failed", self._clock(), expected="the release in its slot", seen=missing)
        await self._write(ended)
        self.record = ended

    async def _one(self, index: int, context: CheckContext) -> None:
        """A performance check waits, outside its deadline, until no other one runs on this host."""
        if self.record.wanted.checks[index].kind == "performance":
            async with self._measuring:
                await self._run(index, context)
        else:
            await self._run(index, context)

    async def _run(self, index: int, context: CheckContext) -> None:
        """A result is shown once it is on disk: nobody acts on what a crash would take back."""
        from agent.checks.run import run_check  # the checks' HTTP client doubles the time in which an agent starts

        wanted = self.record.wanted.checks[index]
        now = self._clock()
        self.record = with_check(self.record, index, CheckReport(name=wanted.name, state="running", started_at=now))
        report = await run_check(replace(context, place=Place()), wanted)
        done = with_check(self.record, index, report)
        await self._write(done)
        self.record = done

    async def _write(self, record: Record) -> None:
        """A cancelled run still waits for its write: a late one would overtake what is written next."""
        writing = asyncio.create_task(asyncio.to_thread(self._records.write, record))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing
            raise


def running_order(checks: Sequence[CheckWanted]) -> list[int]:
    """Indexes as wanted, but performance last: nothing else of the run is to disturb its measurements."""
    return sorted(range(len(checks)), key=lambda index: checks[index].kind == "performance")


def blank(wanted: VerificationWanted) -> Report:
    """The report of a run before its first check."""
    return Report(
        digest=wanted.digest,
        deployment=wanted.deployment,
        attempt=wanted.attempt,
        run=wanted.run,
        nonce=wanted.nonce,
        finished=False,
        checks=tuple(CheckReport(name=check.name, state="waiting") for check in wanted.checks),
    )


def closed(
    record: Record,
    state: CheckState,
    now: datetime,
    *,
    expected: str | None = None,
    seen: str | None = None,
    warning: str | None = None,
) -> Record:
    """The record with every open check ended in `state`, for a reason that lies outside the checks."""
    where = None if expected is None else record.slot
    end = {"state": state, "expected": expected, "seen": seen, "where": where, "warning": warning, "finished_at": now}
    checks = record.report.checks
    return with_checks(
        record, tuple(check.model_copy(update=end) if check.state in OPEN else check for check in checks)
    )


def with_check(record: Record, index: int, report: CheckReport) -> Record:
    """The record with another report for one of its checks."""
    before = record.report.checks
    return with_checks(record, (*before[:index], report, *before[index + 1 :]))


def with_checks(record: Record, checks: tuple[CheckReport, ...]) -> Record:
    """The record with these checks; it is finished once none of them is open."""
    finished = all(check.state not in OPEN for check in checks)
    report = record.report.model_copy(update={"checks": checks, "finished": finished})
    return record.model_copy(update={"report": report})
