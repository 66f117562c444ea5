"""Verification runs on Public: asked for once, carried out check by check, reported over the agent's signature."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from agent.checks.context import CheckContext
from agent.checks.options import is_web_address, options_of
from agent.checks.progress import Progress, blank, closed
from agent.checks.records import Record, Records
from agent.checks.target import Target
from agent.errors import Refused
from agent.ownership import OwnKey
from agent.processes.kept import User
from agent.settings import CheckSettings
from core.release.signing import sign
from core.release.wire import VerificationState, VerificationWanted

REPORT = "verification/v1"
"""The name of the signed predicate."""


class Verifications:
    """Every run on this host. One at a time per slot; slots go on side by side, but for their performance checks."""

    def __init__(
        self,
        folder: Path,
        key: OwnKey,
        checks: CheckSettings,
        clock: Callable[[], datetime],
        run_as: User | None = None,
    ) -> None:
        """`run_as`: whom commands and the scanner run as; None is the agent's own user."""
        self._records = Records(folder)
        self._key = key
        self._checks = checks
        self._run_as = run_as
        self._clock = clock
        self._live: dict[str, Progress] = {}
        self._asking = asyncio.Lock()
        self._measuring = asyncio.Lock()
        """Held by the one performance check of the host: two at once would measure each other."""

    async def put(
        self, slot: str, run: int, wanted: VerificationWanted, target: Target, baseline: Target | None
    ) -> VerificationState:
        """Begin a run; the same body again answers how it stands. A newer run takes over from an unfinished one.

        Raises Refused: `bad_request` (it contradicts its address, or wrong options), `wrong_digest` (the slot runs
        something else), `conflict` (another body for this run, an older run, or another baseline than asked for).
        """
        _judge(slot, run, wanted)
        async with self._asking:
            known = self._known(slot, run)
            if known is not None:
                if known.wanted != wanted:
                    raise Refused("conflict", f"Run {run} of {slot} was asked for otherwise; ask for run {run + 1}")
                return self._state(known)
            baseline = _judged(wanted, target, baseline)
            latest = self._records.latest_run(slot)
            if run < latest:
                raise Refused("conflict", f"Run {latest} of {slot} is newer than run {run}; ask for run {latest + 1}")
            await self._end(slot, f"run {run} took over")
            record = Record(slot=slot, wanted=wanted, report=blank(wanted))
            await asyncio.to_thread(self._records.write, record)
            context = self._context(record, target, baseline)

            async def at_once() -> CheckContext:
                return context

            return self._state(self._begin(record, at_once))

    def get(self, slot: str, run: int) -> VerificationState | None:
        """How a run stands, signed now; None where there is no such run."""
        record = self._known(slot, run)
        return None if record is None else self._state(record)

    async def resume(
        self, target_of: Callable[[str], Awaitable[Target | None]], baseline_of: Callable[[str], Target | None]
    ) -> None:
        """After a restart of the agent: carry on with every unfinished run; checks that finished are not run again.

        `target_of` takes a slot and may wait until it is up again, after a reboot say; `baseline_of` takes a component.
        Where the slot is gone, runs something else or does not come up, the run has failed.
        """
        for record in await asyncio.to_thread(lambda: list(self._records.unfinished())):
            self._begin(record, partial(self._found_again, record, target_of, baseline_of))

    async def prune(self, is_known: Callable[[str], bool]) -> None:
        """Remove the finished runs of slots that this host no longer remembers."""
        for slot in await asyncio.to_thread(self._records.slots):
            live = self._live.get(slot)
            if not is_known(slot) and (live is None or live.record.report.finished):
                self._live.pop(slot, None)
                await asyncio.to_thread(self._records.remove, slot)

    async def stop(self, slot: str, reason: str) -> None:
        """End what runs on a slot, as when it is withdrawn; its open checks are skipped, with `reason`."""
        async with self._asking:
            await self._end(slot, reason)

    async def close(self) -> None:
        """Stop working. Unfinished runs stay unfinished on disk, for `resume`."""
        async with self._asking:
            for live in self._live.values():
                await live.cancel()

    def _known(self, slot: str, run: int) -> Record | None:
        live = self._live.get(slot)
        if live is not None and live.record.wanted.run == run:
            return live.record
        return self._records.read(slot, run)

    def _state(self, record: Record) -> VerificationState:
        subjects = {record.wanted.deployment: record.wanted.digest}
        return VerificationState(envelope=sign(self._key.signer, REPORT, subjects, record.report))

    async def _found_again(
        self,
        record: Record,
        target_of: Callable[[str], Awaitable[Target | None]],
        baseline_of: Callable[[str], Target | None],
    ) -> CheckContext | None:
        target = await target_of(record.slot)
        if target is None or target.digest != record.wanted.digest:
            return None
        baseline = baseline_of(target.manifest.component)
        same = baseline is not None and baseline.digest == record.wanted.baseline
        return self._context(record, target, baseline if same else None)

    def _context(self, record: Record, target: Target, baseline: Target | None) -> CheckContext:
        return CheckContext(target, baseline, record.wanted.address, self._checks, self._clock, self._run_as)

    def _begin(self, record: Record, find: Callable[[], Awaitable[CheckContext | None]]) -> Record:
        self._live[record.slot] = Progress(record, find, self._clock, self._records, self._measuring)
        return record

    async def _end(self, slot: str, reason: str) -> None:
        """Cancel the slot's run, and close what it leaves open."""
        live = self._live.get(slot)
        if live is None:
            return
        await live.cancel()
        if not live.record.report.finished:
            live.record = closed(live.record, "skipped", self._clock(), warning=reason)
            await asyncio.to_thread(self._records.write, live.record)


def _judge(slot: str, run: int, wanted: VerificationWanted) -> None:
    """Raises Refused("bad_request"): the body is for another slot or run, or a check cannot be carried out."""
    if slot != f"{wanted.deployment}.{wanted.attempt}" or run != wanted.run:
        asked = f"run {wanted.run} of {wanted.deployment}.{wanted.attempt}"
        raise Refused("bad_request", f"The body is for {asked}, but it was sent to run {run} of {slot}")
    names = [check.name for check in wanted.checks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refused("bad_request", f"Two checks are called {twice!r}; give each a name of its own")
    if not is_web_address(wanted.address):
        raise Refused("bad_request", "The address is no web address; expected Public's URL as you call it")
    for check in wanted.checks:
        options_of(check)


def _judged(wanted: VerificationWanted, target: Target, baseline: Target | None) -> Target | None:
    """The release to compare with, where the run wants one and it runs here. Raises Refused."""
    if target.digest != wanted.digest:
        seen = f"The slot runs {target.digest[:12]}…, not {wanted.digest[:12]}…"
        raise Refused("wrong_digest", f"{seen}; stage that release first")
    if wanted.baseline is None or baseline is None:
        return None
    if baseline.digest != wanted.baseline:
        seen = f"The baseline here is {baseline.digest[:12]}…, not production's {wanted.baseline[:12]}…"
        raise Refused("conflict", f"{seen}; make that the component's desired release here first")
    return baseline
