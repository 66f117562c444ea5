"""Carries out one effect, and adds what came of it to what this pass has seen. No decisions here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from bot.attestations import signed
from core import effects as fx
from core.facts import ArtifactCopied, Facts, PackageSigned
from core.phases.push import manifest_facts
from core.ports import Agent, Agents, ArtifactProblem, ArtifactSource, ArtifactStore, ServerFault, Store
from core.release.signing import Signs, canonical
from core.state import Deployment, Server

Progress = Callable[[Deployment, str, int, int], None]
"""What is done of it (`Upload`), bytes done, bytes in all: for the card alone, never journaled."""


class Effects:
    def __init__(
        self, store: Store, agents: Agents, source: ArtifactSource, artifacts: ArtifactStore, signer: Signs,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._store = store
        self._agents = agents
        self._source = source
        self._artifacts = artifacts
        self._signer = signer
        self._progress = progress

    async def perform(self, effect: fx.Effect, seen: fx.Observed, facts: Facts) -> fx.Observed:
        """`seen` with the effect's answer. Raises ServerFault or ArtifactProblem."""
        match effect:
            case fx.Copy():
                return replace(seen, copied=await self._copy(effect, facts))
            case fx.Package():
                return replace(seen, package=await self._package(effect, facts))
            case fx.Look(place):
                return await self._look(place, seen, facts)
            case fx.Upload(place, digest):
                await self._agent(place, facts).upload(digest, self._report(facts))
                return replace(seen, uploaded=seen.uploaded | {(place, digest)})
            case fx.PutSlot(place, slot, release):
                state = await self._agent(place, facts).stage(slot, release)
                return replace(seen, slots={**seen.slots, place: state})
            case fx.Withdraw(place, slot):
                await self._agent(place, facts).withdraw(slot)
                return replace(seen, withdrawn=True)
            case fx.StartChecks(place, slot, wanted):
                report = await self._agent(place, facts).verify(slot, wanted)
                return replace(seen, reports={**seen.reports, wanted.run: report})
            case fx.LookReport(place, slot, run):
                found = await self._agent(place, facts).report(slot, run)
                return replace(seen, reports={**seen.reports, run: found})
            case fx.Desire(place, release):
                component = await self._agent(place, facts).desire(release)
                return replace(seen, components={**seen.components, place: component})
            case fx.Distribute():
                return await self._distribute(effect, seen, facts)
            case fx.Attest(unattested):
                return replace(seen, statement=signed(self._signer, unattested))
            case _:
                assert_never(effect)

    async def _look(self, place: str, seen: fx.Observed, facts: Facts) -> fx.Observed:
        try:
            state = await self._agent(place, facts).state()
        except ServerFault as fault:
            return _away(place, fault, seen)
        return replace(seen, states={**seen.states, place: state})

    async def _distribute(self, effect: fx.Distribute, seen: fx.Observed, facts: Facts) -> fx.Observed:
        """Asked again each time, it is the look at a region's mainframes too: one region does not wait for another."""
        agent = self._agent(effect.place, facts)
        try:
            fleet = await agent.distribute(
                effect.release, hold=effect.hold, order=effect.order, otherwise=effect.otherwise,
                left_out=effect.left_out,
            )  # fmt: skip
        except ServerFault as fault:
            return _away(effect.place, fault, seen)
        return replace(seen, distributions={**seen.distributions, effect.place: fleet})

    def _agent(self, place: str, facts: Facts) -> Agent:
        return self._agents.at(_server(place, facts))

    def _report(self, facts: Facts) -> Callable[[int, int], None]:
        d = facts.deployment
        return lambda done, total: self._progress(d, "Upload", done, total) if d else None

    async def _copy(self, effect: fx.Copy, facts: Facts) -> ArtifactCopied:
        files = [file for file in await self._source.find(effect.id) if file.name == effect.file]
        if not files:
            raise ArtifactProblem(f"{effect.file} is no longer on ALPHA")
        digest, size = await self._artifacts.add(self._source.read(files[0]), facts.policy.max_artifact_bytes)
        manifest = manifest_facts(await self._artifacts.manifest(digest))
        return ArtifactCopied(digest, size, manifest, tested=digest in await self._store.tested(effect.id))

    async def _package(self, effect: fx.Package, facts: Facts) -> PackageSigned:
        """Packaging: the bytes are still what people approved, and the statement that OMEGA will get is signed."""
        digest = effect.release.digest
        if digest is None or not await self._artifacts.verify(digest):
            raise ArtifactProblem("the stored artifact is no longer what was approved: its SHA-256 is another")
        statement = self._agent(effect.place, facts).statement(effect.release)
        return PackageSigned(hashlib.sha256(canonical(statement)).hexdigest())


def _away(place: str, fault: ServerFault, seen: fx.Observed) -> fx.Observed:
    """A server that does not answer now was seen too. Raises `fault` where asking again would not help."""
    if not fault.temporary:
        raise fault
    return replace(seen, away={**seen.away, place: str(fault)})


def _server(place: str, facts: Facts) -> Server:
    found = next((server for server in facts.servers if server.place == place), None)
    if found is None:
        raise ServerFault(f"{place} is no longer configured", temporary=False)
    return found
