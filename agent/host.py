"""The host: what is wanted here, what runs here, and the steps from one to the other."""

from __future__ import annotations

from agent.artifacts import ArtifactFolder
from agent.changes import Changes
from agent.checks.target import Target
from core.release.wire import ComponentState, EnvelopeJson, Release, SlotState


class Host:
    """Signatures for its neighbours (the body follows).

    `artifacts`: `agent.artifacts.ArtifactFolder`; `changes`: `agent.changes.Changes`, marked whenever the state of a
    component or slot changes.
    """

    artifacts: ArtifactFolder
    changes: Changes

    def trusted(self, envelope: EnvelopeJson) -> Release:
        """The release inside an envelope that a trusted bot key signed. Raises Refused("refused", …)."""
        raise NotImplementedError

    def components(self) -> tuple[ComponentState, ...]:
        """How every component stands here."""
        raise NotImplementedError

    def slots(self) -> tuple[SlotState, ...]:
        """Every staged slot."""
        raise NotImplementedError

    async def desire(self, release: Release, envelope: EnvelopeJson) -> ComponentState:
        """Make `release` (from `trusted`) its component's wanted one; persisted before anything is done.

        Returns at once; the switch goes on by itself and `changes` is marked. Raises Refused: `older_generation`,
        `conflict` (another digest at the same generation), `not_found` (the artifact is not complete here).
        """
        raise NotImplementedError

    def slot_target(self, slot: str) -> Target | None:
        """Where the checks find a healthy staged slot, or None."""
        raise NotImplementedError

    def current_target(self, component: str) -> Target | None:
        """Where the checks find what a component currently runs, or None."""
        raise NotImplementedError
