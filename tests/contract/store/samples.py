"""Deployments, messages and a whole journey of events, to be stored and read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from adapters.store.codec import event_data
from core import events as e
from core.cards import Bar, Button, Card
from core.commands import Seen
from core.evolve import evolve
from core.journal import Draft
from core.people import Account
from core.ports import Change, Incoming, Outbound, Reply, Store
from core.stages import Stage
from core.state import Check, Deployment, LeftOut, ManifestFacts, Plan, ReleaseRef, Server

START = datetime(2026, 1, 5, 9, 30, 15, 123456, tzinfo=UTC)
DIGEST = "9f" * 32


class StoppedClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


CHECKS = (
    Check("Health Check", "health", 30.0, {"path": "/healthz", "times": 3}),
    Check("Database Connection", "database", 12.5, required=False),
)


def pushed(id: str = "v1", attempt: int = 1, component: str = "main") -> e.Pushed:  # noqa: A002 - the domain's word
    plan = Plan(("eu", "us"), ("Health Check",), 2, 5, (("eu", "v0"), ("us", None)), estimate=540.5)
    facts = ManifestFacts(component, "server-owner", irreversible=True, contains=("v0.1", "v0.2"))
    return e.Pushed(
        id, attempt, component, "Fixes “login” für alle", "see wiki", ("OPS-7",), f"{id}.tar.gz", 4096, "console:main",
        facts, plan, ("never tested on ALPHA",), "n-first-nonce",
    )  # fmt: skip


def new_deployment(id: str = "v1", attempt: int = 1, component: str = "main", at: float = 0) -> Deployment:  # noqa: A002
    return evolve(None, pushed(id, attempt, component), after(at), "alice")


def journey() -> list[tuple[float, str, e.DeploymentEvent]]:
    """Seconds, author and event of a deployment that sees nearly everything."""
    old = ReleaseRef("v0", 1, "ab" * 32, 6)
    first = e.VerificationStarted(1, "nonce-of-run-1", DIGEST, after(90), CHECKS)
    second = replace(first, run=2, nonce="nonce-of-run-2", deadline=after(190))
    facts = pushed().manifest
    frozen = (LeftOut("eu", "m7", "eve", "Messe “eins”", after(5000)), LeftOut("us", "m9", "eve", "audit"))
    return [
        (0, "alice", pushed()),
        (1, "ashat", e.ArtifactFixed(DIGEST, 5000, facts, tested=True)),
        (2, "alice", e.VerificationQueued()),
        (11, "ashat", e.Staged("http://127.0.0.1:8001/")),
        (12, "ashat", first),
        (13, "ashat", e.CheckFinished(1, "Health Check", "passed", "200", "200", "/healthz", None, {"p95": 0.1 + 0.2})),
        (14, "ashat", e.CheckFinished(1, "Database Connection", "failed", "ok", "no such table", "/db", "slow", {})),
        (15, "ashat", e.VerificationFailed(1, ("Database Connection",))),
        (16, "alice", second),
        (17, "ashat", e.CheckFinished(2, "Health Check", "passed")),
        (46, "ashat", e.VerificationPassed(2, after(4000))),
        (50, "bo", e.Voted("bo", DIGEST, 2, "fingerprint", "v1 on eu and us")),
        (51, "cy", e.Voted("cy", DIGEST, 2, "fingerprint", "v1 on eu and us")),
        (52, "ashat", e.VotesFell(("bo",), "what it replaces has changed")),
        (53, "bo", e.Voted("bo", DIGEST, 2, "another", "v1 on eu and us")),
        (54, "ashat", e.Approved(("bo", "cy"), "v0")),
        (60, "ashat", e.LaneTaken(7, "nonce-of-seven", (("eu", old), ("us", None)), frozen)),
        (61, "ashat", e.Packaged("cd" * 32)),
        (62, "ashat", e.Failed(Stage.DEPLOYING, "eu refused the digest", "eu")),
        (63, "alice", e.Retried(Stage.DEPLOYING, 8, "nonce-of-eight", frozen)),
        (64, "ashat", e.RegionSwitched("eu", "https://omega.eu/")),
        (65, "ashat", e.RegionSwitched("us", None)),
        (70, "ashat", e.DistributionStarted(("eu", "us"))),
        (71, "ashat", e.MainframeChanged("us", "m9", "zed", "basic", "waiting")),
        (72, "ashat", e.MainframeChanged("eu", "m2", "ann", "owner", "failed", "no space left")),
        (73, "ashat", e.MainframeChanged("us", "m9", "zed", "basic", "healthy")),
        (74, "ashat", e.Paused("too many failures", True, 1)),
        (75, "bo", e.Resumed(2)),
        (90, "ashat", e.Completed(after(990))),
        (91, "ashat", e.HealthWorsened("eu", "502")),
        (92, "ashat", e.HealthRecovered("eu")),
        (93, "bo", e.Noted("looks good")),
        (94, "ashat", e.BaselineSet()),
        (94, "ashat", e.MainframesLetIn((("eu", "m7"), ("us", "m9")), 3)),
        (94, "ashat", e.MainframesSettled((("eu", "m7"),))),
        (95, "ashat", e.OutcomeStale("staged", Stage.COMPLETED)),
        (96, "bo", e.RollbackStarted("login errors", 9, "nonce-of-nine", (("eu", old), ("us", None)))),
        (97, "ashat", e.RegionRestored("eu")),
        (98, "ashat", e.SlotWithdrawn()),
        (99, "ashat", e.RolledBack(True)),
    ]  # fmt: skip


def draft(chain: str, event: e.Event, at: datetime = START, by: str = "alice") -> Draft:
    return Draft(chain, e.kind(event), event_data(event), at, by, "console")


def note(chain: str, text: str = "x") -> Draft:
    return draft(chain, e.Noted(text))


CARD = Card("📋 Planned: v1", ("line <b>&", Bar(3, 6.5, "3 of 6", "done")), (
    Button("Approve", "approve v1", Seen(1, DIGEST, 2), "sure?", None, "primary"),
    Button("Reject", "reject v1", asks="reason", style="danger"),
), "asking", "v1 is planned.")  # fmt: skip


def message(delivery: str, text: str = "deploy status") -> Incoming:
    return Incoming("console", delivery, Account("console", "U1"), "console:main", text, Seen(1, DIGEST, 3), shell=True)


def reply(title: str = "Done") -> Reply:
    return Reply("done", replace(CARD, title=title), "v1")


def outbound(channel: str, title: str, deployment: str | None = "v1#1") -> Outbound:
    return Outbound("milestone", channel, replace(CARD, title=title), deployment, "bo", after(60))


def server(role: str, region: str = "main", name: str = "Name", url: str = "http://127.0.0.1:1/") -> Server:
    assert role in ("public", "omega")
    return Server("public" if role == "public" else "omega", region, name, url, "eve", START, "ab" * 32)


async def stored(store: Store, d: Deployment, entries: tuple[Draft, ...] = ()) -> Deployment:
    """Commit `d` and give what is stored, with its new version."""
    await store.commit(Change(deployment=d, entries=entries))
    return replace(d, version=d.version + 1)
