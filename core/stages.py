"""The stages of a deployment, and which act leads from which to which: one table; what is not in it is refused."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    PLANNED = "planned"
    STAGING = "staging"
    STAGED = "staged"
    VERIFYING = "verifying"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    DEPLOYING = "deploying"
    DISTRIBUTING = "distributing"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


class Act(StrEnum):
    """What moves a deployment: a person's command, or what was observed (an outcome)."""

    VERIFY = "verify"
    APPROVE = "approve"
    UNAPPROVE = "unapprove"
    REJECT = "reject"
    CANCEL = "cancel"
    RETRY = "retry"
    ROLLBACK = "rollback"
    PAUSE = "pause"
    RESUME = "resume"
    FIXED = "artifact fixed"
    STAGED = "slot healthy"
    PASSED = "checks passed"
    FAILED = "failed"
    VOIDED = "votes fell"
    LANE = "lane taken"
    SWITCHED = "every region switched"
    DISTRIBUTED = "receipts complete"
    RESTORED = "restored"


S = Stage
BEFORE_OMEGA = frozenset(
    {S.PLANNED, S.STAGING, S.STAGED, S.VERIFYING, S.AWAITING_APPROVAL, S.SCHEDULED},
)
ENDED = frozenset({S.COMPLETED, S.REJECTED, S.CANCELLED, S.ROLLED_BACK})
MOVING = frozenset({S.PLANNED, S.STAGING, S.VERIFYING, S.SCHEDULED, S.DEPLOYING, S.DISTRIBUTING, S.ROLLING_BACK})
"""Stages in which Ashat itself has something to do; in the others it waits for a person."""
ON_ITS_WAY = MOVING - {S.VERIFYING}
"""Stages in which something is on its way to a server, or back; what is verified is there."""

TRANSITIONS: dict[Act, dict[Stage, Stage]] = {
    Act.FIXED: {S.PLANNED: S.STAGING},
    Act.STAGED: {S.STAGING: S.STAGED},
    Act.VERIFY: {
        S.PLANNED: S.PLANNED,
        S.STAGING: S.STAGING,
        S.STAGED: S.VERIFYING,
        S.VERIFYING: S.VERIFYING,
        S.AWAITING_APPROVAL: S.VERIFYING,
        S.FAILED: S.VERIFYING,
    },
    Act.PASSED: {S.VERIFYING: S.AWAITING_APPROVAL},
    Act.APPROVE: {S.AWAITING_APPROVAL: S.SCHEDULED, S.SCHEDULED: S.SCHEDULED},
    Act.UNAPPROVE: {S.AWAITING_APPROVAL: S.AWAITING_APPROVAL, S.SCHEDULED: S.AWAITING_APPROVAL},
    Act.VOIDED: {S.AWAITING_APPROVAL: S.AWAITING_APPROVAL, S.SCHEDULED: S.AWAITING_APPROVAL},
    Act.LANE: {S.SCHEDULED: S.DEPLOYING},
    Act.SWITCHED: {S.DEPLOYING: S.DISTRIBUTING},
    Act.DISTRIBUTED: {S.DISTRIBUTING: S.COMPLETED},
    Act.REJECT: {S.AWAITING_APPROVAL: S.REJECTED, S.SCHEDULED: S.REJECTED},
    Act.CANCEL: {**dict.fromkeys(BEFORE_OMEGA, S.CANCELLED), S.FAILED: S.CANCELLED},
    Act.FAILED: {
        **dict.fromkeys((S.PLANNED, S.STAGING, S.VERIFYING, S.DEPLOYING, S.DISTRIBUTING), S.FAILED),
        S.ROLLING_BACK: S.ROLLBACK_FAILED,
    },
    Act.RETRY: {S.FAILED: S.STAGING},
    Act.ROLLBACK: {
        **dict.fromkeys(
            (
                S.STAGED, S.VERIFYING, S.AWAITING_APPROVAL, S.SCHEDULED, S.DEPLOYING, S.DISTRIBUTING,
                S.COMPLETED, S.FAILED, S.ROLLBACK_FAILED,
            ),
            S.ROLLING_BACK,
        ),
    },
    Act.RESTORED: {S.ROLLING_BACK: S.ROLLED_BACK},
    Act.PAUSE: {stage: stage for stage in (S.SCHEDULED, S.DEPLOYING, S.DISTRIBUTING)},
    Act.RESUME: {stage: stage for stage in (S.SCHEDULED, S.DEPLOYING, S.DISTRIBUTING)},
}  # fmt: skip
"""`retry` leads back to the stage it failed in (staging, deploying or distributing); the table shows the first."""

RETRYABLE = frozenset({S.PLANNED, S.STAGING, S.DEPLOYING, S.DISTRIBUTING})

HELPS: dict[Stage, str] = {
    S.PLANNED: "cancel {id}",
    S.STAGING: "cancel {id}",
    S.STAGED: "verify {id}",
    S.VERIFYING: "status {id}",
    S.AWAITING_APPROVAL: "approve {id}",
    S.SCHEDULED: "status {id}",
    S.DEPLOYING: "status {id}",
    S.DISTRIBUTING: "status {id}",
    S.COMPLETED: "rollback {id}",
    S.REJECTED: "show {id}",
    S.CANCELLED: "show {id}",
    S.FAILED: "retry {id}",
    S.ROLLING_BACK: "status {id}",
    S.ROLLED_BACK: "show {id}",
    S.ROLLBACK_FAILED: "rollback {id}",
}
"""The command that helps next, for a refusal in that stage."""


_EDGES = frozenset((source, target) for table in TRANSITIONS.values() for source, target in table.items()) | frozenset(
    (Stage.FAILED, stage) for stage in RETRYABLE
)


def connected(source: Stage, target: Stage) -> bool:
    """Whether any act leads from `source` to `target`."""
    return source is target or (source, target) in _EDGES


def legal(stage: Stage) -> frozenset[Act]:
    """The acts that are possible in `stage`."""
    return frozenset(act for act, table in TRANSITIONS.items() if stage in table)


def diagram() -> str:
    """The table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", "    [*] --> planned: push"]
    edges: dict[tuple[Stage, Stage], list[str]] = {}
    for act, table in TRANSITIONS.items():
        for source, target in table.items():
            if source is not target:
                edges.setdefault((source, target), []).append(act.value)
    order = list(Stage)
    rows = sorted(edges.items(), key=lambda edge: (order.index(edge[0][0]), order.index(edge[0][1])))
    lines += [f"    {source} --> {target}: {', '.join(acts)}" for (source, target), acts in rows]
    lines += [f"    {stage} --> [*]" for stage in Stage if stage in ENDED]
    return "\n".join(lines) + "\n"
