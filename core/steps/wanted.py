"""What servers are asked to run: the release of a deployment, and what a rollback returns to."""

from __future__ import annotations

from core.release.wire import Release
from core.stages import Stage
from core.state import Deployment, Level, ReleaseRef

Given = tuple[Release, Release | None]
"""What mainframes get, and what those get that its level does not reach."""

BACK = (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
"""Nothing blocks a rollback: where OMEGA cannot leave anybody out, it reaches those too that are frozen."""


def for_mainframes(d: Deployment) -> dict[str, Given]:
    """What its mainframes get by it, in each region."""
    if d.stage in BACK:
        return {region: (restored_release(d, ref), restored_for_others(d, ref)) for region, ref in d.restore}
    return dict.fromkeys(d.regions, (release_of(d), None))


def release_of(d: Deployment) -> Release:
    """What this deployment wants production to run."""
    return _desired(d, d.digest, d.id, d.attempt, d.manifest.level)


def _desired(d: Deployment, digest: str | None, id: str, attempt: int, level: Level) -> Release:  # noqa: A002 - see state
    return Release(
        purpose="desired", component=d.component, digest=digest, generation=d.generation, deployment=id,
        attempt=attempt, level=level, nonce=d.nonce, issued_at=d.stage_since,
    )  # fmt: skip


def restored_release(d: Deployment, ref: ReleaseRef | None) -> Release:
    """What a region returns to, under the rollback's generation. Mainframes that never had `d` get nothing by it."""
    if ref is None:
        return _desired(d, None, d.id, d.attempt, d.manifest.level)
    level = ref.level if d.manifest.level == "standard" else d.manifest.level
    return _desired(d, ref.digest, ref.id, ref.attempt, level)


def restored_for_others(d: Deployment, ref: ReleaseRef | None) -> Release | None:
    """Where `d` went to all and replaced a release of owner level, the others return to what they ran beneath that."""
    if d.manifest.level != "standard" or ref is None or ref.level == "standard":
        return None
    if ref.others is None:
        return _desired(d, None, d.id, d.attempt, "standard")
    return _desired(d, ref.others.digest, ref.others.id, ref.others.attempt, "standard")
