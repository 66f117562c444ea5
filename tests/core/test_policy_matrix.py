"""The policy as one table: who may do what to production, at which stage, with what standing in the way.

Each row of `policy_matrix.txt` reads: who, what they say, the stage, whose push, what stands, and what comes of it.
`-` stands for nothing. What a row says is what a person would see first, or the code of the refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core import commands as c
from core.events import LaneTaken, RollbackStarted
from core.facts import Decided, Facts
from core.people import Grant, Person
from core.policy import Holiday, Policy, Window
from core.state import Block, Debt, ManifestFacts
from core.workflow import Writing, decide
from tests.core.support.making import Making, in_stage
from tests.core.support.tables import kinds
from tests.core.support.team import ALICE, BO, CY, DI, EVE, EVERYBODY, OPS, POLICY, START, STRANGER, at

NINA = Person("nina", "Nina Oh", frozenset(), frozenset({"security"}))
"""She has no role of her own: what a grant gives to her group is all."""
ANN = replace(EVE, id="ann", name="Ann Lee", roles=EVE.roles | {"deployer"})
"""An admin who deploys too."""
PEOPLE = {one.id: one for one in (*EVERYBODY, NINA, ANN, STRANGER)}
SAID: dict[str, Writing] = {
    "verify": c.Verify("v1"),
    "approve": c.Approve("v1"),
    "unapprove": c.Unapprove("v1"),
    "emergency": c.Approve("v1", emergency="login is down"),
    "countersign": c.Countersign("v1"),
    "reject": c.Reject("v1", "too slow"),
    "cancel": c.Cancel("v1"),
    "rollback": c.Rollback("v1"),
    "pause": c.Pause("v1"),
    "pause all": c.Pause(),
    "lock": c.Lock("looking into it", "main"),
    "unlock": c.Unlock(None, "main"),
    "break": c.Unlock("it takes too long", "main"),
    "freeze": c.Freeze("audit", "main"),
    "unfreeze": c.Unfreeze("main"),
    "configure": c.Configure("omega", "https://eu.omega.test", "EU", "eu"),
}
STANDING: dict[str, Block] = {
    "lock": Block("lock:main", "lock", "di", "mine", START, None, "main"),
    "freeze": Block("freeze:1", "freeze", "eve", "audit", START, None, "main"),
    "freeze elsewhere": Block("freeze:1", "freeze", "eve", "audit", START, None, "docs"),
    "freeze over": Block("freeze:1", "freeze", "eve", "audit", START, at(1), "main"),
    "pause": Block("pause", "pause", "di", "paused by Di Fox", START),
}
POLICIES: dict[str, Policy] = {
    "-": replace(POLICY, quorum=1),
    "own push allowed": replace(POLICY, quorum=1, own_push=True),
    "quorum 2": POLICY,
    "security": replace(POLICY, quorum=1, groups=("security",)),
    "grant": replace(POLICY, quorum=1, grants=(Grant(("@security",), frozenset({"approver"}), ("main",)),)),
    "grant elsewhere": replace(POLICY, quorum=1, grants=(Grant(("@security",), frozenset({"approver"}), ("docs",)),)),
    "grant us": replace(POLICY, quorum=1, grants=(Grant(("@security",), frozenset({"approver"}), (), ("us",)),)),
    "holiday": replace(POLICY, quorum=1, holidays=(Holiday("Epiphany", ("01-06",)),)),
    "window": replace(POLICY, quorum=1, windows=(Window("night", "0 2 * * *", 3600),)),
}
DEBT = Debt("v0#1", "v0", "alice", "eve", "login is down", at(86_400))


@dataclass(frozen=True)
class Row:
    who: str
    said: str
    stage: str
    pusher: str
    stands: str
    wanted: str


def _rows() -> list[Row]:
    text = (Path(__file__).parent / "policy_matrix.txt").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [Row(*(cell.strip() for cell in line.split("|"))) for line in lines]


def _facts(row: Row) -> Facts:
    making = _made(row)
    rules = next((name for name in POLICIES if name in row.stands.split(", ")), "-")
    facts = replace(making.facts(PEOPLE[row.who]), policy=POLICIES[rules], people=tuple(PEOPLE.values()))
    blocks = tuple(STANDING[name] for name in row.stands.split(", ") if name in STANDING)
    lane = replace(facts.lane, debts=(DEBT,)) if "debt" in row.stands else facts.lane
    if isinstance(SAID[row.said], c.Lock | c.Unlock | c.Freeze | c.Unfreeze) or row.said == "pause all":
        return replace(facts, deployment=None, blocks=blocks)
    return replace(facts, blocks=blocks, lane=lane)


def _made(row: Row) -> Making:
    making = in_stage(row.stage)
    d = replace(making.deployment, pusher=row.pusher)
    if "irreversible" in row.stands:
        d = replace(d, manifest=ManifestFacts("main", irreversible=True))
    if "voted" in row.stands.split(", "):
        making.vote(PEOPLE[row.who])
        d = replace(making.deployment, pusher=row.pusher)
    making.d = d
    return making


def _outcome(row: Row) -> str:
    verdict = decide(SAID[row.said], _facts(row))
    if not isinstance(verdict, Decided):
        return f"refused: {verdict.code}"
    return ", ".join(kinds(verdict.events)) or "nothing"


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row.who} {row.said} {row.stage} {row.stands}")
def test_the_matrix(row: Row) -> None:
    assert _outcome(row) == row.wanted


def test_the_matrix_leaves_nobody_no_command_and_no_obstacle_out() -> None:
    rows = _rows()
    assert {row.who for row in rows} == set(PEOPLE)
    assert {row.said for row in rows} == set(SAID)
    named = {name for row in rows for name in row.stands.split(", ")}
    assert named >= set(STANDING) | set(POLICIES) | {"debt", "irreversible", "voted"}


@pytest.mark.parametrize("stands", [*STANDING, "holiday", "window", "debt", "-"])
@pytest.mark.parametrize("who", [ALICE, BO, CY, DI, OPS])
def test_nothing_that_stands_blocks_a_rollback(who: Person, stands: str) -> None:
    row = Row(who.id, "rollback", "completed", "alice", stands, "")
    verdict = decide(SAID["rollback"], _facts(row))
    assert isinstance(verdict, Decided)
    assert isinstance(verdict.events[0], RollbackStarted)


@pytest.mark.parametrize("who", PEOPLE.values(), ids=lambda who: who.id)
@pytest.mark.parametrize("stage", ["planned", "staging", "staged", "verifying", "failed in verifying"])
@pytest.mark.parametrize("said", ["approve", "emergency"])
def test_nobody_reaches_production_without_a_passed_verification(who: Person, stage: str, said: str) -> None:
    verdict = decide(SAID[said], _facts(Row(who.id, said, stage, "alice", "own push allowed", "")))
    assert not (isinstance(verdict, Decided) and any(isinstance(event, LaneTaken) for event in verdict.events))
