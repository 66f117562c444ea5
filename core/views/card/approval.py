"""The card while it waits for people: what they are asked to agree to, and what else stands in the way."""

from __future__ import annotations

from core import say
from core.cards import Bar
from core.facts import Facts
from core.phases.approve import in_words, missing_groups
from core.phases.common import gate_line
from core.policy import barriers, covers, gates, helpers, names, quorum, undone
from core.state import Deployment
from core.views.card.fleet import would_be_frozen
from core.views.card.public import slot_url

_PLURAL = {"skipped": "Skipped", "not_applicable": "Not applicable"}


def awaiting(d: Deployment, facts: Facts, zone: str) -> tuple[str | Bar, ...]:
    checks = d.verification.checks if d.verification else ()
    notes = [f"⚠ {check.name}: {check.warning}" for check in checks if check.warning]
    for state, word in _PLURAL.items():
        left = [check.name for check in checks if check.state == state]
        if left:
            notes.append(f"{word}: {', '.join(left)}")
    return (
        _verdict(d, facts, zone),
        "Public Server deployment is stable and ready for OMEGA.",
        *notes,
        *_what_changes(d, facts, zone),
        f"Try it: {slot_url(d)}",
        *votes(d, facts),
        *_other_gates(d, facts, zone),
        *d.warnings,
    )


def _verdict(d: Deployment, facts: Facts, zone: str) -> str:
    assert d.verification is not None
    checks = d.verification.checks
    passed = sum(check.state == "passed" for check in checks)
    until = d.verification.valid_until
    valid = f", valid until {say.clock(until, zone, facts.now)}" if until else ""
    return f"✅ Verification PASSED! {passed} of {len(checks)}{valid}"


def _what_changes(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    wanted = covers(d, facts.lane, facts.siblings, facts.regions)
    changes = in_words(wanted, d, facts) if wanted and wanted.replaces else f"{d.name}, to no OMEGA yet"
    fleet = "" if d.plan.mainframes is None else f", {say.count(d.plan.mainframes, 'mainframe')}"
    level = ", SERVER OWNER LEVEL only" if d.manifest.level == "server-owner" else ""
    running = [ref.name for ref in facts.lane.releases]
    back = f"Rollback would restore {say.listed(running)}" if running else (
        f"Nothing of {d.component} runs in production yet: a rollback would take it offline")  # fmt: skip
    lost = [ref.name for ref in undone(d, facts.lane)]
    unsure = (f"Its manifest does not say that it contains {say.listed(lost)}",) if lost and d.manifest.contains else ()
    frozen = would_be_frozen(d, facts, zone)
    return (f"Changes: {changes}{fleet}{level}", *frozen, *_moved(d, facts), back, *unsure, *_read_first(d, facts))


def _moved(d: Deployment, facts: Facts) -> tuple[str, ...]:
    """Whether production runs something else than when it was pushed."""
    was = dict(d.plan.replaces)
    now = {region: (ref := facts.lane.running(region)) and ref.name for region in facts.regions}
    moved = [f"OMEGA {region}: {was.get(region) or 'nothing'} → {now[region] or 'nothing'}"
             for region in facts.regions if was.get(region) != now[region]]  # fmt: skip
    return (f"Production moved since the push: {'; '.join(moved)}",) if moved else ()


def _read_first(d: Deployment, facts: Facts) -> tuple[str, ...]:
    """Its tasks and notes, and those of the updates that it says it contains and that are not in production yet."""
    all_of = [d, *(other for other in facts.siblings if other.id in d.manifest.contains)]
    tasks = dict.fromkeys(task for one in all_of for task in one.tasks)
    lines = [f"Tasks: {', '.join(tasks)}"] if tasks else []
    for one in all_of:
        of = "" if one is d else f" of {one.name}"
        lines += [f"Note{of}: {note}" for note in one.notes]
    return tuple(lines)


def votes(d: Deployment, facts: Facts) -> tuple[str, ...]:
    state, groups = quorum(d, facts), facts.policy.groups_for(d.component)
    by = ", ".join(_voter(person, groups, facts) for person in state.people)
    anybody = state.lacking > len(state.missing)
    needs = [f"Can approve: {names(helpers(d, facts))}"] if anybody else []
    needs = [*missing_groups(d, facts), *needs]
    return (" · ".join((f"Approved {len(state.people)} of {state.need}{': ' + by if by else ''}", *needs)),)


def _voter(person: str, groups: tuple[str, ...], facts: Facts) -> str:
    """`Bo Li (ops)`, where a group is asked for."""
    of = next((known.groups for known in facts.people if known.id == person), frozenset())
    named = [group for group in groups if group in of]
    return f"{facts.name_of(person)} ({', '.join(named)})" if named else facts.name_of(person)


def _other_gates(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    found = gates(d, facts)
    lines: list[str] = []
    for gate in found:
        match gate.kind:
            case "omega":
                admins = say.listed([facts.name_of(person) for person in gate.who], "or")
                lines.append(f"{gate.needs}. {admins} can: `deploy configure omega <url> <name>`")
            case "expired" | "verdict":
                lines.append(f"Needs {gate.needs}: `deploy verify {d.name}`")
            case "lane":
                lines.append(f"Will wait for {gate.needs.removeprefix('the end of ')}, which is on its way")
            case "lock" | "freeze" | "pause" | "window" | "holiday" | "debt" | "start":
                lines.append(gate_line(gate, facts, zone))
            case _:
                pass  # votes and hold have lines of their own
    return tuple(lines)


def scheduled(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    holder = next((other for other in facts.siblings if other.key == facts.lane.holder), None)
    standing = tuple(gate_line(gate, facts, zone) for gate in barriers(d, facts))
    if holder:
        behind = f"Queued behind {holder.name} ({holder.stage.words})"
    else:
        behind = "Goes to OMEGA by itself once it may" if standing else "Its turn comes next"
    frozen = would_be_frozen(d, facts, zone)
    return (behind, *standing, *frozen, *votes(d, facts), "Everything is judged again when its turn comes")
