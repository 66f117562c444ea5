"""Every command in every stage: what it leads to, or the whole sentence that refuses it; see `tables/`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core import commands as c
from core.events import Paused, SystemEvent
from core.facts import Decided, Facts
from core.people import Person
from core.stages import TRANSITIONS, Act, Stage, connected
from core.workflow import Writing, decide
from tests.core.support.making import STAGE_OF, Making, in_stage, made
from tests.core.support.tables import outcome, table
from tests.core.support.team import ALICE, BO, CY, DI, EVE, EVERYBODY, OPS, STRANGER, VI
from tests.core.support.world import World

TABLES = Path(__file__).parent / "tables"
SAID: dict[str, tuple[Person, Writing]] = {
    "push": (ALICE, c.Push("v1", "Again please")),
    "verify": (ALICE, c.Verify("v1")),
    "approve": (BO, c.Approve("v1")),
    "unapprove": (BO, c.Unapprove("v1")),
    "countersign": (BO, c.Countersign("v1")),
    "reject": (CY, c.Reject("v1", "slow")),
    "cancel": (ALICE, c.Cancel("v1")),
    "retry": (ALICE, c.Retry("v1")),
    "rollback": (CY, c.Rollback("v1", "login errors")),
    "pause": (CY, c.Pause("v1")),
    "resume": (CY, c.Resume("v1")),
    "note": (CY, c.Note("v1", "odd")),
}
WIDE = {"lock", "unlock", "freeze", "unfreeze"}
"""About no deployment: see test_blocks."""
ACTS = {name: Act(name) for name in SAID if name not in ("push", "note", "countersign")}


def said(name: str, making: Making) -> tuple[Writing, Facts]:
    who, command = SAID[name]
    if not isinstance(command, c.Push):
        return command, making.facts(who)
    known = {making.deployment.key: making.deployment}
    world = World(updates={"v1": making.deployment.manifest}, deployments=known, now=making.now)
    world.lanes = {"main": making.lane}
    return command, world.facts_of(command, who)


@pytest.mark.parametrize("name", SAID)
def test_each_command_in_each_stage(name: str) -> None:
    wanted = table((TABLES / f"{name}.txt").read_text())
    seen = {stage: outcome(decide(*said(name, making))).split(" | Action plan")[0] for stage, making in made().items()}
    assert seen == wanted


def test_the_tables_leave_no_stage_and_no_command_out() -> None:
    assert set(STAGE_OF.values()) == set(Stage)
    writing = {spec.name for spec in c.SPECS if spec.writes} - {"configure", "unconfigure"} - WIDE
    assert set(SAID) == writing == {path.stem for path in TABLES.glob("*.txt")}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("stage", STAGE_OF)
def test_what_is_decided_is_in_the_table_of_stages(name: str, stage: str) -> None:
    """A command that changes something does so only from where the table says, and leads to where it says."""
    making = in_stage(stage)
    verdict = decide(*said(name, making))
    if not isinstance(verdict, Decided) or not verdict.events:
        return
    before = making.deployment.stage
    assert before in TRANSITIONS[ACTS[name]]
    making.then(*(event for event in verdict.events if not isinstance(event, SystemEvent)), by="somebody")
    assert connected(before, making.deployment.stage)


@pytest.mark.parametrize(
    ("stage", "event"), [("scheduled", "Resumed"), ("deploying", "Resumed"), ("distributing", "Resumed")]
)
def test_what_is_paused_can_be_resumed(stage: str, event: str) -> None:
    making = in_stage(stage).then(Paused("paused by Bo Li", automatic=False, order=1), by=BO.id)
    assert outcome(decide(c.Resume("v1"), making.facts(CY))) == f"{event} | Done: v1 goes on"
    again = outcome(decide(c.Pause("v1"), making.facts(CY)))
    assert again == "nothing | v1 is paused already, by Bo Li. `deploy resume v1`"


# -- who may -----------------------------------------------------------------------------------------------------------

ALLOWED = {
    "push": {"alice", "di", "ops"},
    "verify": {"alice", "di", "ops"},
    "approve": {"alice", "bo", "cy", "ops"},
    "unapprove": {"alice", "bo", "cy", "ops"},
    "countersign": {"alice", "bo", "cy", "eve", "ops"},
    "reject": {"alice", "bo", "cy", "ops"},
    "cancel": {"alice", "bo", "cy", "di", "ops"},
    "retry": {"alice", "di", "ops"},
    "rollback": {"alice", "bo", "cy", "di", "ops"},
    "pause": {"alice", "bo", "cy", "di", "eve", "ops"},
    "resume": {"alice", "bo", "cy", "di", "eve", "ops"},
    "note": {"alice", "bo", "cy", "di", "ops"},
}


@pytest.mark.parametrize("name", SAID)
def test_only_these_may_give_the_command(name: str) -> None:
    making = in_stage("awaiting_approval")
    command, facts = said(name, making)
    codes = {who.id: outcome(decide(command, replace(facts, asker=who))) for who in EVERYBODY}
    assert {who for who, line in codes.items() if not line.startswith("refused | role")} == ALLOWED[name]


@pytest.mark.parametrize(
    ("who", "command", "sentence"),
    [
        (
            VI,
            c.Rollback("v1"),
            "Rollback needs deployer; you are viewer. "
            "Ask Alice Ng, Bo Li, Cy Roe, Di Fox or Ops Desk. `deploy whoami`",
        ),
        (
            DI,
            c.Approve("v1"),
            "Approve needs approver; you are deployer and viewer. "
            "Ask Alice Ng, Bo Li, Cy Roe or Ops Desk. `deploy whoami`",
        ),
        (
            ALICE,
            c.Configure("public", "http://p.test", "P"),
            "Configure needs admin; you are approver, deployer and viewer. Ask Eve Poe. `deploy whoami`",
        ),
        (STRANGER, c.Verify("v1"), "You have no role here. An admin gives roles, in the settings under [people]"),
    ],
)  # fmt: skip
def test_who_may_not_is_told_who_may(who: Person, command: Writing, sentence: str) -> None:
    verdict = outcome(decide(command, in_stage("staged").facts(who)))
    assert verdict.split(" | ", 2)[2] == sentence


def test_a_stranger_is_told_no_name_and_no_id() -> None:
    for name in SAID:
        command, facts = said(name, in_stage("awaiting_approval"))
        line = outcome(decide(command, replace(facts, asker=STRANGER)))
        assert "v1" not in line
        assert not any(person.name in line for person in EVERYBODY)


def test_an_unknown_id_is_said_to_be_unknown() -> None:
    world = World()
    assert world.refused(EVE, c.Configure("public", "ftp://p", "P")).code == "url"
    assert world.refused(OPS, c.Verify("v7")).why == "There is no deployment v7. `deploy status` lists what is there"
