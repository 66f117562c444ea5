"""The team's rules, as settings have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.people import Grant
from core.policy.calendar import Closure, Holiday, Window, closures
from core.routing import Route
from core.state import Check


@dataclass(frozen=True, slots=True)
class CheckRule:
    """One check as settings have it. Empty `components` means all of them."""

    name: str
    kind: str
    timeout: float
    options: dict[str, Any] = field(default_factory=dict)
    components: tuple[str, ...] = ()


_Scoped = CheckRule | Grant | Window | Holiday | Route


@dataclass(frozen=True, slots=True)
class Policy:
    """The team's rules, from settings. Durations in seconds."""

    checks: tuple[CheckRule, ...] = ()
    minimum_checks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Component to the checks that must have run and passed: standard ones by kind, added ones by name."""
    default_minimum: tuple[str, ...] = ()
    """The same for components that `minimum_checks` does not name."""
    grants: tuple[Grant, ...] = ()
    """Roles beside those that people hold everywhere."""
    quorum: int = 1
    quorum_by_component: dict[str, int] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    """Groups that must be among the votes, each by another person."""
    groups_by_component: dict[str, tuple[str, ...]] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    homes: tuple[str, ...] = ()
    """Each chat's home channel: what concerns production as a whole is told there, wherever it was said."""
    own_push: bool = False
    countersign_within: float = 86_400
    """Also how long the first of two who agree to an irreversible rollback waits for the second."""
    verification_timeout: float = 600
    verification_ttl: float = 86_400
    staging_timeout: float = 600
    deploy_timeout: float = 600
    receipt_timeout: float = 300
    watch: float = 900
    reminder_after: float = 0
    """When approvers are asked a second time; 0 for never."""
    escalate_after: float = 0
    """When the next group of `escalate_to` is asked; 0 for never."""
    escalate_to: tuple[str, ...] = ()
    max_failed_mainframes: int = 1
    max_active_per_person: int = 10
    max_artifact_bytes: int = 4 << 30
    max_staged_bytes: int = 16 << 30
    allow_http_omega: bool = False
    min_platform_version: str | None = None
    routes: tuple[Route, ...] = ()
    """Channels that get the cards besides the one in which a deployment began."""

    @property
    def highest_quorum(self) -> int:
        """The most votes that any component asks for."""
        named = (self.quorum_for(name) for name in (*self.quorum_by_component, *self.groups_by_component))
        return max([self.quorum, len(self.groups), *named])

    @property
    def components(self) -> frozenset[str]:
        """All that settings name."""
        scoped: tuple[_Scoped, ...] = (*self.checks, *self.grants, *self.windows, *self.holidays, *self.routes)
        tables = (self.minimum_checks, self.quorum_by_component, self.groups_by_component)
        return frozenset().union(*tables, *(one.components for one in scoped))

    def checks_for(self, component: str) -> tuple[Check, ...]:
        """The checks of a run, in the order shown. A minimum check is required: not applicable counts as failed."""
        minimum = self.minimum_checks.get(component, self.default_minimum)
        return tuple(
            Check(rule.name, rule.kind, rule.timeout, rule.options, rule.kind in minimum or rule.name in minimum)
            for rule in self.checks
            if not rule.components or component in rule.components
        )

    def closures(self, component: str, now: datetime) -> list[Closure]:
        """What in the calendar forbids a change of the component's production now."""
        return closures(self.windows, self.holidays, component, now)

    def window(self, name: str | None) -> Window | None:
        return next((window for window in self.windows if window.name == name), None)

    def groups_for(self, component: str) -> tuple[str, ...]:
        return self.groups_by_component.get(component, self.groups)

    def quorum_for(self, component: str) -> int:
        """How many different people must agree; each required group is one of them."""
        return max(self.quorum_by_component.get(component, self.quorum), len(self.groups_for(component)))
