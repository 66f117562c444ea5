"""Those who are asked for their vote hear of it again, once: what a wait for approval does by the clock alone.

An escalation, to whoever is asked next, is another such deadline: `due` gives the earliest, `elapsed` what it leads to.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from core.events import ApproversReminded, DeploymentEvent
from core.facts import Facts
from core.policy import Policy, awaited
from core.state import Deployment


def due(d: Deployment, policy: Policy) -> datetime | None:
    """When the next of these is due while `d` awaits approval; None where nothing more is."""
    if d.reminded or not policy.reminder_after:
        return None
    return d.stage_since + timedelta(seconds=policy.reminder_after)


def elapsed(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """The reminder, which names those whose vote is still missing: nobody where nobody else may vote."""
    return (ApproversReminded(tuple(person.id for person in awaited(d, facts))),)
