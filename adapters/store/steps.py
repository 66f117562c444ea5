"""Which steps are measured, for estimates: a stage that was left because it was done, not because it failed."""

from __future__ import annotations

from core.stages import ENDED, Stage
from core.state import Deployment

_NO_STEP = ENDED | {Stage.FAILED, Stage.ROLLBACK_FAILED}
_CUT_SHORT = frozenset({Stage.FAILED, Stage.ROLLBACK_FAILED, Stage.CANCELLED, Stage.REJECTED, Stage.ROLLING_BACK})


def measured(before: Deployment | None, after: Deployment) -> tuple[str, float] | None:
    """The name of the stage that `after` has finished since `before`, and its seconds."""
    if before is None or before.stage is after.stage or before.stage in _NO_STEP or after.stage in _CUT_SHORT:
        return None
    return before.stage.value, (after.stage_since - before.stage_since).total_seconds()
