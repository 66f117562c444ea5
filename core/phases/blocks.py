"""Locks, freezes, and the pause of everything: what keeps production as it is. None of them blocks a rollback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from core import say, times
from core.commands import Freeze, Lock, Pause, Resume, Unfreeze, Unlock
from core.events import Blocked, Unblocked
from core.facts import Decided, Facts, Refused, Verdict
from core.policy import EVERY, Scope, admins, closed, holds, left_out_still, lifting, names
from core.policy.roles import ADMIN
from core.stages import TRANSITIONS, Act
from core.state import Block
from core.text import likest, nearest

_HELD = frozenset(TRANSITIONS[Act.PAUSE])
_NEAREST = 3
"""Names that are told where a mainframe or a component is not known."""
Scoped = tuple[str | None, str | None, str | None]
"""Component, region and mainframe of a block."""


def lock(command: Lock, facts: Facts) -> Verdict:
    """One lock at a time for a component, or for all: a second one would be dropped silently with the first."""
    until = _end(command, facts)
    if isinstance(until, Refused):
        return until
    if mistyped := _mistyped(command.component, facts):
        return Refused("component", mistyped)
    standing = next((one for one in _standing("lock", facts) if one.component == command.component), None)
    if standing is not None:
        who = "You hold" if standing.by == facts.me.id else f"{facts.name_of(standing.by)} holds"
        end = f", until {_clock(standing.until, facts)}" if standing.until else ""
        why = f"{who} {standing.where} already: “{standing.why}”{end}. `{lifting(standing)}` lifts it"
        return Refused("locked", why)
    event = Blocked(f"lock:{command.component or EVERY}", "lock", command.reason, until, command.component, None)
    said = (f"Locked {_said(event, facts)}", *_new_name(command.component, facts))
    return Decided((event,), (*said, *_waits(event, facts)))


def freeze(command: Freeze, facts: Facts) -> Verdict:
    until = _end(command, facts)
    if isinstance(until, Refused):
        return until
    if mistyped := _mistyped(command.component, facts):
        return Refused("component", mistyped)
    region = command.region.lower() if command.region else None
    if region is not None and region not in facts.regions:
        known = say.listed(facts.regions) if facts.regions else "none yet"
        return Refused("region", f"OMEGA has no region {region}; there are {known}. `deploy servers`")
    unsure = _is_known(command.mainframe, region, facts) if command.mainframe else None
    if isinstance(unsure, Refused):
        return unsure
    if command.mainframe and region is None and unsure is None:
        region = _only_region(command.mainframe, facts)
    event = Blocked(
        f"freeze:{facts.nonce}", "freeze", command.reason, until, command.component, region, command.mainframe
    )
    follows = _goes_without(event, facts) if command.mainframe else _waits(event, facts)
    said = (f"Froze {_said(event, facts)}", *_new_name(command.component, facts))
    return Decided((event,), (*said, *((unsure,) if unsure else ()), *follows))


def _mistyped(name: str | None, facts: Facts) -> str | None:
    """That it is close to what is known and is not that. Another name is taken: it may be pushed under it tomorrow."""
    close = name is not None and nearest(name, facts.components) is not None
    return unknown_component(name, facts) if close else None


def _new_name(name: str | None, facts: Facts) -> tuple[str, ...]:
    if name is None or name in facts.components:
        return ()
    return (f"Nothing of {name} is on its way or in production yet: it holds what is pushed under that name",)


def unknown_component(name: str | None, facts: Facts) -> str | None:
    """That nothing is known of it, in a sentence with the nearest: what is mistyped would hold nothing."""
    known = facts.components
    if name is None or name in known:
        return None
    likely = likest(name, known, _NEAREST)
    there = f"; nearest: {say.listed(likely, 'or')}" if likely else ""
    return f"No component {name} is known{there}. `deploy history` shows each deployment's"


def _is_known(name: str, region: str | None, facts: Facts) -> Refused | str | None:
    """A refusal where no OMEGA knows the mainframe; a sentence where one that might could not be asked.

    A freeze keeps something as it is, so it stands by name where that cannot be known now.
    """
    asked = [one for one in facts.registries if region in (None, one.region)]
    if not asked:
        return Refused("no_omega", "OMEGA Server not configured, so no mainframe is known. `deploy servers`")
    names = [known for one in asked for known in one.names or ()]
    if name in names:
        return None
    silent = [f"OMEGA {one.region}" for one in asked if one.names is None]
    if silent:
        return (
            f"{say.listed(silent)} did not answer, so it is not known whether {name} is there; the freeze counts for "
            "the mainframe of that name. `deploy mainframes` lists them"
        )
    where = f"OMEGA {region}" if region else "OMEGA"
    likely = likest(name, names, _NEAREST)
    there = f"; nearest: {say.listed(likely, 'or')}" if likely else ""
    return Refused("mainframe", f"{where} knows no mainframe {name}{there}. `deploy mainframes` lists them")


def _only_region(name: str, facts: Facts) -> str | None:
    """The region whose OMEGA alone knows it, where there are several and all of them have told."""
    if any(one.names is None for one in facts.registries):
        return None
    there = [one.region for one in facts.registries if name in (one.names or ())]
    return there[0] if len(there) == 1 < len(facts.registries) else None


def pause_all(command: Pause, facts: Facts) -> Verdict:
    """From this commit on nothing further begins; each deployment takes its hold at its next step."""
    assert command.id is None
    if facts.paused:
        by, at = facts.name_of(facts.paused.by), _clock(facts.paused.at, facts)
        return Decided((), (f"Everything is paused already, by {by} since {at}. `deploy resume` ends that",))
    held = [f"{d.name} ({d.stage.words})" for d in facts.unfinished if d.stage in _HELD and d.hold is None]
    event = Blocked("pause", "pause", f"paused by {facts.me.name}", None, None, None)
    what = f"Held: {say.listed(held)}" if held else "Nothing is on its way to production now"
    rest = "What has begun ends, nothing further begins; staging, checks and rollbacks go on. `deploy resume` ends it"
    return Decided((event,), ("Paused everything", what, rest))


def resume_all(command: Resume, facts: Facts) -> Verdict:
    assert command.id is None
    if facts.paused is None:
        return Refused("not_paused", "Not everything is paused. `deploy resume <id>` lets one deployment go on")
    event = Unblocked("pause", "pause", facts.paused.by, "everything", None)
    alone = [d.name for d in facts.unfinished if d.hold is not None and not d.hold.wide]
    left = (f"Still paused by themselves: {say.listed(alone)}",) if alone else ()
    return Decided((event,), ("Done: everything goes on", *left))


def unlock(command: Unlock, facts: Facts) -> Verdict:
    """By its holder; an admin breaks it, and says why."""
    found = _one(_standing("lock", facts), (command.component, None, None))
    if isinstance(found, Refused):
        return found
    mine = found.by == facts.me.id
    if not mine:
        scope = Scope(found.component or EVERY)
        holder, can = facts.name_of(found.by), names(admins(facts.people, facts.policy, scope))
        if not holds(facts.me, ADMIN, facts.policy, scope):
            why = (
                f"The lock of {found.where} is {holder}'s: “{found.why}”. {holder} can lift it, or {can} with a reason"
            )
            return Refused("not_yours", f"{why}: `{lifting(found)}`")
        if not command.reason:
            why = f"The lock of {found.where} is {holder}'s: “{found.why}”. To break it, say why"
            return Refused("reason", f"{why}: `{lifting(found)} '…'`")
    event = Unblocked(found.id, "lock", found.by, found.where, None if mine else command.reason)
    verb = "Unlocked" if mine else f"Broke {facts.name_of(found.by)}'s lock of"
    return Decided((event,), (f"{verb} {found.where}",))


def unfreeze(command: Unfreeze, facts: Facts) -> Verdict:
    region = command.region.lower() if command.region else None
    found = _one(_standing("freeze", facts), (command.component, region, command.mainframe))
    if isinstance(found, Refused):
        return found
    same = [one for one in _standing("freeze", facts) if _scope(one) == _scope(found)]
    events = tuple(Unblocked(one.id, "freeze", one.by, one.where, None) for one in same)
    lifted = {one.id for one in same}
    after = replace(facts, blocks=tuple(one for one in facts.blocks if one.id not in lifted))
    says = f"Unfroze {found.where}: “{'”, “'.join(one.why for one in same)}”"
    return Decided(events, (says, *_brought_up(found, after)))


def _scope(block: Block) -> Scoped:
    return block.component, block.region, block.mainframe


# -- what is said and meant --------------------------------------------------------------------------------------------


def _end(command: Lock | Freeze, facts: Facts) -> datetime | Refused | None:
    if command.duration is not None and command.until is not None:
        return Refused("twice", "Say --for or --until, not both. `deploy help lock`")
    if command.duration is not None:
        return facts.now + timedelta(seconds=command.duration)
    if command.until is None:
        return None
    try:
        return times.resolve(command.until, facts.now, facts.me.time_zone)
    except times.TimeProblem as problem:
        return Refused("time", f"{problem} Nothing was changed; `deploy help freeze` shows times")


def _standing(kind: str, facts: Facts) -> list[Block]:
    return [block for block in facts.blocks if block.kind == kind and block.stands(facts.now)]


def _one(standing: Sequence[Block], scope: Scoped) -> Block | Refused:
    """The one that is meant: with exactly this scope, or the only one where none is said, or of this mainframe."""
    exact = [one for one in standing if _scope(one) == scope]
    if exact:
        return exact[0]
    of_it = [
        one
        for one in standing
        if scope[2] and all(said in (None, its) for said, its in zip(scope, _scope(one), strict=True))
    ]
    if len(set(map(_scope, of_it))) == 1:
        return of_it[0]
    if len(standing) == 1 and scope == (None, None, None):
        return standing[0]
    if not standing:
        return Refused("nothing", "There is nothing of that kind to lift. `deploy status` shows locks and freezes")
    shown = say.listed([f"`{command}`" for command in dict.fromkeys(map(lifting, standing))], "or")
    return Refused("which", f"Which one? There is {shown}")


def _said(event: Blocked, facts: Facts) -> str:
    what = event.block(facts.me.id, facts.now)
    end = f"until {_clock(event.until, facts)}" if event.until else "until it is lifted"
    return f"{what.where} {end}: “{event.why}”. Rollbacks go on. `{lifting(what)}` lifts it"


def _waits(event: Blocked, facts: Facts) -> tuple[str, ...]:
    """Those that would go to production next, and wait for it now."""
    held = [d.name for d in facts.unfinished if event.component in (None, d.component) and d.stage == "scheduled"]
    begun = [d.name for d in facts.unfinished if event.component in (None, d.component)
             and d.stage in ("deploying", "distributing")]  # fmt: skip
    waits = (f"Approved, and waits for it: {say.listed(held)}",) if held else ()
    goes = (f"On its way already, and goes on: {say.listed(begun)}. `deploy pause` holds it",) if begun else ()
    return (*waits, *goes)


def _goes_without(event: Blocked, facts: Facts) -> tuple[str, ...]:
    """A mainframe's freeze holds up nothing else; what is on its way to it already arrives, as with every freeze."""
    concerned = [d for d in facts.unfinished if event.component in (None, d.component)]
    begun = [d.name for d in concerned if d.stage in ("deploying", "distributing")]
    keeps = f"{event.mainframe} keeps what it runs; everything else goes on without it"
    goes = (
        (f"On its way already, and goes on there too: {say.listed(begun)}. `deploy pause` holds it",) if begun else ()
    )
    return (keeps, *goes)


def _brought_up(lifted: Block, facts: Facts) -> tuple[str, ...]:
    """What mainframes get that were left out and are frozen no more; `facts` without the freeze."""
    if not lifted.mainframe:
        return ()
    says = []
    for d in (*facts.leaving_out, *facts.unfinished):
        still = {one.key for one in left_out_still(d, facts)}
        free = [one for one in d.left_out if one.name == lifted.mainframe and one.key not in still]
        if free and d.ended:
            waits = any(closed(d.component, one.region, facts) for one in free)
            when = "once nothing else keeps production as it is" if waits else "now"
            says.append(f"{lifted.mainframe} is brought to what its peers run of {d.component} {when}, by itself")
        elif free:
            says.append(f"{lifted.mainframe} is brought up by itself once {d.name} is through; it is {d.stage.words}")
    return tuple(says) or (f"{lifted.mainframe} missed nothing; from now on it gets what its peers get",)


def _clock(at: datetime | None, facts: Facts) -> str:
    assert at is not None
    return say.clock(at, facts.me.time_zone, facts.now)
