"""OMEGA's side of the fleet: accepts distributions, answers polls and takes receipts. Durable first, then told.

One object per OMEGA, in one event loop. Decisions are in agent.fleet.distributions, the people in
agent.fleet.registry, the file in agent.fleet.store.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.errors import Refused
from agent.fleet.distributions import (
    KEPT_GENERATIONS,
    SERVER_OWNER,
    Distribution,
    Ledger,
    Patience,
    Signed,
    SignedLeftOut,
    check_receipt,
    due,
    judge,
    state_of,
)
from agent.fleet.doorbell import Doorbell
from agent.fleet.ports import Now, StoredArtifacts, Trusted
from agent.fleet.registry import Licence, Registration, Registry
from agent.fleet.rows import (
    distribution_of,
    distribution_row,
    forgotten_distributions,
    grant_row,
    granted,
    receipt_row,
    remember,
    superseded_receipts,
)
from agent.fleet.store import Change, FleetStore
from agent.fleet.tables import DistributionRow, GrantRow, ReceiptRow, upsert
from agent.logs import get_logger
from core.release.signing import SignatureRefused, opened, public_key
from core.release.wire import (
    Assignment,
    Assignments,
    DistributionState,
    DistributionWanted,
    LeftOut,
    Mainframes,
    Poll,
    Receipt,
    Release,
)

_DIGEST = re.compile("[0-9a-f]{64}")
MAX_REPORTS = 100
"""Components that one mainframe may report on."""
log = get_logger(__name__)


class Fleet:
    """The mainframes of one OMEGA, and what they are to run. Made by `open`; `stop` it, then `close` it."""

    def __init__(
        self,
        store: FleetStore,
        registry: Registry,
        ledger: Ledger,
        artifacts: StoredArtifacts,
        trusted: Trusted,
        now: Now,
        patience: Patience,
    ) -> None:
        self._store = store
        self._registry = registry
        self._ledger = ledger
        self._artifacts = artifacts
        self._trusted = trusted
        self._now = now
        self._patience = patience
        self._bell = Doorbell()
        self._deciding = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        path: Path,
        licences: Sequence[Licence],
        artifacts: StoredArtifacts,
        trusted: Trusted,
        now: Now,
        patience: Patience,
    ) -> Fleet:
        """Open the registry at `path` and bring it in line with `licences`.

        Raises RegistryError, and ValueError where two mainframes share a token.
        """
        store = await FleetStore.open(path)
        try:
            contents = await store.contents()
            registry = await Registry.open(store, contents.mainframes, licences, now, patience.online_within)
            ledger = Ledger(distribution_of(row) for row in contents.distributions)
            remember(contents, registry, ledger)
        except BaseException:
            await store.close()
            raise
        return cls(store, registry, ledger, artifacts, trusted, now, patience)

    def stop(self) -> None:
        """Answer all open polls now, so that the server can shut down."""
        self._bell.close()

    async def close(self) -> None:
        self.stop()
        await self._registry.close()
        await self._store.close()

    # -- for the bot ------------------------------------------------------------------------------------------------

    def mainframes(self) -> Mainframes:
        return self._registry.listing()

    def distribution(self, component: str) -> DistributionState:
        """How far the newest distribution has come. Raises `Refused("not_found")` where there never was one."""
        newest = self._ledger.newest(component)
        if newest is None:
            raise Refused("not_found", f"nothing of {component} has been distributed from here yet")
        return state_of(newest, self._registry, self._now(), self._patience)

    async def distribute(self, component: str, wanted: DistributionWanted) -> DistributionState:
        """Take on a new generation, or a change of hold. Idempotent. Raises Refused, and then nothing changed."""
        offered = self._offered(component, wanted)
        async with self._deciding:
            current = self._ledger.newest(component)
            accepted = judge(current, offered)
            if accepted is not None:
                if current is None or current.generation != accepted.generation:
                    self._require_artifacts(accepted)
                await self._store.write(Change(upsert(DistributionRow), [distribution_row(accepted)]))
                self._ledger.put(accepted)
                for release in accepted.releases:
                    self._artifacts.claimed(release.digest)
                log.info(
                    "distribution", **_logged(accepted.release), hold=accepted.hold, order=accepted.order,
                    left_out=sorted(accepted.left_out.names) if accepted.left_out else [],
                )  # fmt: skip
                self._wake()
                await self._forget(component)
        return self.distribution(component)

    def digests_in_use(self) -> frozenset[str]:
        """Artifacts that a mainframe may still come for: OMEGA keeps them."""
        newest = {
            signed.release.digest
            for component in self._ledger.components()
            for tier in ("", SERVER_OWNER)
            if (one := self._ledger.newest(component, tier)) and (signed := one.for_tier(tier))
        }
        fetching = {grant.release.digest for one in self._registry for grant in one.unconfirmed()}
        return frozenset(digest for digest in newest | fetching if digest is not None)

    # -- for mainframes ---------------------------------------------------------------------------------------------

    async def poll(self, name: str, asked: Poll, gone: asyncio.Future[None]) -> Assignments:
        """What `name` is to run: as soon as it differs from what it knows, after `wait` seconds at the latest.

        `gone` is done once nobody listens to the answer any more. Waiting costs a future, and no query.
        """
        one = self._named(name)
        if len(asked.reports) > MAX_REPORTS:
            raise Refused("bad_request", f"a poll carries at most {MAX_REPORTS} reports, not {len(asked.reports)}")
        clock = asyncio.get_running_loop().time
        deadline = clock() + asked.wait
        with self._registry.polling(one, asked.reports):
            while not gone.done():
                await self._grant(one)
                left = deadline - clock()
                if one.version != asked.after or left <= 0 or self._bell.closed:
                    break
                with self._bell.listening(name) as bell:
                    await asyncio.wait({bell, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return self._assignments(one)

    async def receive(self, name: str, envelope: dict[str, Any]) -> bool:
        """Take a receipt; False where it is about what was given before, which is recorded but not counted.

        Raises Refused: `refused` where another signed or sent it, `conflict` where it is about something else.
        """
        one = self._named(name)
        receipt = _opened(one, envelope)
        counted = check_receipt(receipt, one)
        known = one.receipts.get(receipt.component)
        if counted and known is not None and known.generation == receipt.generation:
            return True
        await self._record(one, receipt, envelope, counted)
        if counted:
            one.count(receipt, envelope)
        log.info("receipt", mainframe=name, **_logged(receipt), counted=counted)
        return counted

    def artifact(self, name: str, digest: str) -> Path:
        """The file of an artifact that `name` was given. Raises Refused: not given to it, or not licensed."""
        one = self._named(name)
        if not one.licence.valid(self._now()):
            raise Refused("refused", f"{name} has no valid licence; its owner {one.licence.owner} can renew it")
        if all(grant.release.digest != digest for grant in one.grants.values()):
            raise Refused("not_found", f"no release with this digest was given to {name}; poll for what it should run")
        return self.held(digest)

    def held(self, digest: str) -> Path:
        """The file of a complete artifact. Raises `Refused("not_found")`."""
        if not _DIGEST.fullmatch(digest) or not self._artifacts.complete(digest):
            raise Refused("not_found", "the artifact is not on this OMEGA (any more); the bot can upload it again")
        return self._artifacts.path(digest)

    # -- steps ------------------------------------------------------------------------------------------------------

    def _named(self, name: str) -> Registration:
        one = self._registry.get(name)
        if one is None:
            raise Refused("unauthorised", f"{name} is not a mainframe of this OMEGA; add it to its settings")
        return one

    def _offered(self, component: str, wanted: DistributionWanted) -> Distribution:
        release = self._meant_for(component, wanted.release)
        otherwise = None
        if wanted.otherwise is not None:
            otherwise = Signed(self._meant_for(component, wanted.otherwise), wanted.otherwise)
            if release.level != SERVER_OWNER or otherwise.release.generation != release.generation:
                raise Refused(
                    "refused", "what the others are to run goes with a release of owner level, of the same generation"
                )
        left_out = self._left_out(release, wanted)
        return Distribution(release, wanted.release, wanted.hold, wanted.order, otherwise, left_out)

    def _left_out(self, release: Release, wanted: DistributionWanted) -> SignedLeftOut | None:
        if wanted.left_out is None:
            return None
        said = self._trusted(wanted.left_out, "left-out/v1", LeftOut)
        asked = (release.component, release.generation, wanted.order)
        if (said.component, said.generation, said.order) != asked:
            raise Refused("refused", "who is left out was signed for another component, generation or order than this")
        return SignedLeftOut(frozenset(said.mainframes), wanted.left_out)

    def _meant_for(self, component: str, envelope: dict[str, Any]) -> Release:
        release = self._trusted(envelope, "release/v1", Release)
        if release.purpose != "desired":
            raise Refused(
                "refused", f"the statement is for {release.purpose}, and only a desired release is distributed"
            )
        if release.component != component:
            raise Refused("refused", f"the statement is about {release.component}, and was sent for {component}")
        return release

    def _require_artifacts(self, distribution: Distribution) -> None:
        for digest in (release.digest for release in distribution.releases):
            if digest is not None and not self._artifacts.complete(digest):
                raise Refused("not_found", f"the artifact {digest[:12]} is not complete on this OMEGA; upload it first")

    def _wake(self) -> None:
        now = self._now()
        for name in self._bell.names():
            one = self._registry.get(name)
            if one is not None and due(self._ledger, one, now):
                self._bell.ring(name)

    async def _grant(self, one: Registration) -> None:
        """Give `one` what it is due. On disk before it is told: a hold that comes next must know who has it."""
        async with one.granting:
            now = self._now()
            news = due(self._ledger, one, now)
            if not news:
                return
            version = one.version + 1
            rows = [grant_row(one.name, distribution, version, now) for distribution in news]
            await self._store.write(Change(upsert(GrantRow), rows))
            for distribution in news:
                one.grants[distribution.release.component] = granted(distribution, one, version, now)
                log.info("granted", mainframe=one.name, **_logged(distribution.release))

    def _assignments(self, one: Registration) -> Assignments:
        grants = sorted(one.grants.items()) if one.licence.valid(self._now()) else ()
        items = tuple(Assignment(component=component, release=grant.envelope) for component, grant in grants)
        return Assignments(version=one.version, items=items)

    async def _record(self, one: Registration, receipt: Receipt, envelope: dict[str, Any], counted: bool) -> None:
        oldest = one.grants[receipt.component].release.generation - KEPT_GENERATIONS
        row = receipt_row(receipt, envelope, counted, self._now())
        await self._store.write(Change(upsert(ReceiptRow), [row]), superseded_receipts(receipt, oldest))

    async def _forget(self, component: str) -> None:
        given = {grant.release.generation for one in self._registry if (grant := one.grants.get(component))}
        gone = self._ledger.forget(component, given)
        if gone:
            await self._store.write(forgotten_distributions(component, gone))


def _opened(one: Registration, envelope: dict[str, Any]) -> Receipt:
    try:
        return opened(envelope, [public_key(one.licence.public_key)], "receipt/v1", Receipt)
    except SignatureRefused as error:
        raise Refused("refused", f"the receipt is not signed with {one.name}'s registered key: {error}") from error


def _logged(about: Release | Receipt) -> dict[str, Any]:
    return {
        "deployment": f"{about.deployment}#{about.attempt}",
        "component": about.component,
        "generation": about.generation,
        "digest": about.digest,
    }
