"""The signed statements of completed deployments: made here, kept in the journal, found again and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.checkpoints import whole
from bot.keys import Trust
from core.attestation import PREDICATE, Attestation
from core.commands import split_id
from core.events import Attested
from core.facts import StatementSigned
from core.journal import fault_of
from core.ports import Store
from core.release.signing import SignatureRefused, Signs, digest_of, sign, subjects_of, verified


class NoStatement(Exception):
    """There is none to show or check. `str(error)` is one sentence."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement whose signature is right, and the ids of the keys that are on it."""

    says: Attestation
    keys: tuple[str, ...]


def signed(signer: Signs, unattested: Mapping[str, Any]) -> StatementSigned:
    """The same key makes the same envelope of the same facts, so that a second try states nothing else."""
    says = Attestation.model_validate(unattested)
    envelope = sign(signer, PREDICATE, {says.deployment: says.digest}, says)
    return StatementSigned(envelope, digest_of(envelope), signer.public_key.keyid)


def checked(envelope: Mapping[str, Any], trust: Trust) -> Stated:
    """Raises SignatureRefused: not by one of these keys, by one after it was retired, or about something else."""
    says, by = verified(dict(envelope), trust.keys, PREDICATE, Attestation)
    ends = [trust.retired.get(key) for key in by]
    if all(end is not None and says.completed_at > end for end in ends):
        raise SignatureRefused("the key that signed it was retired before the deployment was completed")
    if subjects_of(envelope) != {says.deployment: says.digest}:
        raise SignatureRefused("its subject is another artifact than the one it tells of")
    return Stated(says, tuple(sorted(by)))


async def found(store: Store, typed: str) -> dict[str, Any]:
    """The envelope of `v1` or `v1#2`, from its journal, whose chain is checked up to there. Raises NoStatement."""
    d = await store.deployment(*split_id(typed))
    if d is None:
        raise NoStatement(f"There is no deployment {typed}.")
    previous, expected = None, 1
    envelope: dict[str, Any] | None = None
    async for entry in whole(store, d.key):
        if fault := fault_of(entry, expected, previous):
            raise NoStatement(f"The journal of {d.name} was changed: {fault}.")
        previous, expected = entry.hash, entry.seq + 1
        if entry.kind == Attested.__name__:
            envelope = entry.data["envelope"]
    if envelope is None:
        raise NoStatement(f"{d.name} has no statement: it is {d.stage.words}, and one is made when it completes.")
    return envelope
