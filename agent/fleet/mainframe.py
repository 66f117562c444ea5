"""A mainframe's loop: ask OMEGA what should run, bring it about, and prove it with a signed receipt.

Level-triggered: every round compares what OMEGA assigned with what the host runs and does the next missing thing, so a
cut or a crash anywhere is repaired by the round after it, and a mainframe that slept for a week goes straight to the
newest release. OMEGA only passes on what the bot signed; its own word moves nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from agent.changes import Changes
from agent.errors import Refused
from agent.fleet.backoff import Backoff
from agent.fleet.link import OmegaAwayError, OmegaConnection
from agent.fleet.outbox import PendingReceipt, ReceiptOutbox
from agent.fleet.ports import Host
from agent.fleet.progress import Phase, Wanted, arrived, claimed_generation, report
from agent.logs import get_logger
from agent.settings import AgentSettings, SettingsError, read_token
from core.release.signing import sign
from core.release.wire import Assignment, Assignments, ComponentState, MainframeReport, Receipt, Release

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

IDLE = 3600.0
"""Seconds after which a loop that waits for a change looks around anyway."""
log = get_logger(__name__)


@dataclass(frozen=True)
class Pace:
    """How often OMEGA is asked. Seconds."""

    wait: float = 50.0
    """How long OMEGA may hold a poll; below what proxies cut as idle."""
    settle: float = 0.1
    """How long changes here are gathered before they cut a poll short."""
    first_retry: float = 1.0
    slowest_retry: float = 60.0

    def backoff(self) -> Backoff:
        return Backoff(self.first_retry, self.slowest_retry)


class _SupersededError(Exception):
    """What was being fetched is no longer wanted."""


class Mainframe:
    """One mainframe. `run` returns only by being cancelled, and raises what nobody foresaw."""

    def __init__(
        self, name: str, host: Host, omega: OmegaConnection, signer: CryptoSigner, outbox: ReceiptOutbox, pace: Pace
    ) -> None:
        self._name = name
        self._host = host
        self._omega = omega
        self._signer = signer
        self._outbox = outbox
        self._pace = pace
        self._news = Changes()
        self._wanted: dict[str, Wanted] = {}
        self._phases: dict[str, Phase] = {}
        self._acknowledged: dict[str, tuple[int, str]] = {}
        self._pursuits: set[str] = set()

    async def run(self) -> NoReturn:
        """Poll, and pursue each component by itself: none waits for another's download."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_host(), name="mainframe-watch")
            await self._listen(tasks)
        raise AssertionError("the loop ended by itself")

    # -- listening --------------------------------------------------------------------------------------------------

    async def _watch_host(self) -> NoReturn:
        seen = self._host.changes.version
        while True:
            self._news.mark()
            seen = await self._host.changes.wait(seen, IDLE)

    async def _listen(self, tasks: asyncio.TaskGroup) -> NoReturn:
        backoff = self._pace.backoff()
        after = 0
        while True:
            try:
                answer = await self._poll(after)
            except (OmegaAwayError, Refused) as error:
                delay = backoff.delay()
                log.warning("poll failed", problem=str(error), next_in=round(delay, 1))
                await asyncio.sleep(delay)
                continue
            backoff.reset()
            if answer is not None:
                after = answer.version
                self._take(answer, tasks)

    async def _poll(self, after: int) -> Assignments | None:
        """OMEGA's answer; None where the reports changed meanwhile, so that the next poll brings the new ones."""
        reports = self._reports()
        asking = asyncio.create_task(self._omega.poll(after, self._pace.wait, reports))
        changed = asyncio.create_task(self._changed_from(reports))
        try:
            await asyncio.wait({asking, changed}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return await asking
            await changed
            return None
        finally:
            await _end(asking, changed)

    async def _changed_from(self, reports: tuple[MainframeReport, ...]) -> None:
        seen = self._news.version
        while self._reports() == reports:
            seen = await self._news.wait(seen, IDLE)
            await asyncio.sleep(self._pace.settle)

    def _take(self, answer: Assignments, tasks: asyncio.TaskGroup) -> None:
        """Assignments replace what was wanted: an empty list (no licence) leaves what runs alone."""
        before, self._wanted = self._wanted, {}
        for item in answer.items:
            wanted = self._believed(item)
            if wanted is None:
                continue
            known = before.get(item.component)
            self._wanted[item.component] = known if known == wanted else wanted
            if item.component not in self._pursuits:
                self._pursuits.add(item.component)
                tasks.create_task(self._pursue(item.component), name=f"mainframe-{item.component}")
        if self._wanted != before:
            self._news.mark()

    def _believed(self, item: Assignment) -> Wanted | None:
        """The assignment, if the bot signed exactly that; else it is reported, and nothing is done."""
        try:
            release = _meant_for(item.component, self._host.trusted(item.release))
        except Refused as error:
            log.warning("assignment refused", component=item.component, problem=str(error))
            problem = f"the mainframe refused what OMEGA assigned: {error}"
            self._set_phase(item.component, Phase(claimed_generation(item.release), "failed", problem))
            return None
        return Wanted(release, item.release)

    # -- bringing it about ------------------------------------------------------------------------------------------

    async def _pursue(self, component: str) -> NoReturn:
        backoff = self._pace.backoff()
        while True:
            seen = self._news.version
            wanted = self._wanted.get(component)
            here = self._bytes_here(wanted)
            try:
                if wanted is not None:
                    await self._advance(wanted)
            except _SupersededError:
                continue
            except (OmegaAwayError, Refused) as error:
                if self._bytes_here(wanted) > here:
                    backoff.reset()
                delay = backoff.delay()
                log.warning("not there yet", component=component, problem=str(error), next_in=round(delay, 1))
                self._note(wanted, error)
                await self._unless_superseded(component, wanted, delay)
            else:
                backoff.reset()
                await self._news.wait(seen, IDLE)

    async def _advance(self, wanted: Wanted) -> None:
        """Whatever is missing between the host and `wanted`, in order."""
        release = wanted.release
        state = self._state(release.component)
        if state is None or state.generation < release.generation:
            await self._fetch(wanted)
            state = await self._host.desire(release, wanted.envelope)
            self._set_phase(release.component, None)
        if arrived(state, release):
            await self._confirm(release, state)

    async def _fetch(self, wanted: Wanted) -> None:
        """The artifact, from where the last attempt left off. Its digest decides whether it is the one."""
        release = wanted.release
        artifacts = self._host.artifacts
        if release.digest is None or artifacts.complete(release.digest):
            return
        phase = self._phases.get(release.component)
        if phase is None or phase.generation != release.generation:
            self._set_phase(release.component, Phase(release.generation, "switching"))
        offset = artifacts.offset(release.digest)
        async with self._omega.artifact(release.digest, offset) as download:
            chunks = self._while_wanted(wanted, download.chunks)
            await artifacts.append(release.digest, offset, download.length, chunks)
        if not artifacts.complete(release.digest):
            raise OmegaAwayError("the download broke off")

    async def _while_wanted(self, wanted: Wanted, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            if self._wanted.get(wanted.release.component) is not wanted:
                raise _SupersededError
            yield chunk

    async def _confirm(self, release: Release, state: ComponentState) -> None:
        """Send the receipt until OMEGA has it. After a restart it is sent once more, should OMEGA have lost it."""
        about = (release.generation, release.nonce)
        if self._acknowledged.get(release.component) == about:
            return
        receipt = self._outbox.get(release.component, *about)
        if receipt is None:
            receipt = self._signed(release, state)
            self._outbox.put(receipt)
        counted = await self._omega.send_receipt(receipt.envelope)
        log.info("receipt sent", component=release.component, generation=release.generation, counted=counted)
        self._acknowledged[release.component] = about
        self._outbox.remove(release.component)

    def _signed(self, release: Release, state: ComponentState) -> PendingReceipt:
        receipt = Receipt(
            mainframe=self._name,
            component=release.component,
            digest=release.digest,
            generation=release.generation,
            deployment=release.deployment,
            attempt=release.attempt,
            nonce=release.nonce,
            healthy_at=state.since,
        )
        subjects = {release.component: release.digest} if release.digest else {}
        envelope = sign(self._signer, "receipt/v1", subjects, receipt)
        return PendingReceipt(
            component=release.component, generation=release.generation, nonce=release.nonce, envelope=envelope
        )

    async def _unless_superseded(self, component: str, wanted: Wanted | None, delay: float) -> None:
        """Wait `delay` seconds, or until something else is wanted: a new release need not sit out an old failure."""
        seen = self._news.version
        try:
            async with asyncio.timeout(delay):
                while self._wanted.get(component) is wanted:
                    seen = await self._news.wait(seen, IDLE)
        except TimeoutError:
            return

    # -- what is here -----------------------------------------------------------------------------------------------

    def _state(self, component: str) -> ComponentState | None:
        return next((one for one in self._host.components() if one.component == component), None)

    def _bytes_here(self, wanted: Wanted | None) -> int:
        return self._host.artifacts.offset(wanted.release.digest) if wanted and wanted.release.digest else 0

    def _note(self, wanted: Wanted | None, error: OmegaAwayError | Refused) -> None:
        """A refusal is a failure that OMEGA must show; OMEGA being away is not one of the release."""
        if wanted is not None and isinstance(error, Refused):
            release = wanted.release
            self._set_phase(release.component, Phase(release.generation, "failed", str(error)))

    def _set_phase(self, component: str, phase: Phase | None) -> None:
        if self._phases.get(component) == phase:
            return
        if phase is None:
            del self._phases[component]
        else:
            self._phases[component] = phase
        self._news.mark()

    def _reports(self) -> tuple[MainframeReport, ...]:
        """How everything stands here, the host's word first, then what this loop is at."""
        states = {state.component: state for state in self._host.components()}
        names = sorted({*states, *self._phases})
        return tuple(report(name, states.get(name), self._phases.get(name)) for name in names)


def _meant_for(component: str, release: Release) -> Release:
    """Raises Refused where a genuine statement is used for something else than it says."""
    if release.purpose != "desired" or release.component != component:
        raise Refused("refused", f"the statement is to {release.purpose} {release.component}, not to run {component}")
    return release


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel what is unfinished and see it off: a poll that is given up has nothing more to say."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_mainframe(settings: AgentSettings, host: Host, signer: CryptoSigner, pace: Pace = Pace()) -> NoReturn:
    """The loop of the mainframe that `settings` describe.

    Raises SettingsError: an unreadable token or `ca_file`, a token that would cross a network unencrypted, a damaged
    outbox.
    """
    assert settings.omega is not None  # settings of this role have it
    token = read_token(settings.omega.token_file)
    try:
        outbox = ReceiptOutbox(settings.data / "receipts.json")
        connection = OmegaConnection(settings.omega.url, token, settings.omega.ca_file)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    except OSError as error:
        raise SettingsError(f"omega.ca_file: cannot use {settings.omega.ca_file}: {error}") from error
    async with connection as omega:
        await Mainframe(settings.name, host, omega, signer, outbox, pace).run()
    raise AssertionError("the loop ended by itself")
