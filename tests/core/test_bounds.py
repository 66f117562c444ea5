"""What one person may take up, and which servers may be configured: refused with the reason, and without a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import commands as c
from core.changes import change
from core.events import ServerConfigured
from core.facts import AlphaFacts, Decided, Facts, Refused
from core.policy import Policy
from core.ports import AlphaFile, Probe
from core.release.manifest import Manifest, Run
from core.release.wire import About
from core.workflow import decide
from tests.core.support.team import ALICE, EVE, HOME, OMEGA_EU, POLICY, PUBLIC_SERVER, START, VI

PUSH = c.Push("v1", "x")


def pushing(size: int = 1000, active: int = 0, staged: int = 0, **rules: int) -> Refused | Decided:
    alpha = AlphaFacts(
        (AlphaFile("v1", "v1.tar.gz", size, START),), Manifest(component="main", run=Run(start=("./start",))),
        active_by_asker=active, staged_bytes=staged, mainframes=3,
    )  # fmt: skip
    policy = replace(POLICY, **rules)  # type: ignore[arg-type] # whole numbers all
    return decide(PUSH, Facts(START, policy, (ALICE,), (PUBLIC_SERVER, OMEGA_EU), ALICE, HOME, "nonce", alpha=alpha))


def test_one_person_has_only_so_many_deployments_under_way() -> None:
    assert isinstance(pushing(active=2, max_active_per_person=3), Decided)
    refused = pushing(active=3, max_active_per_person=3)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.why) == (
        "too_many",
        "You have 3 deployments that have not ended; 3 is the limit. Finish or cancel one: `deploy status`",
    )


@pytest.mark.parametrize(("size", "staged", "fits"), [(600, 400, True), (601, 400, False), (1, 1000, False)])
def test_one_person_has_only_so_many_bytes_staged(size: int, staged: int, *, fits: bool) -> None:
    verdict = pushing(size, staged=staged, max_staged_bytes=1000)
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
