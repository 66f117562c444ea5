"""The twin's verifications: tests say how a check ends; how runs are asked for and reported is as Public does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from adapters.servers.memory_host import MemoryHost
from core.release.wire import CheckReport, Report, VerificationWanted

_OPEN = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class _Run:
    wanted: VerificationWanted
    checks: tuple[CheckReport, ...]

    @property
    def finished(self) -> bool:
        return all(check.state not in _OPEN for check in self.checks)

    def report(self) -> Report:
        return Report(
            digest=self.wanted.digest,
            deployment=self.wanted.deployment,
            attempt=self.wanted.attempt,
            run=self.wanted.run,
            nonce=self.wanted.nonce,
            finished=self.finished,
            checks=self.checks,
        )


class MemoryRuns:
    """Every run on this host. `endings` holds how a check ends that does not pass; `held` those that do not end."""

    def __init__(self, host: MemoryHost) -> None:
        self.endings: dict[str, dict[str, Any]] = {}
        self.held: set[str] = set()
        self._host = host
        self._runs: dict[str, dict[int, _Run]] = {}

    def put(self, slot: str, wanted: VerificationWanted) -> Report:
        release, staged = self._host.slot(slot) or (None, None)
        if slot != f"{wanted.deployment}.{wanted.attempt}":
            self._host.refuse(f"the body is for {wanted.deployment}.{wanted.attempt}, but it was sent to {slot}")
        if (known := self._runs.get(slot, {}).get(wanted.run)) and (staged is None or staged.status != "healthy"):
            return known.report()
        if release is None or staged is None or staged.status != "healthy":
            self._host.refuse(f"no healthy release is in the slot {slot}; stage it first")
        if staged.digest != wanted.digest:
            self._host.refuse(f"the slot runs {staged.digest[:12]}, not {wanted.digest[:12]}; stage that release first")
        runs = self._runs.setdefault(slot, {})
        if known is not None:
            if known.wanted != wanted:
                self._host.refuse(f"run {wanted.run} of {slot} was asked for otherwise; ask for run {wanted.run + 1}")
            return known.report()
        if (latest := max(runs, default=0)) > wanted.run:
            self._host.refuse(f"run {latest} of {slot} is newer than run {wanted.run}; ask for run {latest + 1}")
        self._judge_baseline(release.component, wanted)
        self.stop(slot, f"run {wanted.run} took over")
        runs[wanted.run] = _Run(wanted, tuple(CheckReport(name=check.name, state="waiting") for check in wanted.checks))
        self._host.took_hold("verify", slot, wanted.run)
        return runs[wanted.run].report()

    def get(self, slot: str, run: int) -> Report | None:
        known = self._runs.get(slot, {}).get(run)
        return known.report() if known else None

    def stop(self, slot: str, reason: str) -> None:
        """What still runs on the slot is over; its open checks are skipped."""
        for number, run in self._runs.get(slot, {}).items():
            checks = (
                check.model_copy(update={"state": "skipped", "warning": reason}) if check.state in _OPEN else check
                for check in run.checks
            )
            self._runs[slot][number] = replace(run, checks=tuple(checks))

    def work(self) -> None:
        """End every open check that is not held."""
        for runs in self._runs.values():
            for number, run in runs.items():
                if not run.finished:
                    runs[number] = replace(run, checks=tuple(map(self._ended, run.checks)))

    def _ended(self, check: CheckReport) -> CheckReport:
        if check.state not in _OPEN:
            return check
        now = self._host.now()
        started = {"started_at": check.started_at or now}
        if check.name in self.held:
            return check.model_copy(update={**started, "state": "running"})
        ending = self.endings.get(check.name, {"state": "passed"})
        return check.model_copy(update={**started, "finished_at": now, **ending})

    def _judge_baseline(self, component: str, wanted: VerificationWanted) -> None:
        current = self._host.component(component)
        if wanted.baseline is None or current is None or current.running in (None, wanted.baseline):
            return
        self._host.refuse(
            f"the baseline here is {str(current.running)[:12]}, not production's {wanted.baseline[:12]}; "
            "make that the component's desired release here first"
        )
