"""What must hold whatever happens: judged from the journal and from what servers took, not by the code under test.

Each law raises AssertionError with what broke it. `watch` judges a world's commits, `hold` all that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

from core import events as e
from core.evolve import evolve, evolve_lane
from core.people import Person, Role
from core.policy import Covers
from core.ports import Change
from core.release.wire import Release
from core.stages import Stage
from core.state import Deployment, Lane, ManifestFacts, ReleaseRef
from tests.core.support.servers import Accepted
from tests.core.support.world import KINDS, SYSTEM, Line, World

MOVES = (e.LaneTaken, e.Retried, e.RollbackStarted)
"""Events that issue a generation, where theirs is not 0."""


def watch(world: World) -> None:
    """Judge each commit before it is kept."""
    world.watchers.append(lambda change: _one_event_per_change(world, change))
    world.watchers.append(lambda change: _what_runs_stays_looked_after(world, change))


def hold(world: World) -> None:
    """Judge everything that is there."""
    lanes_have_one_holder_and_generations_rise(world)
    production_runs_only_what_was_approved(world)
    nothing_passes_unchecked(world)
    slots_run_their_own_digest(world)
    what_is_finished_is_so(world)
    what_is_for_owners_stays_with_them(world)
    frozen_mainframes_are_given_nothing_new(world)
    irreversible_rollbacks_have_two(world)
    a_statement_is_signed_once_and_tells_of_its_completion(world)


# -- 4: one event per change, in the same transaction ------------------------------------------------------------------


def _one_event_per_change(world: World, change: Change) -> None:
    after = change.deployment
    if after is None:
        assert change.lane is None, "a lane moved without its deployment"
        return
    before = world.deployments.get(after.key)
    assert change.entries, f"{after.key} changed without an event"
    assert after.version == (before.version if before else 0)
    folded, lane = before, world.lane(after.component)
    for draft in change.entries:
        if draft.chain == SYSTEM:
            continue
        assert draft.chain == after.key, f"{draft.kind} of {draft.chain} in a change of {after.key}"
        event = _read(draft.kind, draft.data)
        folded = evolve(folded, event, draft.at, draft.by)
        lane = evolve_lane(lane, folded, event)
    assert folded == after, "the state is not the fold of its events"
    assert (change.lane or world.lane(after.component)) == lane, "the lane is not the fold of its events"


def _what_runs_stays_looked_after(world: World, change: Change) -> None:
    """A region is taken out only where nothing runs, and nothing is wanted to."""
    for role, region in change.removed:
        assert role == "omega"
        assert not any(world.omegas[region].running.values()), f"OMEGA {region} runs something, and was taken out"
        assert not any(release.digest for release in world.omegas[region].wanted.values())


def _read(kind: str, data: dict[str, object]) -> e.DeploymentEvent:
    from adapters.store.codec import event_from

    event = event_from(kind, data)
    assert not isinstance(event, e.SystemEvent)
    return event


def journal_gives_the_state(world: World) -> None:
    """The whole journal, folded anew from its JSON, gives every deployment and lane, and names each that was opened."""
    states: dict[str, Deployment] = {}
    lanes: dict[str, Lane] = {}
    for line in world.journal:
        if line.chain == SYSTEM:
            continue
        assert not isinstance(line.event, e.SystemEvent)
        d = evolve(states.get(line.chain), line.event, line.at, line.by)
        states[line.chain] = d
        lanes[d.component] = evolve_lane(lanes.get(d.component, Lane(d.component)), d, line.event)
    assert states == {key: replace(d, version=0) for key, d in world.deployments.items()}
    for component, lane in world.lanes.items():
        assert replace(lane, version=0) == lanes[component]
    opened = [line.event.deployment for line in world.journal if isinstance(line.event, e.Opened)]
    assert opened == list(states)
    assert all(type(line.event).__name__ in KINDS for line in world.journal)


# -- the lane ----------------------------------------------------------------------------------------------------------


def lanes_have_one_holder_and_generations_rise(world: World) -> None:
    components = {line.chain: line.event.component for line in world.journal if isinstance(line.event, e.Pushed)}
    holder: dict[str, str | None] = {}
    generation: dict[str, int] = {}
    for line in world.journal:
        if line.chain == SYSTEM:
            continue
        component = components[line.chain]
        if isinstance(line.event, MOVES) and line.event.generation:
            assert holder.get(component) in (None, line.chain), f"{line.chain} took the lane of {holder[component]}"
            assert line.event.generation > generation.get(component, 0), f"{line.chain} was issued an old generation"
            holder[component], generation[component] = line.chain, line.event.generation
        if isinstance(line.event, e.Completed | e.RolledBack) and holder.get(component) == line.chain:
            holder[component] = None
    for component, lane in world.lanes.items():
        assert lane.holder == holder.get(component)


# -- 1 and 2: nothing reaches OMEGA that was not approved --------------------------------------------------------------


def production_runs_only_what_was_approved(world: World) -> None:
    """Each release is judged once, when it was first seen there: the journal before it does not change."""
    for region, host in world.omegas.items():
        taken = [(accepted.release, accepted.at) for accepted in host.accepted]
        taken += [(given.release, world.now) for distributions in host.given.values() for given in distributions]
        for release, at in taken:
            if (region, id(release)) not in world.judged:
                world.judged[region, id(release)] = release
                _judge(world, region, Accepted(release, at))


def _judge(world: World, region: str, accepted: Accepted) -> None:
    release = accepted.release
    number, line = _issued(world, release.component, release.generation)
    assert line.at <= accepted.at, f"OMEGA {region} took generation {release.generation} before it was issued"
    if isinstance(line.event, e.RollbackStarted):
        restored = dict(line.event.restore)[region]
        assert release.digest == (restored.digest if restored else None), "a rollback brought something else"
        taken = [one.event for one in _chain(world, line.chain, number) if isinstance(one.event, e.LaneTaken)]
        assert dict(taken[-1].replaces)[region] == restored, "a rollback returns to what was not recorded at its switch"
        return
    known = [one.event.region for one in _chain(world, line.chain, len(world.journal))
             if isinstance(one.event, e.RegionAsked)]  # fmt: skip
    assert region in known, f"OMEGA {region} was asked for {line.chain}, and nobody would know"
    before = list(_chain(world, line.chain, number + 1))
    fixed = next(one.event for one in before if isinstance(one.event, e.ArtifactFixed))
    assert release.digest == fixed.digest, f"{line.chain} sent another digest than was fixed at push"
    _approved(
        world, line.chain, next(i for i, one in _numbered(world, line.chain) if isinstance(one.event, e.LaneTaken))
    )


def _issued(world: World, component: str, generation: int) -> tuple[int, Line]:
    """The event that issued this generation of this component, and nothing else did."""
    keys = {
        line.chain for line in world.journal if isinstance(line.event, e.Pushed) and line.event.component == component
    }
    found = [
        (number, line)
        for number, line in enumerate(world.journal)
        if line.chain in keys and isinstance(line.event, MOVES) and line.event.generation == generation
    ]
    assert len(found) == 1, f"generation {generation} of {component} was issued {len(found)} times"
    return found[0]


def _numbered(world: World, chain: str) -> Iterator[tuple[int, Line]]:
    return ((number, line) for number, line in enumerate(world.journal) if line.chain == chain)


def _chain(world: World, chain: str, end: int) -> Iterator[Line]:
    return (line for number, line in _numbered(world, chain) if number < end)


def _approved(world: World, chain: str, taken_at: int) -> None:
    """When the lane was taken: a valid verdict for this digest, and votes of enough people for exactly this.

    Or an admin's emergency for exactly this, which skips votes, freezes, locks and the calendar.
    """
    taken = world.journal[taken_at]
    assert isinstance(taken.event, e.LaneTaken)
    lines = list(_chain(world, chain, taken_at))
    pushed, manifest = _manifest(lines)
    run = max(one.event.run for one in lines if isinstance(one.event, e.VerificationStarted))
    digest = next(
        one.event.digest for one in lines if isinstance(one.event, e.VerificationStarted) and one.event.run == run
    )
    verdict = next(
        (one.event for one in lines if isinstance(one.event, e.VerificationPassed) and one.event.run == run), None
    )
    assert verdict is not None, f"{chain} took the lane without a verdict on run {run}"
    assert taken.at < verdict.valid_until, f"{chain} took the lane with an expired verdict"
    replaces = tuple((region, ref.digest if ref else None) for region, ref in taken.event.replaces)
    wanted = Covers(digest, run, manifest.component, manifest.level, manifest.irreversible, replaces)
    assert tuple(region for region, _ in taken.event.replaces) == taken.regions, "a region was left out"
    _nothing_is_owed(world, taken_at, manifest.component)
    declared = _emergency(world, chain, taken_at, manifest.component)
    if declared is not None:
        assert (declared.digest, declared.run, declared.covers) == (digest, run, wanted.fingerprint)
        who = next(one for one in taken.people if one.id == declared.person)
        assert not who.shared
        assert who.id != pushed, f"{who.id} declared an emergency for what they pushed"
        assert _holds(who, "admin", taken, manifest, [region for region, _ in taken.event.replaces])
        _nothing_forbade(world, taken_at, manifest.component, only="pause")
        return
    voters = {vote.person for vote in _standing(world, chain, taken_at, manifest.component)
              if (vote.digest, vote.run, vote.covers) == (digest, run, wanted.fingerprint)}  # fmt: skip
    regions = [region for region, _ in taken.event.replaces]
    approving = {one.id: one for one in taken.people if not one.shared and _approves(one, taken, manifest, regions)}
    if not taken.policy.own_push:
        approving.pop(pushed, None)
    counted = voters & set(approving)
    need = taken.policy.quorum_by_component.get(manifest.component, taken.policy.quorum)
    assert len(counted) >= need, f"{chain} took the lane with {sorted(counted)} of {sorted(voters)}, {need} are needed"
    groups = taken.policy.groups_by_component.get(manifest.component, taken.policy.groups)
    members = [[who for who in counted if group in approving[who].groups] for group in groups]
    stood = any(len(set(standing)) == len(groups) for standing in product(*members))
    assert stood, f"{chain} took the lane without one of each of {groups}"
    _nothing_forbade(world, taken_at, manifest.component)


def _emergency(world: World, chain: str, end: int, component: str) -> e.EmergencyDeclared | None:
    """The emergency of `chain` that stands at line `end`."""
    keys = {
        line.chain for line in world.journal if isinstance(line.event, e.Pushed) and line.event.component == component
    }
    found: e.EmergencyDeclared | None = None
    for line in world.journal[:end]:
        match line.event:
            case e.EmergencyDeclared() if line.chain == chain:
                assert line.event.person == line.by, "somebody declared for another"
                found = line.event
            case e.VotesFell(people=people) if line.chain == chain and found and (found.person in people or not people):
                found = None
            case e.VerificationStarted() if line.chain == chain:
                found = None
            case e.RollbackStarted(generation=generation) if generation and line.chain in keys:
                found = None
    return found


def _nothing_is_owed(world: World, end: int, component: str) -> None:
    """Every emergency of the component before was countersigned by another than its declarer and its pusher."""
    pushers = {
        line.chain: line.by
        for line in world.journal
        if isinstance(line.event, e.Pushed) and line.event.component == component
    }
    owed: dict[str, str] = {}
    for number, line in enumerate(world.journal[:end]):
        if line.chain not in pushers:
            continue
        if isinstance(line.event, e.LaneTaken):
            declared = _emergency(world, line.chain, number, component)
            owed |= {line.chain: declared.person} if declared else {}
        if isinstance(line.event, e.Countersigned):
            assert line.by == line.event.person
            assert line.by not in (owed.pop(line.chain), pushers[line.chain]), "countersigned by its declarer or pusher"
    assert not owed, f"{world.journal[end].chain} took the lane while {sorted(owed)} awaited a countersignature"


def irreversible_rollbacks_have_two(world: World) -> None:
    """What is irreversible and was in production is rolled back by another than who asked for it."""
    fixed = {line.chain: line.event.manifest for line in world.journal if isinstance(line.event, e.ArtifactFixed)}
    asked: dict[str, str] = {}
    for line in world.journal:
        match line.event:
            case e.RollbackAsked(person=person):
                assert person == line.by
                asked[line.chain] = person
            case e.Failed(failed_in=Stage.ROLLING_BACK):
                asked[line.chain] = "a rollback that failed needs nobody again"
            case e.RollbackStarted(generation=generation) if generation and fixed[line.chain].irreversible:
                assert asked.pop(line.chain, line.by) != line.by, f"{line.by} rolled {line.chain} back alone"


def _nothing_forbade(world: World, end: int, component: str, only: str | None = None) -> None:
    """No lock, freeze or pause that the journal knows of, and no holiday: by the events alone."""
    taken, standing, start = world.journal[end], dict[str, e.Blocked](), None
    for line in world.journal[:end]:
        if isinstance(line.event, e.Blocked):
            standing[line.event.id] = line.event
        if isinstance(line.event, e.Unblocked):
            del standing[line.event.id]
    for block in standing.values():
        over = block.until is not None and taken.at >= block.until
        elsewhere = block.component not in (None, component) or (block.region and block.region not in taken.regions)
        elsewhere = elsewhere or block.mainframe is not None
        assert over or elsewhere or only not in (None, block.kind), (
            f"{taken.chain} took the lane through the {block.kind} “{block.why}”"
        )
    if only is not None:
        return
    for line in world.journal[:end]:
        if line.chain == taken.chain and isinstance(line.event, e.StartSet):
            start = line.event
        elif line.chain == taken.chain and isinstance(line.event, e.VerificationStarted):
            start = None
    assert start is None or start.at <= taken.at, f"{taken.chain} took the lane before its time"
    for holiday in taken.policy.holidays:
        on = (taken.at.isoformat()[:10], taken.at.isoformat()[5:10])
        assert not set(on) & set(holiday.days), f"{taken.chain} took the lane on {holiday.name}"
    for window in taken.policy.windows:
        if not window.required:
            continue
        hour = int(window.opens.split()[1])
        opened = taken.at.replace(hour=hour, minute=0, second=0, microsecond=0)
        assert opened <= taken.at < opened + timedelta(seconds=window.lasts), "the lane was taken outside the window"


def _approves(who: Person, taken: Line, manifest: ManifestFacts, regions: list[str]) -> bool:
    return _holds(who, "approver", taken, manifest, regions)


def _holds(who: Person, role: Role, taken: Line, manifest: ManifestFacts, regions: list[str]) -> bool:
    """Everywhere by their roles, or in every region by a grant."""
    given = [
        grant
        for grant in taken.policy.grants
        if role in grant.roles
        and ({who.id, *(f"@{group}" for group in who.groups)} & set(grant.to))
        and (not grant.components or manifest.component in grant.components)
    ]
    return role in who.roles or all(
        any(not grant.servers or region in grant.servers for grant in given) for region in regions
    )


def _manifest(lines: list[Line]) -> tuple[str, ManifestFacts]:
    pusher = next(line.by for line in lines if isinstance(line.event, e.Pushed))
    fixed = next(line.event for line in lines if isinstance(line.event, e.ArtifactFixed))
    return pusher, fixed.manifest


def _standing(world: World, chain: str, end: int, component: str) -> list[e.Voted]:
    """The votes for `chain` that have not fallen before line `end`: by an event, a new run or a rollback beside it."""
    keys = {
        line.chain for line in world.journal if isinstance(line.event, e.Pushed) and line.event.component == component
    }
    votes: list[e.Voted] = []
    for line in world.journal[:end]:
        match line.event:
            case e.Voted() if line.chain == chain:
                assert line.event.person == line.by, "somebody voted for another"
                votes.append(line.event)
            case e.VotesFell(people=people) if line.chain == chain:
                votes = [vote for vote in votes if vote.person not in people]
            case e.VoteWithdrawn(person=person) if line.chain == chain:
                assert person == line.by, "somebody took another's vote back"
                votes = [vote for vote in votes if vote.person != person]
            case e.VerificationStarted() if line.chain == chain:
                votes = []
            case e.RollbackStarted(generation=generation) if generation and line.chain in keys:
                votes = []
    return votes


# -- 3 and 10: slots and verdicts --------------------------------------------------------------------------------------


def slots_run_their_own_digest(world: World) -> None:
    fixed = {line.chain: line.event.digest for line in world.journal if isinstance(line.event, e.ArtifactFixed)}
    for slot in world.public.staged.values():
        key = f"{slot.release.deployment}#{slot.release.attempt}"
        assert slot.release.digest == fixed[key], f"the slot of {key} has another digest"


def nothing_passes_unchecked(world: World) -> None:
    """A run passed only where a check of it ran and passed, and none failed, by the journal alone."""
    results: dict[tuple[str, int], dict[str, str]] = {}
    asked: dict[tuple[str, int], set[str]] = {}
    for line in world.journal:
        match line.event:
            case e.VerificationStarted(run=run, checks=checks):
                assert (line.chain, run) not in asked, "a run was started twice"
                asked[line.chain, run] = {check.name for check in checks}
            case e.CheckFinished(run=run, name=name, state=state):
                known = results.setdefault((line.chain, run), {})
                assert name not in known, f"{name} of {line.chain} run {run} finished twice"
                known[name] = state
            case e.VerificationPassed(run=run):
                states = results.get((line.chain, run), {})
                assert set(states) == asked[line.chain, run], "a verdict without every check"
                assert "passed" in states.values(), "a run passed in which nothing passed"
                assert not {"failed", "timed_out"} & set(states.values()), "a run passed with a failure"


# -- what is said to be done, is done ----------------------------------------------------------------------------------


def what_is_finished_is_so(world: World) -> None:
    """At the moment of the last event: completed, every region runs it; rolled back, what was there before."""
    if not world.journal:
        return
    line = world.journal[-1]
    if line.chain == SYSTEM:
        return
    d = world.deployments[line.chain]
    match line.event:
        case e.Completed():
            for region in d.regions:
                assert world.omegas[region].running[d.component] == d.digest, f"OMEGA {region} does not run {d.key}"
            _mainframes_run(world, d, dict.fromkeys(d.regions, (d.digest, d.digest)))
        case e.RolledBack(touched=True):
            for region, ref in d.restore:
                digest = ref.digest if ref else None
                assert world.omegas[region].running[d.component] == digest, f"OMEGA {region} was not restored"
            _mainframes_run(world, d, {region: _by_tier(ref) for region, ref in d.restore})
        case _:
            pass


def _by_tier(ref: ReleaseRef | None) -> tuple[str | None, str | None]:
    """What owners' mainframes run beside `ref`, and what the others do."""
    below = ref.for_all if ref else None
    return (ref.digest if ref else None), (below.digest if below else None)


def _mainframes_run(world: World, d: Deployment, targets: dict[str, tuple[str | None, str | None]]) -> None:
    for row in d.mainframes:
        if row.status == "healthy" and row.region in targets:
            owners, others = targets[row.region]
            runs = world.omegas[row.region].mainframes[row.name].running[d.component]
            wanted = owners if row.tier == "server-owner" else others
            assert runs == wanted, f"{row.name} is called healthy, and runs something else"


def what_is_for_owners_stays_with_them(world: World) -> None:
    """No mainframe below the tier ever runs a release of owner level, and none without a licence runs anything."""
    fixed = [line.event for line in world.journal if isinstance(line.event, e.ArtifactFixed)]
    for_owners = {event.digest for event in fixed if event.manifest.level == "server-owner"}
    for host in world.omegas.values():
        for mainframe in host.mainframes.values():
            assert mainframe.licensed or not mainframe.running
            if mainframe.tier != "server-owner":
                assert not for_owners & set(mainframe.running.values()), f"{mainframe.name} has what is for owners"


def frozen_mainframes_are_given_nothing_new(world: World) -> None:
    """What a mainframe was frozen for when its lane was taken is not given to it while that same freeze stands.

    Neither is what rolls it back, for there is nothing to undo. An emergency skips freezes.
    """
    for region, host in world.omegas.items():
        for mainframe in host.mainframes.values():
            for release in mainframe.given.values():
                seen = (f"{region}/{mainframe.name}", id(release))
                if seen not in world.judged:
                    world.judged[seen] = release
                    _may_be_given(world, region, mainframe.name, release)


def _may_be_given(world: World, region: str, name: str, release: Release) -> None:
    number, line = _issued(world, release.component, release.generation)
    taken = max(i for i, one in _numbered(world, line.chain) if i <= number and isinstance(one.event, e.LaneTaken))
    if _emergency(world, line.chain, taken, release.component) is not None or _by_emergency(world, release.component):
        return
    now = _freezing(world, len(world.journal), world.now, region, name, release.component)
    since = _freezing(world, taken, world.journal[taken].at, region, name, release.component)
    assert not since & now, f"{name} was given generation {release.generation} while it was frozen"


def _by_emergency(world: World, component: str) -> bool:
    """Whether the component's newest distribution is one: whom it leaves out nobody leaves out."""
    keys = {key for key, d in world.deployments.items() if d.component == component}
    number, line = [
        (i, one) for i, one in enumerate(world.journal) if one.chain in keys and isinstance(one.event, e.LaneTaken)
    ][-1]
    return _emergency(world, line.chain, number, component) is not None


def _freezing(world: World, end: int, at: datetime, region: str, name: str, component: str) -> set[str]:
    """The freezes of this mainframe that stood at line `end`, by the events alone."""
    standing: dict[str, e.Blocked] = {}
    for line in world.journal[:end]:
        if isinstance(line.event, e.Blocked):
            standing[line.event.id] = line.event
        if isinstance(line.event, e.Unblocked):
            del standing[line.event.id]
    return {
        one.id
        for one in standing.values()
        if one.mainframe == name
        and one.component in (None, component)
        and one.region in (None, region)
        and (one.until is None or at < one.until)
    }


def mainframes_run_what_their_peers_do(world: World) -> None:
    """At rest, with everybody well and nothing frozen: each mainframe runs what production has for its tier."""
    for host in world.omegas.values():
        host.work()  # mainframes pull by themselves
    for component, lane in world.lanes.items():
        for region, ref in lane.current:
            host = world.omegas[region]
            if lane.holder is not None or component not in host.given or _passed_by(world, component, region):
                continue
            owners, others = _by_tier(ref)
            for mainframe in host.mainframes.values():
                if mainframe.licensed:
                    wanted = owners if mainframe.tier == "server-owner" else others
                    runs = mainframe.running.get(component)
                    assert runs == wanted, f"{mainframe.name} in {region} runs {runs} of {component}, not {wanted}"


def _passed_by(world: World, component: str, region: str) -> bool:
    """Whether a rollback left the region alone since anything was sent there: the next deployment brings all up."""
    passed = False
    for line in world.journal:
        if line.chain != SYSTEM and world.deployments[line.chain].component == component:
            match line.event:
                case e.RegionLeftAlone(region=where) if where == region:
                    passed = True
                case e.DistributionTaken(region=where) if where == region:
                    passed = False
    return passed


def components_are_apart(world: World) -> None:
    """What a server was given for a component came from a deployment of that component."""
    of = {line.chain: line.event.component for line in world.journal if isinstance(line.event, e.Pushed)}
    for host in (world.public, *world.omegas.values()):
        for accepted in host.accepted:
            release = accepted.release
            assert of[f"{release.deployment}#{release.attempt}"] == release.component


# -- the statement of a completion -------------------------------------------------------------------------------------


def a_statement_is_signed_once_and_tells_of_its_completion(world: World) -> None:
    """What comes between completion and signature, a rollback say, changes nothing of what is stated."""
    for key, d in world.deployments.items():
        lines = [line for line in world.journal if line.chain == key]
        completed = [line.at for line in lines if isinstance(line.event, e.Completed)]
        stated = [line.event.envelope["says"] for line in lines if isinstance(line.event, e.Attested)]
        assert len(stated) + (d.unattested is not None) == len(completed) <= 1, f"{key}: {stated}"
        for says in stated:
            assert (says["digest"], says["completed_at"]) == (d.digest, completed[0].isoformat().replace("+00:00", "Z"))
            issued = [line.event.generation for line in lines if isinstance(line.event, (e.LaneTaken, e.Retried))
                      and line.at <= completed[0]]  # fmt: skip
            assert says["generation"] == max(issued)
