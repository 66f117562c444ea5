"""The live picture: what ALPHA and the servers say, in words and under names that people know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.ports import AlphaFile
from core.release.wire import About, ComponentState, MainframeReport, Registered, SlotState, State
from core.state import Block, Server
from core.views.picture import NEWEST, Picture, Running, Seen, alpha_place, digests, picture
from tests.core.support.making import DIGEST, Making, made

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD = "ab" * 32
ALPHA = alpha_place("ALPHA", ())
PUBLIC = Server("public", "main", "Staging", "http://127.0.0.1:1", "eve", NOW)
OMEGA = Server("omega", "eu", "Production", "http://127.0.0.1:2", "eve", NOW)


def state(*components: ComponentState, slots: tuple[SlotState, ...] = ()) -> State:
    about = About(version="1", role="public", name="x", public_key="00", now=NOW)
    return State(about=about, url="http://127.0.0.1:3/", components=components, slots=slots, free_bytes=1)


def current(digest: str | None, status: Any = "healthy") -> ComponentState:
    return ComponentState(
        component="main",
        generation=1,
        wanted=digest,
        running=digest,
        status=status,
        url="http://127.0.0.1:3/",
        since=NOW,
    )


def slot(status: Any = "healthy", attempt: int = 1) -> SlotState:
    return SlotState(
        slot=f"v1.{attempt}",
        component="main",
        digest=DIGEST,
        deployment="v1",
        attempt=attempt,
        status=status,
        since=NOW,
    )


def mainframe(**more: Any) -> Registered:
    report = MainframeReport(component="main", running=OLD, generation=1, status="healthy")
    row = {"name": "m1", "owner": "Aster Labs", "tier": "standard", "licence_until": None, "licensed": True}
    return Registered.model_validate({**row, "online": True, "last_seen": NOW, "reports": (report,), **more})


def drawn(*seen: Seen, making: Making | None = None, names: dict[str, str] | None = None) -> Picture:
    return picture(ALPHA, seen, (making.deployment,) if making else (), names or {})


def test_alpha_shows_its_newest_and_counts_all() -> None:
    files = [AlphaFile(f"v{number}", f"v{number}.zip", 1, NOW) for number in range(9)]
    place = alpha_place("ALPHA", files)
    assert place.about == "9 updates"
    assert [one.release for one in place.running] == [f"v{number}" for number in range(NEWEST)]
    assert alpha_place("ALPHA", (), "no such folder").about == "no such folder"


def test_what_is_not_configured_says_how() -> None:
    shown = drawn()
    assert shown.public.hint == "deploy configure public <url> <name>"
    assert [place.hint for place in shown.omegas] == ["deploy configure omega <url> <name>"]
    assert shown.mainframes == ()


def test_a_server_that_does_not_answer_says_why() -> None:
    shown = drawn(Seen(PUBLIC, problem="connection refused"), Seen(OMEGA, state()))
    assert shown.public.about == "Staging, not reachable: connection refused"
    assert shown.omegas[0].about == "Production, reachable"


def test_public_shows_the_baseline_and_the_slots_beside_it() -> None:
    seen = Seen(PUBLIC, state(current(OLD), slots=(slot(), slot("withdrawn", 2))))
    baseline, staged = drawn(seen, making=made()["verifying"], names={OLD: "v0"}).public.running
    assert baseline == Running("v0", "main", "healthy", "good", "http://127.0.0.1:3/")
    assert (staged.release, staged.slot, staged.status, staged.tone) == ("v1", True, "verifying", "moving")


@pytest.mark.parametrize(
    ("stage", "words", "tone"),
    [
        ("staged", "staged", "good"),
        ("awaiting_approval", "awaiting approval", "asking"),
        ("failed in verifying", "failed in verifying", "bad"),
    ],
)
def test_a_slot_says_how_far_its_deployment_is(stage: str, words: str, tone: str) -> None:
    making = made().get(stage) or Making().unverified()
    (shown,) = drawn(Seen(PUBLIC, state(slots=(slot(),))), making=making).public.running
    assert (shown.status, shown.tone) == (words, tone)


def test_a_slot_that_crashed_says_so_whatever_its_deployment_says() -> None:
    (shown,) = drawn(Seen(PUBLIC, state(slots=(slot("crashed"),))), making=made()["staged"]).public.running
    assert (shown.status, shown.tone) == ("crashed", "bad")


def test_mainframes_say_whose_they_are_and_why_they_get_nothing() -> None:
    fleet = (mainframe(tier="server-owner"), mainframe(name="m2", online=False), mainframe(name="m3", licensed=False))
    seen = Seen(OMEGA, state(current(None, "offline")), fleet)
    shown = drawn(seen, names={OLD: "v0"})
    assert [place.about for place in shown.mainframes] == [
        "Aster Labs, server owner, online",
        "Aster Labs, asleep",
        "Aster Labs: licence expired, gets nothing",
    ]
    assert {one.release for place in shown.mainframes for one in place.running} == {"v0"}
    assert shown.omegas[0].running[0].release == "nothing"
    assert digests([seen]) == {OLD}
    frozen = (Block("freeze:1", "freeze", "eve", "fair", NOW, mainframe="m2"),)
    (cold,) = [one.about for one in picture(ALPHA, [seen], [], {}, frozen).mainframes if one.title == "m2"]
    assert cold == "Aster Labs, asleep, ❄ frozen"


def test_what_nobody_knows_is_shown_by_its_digest() -> None:
    assert drawn(Seen(OMEGA, state(current(OLD)))).omegas[0].running[0].release == "abab…abab"


@pytest.mark.parametrize(
    ("stage", "leg"),
    [("staging", "staging"), ("deploying", "production"), ("distributing", "production"), ("awaiting_approval", None)],
)
def test_what_moves_is_on_its_way(stage: str, leg: str | None) -> None:
    journeys = drawn(making=made()[stage]).journeys
    assert [(one.release, one.leg) for one in journeys] == ([("v1", leg)] if leg else [])
