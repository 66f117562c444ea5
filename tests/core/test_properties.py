"""No order of commands, outcomes, faults and time breaks what must hold, and left alone everything comes to rest.

A state machine plays the people, the servers and the clock against the workflow, as the program drives it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.store.schedule import Work
from core import commands as c
from core.events import OutcomeStale
from core.facts import Decided, Refused, Verdict
from core.people import Grant, Person
from core.policy import Holiday, Window
from core.stages import Stage
from core.state import Deployment, ManifestFacts
from core.workflow import Writing
from tests.core.support import laws
from tests.core.support.team import ALICE, BO, CY, DI, EVE, EVERYBODY, OPS, STRANGER, VI
from tests.core.support.world import World

UPDATES = {
    "v1": ManifestFacts("main"),
    "v2": ManifestFacts("main", contains=("v1",)),
    "owners": ManifestFacts("main", "server-owner"),
    "docs": ManifestFacts("docs", irreversible=True),
}
people = st.sampled_from((ALICE, BO, CY, DI, EVE, VI, OPS, STRANGER))
updates = st.sampled_from(tuple(UPDATES))
MAKERS = {
    "verify": c.Verify,
    "approve": c.Approve,
    "unapprove": c.Unapprove,
    "rollback": c.Rollback,
    "cancel": c.Cancel,
    "retry": c.Retry,
    "pause": c.Pause,
    "resume": c.Resume,
}
EMPTY = frozenset({
    "Verify", "Approve", "Unapprove", "Rollback", "Cancel", "Retry", "Pause", "Resume", "Push", "Reject", "Countersign",
})  # fmt: skip
"""Commands that change nothing when they come a second time at once."""


GRANTS = st.builds(
    Grant,
    to=st.sampled_from((("eve",), ("@security",), ("di", "@ops"))),
    roles=st.sampled_from((frozenset({"approver"}), frozenset({"deployer", "approver"}))),
    components=st.sampled_from(((), ("main",), ("docs",))),
    servers=st.sampled_from(((), ("eu",), ("public",), ("eu", "us"))),
)


BLOCKS: tuple[Writing, ...] = (
    c.Lock("looking into it"), c.Lock("moving the database", "main", duration=60), c.Freeze("audit", until="18:00"),
    c.Freeze("audit", "docs"), c.Freeze("audit", None, "eu", duration=300), c.Pause(),
    c.Freeze("trade fair", mainframe="m1"), c.Freeze("trade fair", mainframe="m2", duration=300),
    c.Freeze("trade fair", "main", "eu", mainframe="m2"),
)  # fmt: skip
LIFTS: tuple[Writing, ...] = (
    c.Unlock(), c.Unlock("it takes too long"), c.Unlock("it takes too long", "main"), c.Unfreeze(), c.Unfreeze("docs"),
    c.Unfreeze(None, "eu"), c.Unfreeze(mainframe="m1"), c.Unfreeze(mainframe="m2"), c.Resume(), c.Resume(), c.Pause(),
)  # fmt: skip
CALENDARS = (
    ((), ()), ((Window("calm", "*/30 * * * *", 120, required=False),), ()),
    ((Window("afternoon", "0 14 * * *", 3600, components=("main", "docs")),), ()),
    ((), (Holiday("Epiphany", ("01-06",)), Holiday("inventory", ("2026-01-08",)))),
)  # fmt: skip


class Journeys(RuleBasedStateMachine):
    """Two deployments of one component, one for owners, one of another component, and all of them again."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(updates=dict(UPDATES))
        laws.watch(self.world)

    @initialize(
        quorum=st.sampled_from((1, 2)),
        own=st.booleans(),
        before=st.lists(updates, max_size=2, unique=True),
        waiting=st.lists(updates, max_size=3, unique=True),
        frozen=st.sampled_from((None, "m1", "m2")),
        trouble=st.sampled_from((None, "slow", "breaks", "away")),
        rounds=st.integers(0, 4),
    )
    def begin(
        self, quorum: int, own: bool, before: list[str], waiting: list[str], frozen: str | None, trouble: str | None,
        rounds: int,
    ) -> None:  # fmt: skip
        """Some updates are in production already, others on their way, and something may be wrong with OMEGA.

        A mainframe may be frozen since the first of them.
        """
        self.world.policy = replace(self.world.policy, quorum=quorum, own_push=own)
        for number, update in enumerate(before):
            if frozen and number == 1:
                self._says(EVE, c.Freeze("trade fair", mainframe=frozen))
            self._until(update, Stage.COMPLETED)
        for update in waiting:
            if update not in before:
                self._until(update, Stage.AWAITING_APPROVAL)
        if trouble:
            self.upset_a_server("eu", trouble)
        for update in waiting[:2]:
            self.go_on(update, rounds)

    def _until(self, update: str, stage: Stage) -> None:
        for _ in range(6):
            d = self.world.latest(update)
            if d is None or d.stage is not stage:
                self.go_on(update, 5)

    def _says(self, who: Person, command: Writing) -> Verdict:
        """Say it; and at once again, as a click that was delivered under another name."""
        world = self.world
        world.now += timedelta(seconds=0.5)
        before = len(world.journal)
        verdict = world.says(who, command)
        if isinstance(verdict, Refused):
            assert len(world.journal) == before, "a refusal wrote something"
            assert len(verdict.why) > 20
            assert verdict.code == "stranger" or "`" in verdict.why or "can approve" in verdict.why, verdict.why
        if type(command).__name__ in EMPTY and isinstance(verdict, Decided) and verdict.events:
            again = world.says(who, command)
            assert isinstance(again, Refused) or not again.events, (command, verdict, again)
        return verdict

    # -- people --------------------------------------------------------------------------------------------------------

    @rule(update=updates, who=st.sampled_from((ALICE, ALICE, DI, OPS, BO)))
    def push(self, update: str, who: Person) -> None:
        self._says(who, c.Push(update, "some change"))

    @rule(update=updates, name=st.sampled_from(tuple(MAKERS)), who=people)
    def say(self, update: str, name: str, who: Person) -> None:
        self._says(who, MAKERS[name](update))

    @rule(update=updates, name=st.sampled_from(tuple(MAKERS)), rounds=st.integers(0, 4))
    def act(self, update: str, name: str, rounds: int) -> None:
        """By somebody who may, and perhaps half-way through what was going on."""
        self._says(BO if name == "approve" else ALICE, MAKERS[name](update))
        self.settle_somewhat(rounds)

    @rule(update=updates, rounds=st.integers(0, 4))
    def roll_back(self, update: str, rounds: int) -> None:
        self._says(BO, c.Rollback(update, "login errors"))
        self.settle_somewhat(rounds)

    @rule(update=updates, who=people)
    def reject(self, update: str, who: Person) -> None:
        self._says(who, c.Reject(update, "too slow"))

    @rule(update=updates, who=people)
    def note(self, update: str, who: Person) -> None:
        self._says(who, c.Note(update, "looks odd"))

    @rule(update=updates, run=st.integers(0, 2), who=people)
    def click_an_old_button(self, update: str, run: int, who: Person) -> None:
        self._says(who, c.Approve(update, c.Seen(1, "", run)))

    @rule(update=updates, rounds=st.sampled_from((0, 0, 1, 2, 5)))
    def go_on(self, update: str, rounds: int) -> None:
        """What a team would do next, so that journeys get far."""
        d = self.world.latest(update)
        match d and d.stage:
            case None | Stage.CANCELLED | Stage.REJECTED | Stage.ROLLED_BACK | Stage.COMPLETED:
                self._says(DI, c.Push(update, "some change"))
            case Stage.STAGED:
                self._says(ALICE, c.Verify(update))
            case Stage.AWAITING_APPROVAL:
                self._says(BO, c.Approve(update))
                self._says(CY, c.Approve(update))
            case Stage.FAILED | Stage.ROLLBACK_FAILED:
                self._says(ALICE, c.Retry(update))
            case _:
                pass
        self.settle_somewhat(rounds)

    @rule(who=st.sampled_from((BO, CY, ALICE)))
    def lose_or_gain_a_role(self, who: Person) -> None:
        """Settings were changed: from now on somebody may approve, or may no longer."""
        world = self.world
        held = next(one for one in world.people if one.id == who.id)
        changed = replace(held, roles=held.roles ^ {"approver"})
        world.people = tuple(changed if one.id == who.id else one for one in world.people)

    @rule(who=st.sampled_from((BO, CY, EVE, DI)), group=st.sampled_from(("security", "ops")))
    def join_or_leave_a_group(self, who: Person, group: str) -> None:
        world = self.world
        held = next(one for one in world.people if one.id == who.id)
        changed = replace(held, groups=held.groups ^ {group})
        world.people = tuple(changed if one.id == who.id else one for one in world.people)

    @rule(groups=st.sampled_from(((), ("security",), ("security", "ops"))))
    def ask_for_groups(self, groups: tuple[str, ...]) -> None:
        self.world.policy = replace(self.world.policy, groups=groups)

    @rule(grants=st.lists(GRANTS, max_size=2))
    def grant_something(self, grants: list[Grant]) -> None:
        self.world.policy = replace(self.world.policy, grants=tuple(grants))

    @rule(who=st.sampled_from((ALICE, BO, EVE, VI)), what=st.sampled_from(BLOCKS), rounds=st.integers(0, 2))
    def hold_production(self, who: Person, what: Writing, rounds: int) -> None:
        self._says(who, what)
        self.settle_somewhat(rounds)

    @rule(who=st.sampled_from((ALICE, BO, EVE, VI)), what=st.sampled_from(LIFTS))
    def let_production_go(self, who: Person, what: Writing) -> None:
        self._says(who, what)

    @rule(what=st.sampled_from(CALENDARS))
    def change_the_calendar(self, what: tuple[tuple[Window, ...], tuple[Holiday, ...]]) -> None:
        self.world.policy = replace(self.world.policy, windows=what[0], holidays=what[1])

    @rule(update=updates, who=st.sampled_from((EVE, EVE, ALICE, OPS)), rounds=st.integers(0, 4))
    def declare_an_emergency(self, update: str, who: Person, rounds: int) -> None:
        self._says(who, c.Approve(update, emergency="login is down"))
        self.settle_somewhat(rounds)

    @rule(update=updates, who=people)
    def countersign(self, update: str, who: Person) -> None:
        self._says(who, c.Countersign(update))

    @rule(update=updates, who=st.sampled_from((BO, CY)), at=st.sampled_from(("14:01", "14:30", "tomorrow 09:00")))
    def approve_for_later(self, update: str, who: Person, at: str) -> None:
        self._says(who, c.Approve(update, at=at))

    @rule(update=updates, who=st.sampled_from((BO, CY)))
    def approve_for_a_window(self, update: str, who: Person) -> None:
        self._says(who, c.Approve(update, window="calm"))

    @rule(update=updates, who=st.sampled_from((BO, CY, ALICE)))
    def make_an_admin(self, update: str, who: Person) -> None:
        world = self.world
        held = next(one for one in world.people if one.id == who.id)
        changed = replace(held, roles=held.roles ^ {"admin"})
        world.people = tuple(changed if one.id == who.id else one for one in world.people)

    @rule(quorum=st.sampled_from((1, 2, 3)))
    def change_the_quorum(self, quorum: int) -> None:
        self.world.policy = replace(self.world.policy, quorum=quorum)

    @rule(who=st.sampled_from((EVE, EVE, ALICE)), region=st.sampled_from(("eu", "us")), number=st.integers(1, 2))
    def configure_omega(self, who: Person, region: str, number: int) -> None:
        self._says(who, c.Configure("omega", f"https://omega{number}.{region}.test", "Production", region))

    @rule(region=st.sampled_from(("eu", "us", "us")))
    def unconfigure_omega(self, region: str) -> None:
        self._says(EVE, c.Unconfigure(region))

    @rule(number=st.integers(1, 2))
    def configure_public(self, number: int) -> None:
        self._says(EVE, c.Configure("public", f"https://public{number}.test", "Staging"))

    # -- servers -------------------------------------------------------------------------------------------------------

    @rule(where=st.sampled_from(("public", "eu", "us")), what=st.sampled_from(("away", "breaks", "slow")))
    def upset_a_server(self, where: str, what: str) -> None:
        host = self.world.public if where == "public" else self.world.omegas.get(where)
        if host is not None:
            setattr(host, what, not getattr(host, what))

    @rule(name=st.sampled_from(("Health Check", "Security Scan")),
          ending=st.sampled_from(("passed", "failed", "timed_out", "skipped", "not_applicable")))  # fmt: skip
    def end_a_check(self, name: str, ending: str) -> None:
        self.world.public.endings[name] = ending  # type: ignore[assignment] # the literals above

    @rule(ending=st.sampled_from(("skipped", "not_applicable")))
    def run_no_check(self, ending: str) -> None:
        for check in self.world.policy.checks:
            self.world.public.endings[check.name] = ending  # type: ignore[assignment] # the literals above

    @rule(region=st.sampled_from(("eu", "us")), name=st.sampled_from(("m1", "m2")),
          mood=st.sampled_from(("well", "asleep", "fails", "silent")))  # fmt: skip
    def upset_a_mainframe(self, region: str, name: str, mood: str) -> None:
        if region in self.world.omegas:
            self.world.omegas[region].mainframes[name].mood = mood  # type: ignore[assignment] # the literals above

    @rule(region=st.sampled_from(("eu", "us")))
    def crash_production(self, region: str) -> None:
        host = self.world.omegas.get(region)
        for component, status in host.statuses.items() if host else ():
            if status == "healthy":
                host.statuses[component] = "crashed"  # type: ignore[union-attr] # it has statuses

    # -- time and the program ------------------------------------------------------------------------------------------

    @rule(rounds=st.integers(1, 8))
    def settle_somewhat(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.now += timedelta(seconds=2)
            self.world.tick()

    @rule(seconds=st.sampled_from((1, 20, 70, 301, 601, 86_401)))
    def time_passes(self, seconds: int) -> None:
        """With the program down: nothing is looked at meanwhile."""
        self.world.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.world.deployments)
    @rule(data=st.data(), steps=st.integers(0, 6))
    def kill_the_program(self, data: st.DataObject, steps: int) -> None:
        """At any instant of a look: what was seen is gone, what was done stays."""
        key = data.draw(st.sampled_from(sorted(self.world.deployments)))
        self.world.look(key, killed_after=steps)

    @precondition(lambda self: self.world.outcomes)
    @rule(data=st.data())
    def come_too_late(self, data: st.DataObject) -> None:
        """An outcome of long ago is observed again; and what comes twice at once acts once."""
        key, outcome = data.draw(st.sampled_from(self.world.outcomes[-40:]))
        self.world.now += timedelta(seconds=0.5)
        self.world.observe(key, outcome)
        again = self.world.observe(key, outcome)
        assert all(isinstance(event, OutcomeStale) for event in again), (outcome, again)

    # -- laws ----------------------------------------------------------------------------------------------------------

    @invariant()
    def what_must_hold(self) -> None:
        laws.hold(self.world)

    def teardown(self) -> None:
        laws.journal_gives_the_state(self.world)
        laws.components_are_apart(self.world)
        _comes_to_rest(self.world)
        laws.hold(self.world)


def _comes_to_rest(world: World) -> None:
    """Servers are well, people do nothing but lift what is held: all ends, or waits for a person, and stays so."""
    world.heal()
    world.people = EVERYBODY
    world.policy = replace(world.policy, windows=(), holidays=(), grants=())
    _lift_everything(world)
    for d in [d for d in world.deployments.values() if d.hold]:
        world.done(ALICE, c.Resume(d.key))
    before = len(world.journal)
    world.settle(limit=1500)
    assert len(world.journal) - before <= 60 * (1 + len(world.deployments)), "too much was written"
    assert not world.stuck(), world.stuck()
    assert not [d.key for d in world.deployments.values() if _leftover(d)], "a slot on Public was forgotten"
    laws.mainframes_run_what_their_peers_do(world)
    rested = len(world.journal)
    for key in list(world.deployments):
        world.look(key)
    world.settle(limit=1500)
    assert len(world.journal) == rested, [type(line.event).__name__ for line in world.journal[rested:]]


def _lift_everything(world: World) -> None:
    for block in list(world.blocks.values()):
        if block.stands(world.now):
            match block.kind:
                case "lock":
                    world.done(EVE, c.Unlock("done with it", block.component))
                case "freeze" if block.id in world.blocks:
                    world.says(EVE, c.Unfreeze(block.component, block.region, block.mainframe))
                case "pause":
                    world.done(ALICE, c.Resume())
                case _:
                    pass  # lifted with another freeze of the same
    for d in list(world.deployments.values()):
        world.work[d.key] = world.work.get(d.key, Work(d.key)).wished(world.now)
    world.tick()


def _leftover(d: Deployment) -> bool:
    place = d.placement("public")
    return d.ended and place is not None and place.observed != "withdrawn"


TestJourneys = Journeys.TestCase
TestJourneys.settings = settings(stateful_step_count=40, max_examples=3 * settings().max_examples)
