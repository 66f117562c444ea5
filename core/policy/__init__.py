"""Who may do what, and what still stands between a deployment and production. Pure: facts in, sentences out."""

from core.policy.calendar import Holiday, Window
from core.policy.covers import Covers, ahead, counted, covers, queue, undone
from core.policy.frozen import free_again, freezes, frozen_until, left_out_still, not_undone, would_leave_out
from core.policy.gates import Gate, barriers, closed, earliest, gates, lifting, verdict_gate, vote_gates
from core.policy.roles import ANYWHERE, EVERY, Scope, admins, holds, may, names, roles_in, who_may
from core.policy.rules import CheckRule, Policy
from core.policy.votes import (
    Quorum,
    agreed,
    approvers,
    awaited,
    countersigners,
    emergency_counts,
    helpers,
    may_declare,
    may_vote,
    production,
    quorum,
    votes_that_count,
)  # fmt: skip

__all__ = [
    "ANYWHERE",
    "EVERY",
    "CheckRule",
    "Covers",
    "Gate",
    "Holiday",
    "Policy",
    "Quorum",
    "Scope",
    "Window",
    "admins",
    "agreed",
    "ahead",
    "approvers", "awaited",
    "barriers",
    "closed",
    "counted",
    "countersigners",
    "covers",
    "earliest",
    "emergency_counts",
    "free_again",
    "freezes",
    "frozen_until",
    "gates",
    "helpers",
    "holds",
    "left_out_still",
    "lifting",
    "may",
    "may_declare",
    "may_vote",
    "names",
    "not_undone",
    "production",
    "queue",
    "quorum",
    "roles_in",
    "undone",
    "verdict_gate",
    "vote_gates",
    "votes_that_count",
    "who_may",
    "would_leave_out",
]  # fmt: skip
