"""What one person may take up, and which servers may be configured: refused with the reason, and without a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import commands as c
from core.changes import change
from core.events import LaneTaken, Retried, ServerConfigured
from core.evolve import evolve
from core.facts import AlphaFacts, Decided, Facts, Refused
from core.people import Person
from core.policy import Policy
from core.ports import AlphaFile, Probe
from core.release.manifest import Manifest, Run
from core.release.wire import About
from core.stages import ON_ITS_WAY, Stage
from core.state import Deployment
from core.workflow import Writing, decide
from tests.core.support.making import MAKERS, in_stage, made
from tests.core.support.team import ALICE, BO, CY, DI, EVE, HOME, OMEGA_EU, POLICY, PUBLIC_SERVER, START, VI

PUSH = c.Push("v1", "x")


def under_way(*sizes: int, pusher: Person = ALICE) -> tuple[Deployment, ...]:
    """One deployment of each size that has not ended."""
    d = in_stage("staged").deployment
    return tuple(replace(d, id=f"{pusher.id}-{n}", size=size, pusher=pusher.id) for n, size in enumerate(sizes))


def push_facts(size: int = 1000, unfinished: tuple[Deployment, ...] = (), **rules: int) -> Facts:
    alpha = AlphaFacts(
        (AlphaFile("v1", "v1.tar.gz", size, START),), Manifest(component="main", run=Run(start=("./start",))),
        mainframes=3,
    )  # fmt: skip
    policy = replace(POLICY, **rules)  # type: ignore[arg-type] # whole numbers all
    servers = (PUBLIC_SERVER, OMEGA_EU)
    return Facts(START, policy, (ALICE,), servers, ALICE, HOME, "nonce", alpha=alpha, unfinished=unfinished)


def pushing(size: int = 1000, unfinished: tuple[Deployment, ...] = (), **rules: int) -> Refused | Decided:
    return decide(PUSH, push_facts(size, unfinished, **rules))


def test_one_person_has_only_so_many_deployments_under_way() -> None:
    others = under_way(1, 1, 1, pusher=DI)
    assert isinstance(pushing(unfinished=(*under_way(1, 1), *others), max_active_per_person=3), Decided)
    refused = pushing(unfinished=under_way(1, 1, 1), max_active_per_person=3)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.why) == (
        "too_many",
        "You have 3 deployments that have not ended; 3 is the limit. Finish or cancel one: `deploy status`",
    )


@pytest.mark.parametrize(
    ("size", "staged", "fits"), [(600, (150, 250), True), (601, (150, 250), False), (1, (1000,), False)]
)
def test_one_person_has_only_so_many_bytes_staged(size: int, staged: tuple[int, ...], *, fits: bool) -> None:
    verdict = pushing(size, (*under_way(*staged), *under_way(5000, pusher=DI)), max_staged_bytes=1000)
    assert isinstance(verdict, Decided) == fits
    assert fits or (isinstance(verdict, Refused) and verdict.code == "too_large")


def test_no_single_artifact_is_larger_than_its_own_limit() -> None:
    verdict = pushing(1001, max_artifact_bytes=1000)
    assert isinstance(verdict, Refused)
    assert verdict.code == "too_large"


# -- configure ---------------------------------------------------------------------------------------------------------


def configuring(
    url: str, role: str = "omega", probe: Probe | None = None, policy: Policy = POLICY, who: object = EVE
) -> Refused | Decided:
    command = c.Configure(role, url, "Name")  # type: ignore[arg-type] # of the two
    facts = Facts(START, policy, (EVE, VI), (), who, HOME, "nonce", probe=probe)  # type: ignore[arg-type] # a person
    return decide(command, facts)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://omega.example", "https"),
        ("http://10.0.0.1:9101", "https"),
        ("https://bo:hunter2@omega.example", "url"),
        ("https://token@omega.example", "url"),
        ("https://omega.example/?token=x", "url"),
        ("https://omega.example/#x", "url"),
        ("ftp://omega.example", "url"),
        ("file:///etc/passwd", "url"),
        ("https://", "url"),
        ("https://omega.example:99999", "url"),
        ("omega.example", "url"),
        ("https://169.254.169.254", "host"),
        ("https://[fe80::1]", "host"),
        ("https://0.0.0.0", "host"),
    ],
)
def test_what_is_no_safe_address_of_production_is_refused(url: str, code: str) -> None:
    verdict = configuring(url)
    assert isinstance(verdict, Refused)
    assert verdict.code == code
    assert "hunter2" not in verdict.why


@pytest.mark.parametrize("url", ["https://omega.example", "http://localhost:9102", "http://[::1]:9102"])
def test_https_or_this_machine_is_good(url: str) -> None:
    assert isinstance(configuring(url), Decided)


def test_settings_alone_allow_plain_http_for_production() -> None:
    assert isinstance(configuring("http://omega.example", policy=replace(POLICY, allow_http_omega=True)), Decided)
    assert isinstance(configuring("http://public.example", "public"), Decided)


def test_only_admins_configure_and_the_channel_is_told() -> None:
    refused = configuring("https://omega.example", who=VI)
    assert isinstance(refused, Refused)
    assert refused.code == "role"
    old = replace(OMEGA_EU, region="main", url="https://old.example")
    facts = Facts(START, POLICY, (EVE,), (old,), EVE, HOME, "nonce")
    verdict = decide(c.Configure("omega", "https://new.example", "Production"), facts)
    assert isinstance(verdict, Decided)
    (message,) = change(facts, verdict.events).outbox
    assert (message.channel, message.card.title) == (
        HOME,
        "Eve Poe configured OMEGA main: Production at https://new.example, in place of https://old.example",
    )


IN_USE = {
    "public": {
        "planned", "staging", "staged", "verifying", "awaiting_approval", "scheduled", "deploying", "distributing",
        "failed in staging", "failed in verifying", "failed in deploying", "failed in distributing",
        "rolling_back, untouched", "rolling_back", "rollback_failed, untouched", "rollback_failed",
    },
    "omega": {
        "deploying", "distributing", "failed in deploying", "failed in distributing", "rolling_back",
    },
}  # fmt: skip
"""By what each server is held where it is."""


def moving(role: str, d: Deployment, region: str | None = None) -> Refused | Decided:
    command = c.Configure(role, "https://elsewhere.test", "Name", region)  # type: ignore[arg-type] # of the two
    servers = (PUBLIC_SERVER, OMEGA_EU)
    unfinished = () if d.ended else (d,)
    return decide(command, Facts(START, POLICY, (EVE,), servers, EVE, HOME, "nonce", unfinished=unfinished))


def holds(d: Deployment, role: str, region: str | None) -> bool:
    return isinstance(moving(role, d, region), Refused)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("role", "region"), [("public", None), ("omega", "eu")])
def test_a_server_stays_where_it_is_while_something_is_there_or_on_its_way(
    role: str, region: str | None, name: str
) -> None:
    verdict = moving(role, in_stage(name).deployment, region)
    assert isinstance(verdict, Refused) == (name in IN_USE[role]), verdict
    assert isinstance(verdict, Decided) or verdict.code == "in_use"


def test_every_way_into_the_use_of_a_server_is_one_that_relies_on_which_there_are() -> None:
    """So that a store can tell where servers were configured between a decision and its commit."""
    again = [
        in_stage(f"failed in {stage}").then(Retried(stage, 8, "nonce-of-retry"))
        for stage in (Stage.PLANNED, Stage.STAGING, Stage.DEPLOYING, Stage.DISTRIBUTING)
    ]
    for making in (*made().values(), *again, in_stage("rollback_failed").rolling_back()):
        before: Deployment | None = None
        for event in making.events:
            after = evolve(before, event, START, ALICE.id)
            for place in (("public", None), ("omega", "eu"), ("omega", "new")):
                was, held = before is not None and holds(before, *place), holds(after, *place)
                begins = after.stage in ON_ITS_WAY and (before is None or before.stage not in ON_ITS_WAY)
                relies = begins or isinstance(event, LaneTaken)
                assert was or not held or relies, (place, event)
            before = after


@pytest.mark.parametrize(
    ("name", "who", "command", "relies"),
    [
        ("failed in staging", ALICE, c.Retry("v1"), True),
        ("failed in deploying", ALICE, c.Retry("v1"), True),
        ("completed", BO, c.Rollback("v1"), True),
        ("staged", ALICE, c.Verify("v1"), False),
        ("awaiting_approval", BO, c.Approve("v1"), False),
        ("deploying", BO, c.Rollback("v1"), False),
        ("staged", ALICE, c.Note("v1", "x"), False),
    ],
)
def test_what_is_on_its_way_from_now_on_relies_on_the_servers(
    name: str, who: Person, command: Writing, *, relies: bool
) -> None:
    facts = in_stage(name).facts(who)
    verdict = decide(command, facts)
    assert isinstance(verdict, Decided)
    assert change(facts, verdict.events).relied_on == (facts.servers if relies else None)


def test_the_vote_that_is_enough_relies_on_the_servers_and_so_does_a_push() -> None:
    waiting = in_stage("awaiting_approval").vote(CY).facts(BO)
    for command, facts in ((c.Approve("v1"), waiting), (PUSH, push_facts())):
        verdict = decide(command, facts)
        assert isinstance(verdict, Decided)
        assert change(facts, verdict.events).relied_on == facts.servers


def answering(role: str = "omega", platform: str | None = "9.4.0") -> Probe:
    about = About(version="1", role=role, name="x", public_key="ab" * 32, now=START, platform_version=platform)  # type: ignore[arg-type] # of the three
    return Probe("agent", about=about)


def test_an_agent_that_answers_must_be_the_right_one_and_its_key_is_kept() -> None:
    verdict = configuring("https://omega.example", probe=answering("public"))
    assert isinstance(verdict, Refused)
    assert verdict.code == "role"
    newest = replace(POLICY, min_platform_version="9.5")
    verdict = configuring("https://omega.example", probe=answering(), policy=newest)
    assert isinstance(verdict, Refused)
    assert verdict.code == "platform"
    verdict = configuring("https://omega.example", probe=answering())
    assert isinstance(verdict, Decided)
    (event,) = verdict.events
    assert isinstance(event, ServerConfigured)
    assert event.public_key == "ab" * 32
    other = configuring("https://omega.example", probe=Probe("other", detail="something else is there"))
    assert isinstance(other, Decided)
    assert [one.public_key for one in other.events if isinstance(one, ServerConfigured)] == [None]
