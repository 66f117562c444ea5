"""One configured server, asked over the agents' HTTP API; what it answers must be about what was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adapters.servers.failures import Declined, Garbled
from adapters.servers.link import Link
from adapters.servers.statements import left_out_statement, release_statement
from adapters.servers.texts import tidied
from adapters.servers.upload import upload
from core.ports import ArtifactProblem, ArtifactStore, Progress, ServerFault
from core.release.signing import SignatureRefused, Signs, opened, public_key
from core.release.wire import (
    About,
    ComponentState,
    DesiredWanted,
    DistributionState,
    DistributionWanted,
    EnvelopeJson,
    Mainframes,
    Registered,
    Release,
    Report,
    SlotState,
    SlotWanted,
    State,
    VerificationState,
    VerificationWanted,
)
from core.state import Server


class HttpAgent:
    """One server. Its reports must be signed with `key` (64 hexadecimal digits)."""

    def __init__(
        self, link: Link, server: Server, key: str | None, signer: Signs, older: Callable[[], Sequence[Signs]],
        store: ArtifactStore,
    ) -> None:  # fmt: skip
        self._link = link
        self._server = server
        self._key = key
        self._signer = signer
        self._older = older
        self._store = store

    async def about(self) -> About:
        return await self._link.ask("GET", "/v1/about", About, anyone=True)

    async def state(self) -> State:
        """Raises ServerFault also where an agent of another role answers: its state says nothing about this server."""
        state = await self._link.ask("GET", "/v1/state", State)
        if state.about.role != self._server.role:
            raise ServerFault(
                f"{self._link.name} is an agent of role {state.about.role}, expected {self._server.role}; "
                f"`deploy configure {self._server.role}` with the right address",
                temporary=False,
            )
        return state

    async def upload(self, digest: str, progress: Progress) -> None:
        try:
            path = Path(self._store.path(digest))
        except ArtifactProblem as problem:
            raise ServerFault(str(problem), temporary=False) from problem
        await upload(self._link, digest, path, progress)

    async def stage(self, slot: str, release: Release) -> SlotState:
        wanted = SlotWanted(release=self.statement(release))
        state = await self._link.ask("PUT", _path("slots", slot), SlotState, wanted)
        self._is_about((state.slot, state.digest), (slot, release.digest))
        return state

    async def withdraw(self, slot: str) -> None:
        """Done as well where there is no such slot."""
        try:
            await self._link.tell("DELETE", _path("slots", slot))
        except Declined as declined:
            if declined.kind != "not_found":
                raise

    async def desire(self, release: Release) -> ComponentState:
        wanted = DesiredWanted(release=self.statement(release))
        state = await self._link.ask("PUT", _path("desired", release.component), ComponentState, wanted)
        self._is_about((state.component, state.generation), (release.component, release.generation))
        return state

    async def verify(self, slot: str, wanted: VerificationWanted) -> Report:
        address = _path("verifications", slot, str(wanted.run))
        report = self._opened((await self._link.ask("PUT", address, VerificationState, wanted)).envelope)
        said = (report.digest, report.deployment, report.attempt, report.run, report.nonce)
        self._is_about(said, (wanted.digest, wanted.deployment, wanted.attempt, wanted.run, wanted.nonce))
        self._is_about(sorted(check.name for check in report.checks), sorted(check.name for check in wanted.checks))
        return report

    async def report(self, slot: str, run: int) -> Report | None:
        """None where the server knows no such run. Digest and nonce are for the caller to compare: it knows them."""
        try:
            state = await self._link.ask("GET", _path("verifications", slot, str(run)), VerificationState)
        except Declined as declined:
            if declined.kind == "not_found":
                return None
            raise
        report = self._opened(state.envelope)
        self._is_about((f"{report.deployment}.{report.attempt}", report.run), (slot, run))
        return report

    async def distribute(
        self,
        release: Release,
        *,
        hold: bool,
        order: int,
        otherwise: Release | None = None,
        left_out: Sequence[str] | None = None,
    ) -> DistributionState:
        others = self.statement(otherwise) if otherwise else None
        wanted = DistributionWanted(release=self.statement(release), otherwise=others, hold=hold, order=order)
        if left_out is not None:
            wanted = wanted.model_copy(update={"left_out": self._left_out(release, order, left_out)})
        state = await self._link.ask("PUT", _path("distributions", release.component), DistributionState, wanted)
        self._is_about((state.component, state.generation), (release.component, release.generation))
        return state

    async def distribution(self, component: str) -> DistributionState | None:
        try:
            state = await self._link.ask("GET", _path("distributions", component), DistributionState)
        except Declined as declined:
            if declined.kind == "not_found":
                return None
            raise
        self._is_about(state.component, component)
        return state

    async def mainframes(self) -> Sequence[Registered]:
        return (await self._link.ask("GET", "/v1/mainframes", Mainframes)).mainframes

    def _left_out(self, release: Release, order: int, names: Sequence[str]) -> dict[str, Any]:
        return left_out_statement(self._signer, release, order, names, self._older())

    def statement(self, release: Release) -> dict[str, Any]:
        return release_statement(self._signer, release, self._older())

    def _opened(self, envelope: EnvelopeJson) -> Report:
        configure = f"`deploy configure {self._server.role}` again if that agent was set up anew"
        if self._key is None:
            raise ServerFault(f"the key of {self._link.name} is not known yet; {configure}", temporary=False)
        try:
            return tidied(opened(envelope, [public_key(self._key)], "verification/v1", Report))
        except (SignatureRefused, ValueError) as error:
            raise ServerFault(
                f"the verification report is not signed with the key that {self._link.name} had when it was "
                f"configured; {configure}",
                temporary=False,
            ) from error

    def _is_about(self, said: object, asked: object) -> None:
        """Raises ServerFault where an answer is, whoever made it so, about something else than was asked."""
        if said != asked:
            raise Garbled(
                f"{self._link.name} answered about something else than it was asked; nothing of it was believed",
                temporary=False,
            )


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)
