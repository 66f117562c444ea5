"""The answers to what people ask: status, history, a timeline, servers, mainframes, who they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core import say
from core.cards import Card
from core.commands import SPECS
from core.facts import ASHAT, Facts
from core.journal import Entry
from core.people import Person
from core.phases.common import gate_line
from core.policy import Gate, ahead, barriers, countersigners, earliest, gates, lifting, may, names, roles_in, who_may
from core.release.wire import Registered, State
from core.stages import BEFORE_OMEGA, Stage
from core.state import Deployment, Lane, Server
from core.views.card import TITLES, would_be_frozen


@dataclass(frozen=True, slots=True)
class AlphaSeen:
    """ALPHA as it is now: how many updates, the newest, or why it cannot be read."""

    name: str
    count: int
    newest: str | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """A configured server: what it answered, or why it did not; `since` when that began."""

    server: Server
    state: State | None
    problem: str | None
    since: datetime | None


def status(
    active: Sequence[Deployment], lanes: Sequence[Lane], since: Mapping[str, datetime], alpha: AlphaSeen, facts: Facts,
    zone: str,
) -> Card:  # fmt: skip
    """All that have not ended, each in a line with what it waits for; else what production runs and what is new."""
    standing = [*debt_lines(lanes, facts, zone), *standing_lines(facts, zone)]
    if not active:
        nothing = _nothing(lanes, since, alpha, facts, zone)
        return replace(nothing, lines=(*standing, *nothing.lines))
    lines = [*standing, *(_status_line(d, _around(d, lanes, facts), zone) for d in active)]
    return Card(
        f"{say.count(len(active), 'deployment')} under way", (*lines, _production_line(lanes, since, facts, zone))
    )


def debt_lines(lanes: Sequence[Lane], facts: Facts, zone: str) -> list[str]:
    """Emergencies that nobody has countersigned: they come before everything else."""
    lines = []
    for lane in lanes:
        for debt in lane.debts:
            at, by = say.clock(debt.countersign_by, zone, facts.now), facts.name_of(debt.person)
            can = names(countersigners(lane.component, (debt.person, debt.pusher), facts))
            late = ", which has passed" if facts.now >= debt.countersign_by else ""
            lines.append(f"🚨 {debt.name} went to OMEGA in an emergency of {by}'s: “{debt.why}”. Needs a "
                         f"countersignature by {at}{late}: {can}. `deploy countersign {debt.name}`; "
                         f"{lane.component} takes only rollbacks until then")  # fmt: skip
    return lines


def standing_lines(facts: Facts, zone: str) -> list[str]:
    """What holds production now: who, what, why and until when."""
    lines = []
    for block in facts.blocks:
        if block.stands(facts.now):
            verb = {"lock": "🔒 Locked", "freeze": "❄ Frozen", "pause": "⏸ Paused"}[block.kind]
            end = f" until {say.clock(block.until, zone, facts.now)}" if block.until else ""
            by = facts.name_of(block.by)
            lines.append(f"{verb}: {block.where}{end}, by {by}: “{block.why}”. `{lifting(block)}`")
    return lines


def when(d: Deployment, facts: Facts, zone: str) -> Card:
    """The earliest legal start, and everything that stands before it, with who can lift it."""
    if d.stage not in (*BEFORE_OMEGA, Stage.FAILED) or d.touched:
        return Card(f"{d.name} is {d.stage.words}. `deploy status {d.name}`")
    unmet, at = gates(d, facts), earliest(d, facts)
    by_people = [gate for gate in unmet if gate.until is None]
    lines = [_gate_words(gate, d, facts, zone) for gate in unmet]
    lines += would_be_frozen(d, facts, zone)
    valid = d.verification.valid_until if d.verification else None
    if at is not None and valid is not None and facts.now < valid <= at:
        late = say.clock(valid, zone, facts.now)
        lines.append(f"Its verdict ends before that, at {late}: `deploy verify {d.name}` again, and vote again")
    if at is None:
        title = f"{d.name} cannot start by waiting alone"
    elif at > facts.now:
        title = f"{d.name} can start {say.clock(at, zone, facts.now)} at the earliest"
    else:
        title = f"{d.name} may start as soon as this is met" if by_people else f"{d.name} may start now"
    return Card(title, tuple(lines))


def _gate_words(gate: Gate, d: Deployment, facts: Facts, zone: str) -> str:
    who = say.listed([facts.name_of(person) for person in gate.who], "or")
    match gate.kind:
        case "omega":
            return f"{gate.needs}. {who} can: `deploy configure omega <url> <name>`"
        case "verdict" | "expired":
            return f"Needs {gate.needs}: `deploy verify {d.name}`"
        case "hold":
            return f"Needs {gate.needs}: `deploy resume {d.name}`"
        case "lane":
            return f"Needs {gate.needs}, which holds the lane of {d.component}"
        case _:
            return gate_line(gate, facts, zone)


def _around(d: Deployment, lanes: Sequence[Lane], facts: Facts) -> Facts:
    """What its turn depends on."""
    lane = next((lane for lane in lanes if lane.component == d.component), Lane(d.component))
    siblings = tuple(one for one in facts.unfinished if one.component == d.component and one.key != d.key)
    return replace(facts, deployment=d, lane=lane, siblings=siblings)


def _waits_for(d: Deployment, facts: Facts, zone: str) -> str:
    """Approved: when it starts, or what it waits for."""
    if d.stage is not Stage.SCHEDULED:
        return ""
    at, before = earliest(d, facts), ahead(d, facts.lane, facts.siblings)
    waits = [f"needs {gate.needs}" for gate in barriers(d, facts) if at is None and gate.until is None]
    if at is not None and at > facts.now:
        waits.append(f"starts {say.clock(at, zone, facts.now)} at the earliest")
    if before is not None:
        waits.append(f"queued behind {before.name} ({before.stage.words})")
    return "".join(f", {words}" for words in waits)


def _status_line(d: Deployment, facts: Facts, zone: str) -> str:
    at = say.clock(d.stage_since, zone, facts.now)
    emoji = TITLES[d.stage].split(" ", 1)[0]
    held = ", paused" if d.hold else ""
    failed = f" in {d.failed_in.words}" if d.stage is Stage.FAILED and d.failed_in else ""
    who = facts.name_of(d.pusher)
    waits = _waits_for(d, facts, zone)
    return f"{emoji} {d.name} ({d.component}): {d.stage.words}{failed}{held} since {at}{waits}. {who}: {d.description}"


def _nothing(lanes: Sequence[Lane], since: Mapping[str, datetime], alpha: AlphaSeen, facts: Facts, zone: str) -> Card:
    new = f'Newest on ALPHA: {alpha.newest}. `deploy push {alpha.newest} "…"`' if alpha.newest else (
        alpha.problem or "ALPHA has no updates yet")  # fmt: skip
    return Card("Nothing is deploying.", (_production_line(lanes, since, facts, zone), new))


def _production_line(lanes: Sequence[Lane], since: Mapping[str, datetime], facts: Facts, zone: str) -> str:
    running: list[str] = []
    for lane in lanes:
        for ref in lane.releases:
            at = since.get(ref.key)
            when = f" since {say.clock(at, zone, facts.now)}" if at else ""
            regions = [region for region, runs in lane.current if runs and runs.key == ref.key]
            where = "" if len(regions) == len(lane.current) else f" on OMEGA {say.listed(regions)}"
            running.append(f"{ref.name} ({lane.component}){where}{when}")
    return f"Production: {', '.join(running)}." if running else "Production: nothing yet."


def history(
    deployments: Sequence[Deployment], notes: Mapping[str, Sequence[str]], facts: Facts, zone: str,
    component: str | None = None,
) -> Card:  # fmt: skip
    """The newest first: what came of each, who pushed and approved it, and the notes."""
    if not deployments:
        return Card(f"No deployments{f' of {component}' if component else ''} yet.", ("`deploy help push`",))
    lines: list[str] = []
    for d in deployments:
        lines.append(_history_line(d, facts, zone))
        lines += [f"   Note: {note}" for note in notes.get(d.key, ())]
    return Card(f"The newest {len(deployments)}" if len(deployments) > 1 else "The newest deployment", tuple(lines))


def _history_line(d: Deployment, facts: Facts, zone: str) -> str:
    at = say.clock(d.stage_since, zone, facts.now)
    title = TITLES[d.stage]
    failed = f" in {d.failed_in.words} ({d.failure})" if d.stage is Stage.FAILED and d.failed_in else ""
    why = f" (“{d.ended_why}”)" if d.ended_why else ""
    voted = f"; approved by {', '.join(facts.name_of(vote.person) for vote in d.votes)}" if d.votes else ""
    by = f"pushed by {facts.name_of(d.pusher)}"
    return f"{title}: {d.name} ({d.component}){failed}{why}, {at}; {by}{voted}. {d.description}"


# -- one deployment ----------------------------------------------------------------------------------------------------


def timeline(d: Deployment, entries: Sequence[Entry], facts: Facts, zone: str) -> Card:
    """Everything that happened to it, from the journal."""
    head = [d.description]
    if d.info:
        head.append(d.info)
    head.append(f"sha256 {d.digest or 'not yet fixed'}, {say.size(d.size)}, from {d.source}, component {d.component}")
    if d.tasks:
        head.append(f"Tasks: {', '.join(d.tasks)}")
    rows = [_event_line(entry, facts, zone) for entry in entries]
    return Card(f"{TITLES[d.stage]}: {d.name}", (*head, *rows))


def _event_line(entry: Entry, facts: Facts, zone: str) -> str:
    at = say.clock(entry.at, zone, facts.now)
    by = "Ashat" if entry.by == ASHAT else facts.name_of(entry.by)
    via = f" ({entry.via})" if entry.via else ""
    return f"{at} {by}{via}: {event_words(entry)}"


def event_words(entry: Entry) -> str:
    """One journal line in words."""
    data = entry.data
    match entry.kind:
        case "Pushed":
            return f"pushed {data['source']}, attempt {data['attempt']}"
        case "ArtifactFixed":
            return f"artifact fixed, sha256 {say.digest(data['digest'])}"
        case "Staged":
            return "staged on Public" + (f", {data['url']}" if data["url"] else "")
        case "VerificationQueued":
            return "asked for verification once it is staged"
        case "VerificationStarted":
            return f"verification run {data['run']} started, {say.count(len(data['checks']), 'check')}"
        case "CheckFinished":
            return _check_words(data)
        case "VerificationPassed":
            return f"✅ verification run {data['run']} passed"
        case "VerificationFailed":
            return f"❌ verification run {data['run']} failed: {', '.join(data['checks'])}"
        case "Voted":
            return f"approved: {data['says']}"
        case "StartSet":
            window = f", window {data['window']}" if data["window"] else ""
            return f"not before {data['at'][:16].replace('T', ' ')} UTC{window}"
        case "EmergencyDeclared":
            return f"🚨 emergency: “{data['why']}”; {data['says']}"
        case "CountersignOverdue":
            return "nobody countersigned the emergency in time"
        case "RollbackAsked":
            return "asked for a rollback" + (f": “{data['why']}”" if data["why"] else "") + "; it needs a second person"
        case "VoteWithdrawn":
            return "took the vote back" + ("; it waits for approval again" if data["short"] else "")
        case "VotesFell":
            return f"votes fell ({len(data['people'])}): {data['why']}"
        case "ApproversReminded":
            return f"reminded {say.count(len(data['people']), 'approver')}"
        case "Escalated":
            return f"escalated to {data['group']}, {say.count(len(data['people']), 'approver')}"
        case "Approved":
            return f"quorum reached{', queued behind ' + data['behind'] if data['behind'] else ''}"
        case "LaneTaken":
            return f"took the lane, generation {data['generation']}{_without(data)}"
        case "Packaged":
            return f"packaged, statement {say.digest(data['statement'])}"
        case "RegionAsked":
            return f"OMEGA {data['region']} is asked to run it"
        case "RegionSwitched":
            return f"OMEGA {data['region']} switched"
        case "DistributionStarted":
            return "distribution to licensed mainframes started"
        case "DistributionTaken":
            return f"OMEGA {data['region']} took the distribution on, {say.count(data['mainframes'], 'mainframe')}"
        case "MainframeChanged":
            error = f": {data['error']}" if data["error"] else ""
            return f"mainframe {data['name']} ({data['owner']}) {data['status'].replace('_', ' ')}{error}"
        case "MainframesLetIn":
            return f"frozen no more, brought to what their peers run: {_keys(data)}"
        case "MainframesSettled":
            return f"no longer on its way there: {_keys(data)}"
        case "Attested":
            return f"statement signed, sha256 {say.digest(data['statement'])}, key {data['key'][:12]}"
        case "Failed":
            return f"❌ failed in {data['failed_in'].replace('_', ' ')}: {data['why']}"
        case "RollbackStarted":
            return "rollback" + (f": “{data['why']}”" if data["why"] else "") + _without(data)
        case "RegionRestored":
            return f"OMEGA {data['region']} restored"
        case "RegionLeftAlone":
            return f"OMEGA {data['region']} left alone, it was asked for nothing: {data['why']}"
        case "Rejected":
            return f"rejected: “{data['why']}”"
        case "Paused":
            return f"paused: {data['why']}" if data["automatic"] else "paused"
        case "HealthWorsened":
            return f"⚠ {data['why']}"
        case "HealthRecovered":
            return f"OMEGA {data['region']} is healthy again"
        case "Noted":
            return f"note: {data['text']}"
        case "OutcomeStale":
            return f"{data['outcome']} came too late, without effect"
        case kind:
            return _plain_words(kind)


def _without(data: Mapping[str, Any]) -> str:
    """Whom it leaves out; journals of earlier versions know of none."""
    names = [one["name"] for one in data.get("left_out", ())]
    return f"; without {say.listed(names)}, frozen" if names else ""


def _keys(data: Mapping[str, Any]) -> str:
    return say.listed([name for _, name in data["mainframes"]])


def _plain_words(kind: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind)
    return words.strip()


def _check_words(data: Mapping[str, object]) -> str:
    if data["state"] == "passed":
        return f"✅ {data['name']}" + (f" ({data['warning']})" if data["warning"] else "")
    state = str(data["state"]).replace("_", " ")
    if data["state"] in ("failed", "timed_out"):
        where = f" at {data['where']}" if data["where"] else ""
        return f"❌ {data['name']} {state}: expected {data['expected']}, got {data['seen']}{where}"
    return f"➖ {data['name']} {state}" + (f": {data['seen']}" if data["seen"] else "")


# -- servers and mainframes --------------------------------------------------------------------------------------------


def servers(alpha: AlphaSeen, seen: Sequence[ServerSeen], lanes: Sequence[Lane], facts: Facts, zone: str) -> Card:
    """ALPHA, Public, and OMEGA by region; what is not configured shows the whole line that configures it."""
    lines = [alpha.problem or f"{alpha.name}: {say.count(alpha.count, 'update')}"]
    for role in ("public", "omega"):
        rows = [row for row in seen if row.server.role == role]
        lines += [_server_line(row, lanes, facts, zone) for row in rows]
        if not rows:
            title = "Public" if role == "public" else "OMEGA"
            lines.append(f"{title}: Not Configured. `deploy configure {role} <url> <name>`")
    return Card("Servers", tuple(lines))


def _server_line(row: ServerSeen, lanes: Sequence[Lane], facts: Facts, zone: str) -> str:
    server = row.server
    what = "Public" if server.role == "public" else f"OMEGA {server.region}"
    since = f" since {say.clock(row.since, zone, facts.now)}" if row.since else ""
    if row.state is None:
        return f"{what}: {server.name}, {server.url}, not reachable{since}: {row.problem}"
    return f"{what}: {server.name}, {server.url}, reachable{since}. Runs: {_runs(row.state, lanes, server)}"


def _runs(state: State, lanes: Sequence[Lane], server: Server) -> str:
    """What the server itself says that it runs; where that is not what Ashat last did there, it says so."""
    found: list[str] = []
    for component in state.components:
        lane = next((lane for lane in lanes if lane.component == component.component), None)
        wanted = lane.running(server.region) if lane and server.role == "omega" else None
        strange = wanted is not None and wanted.digest != component.running
        owner = (component.deployment or "").removesuffix("#1") or say.digest(component.running)
        name = owner if component.running else "offline"
        mark = f" ({component.status})" if component.status not in ("healthy", "offline") else ""
        found.append(f"{component.component} {name}{mark}{' — not what was deployed!' if strange else ''}")
    found += [f"{slot.slot} in a slot, {slot.status}" for slot in state.slots if slot.status != "withdrawn"]
    return "; ".join(found) if found else "nothing yet"


def mainframes(
    fleets: Sequence[tuple[str, Sequence[Registered] | None, str | None]],
    known: Mapping[str, str],
    facts: Facts,
    zone: str,
) -> Card:
    """The registry by region: owner, tier, licence, when it was seen, and what it runs by its own report."""
    lines: list[str] = []
    for region, fleet, problem in fleets:
        if fleet is None:
            lines.append(f"OMEGA {region} does not answer: {problem}")
            continue
        lines += [_mainframe_line(region, row, known, facts, zone) for row in fleet]
        if not fleet:
            lines.append(f"OMEGA {region} knows no mainframes")
    if not fleets:
        return Card("OMEGA Server not configured.", ("`deploy configure omega <url> <name>`",))
    total = sum(len(fleet or ()) for _, fleet, _ in fleets)
    return Card(f"{say.count(total, 'mainframe')}", tuple(lines))


def _mainframe_line(region: str, row: Registered, known: Mapping[str, str], facts: Facts, zone: str) -> str:
    until = f" until {say.clock(row.licence_until, zone, facts.now)}" if row.licence_until else ""
    licence = f"licensed{until}" if row.licensed else "licence expired, gets nothing"
    seen = f"seen {say.clock(row.last_seen, zone, facts.now)}" if row.last_seen else "never seen"
    online = "online" if row.online else f"asleep, {seen}"
    runs = ", ".join(
        f"{report.component} {known.get(report.running, say.digest(report.running)) if report.running else 'offline'}"
        for report in row.reports
    )
    frozen = "".join(f"; {words}" for words in _freezes(region, row.name, facts, zone))
    runs = runs or "nothing yet"
    return f"{row.name} ({row.owner}, {row.tier}, OMEGA {region}): {licence}; {online}; runs {runs}{frozen}"


def _freezes(region: str, name: str, facts: Facts, zone: str) -> Iterator[str]:
    """Why it gets nothing new: who froze it, until when, and how that is lifted."""
    for block in facts.blocks:
        if block.mainframe == name and block.region in (None, region) and block.stands(facts.now):
            what = f" for {block.component}" if block.component else ""
            end = f" until {say.clock(block.until, zone, facts.now)}" if block.until else ""
            by = facts.name_of(block.by)
            yield f"❄ frozen{what}{end}, by {by}: “{block.why}”, gets nothing new. `{lifting(block)}`"


# -- the asker ---------------------------------------------------------------------------------------------------------


def whoami(person: Person, platform: str, facts: Facts, *, shell: bool) -> Card:
    """Who they are here, and what they may do there. `shell`: also what only a shell and the console have."""
    policy = facts.policy
    unsure = (f"{person.unsure}.",) if person.unsure else ()
    if not roles_in(person, policy):
        return Card("You have no role here.", ("An admin gives roles, in the settings under [people].", *unsure))
    specs = [spec for spec in SPECS if shell or spec.where == "everywhere"]
    allowed = [spec.name for spec in specs if may(person, spec, policy)]
    denied = [spec for spec in specs if not may(person, spec, policy)]
    ask = [f"{spec.name}: ask {names(who_may(facts.people, spec, policy))}" for spec in denied]
    accounts = ", ".join(f"{account.platform} {account.id}" for account in person.accounts)
    return Card(
        f"You are {person.name}, on {platform}.",
        (
            f"Roles: {', '.join(sorted(person.roles)) or 'none'} (from {person.origin})",
            *_granted(person, facts),
            *unsure,
            *((f"Groups: {', '.join(sorted(person.groups))}",) if person.groups else ()),
            f"Accounts: {accounts}" if accounts else "No accounts",
            f"You may: {', '.join(allowed)}",
            *ask,
        ),
    )


def _granted(person: Person, facts: Facts) -> list[str]:
    """What grants add, and by which name each of them reaches the person."""
    lines = []
    for grant in facts.policy.grants:
        by = [name for name in grant.to if name == person.id or name.removeprefix("@") in person.groups]
        if grant.to_person(person):
            roles = ", ".join(sorted(grant.roles))
            lines.append(f"Roles for {grant.where}: {roles} (from a grant to {say.listed(by)})")
    return lines


def not_found(id: str, near: str | None) -> Card:  # noqa: A002 - the word of the domain
    nearest = f" Nearest: {near}." if near else ""
    return Card(f"There is no deployment {id}.{nearest} `deploy status` lists what is there", tone="bad")
