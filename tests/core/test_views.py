"""What people see: the card of each stage as `cards.txt` has it, the answers, and how much noise a journey makes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core import changes, plain
from core import commands as c
from core import events as e
from core.cards import Card
from core.facts import Facts
from core.journal import GENESIS, Draft, Entry, seal
from core.release.wire import About, ComponentState, MainframeReport, Registered, State
from core.stages import Stage, legal
from core.state import Lane, ManifestFacts, ReleaseRef
from core.views import answers
from core.views.answers import AlphaSeen, ServerSeen
from core.views.card import Progress, buttons, deployment_card
from tests.core.support.making import DIGEST, MAKERS, OLD, Making, in_stage
from tests.core.support.team import (
    ALICE,
    BO,
    CY,
    DI,
    EVERYBODY,
    HOME,
    OMEGA_EU,
    POLICY,
    PUBLIC_SERVER,
    START,
    STRANGER,
    VI,
)
from tests.core.support.world import World

CARDS = (Path(__file__).parent / "cards.txt").read_text()
LONGEST = 300
"""Characters of one fact: what a person takes in at a glance, and far below every platform's limit."""


def drawn(card: Card) -> str:
    return "\n".join((*plain.lines(card), plain.buttons(card.buttons))).strip()


def card_of(making: Making, zone: str = "UTC", progress: Progress | None = None) -> Card:
    return deployment_card(making.deployment, making.facts(), zone, progress)


def facts() -> Facts:
    return Facts(START + timedelta(minutes=10), POLICY, EVERYBODY, (PUBLIC_SERVER, OMEGA_EU))


# -- cards -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", MAKERS)
def test_the_card_of_each_stage(stage: str) -> None:
    wanted = dict(part.split("\n", 1) for part in CARDS.removeprefix("== ").strip().split("\n\n== "))
    assert drawn(card_of(in_stage(stage))) == wanted[stage]


@pytest.mark.parametrize("stage", MAKERS)
def test_the_first_three_lines_stay_and_nothing_is_too_long(stage: str) -> None:
    making = in_stage(stage)
    card = card_of(making)
    assert making.deployment.name in card.title
    assert card.lines[0] == "Security fixes"
    assert plain.lines(card)[2].startswith("Alice Ng, 14:00, sha256 ")
    assert card.summary.startswith(card.title)
    assert all(len(line) <= LONGEST for line in plain.lines(card))
    assert len(card.lines) <= 20


@pytest.mark.parametrize("stage", MAKERS)
def test_buttons_are_legal_now_and_bound_to_what_the_card_shows(stage: str) -> None:
    making = in_stage(stage)
    d = making.deployment
    run = d.verification.run if d.verification else 0
    for button in card_of(making).buttons:
        verb = button.command.split()[0]
        if verb != "show":
            assert verb in {act.value for act in legal(d.stage)}
            assert button.seen == c.Seen(1, d.digest or "", run)
    consequences = {"Approve", "Cancel"}
    assert all(button.confirm for button in card_of(making).buttons if button.label in consequences)


@pytest.mark.parametrize(
    ("stage", "before", "says"),
    [
        ("completed", OLD, "OMEGA eu returns to v0. Mainframes follow."),
        ("completed", None, "main goes offline on OMEGA eu, where nothing of it ran before. Mainframes follow."),
        ("failed in verifying", OLD, "v1 leaves Public; nothing was pushed to OMEGA."),
    ],
)
def test_a_rollback_says_before_what_it_does(stage: str, before: ReleaseRef | None, says: str) -> None:
    d = in_stage(stage).deployment
    placements = tuple(replace(place, replaced=before) for place in d.placements)
    (back,) = (one for one in buttons(replace(d, placements=placements)) if one.label == "Rollback")
    assert back.confirm == says


def test_an_upload_shows_numbers_before_the_bar() -> None:
    card = card_of(in_stage("staging"), progress=Progress("Upload", 11_000_000, 18_400_000))
    assert plain.lines(card)[3] == "Upload 60% ▓▓▓▓▓▓░░░░ 11.0 MB of 18.4 MB"


def test_checks_show_as_they_finish() -> None:
    making = in_stage("verifying").then(e.CheckFinished(1, "Health Check", "passed"))
    assert plain.lines(card_of(making))[3:] == [
        "1 of 3 done ▓▓▓░░░░░░░",
        "✅ Health Check",
        "Running: Module Load Test · Waiting: Security Scan",
    ]


def test_what_was_not_run_is_shown_as_such() -> None:
    making = in_stage("verifying").then(
        e.CheckFinished(1, "Health Check", "passed"),
        e.CheckFinished(1, "Module Load Test", "skipped", warning="switched off on the server"),
        e.CheckFinished(1, "Security Scan", "not_applicable", warning="plain http"),
        e.VerificationPassed(1, START + timedelta(days=1)),
    )
    shown = plain.lines(card_of(making))
    assert "✅ Verification PASSED! 1 of 3, valid until Wed 14:00" in shown
    assert "Skipped: Module Load Test" in shown
    assert "Not applicable: Security Scan" in shown
    assert "⚠ Security Scan: plain http" in shown


def test_mainframes_are_counted_and_those_that_get_nothing_are_named() -> None:
    making = in_stage("distributing").fleet(m1="healthy", m2="waiting", m3="asleep", m4="unlicensed", m5="not_included")
    assert plain.lines(card_of(making))[4:] == [
        "Mainframes 1 of 3 healthy ▓▓▓░░░░░░░ waiting 1, failed 0, asleep 1 (m3)",
        "Licence expired, gets nothing: m4",
        "Not of SERVER OWNER LEVEL, keeps what it has: m5",
        "SERVER OWNER LEVEL: 0 of 0 owners",
    ]


def test_a_hold_says_who_why_and_what_lifts_it() -> None:
    making = in_stage("distributing").then(e.Paused("2 mainframes failed: m1: full disk", automatic=True, order=1))
    card = card_of(making)
    assert card.title == "🚚 Distributing: v1, paused"
    assert plain.lines(card)[-1] == "⏸ Paused by itself: 2 mainframes failed: m1: full disk. `deploy resume v1`"


def test_times_are_in_the_readers_zone() -> None:
    assert plain.lines(card_of(in_stage("staged"), zone="Asia/Tokyo"))[2].startswith("Alice Ng, 23:00, ")


# -- answers -----------------------------------------------------------------------------------------------------------

NOW = START
ALPHA = AlphaSeen("ALPHA", 5, "v1.2.3")
LIVE = Lane("main", 1, None, 6, (("eu", OLD),))


def test_status_of_nothing() -> None:
    card = answers.status((), (LIVE,), {"v0#1": START}, ALPHA, facts(), "UTC")
    assert drawn(card).splitlines() == [
        "Nothing is deploying.",
        "Production: v0 (main) since 14:00.",
        'Newest on ALPHA: v1.2.3. `deploy push v1.2.3 "…"`',
    ]
    empty = answers.status((), (), {}, AlphaSeen("ALPHA", 0, None), facts(), "UTC")
    assert drawn(empty).splitlines() == [
        "Nothing is deploying.",
        "Production: nothing yet.",
        "ALPHA has no updates yet",
    ]


def test_status_of_what_is_under_way() -> None:
    active = [in_stage("verifying").deployment, in_stage("failed in staging").deployment]
    card = answers.status(active, (LIVE,), {}, ALPHA, facts(), "UTC")
    assert drawn(card).splitlines() == [
        "2 deployments under way",
        "🔎 v1 (main): verifying since 14:03. Alice Ng: Security fixes",
        "❌ v1 (main): failed in staging since 14:02. Alice Ng: Security fixes",
        "Production: v0 (main).",
    ]


def test_history() -> None:
    empty = answers.history((), {}, facts(), "UTC")
    assert drawn(empty).splitlines() == ["No deployments yet.", "`deploy help push`"]
    shown = [in_stage(stage).deployment for stage in ("completed", "rejected", "failed in staging")]
    card = answers.history(shown, {"v1#1": ["the cache was cold"]}, facts(), "UTC")
    assert drawn(card).splitlines()[:3] == [
        "The newest 3",
        "✅ Completed: v1 (main), 14:13; pushed by Alice Ng; approved by Bo Li, Cy Roe. Security fixes",
        "   Note: the cache was cold",
    ]
    assert "🚫 Rejected: v1 (main) (“too slow”), 14:05; pushed by Alice Ng. Security fixes" in drawn(card)
    assert "❌ Failed: v1 (main) in staging (it broke), 14:02; pushed by Alice Ng. Security fixes" in drawn(card)


def entries(making: Making) -> list[Entry]:
    found: list[Entry] = []
    for event in making.events:
        previous = found[-1].hash if found else GENESIS
        draft = Draft("v1#1", e.kind(event), changes.plain(event), START, ALICE.id, "console")
        found.append(seal(draft, len(found) + 1, previous))
    return found


@pytest.mark.parametrize("stage", MAKERS)
def test_show_has_a_line_in_words_for_every_event(stage: str) -> None:
    making = in_stage(stage)
    shown = answers.timeline(making.deployment, entries(making), making.facts(), "UTC")
    rows = [line for line in plain.lines(shown) if line.startswith("14:00 Alice Ng (console): ")]
    assert len(rows) == len(making.events)
    assert not [row for row in rows if re.search(r"None|[a-z][A-Z]|\{", row.partition("(console): ")[2])]
    assert all(len(row) <= LONGEST for row in rows)


def test_servers() -> None:
    nothing = answers.servers(ALPHA, (), (), facts(), "UTC")
    assert drawn(nothing).splitlines() == [
        "Servers",
        "ALPHA: 5 updates",
        "Public: Not Configured. `deploy configure public <url> <name>`",
        "OMEGA: Not Configured. `deploy configure omega <url> <name>`",
    ]
    runs = ComponentState(component="main", generation=6, wanted=OLD.digest, running=OLD.digest, deployment="v0#1",
                          status="healthy", since=START)  # fmt: skip
    about = About(version="1", role="omega", name="eu", public_key="0" * 64, now=START)
    state = State(about=about, url=None, components=(runs,), free_bytes=1)
    seen = (ServerSeen(PUBLIC_SERVER, None, "no route to it", START), ServerSeen(OMEGA_EU, state, None, START))
    assert drawn(answers.servers(ALPHA, seen, (LIVE,), facts(), "UTC")).splitlines()[2:] == [
        "Public: MAIN, https://public.test, not reachable since 14:00: no route to it",
        "OMEGA eu: EU, https://eu.omega.test, reachable since 14:00. Runs: main v0",
    ]
    moved = replace(LIVE, current=(("eu", replace(OLD, digest=DIGEST)),))
    assert "main v0 — not what was deployed!" in drawn(answers.servers(ALPHA, seen, (moved,), facts(), "UTC"))


def test_mainframes() -> None:
    def row(name: str, *, licensed: bool, online: bool) -> Registered:
        report = MainframeReport(component="main", running=DIGEST, generation=7, status="healthy")
        reports = (report,) if licensed else ()
        return Registered(name=name, owner="acme", tier="standard", licence_until=None, licensed=licensed,
                          online=online, last_seen=START, reports=reports)  # fmt: skip

    fleet = (
        row("m1", licensed=True, online=True),
        row("m2", licensed=True, online=False),
        row("m3", licensed=False, online=True),
    )
    card = answers.mainframes([("eu", fleet, None), ("us", None, "no route to it")], {DIGEST: "v1"}, facts(), "UTC")
    assert drawn(card).splitlines() == [
        "3 mainframes",
        "m1 (acme, standard, OMEGA eu): licensed; online; runs main v1",
        "m2 (acme, standard, OMEGA eu): licensed; asleep, seen 14:00; runs main v1",
        "m3 (acme, standard, OMEGA eu): licence expired, gets nothing; online; runs nothing yet",
        "OMEGA us does not answer: no route to it",
    ]
    none = answers.mainframes([], {}, facts(), "UTC")
    assert drawn(none).splitlines() == ["OMEGA Server not configured.", "`deploy configure omega <url> <name>`"]


def test_whoami() -> None:
    lines = drawn(answers.whoami(VI, "console", facts(), shell=True)).splitlines()
    assert lines[:3] == [
        "You are Vi Lund, on console.",
        "Roles: viewer (from the settings, [people.vi])",
        "Accounts: console vi",
    ]
    assert "approve: ask Alice Ng, Bo Li, Cy Roe or Ops Desk" in lines
    stranger = drawn(answers.whoami(STRANGER, "console", facts(), shell=True))
    assert not any(person.name in stranger for person in EVERYBODY)


# -- noise -------------------------------------------------------------------------------------------------------------


def journey() -> World:
    world = World(updates={"v1": ManifestFacts("main")})
    world.done(DI, c.Push("v1", "Security fixes"))
    world.settle()
    world.done(DI, c.Verify("v1"))
    world.settle()
    world.done(BO, c.Approve("v1"))
    world.done(CY, c.Approve("v1"))
    world.settle(limit=200)
    assert world.deployments["v1#1"].stage is Stage.COMPLETED
    return world


def test_a_whole_journey_is_one_card_and_six_messages_in_its_thread() -> None:
    world = journey()
    assert world.cards == [(HOME, "v1#1")]
    said = Counter(message.kind for message in world.outbox)
    assert said["milestone"] + said["broadcast"] <= 6
    assert said["line"] == said["reply"] == said["broadcast"] == 0
    asked = Counter(message.person for message in world.outbox if message.kind == "direct")
    assert {who: count for who, count in asked.items() if who in ("bo", "cy")} == {"bo": 1, "cy": 1}
    assert asked["di"] == 2  # approved; complete


def test_nobody_is_pinged_for_what_they_did_themselves() -> None:
    world = World(updates={"v1": ManifestFacts("main")})
    for who, command in (
        (ALICE, c.Push("v1", "Security fixes")), (ALICE, c.Verify("v1")), (ALICE, c.Rollback("v1", "no longer wanted")),
        (ALICE, c.Push("v1", "Security fixes")), (ALICE, c.Cancel("v1")),
    ):  # fmt: skip
        before = len(world.outbox)
        world.done(who, command)
        assert not [message for message in world.outbox[before:] if message.person == who.id]
        world.settle()


def test_every_message_is_a_full_sentence_somewhere_and_short() -> None:
    world = journey()
    world.done(BO, c.Rollback("v1", "login errors"))
    world.settle()
    for message in world.outbox:
        assert message.card.summary or message.card.title
        assert all(len(line) <= LONGEST for line in plain.lines(message.card))
        assert "None" not in drawn(message.card)


def test_a_failed_verification_pings_its_pusher_alone() -> None:
    world = World(updates={"v1": ManifestFacts("main")})
    world.public.endings["Health Check"] = "failed"
    world.done(DI, c.Push("v1", "Security fixes"))
    world.done(DI, c.Verify("v1"))
    world.settle()
    assert [message.person for message in world.outbox if message.kind == "direct"] == ["di"]


def test_a_rollback_of_production_is_told_in_the_channel_too() -> None:
    world = journey()
    before = len(world.outbox)
    world.done(BO, c.Rollback("v1", "login errors"))
    world.settle()
    told = world.outbox[before:]
    assert [(message.kind, message.card.title) for message in told if message.kind != "direct"] == [
        ("milestone", "↩️ Bo Li rolls v1 back"),
        ("broadcast", "↩️ v1 is rolled back"),
    ]
    assert sorted(message.person or "" for message in told if message.kind == "direct") == ["bo", "cy", "di"]
