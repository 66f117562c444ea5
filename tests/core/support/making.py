"""Deployments in every stage, each folded from the events that lead there, and the facts around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core import events as e
from core.evolve import evolve, evolve_lane
from core.facts import ASHAT, Facts
from core.people import Person
from core.policy import Policy, covers
from core.stages import Stage
from core.state import Check, Deployment, Lane, ManifestFacts, Plan, ReleaseRef, Server
from tests.core.support.team import ALICE, BO, CY, EVERYBODY, HOME, OMEGA_EU, POLICY, PUBLIC_SERVER, START

DIGEST = "9f" * 32
OLD = ReleaseRef("v0", 1, "ab" * 32, 6)
"""What production ran before."""
NONCE = "nonce-of-this-test"


@dataclass
class Making:
    """Folds events one after another, a minute apart, as the store would keep them."""

    servers: tuple[Server, ...] = (PUBLIC_SERVER, OMEGA_EU)
    policy: Policy = POLICY
    now: datetime = START
    d: Deployment | None = None
    lane: Lane = field(default_factory=lambda: Lane("main", 3, None, 6, (("eu", OLD),)))
    events: list[e.DeploymentEvent] = field(default_factory=list)

    @property
    def deployment(self) -> Deployment:
        assert self.d is not None
        return self.d

    def then(self, *events: e.DeploymentEvent, by: str = ASHAT) -> Making:
        for event in events:
            after = evolve(self.d, event, self.now, by)
            self.d = replace(after, version=after.version + 1)  # as the store does
            self.lane = evolve_lane(self.lane, self.d, event)
            self.events.append(event)
        self.now += timedelta(minutes=1)
        return self

    def facts(self, asker: Person | None = None, *, siblings: tuple[Deployment, ...] = ()) -> Facts:
        return Facts(
            self.now, self.policy, EVERYBODY, self.servers, asker, HOME, NONCE, self.deployment, self.lane, siblings
        )

    # -- the way there -------------------------------------------------------------------------------------------------

    def planned(self, id: str = "v1", manifest: ManifestFacts = ManifestFacts("main")) -> Making:  # noqa: A002, B008 - immutable
        plan = Plan(("eu",), tuple(rule.name for rule in self.policy.checks), 2, 5, (("eu", "v0"),))
        pushed = e.Pushed(id, 1, manifest.component, "Security fixes", None, (), f"{id}.tar.gz", 18_400_000, HOME,
                          manifest, plan, (), "nonce-of-push")  # fmt: skip
        return self.then(pushed, by=ALICE.id)

    def staging(self) -> Making:
        self.planned()
        return self.then(e.ArtifactFixed(DIGEST, 18_400_000, self.deployment.manifest, tested=True))

    def staged(self) -> Making:
        return self.staging().then(e.Staged("http://public.test:9001"))

    def verifying(self) -> Making:
        return self.staged().run(1)

    def run(self, number: int) -> Making:
        checks = tuple(Check(rule.name, rule.kind, rule.timeout, required=False) for rule in self.policy.checks)
        deadline = self.now + timedelta(seconds=self.policy.verification_timeout)
        started = e.VerificationStarted(number, f"nonce-of-run-{number}", DIGEST, deadline, checks)
        return self.then(started, by=ALICE.id)

    def passed(self, number: int = 1) -> Making:
        finished = [e.CheckFinished(number, rule.name, "passed") for rule in self.policy.checks]
        until = self.now + timedelta(seconds=self.policy.verification_ttl)
        return self.then(*finished, e.VerificationPassed(number, until))

    def awaiting(self) -> Making:
        return self.verifying().passed()

    def vote(self, *people: Person, siblings: tuple[Deployment, ...] = ()) -> Making:
        wanted = covers(self.deployment, self.lane, siblings, self.facts().regions)
        assert wanted is not None
        for one in people:
            self.then(e.Voted(one.id, wanted.digest, wanted.run, wanted.fingerprint, "v0 → v1"), by=one.id)
        return self

    def scheduled(self, behind: str | None = None) -> Making:
        return self.awaiting().vote(BO, CY).then(e.Approved((BO.id, CY.id), behind), by=CY.id)

    def deploying(self) -> Making:
        self.scheduled()
        replaces = tuple((region, self.lane.running(region)) for region in self.facts().regions)
        return self.then(e.LaneTaken(self.lane.generation + 1, "nonce-of-lane", replaces))

    def switched(self) -> Making:
        switches = [e.RegionSwitched(region, f"https://{region}.omega.test/") for region in self.deployment.regions]
        return self.then(*switches, e.DistributionStarted(self.deployment.regions))

    def distributing(self) -> Making:
        return self.deploying().then(e.Packaged("cd" * 32)).switched()

    def fleet(self, **statuses: str) -> Making:
        for region in self.deployment.regions:
            self.then(e.DistributionTaken(region, self.deployment.generation, len(statuses)))
            self.then(*(e.MainframeChanged(region, name, f"owner of {name}", "standard", status)  # type: ignore[arg-type] # literals
                        for name, status in statuses.items()))  # fmt: skip
        return self

    def completed(self) -> Making:
        self.distributing().fleet(m1="healthy", m2="healthy")
        return self.then(
            e.Completed(self.now + timedelta(seconds=self.policy.watch)), e.Attested("cd" * 32, "key", {"payload": ""})
        )

    def failed(self, why: str = "it broke", region: str | None = None) -> Making:
        return self.then(e.Failed(self.deployment.stage, why, region))

    def unverified(self) -> Making:
        """Failed in verifying."""
        return self.verifying().then(
            e.CheckFinished(1, "Health Check", "failed", "200", "500", "/healthz"),
            e.CheckFinished(1, "Module Load Test", "passed"),
            e.CheckFinished(1, "Security Scan", "passed"),
            e.VerificationFailed(1, ("Health Check",)),
        )

    def rolling_back(self, why: str | None = None) -> Making:
        """From where it stands."""
        d = self.deployment
        restore = tuple(
            (row.server.removeprefix("omega/"), row.replaced) for row in d.placements if row.server != "public"
        )
        generation = self.lane.generation + 1 if restore else 0
        return self.then(e.RollbackStarted(why, generation, "nonce-of-rollback", restore), by=BO.id)

    def rolled_back(self) -> Making:
        restored = [e.RegionRestored(region) for region, _ in self.deployment.restore]
        return self.then(*restored, e.RolledBack(touched=self.deployment.touched))


MAKERS: dict[str, Callable[[], Making]] = {
    "planned": lambda: Making().planned(),
    "staging": lambda: Making().staging(),
    "staged": lambda: Making().staged(),
    "verifying": lambda: Making().verifying(),
    "awaiting_approval": lambda: Making().awaiting(),
    "scheduled": lambda: Making().scheduled(),
    "deploying": lambda: Making().deploying(),
    "distributing": lambda: Making().distributing(),
    "completed": lambda: Making().completed(),
    "rejected": lambda: Making().awaiting().then(e.Rejected("too slow"), by=BO.id),
    "cancelled": lambda: Making().staged().then(e.Cancelled(touched=False), by=BO.id),
    "failed in planned": lambda: Making().planned().failed(),
    "failed in staging": lambda: Making().staging().failed(),
    "failed in verifying": lambda: Making().unverified(),
    "failed in deploying": lambda: Making().deploying().failed(region="eu"),
    "failed in distributing": lambda: Making().distributing().failed(),
    "rolling_back, untouched": lambda: Making().staged().rolling_back(),
    "rolling_back": lambda: Making().completed().rolling_back(),
    "rollback_failed, untouched": lambda: Making().staged().rolling_back().failed(),
    "rollback_failed": lambda: Making().completed().rolling_back().failed(region="eu"),
    "rolled_back, untouched": lambda: Making().staged().rolling_back().rolled_back(),
    "rolled_back": lambda: Making().completed().rolling_back().rolled_back(),
}
"""One deployment in every stage; `failed` in every stage that can fail, before and after OMEGA was touched."""


def made() -> dict[str, Making]:
    return {name: make() for name, make in MAKERS.items()}


def in_stage(name: str) -> Making:
    return MAKERS[name]()


def without_omega(making: Making) -> Making:
    return replace(making, servers=(PUBLIC_SERVER,))


STAGE_OF = {name: Stage(name.split(",")[0].split(" in ")[0]) for name in MAKERS}
