"""What the bot states of a completed deployment: an in-toto statement over its digest, with the facts that led there.

The facts are taken at the moment of completion, in the same fold of events; signing them comes after, as a duty. The
bot attests what it checked and which clicks the platforms authenticated to it. It is nobody's personal signature.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from math import isfinite
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.release.wire import Digest
from core.state import PUBLIC, Deployment

PREDICATE = "deployment/v1"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckStated(_Part):
    name: str
    kind: str
    result: str
    required: bool
    expected: str | None
    seen: str | None
    where: str | None
    warning: str | None
    measured: dict[str, float]


class VerificationStated(_Part):
    run: int
    requested_by: str
    started_at: datetime
    finished_at: datetime | None
    valid_until: datetime | None
    checks: tuple[CheckStated, ...]


class VoteStated(_Part):
    """A click or a typed command that the person's platform authenticated; `covers` fingerprints what it was for."""

    person: str
    at: datetime
    run: int
    digest: Digest
    covers: str


class LeftOutStated(_Part):
    """A mainframe that was frozen when the lane was taken, so that nothing of this reached it."""

    mainframe: str
    by: str
    why: str
    until: datetime | None


class RegionStated(_Part):
    """One OMEGA, and how many of its mainframes by status, as it told: healthy are those whose signed receipt for this
    generation it has verified."""

    region: str
    replaced: str | None
    """The digest that ran there before."""
    receipts: Annotated[int, Field(ge=0)]
    mainframes: dict[str, int]
    left_out: tuple[LeftOutStated, ...] = ()


class Attestation(_Part):
    """Predicate `deployment/v1`: this digest was pushed, verified, approved and brought to production like this."""

    deployment: str
    attempt: int
    component: str
    level: str
    digest: Digest
    description: str
    pushed_by: str
    pushed_at: datetime
    verification: VerificationStated
    votes: tuple[VoteStated, ...]
    generation: int
    regions: tuple[RegionStated, ...]
    completed_at: datetime


def attestation(d: Deployment, at: datetime) -> Attestation:
    """Of `d`, which completes at `at`. Raises ValueError where it never had a digest or a verification."""
    if d.digest is None or d.verification is None:
        raise ValueError(f"{d.key} completes without a digest that was verified")
    run = d.verification
    return Attestation(
        deployment=d.id,
        attempt=d.attempt,
        component=d.component,
        level=d.manifest.level,
        digest=d.digest,
        description=d.description,
        pushed_by=d.pusher,
        pushed_at=d.pushed_at,
        verification=VerificationStated(
            run=run.run,
            requested_by=run.requested_by,
            started_at=run.started_at,
            finished_at=run.finished_at,
            valid_until=run.valid_until,
            checks=tuple(
                CheckStated(
                    name=check.name, kind=check.kind, result=check.state, required=check.required,
                    expected=check.expected, seen=check.seen, where=check.where, warning=check.warning,
                    measured={name: value for name, value in check.measured.items() if isfinite(value)},
                )
                for check in run.checks
            ),
        ),
        votes=tuple(
            VoteStated(person=vote.person, at=vote.at, run=vote.run, digest=vote.digest, covers=vote.covers)
            for vote in d.votes
        ),
        generation=d.generation,
        regions=_regions(d),
        completed_at=at,
    )  # fmt: skip


def _regions(d: Deployment) -> tuple[RegionStated, ...]:
    found = []
    for place in d.placements:
        if place.server != PUBLIC:
            region = place.server.removeprefix("omega/")
            counts = Counter[str](one.status for one in d.mainframes if one.region == region)
            replaced = place.replaced.digest if place.replaced else None
            frozen = (one for one in d.left_out if one.region == region)
            left_out = tuple(
                LeftOutStated(mainframe=one.name, by=one.by, why=one.why, until=one.until) for one in frozen
            )
            found.append(RegionStated(region=region, replaced=replaced, receipts=counts["healthy"],
                                      mainframes=dict(sorted(counts.items())), left_out=left_out))  # fmt: skip
    return tuple(found)
