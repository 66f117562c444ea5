"""What a wait for approval does by the clock alone: those who are asked hear of it again, and others are asked too."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.events import ApproversReminded, DeploymentEvent, Escalated
from core.facts import Facts
from core.policy import Policy, awaited
from core.state import Deployment


def due(d: Deployment, policy: Policy) -> datetime | None:
    """When the next of these is due while `d` awaits approval; None where nothing more is."""
    return min((at for at in (_reminder(d, policy), _escalation(d, policy)) if at is not None), default=None)


def _reminder(d: Deployment, policy: Policy) -> datetime | None:
    if d.reminded or not policy.reminder_after:
        return None
    return d.stage_since + timedelta(seconds=policy.reminder_after)


def _escalation(d: Deployment, policy: Policy) -> datetime | None:
    """One group after another, each as long after the one before."""
    if not policy.escalate_after or d.escalated >= len(policy.escalate_to):
        return None
    return d.stage_since + timedelta(seconds=policy.escalate_after * (d.escalated + 1))


def elapsed(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """The reminder names those whose vote is still missing; an escalation those of its group: perhaps nobody."""
    missing = awaited(d, facts)
    found: list[DeploymentEvent] = []
    if _is_due(_reminder(d, facts.policy), facts):
        found.append(ApproversReminded(tuple(person.id for person in missing)))
    if _is_due(_escalation(d, facts.policy), facts):
        group = facts.policy.escalate_to[d.escalated]
        found.append(Escalated(group, tuple(person.id for person in missing if group in person.groups)))
    return tuple(found)


def _is_due(at: datetime | None, facts: Facts) -> bool:
    return at is not None and facts.now >= at
