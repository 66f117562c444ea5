"""Who is told what: from one event to the messages that it sends. The card itself is brought up to date besides.

Milestones go to the deployment's thread. A ping goes to those who can do something about it, each by one direct message
or by name in the thread, as they chose. Cards, checks and progress send nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from core import events as e
from core import say
from core.cards import Button, Card, Tone
from core.commands import Seen
from core.facts import Facts
from core.people import Person
from core.phases import approve
from core.phases.push import plan_lines
from core.phases.rollback import CANNOT_BE_UNDONE, goes_offline, seconders, undoing, undone
from core.policy import admins, barriers, countersigners, covers, helpers, would_leave_out
from core.ports import Kind, Outbound
from core.routing import subscribed
from core.stages import Stage
from core.state import Check, Deployment, LeftOut, Mainframe


def announce(event: e.Event, d: Deployment | None, facts: Facts) -> list[Outbound]:
    """The messages of one event; `d` is the deployment after it."""
    if d is None:
        return _system(event, facts)
    tell = _Teller(d, facts)
    match event:
        case e.Pushed():
            tell.thread("Action plan", *plan_lines(event)[1:], *event.warnings)
        case e.VerificationPassed(run):
            tell.thread("✅ Verification PASSED!", f"Run {run}: {_passed(d)}", *_warnings(d), tone="good")
            tell.ask_for_votes([person.id for person in helpers(d, facts)])
        case e.ApproversReminded(people):
            tell.ask_for_votes(people, again=True)
        case e.Escalated(group, people):
            tell.thread(
                f"It has waited for long: {group} is asked too", *(() if people else ("Nobody there may vote",))
            )
            tell.ask_for_votes(people, again=True)
        case e.VerificationFailed():
            lines = ("Issues detected on Public Server. Deployment cannot proceed to OMEGA.", *failed_checks(d))
            tell.thread("❌ Verification FAILED!", *lines, tone="bad")
            tell.ping([d.pusher], f"{d.name} failed verification", *failed_checks(d))
        case e.Voted(person):
            tell.thread(f"{facts.name_of(person)} approved", event.says)
        case e.VoteWithdrawn(person, short):
            tell.withdrawn(person, short=short)
        case e.Approved(people, behind) if people:
            tell.approved(people, behind)
        case e.StartSet():
            tell.starts(event)
        case e.EmergencyDeclared():
            tell.emergency(event)
        case e.Countersigned(person):
            tell.thread(f"{facts.name_of(person)} countersigned the emergency of {d.name}", tone="good")
            tell.ping([d.emergency.person] if d.emergency else [], f"{d.name}'s emergency is countersigned")
        case e.CountersignOverdue():
            tell.overdue()
        case e.RollbackAsked(_, why):
            tell.asks_to_roll_back(why)
        case e.VotesFell(people, why) if people:
            tell.thread(f"Votes fell: {_names(people, facts)}", f"Because {why}")
            tell.ping(people, f"Your vote for {d.name} no longer counts", f"Because {why}", _next_vote(d))
        case e.LaneTaken(left_out=left_out) if left_out:
            tell.leaves_out(left_out)
        case e.MainframesLetIn(mainframes):
            tell.lets_in(mainframes)
        case e.MainframesSettled(mainframes):
            tell.settled(mainframes)
        case e.RegionSwitched(region):
            tell.thread(f"OMEGA {region} runs {d.name}")
        case e.Completed():
            tell.completed()
        case e.Rejected(why):
            tell.ended("rejected", why)
        case e.Cancelled():
            tell.ended("cancelled", None)
        case e.Failed():
            tell.failed(event)
        case e.Retried(stage):
            tell.thread(f"{tell.actor} tries {stage.words} again")
        case e.Paused(wide=True) | e.Resumed() if facts.asker is None:
            pass  # the pause of everything, and its end, are told once
        case e.Paused(why, automatic):
            tell.paused(why, automatic)
        case e.Resumed():
            tell.thread(f"{tell.actor} resumed {d.name}")
        case e.RollbackStarted():
            tell.rolling_back(event)
        case e.RolledBack(touched):
            tell.rolled_back(touched)
        case e.HealthWorsened(region, why, silent):
            (tell.silent if silent else tell.worse)(region, why)
        case e.HealthRecovered(region):
            tell.thread(f"OMEGA {region} is healthy again", tone="good")
        case e.Noted(text):
            tell.thread(f"{tell.actor}: {text}")
        case _:
            pass  # the card shows it; a message of its own would be noise
    return tell.messages


def _system(event: e.Event, facts: Facts) -> list[Outbound]:
    """One line where it was said and in the home channels; what holds production is told to whoever follows it, too."""
    by = facts.asker.name if facts.asker else "Ashat"
    match event:
        case e.ServerConfigured():
            what = "Public" if event.role == "public" else f"OMEGA {event.region}"
            was = f", in place of {event.replaced}" if event.replaced else ""
            told = f"{by} configured {what}: {event.name} at {event.url}{was}"
            return _lines((facts.channel, *facts.policy.homes), told)
        case e.ServerUnconfigured():
            told = f"{by} took OMEGA {event.region} out: {event.name} at {event.url}. Nothing goes there any more"
            return _lines((facts.channel, *facts.policy.homes), told)
        case e.Blocked():
            return _lines(_concerned(event.component, facts), f"{by} {_blocked(event, facts)}")
        case e.Unblocked():
            verb = {"lock": "unlocked", "freeze": "unfroze", "pause": "lets go on:"}[event.kind]
            broke = f" (it was {facts.name_of(event.holder)}'s lock): “{event.why}”" if event.why else ""
            component = next((block.component for block in facts.blocks if block.id == event.id), None)
            return _lines(_concerned(component, facts), f"{by} {verb} {event.where}{broke}")
        case _:
            return []


def _lines(channels: Iterable[str], text: str) -> list[Outbound]:
    return [Outbound("line", channel, Card(text)) for channel in dict.fromkeys(channels) if channel]


def _concerned(component: str | None, facts: Facts) -> tuple[str, ...]:
    """Where it was said, the home channels, and those that follow the component."""
    routes = facts.policy.routes
    return (
        facts.channel,
        *facts.policy.homes,
        *(one.channel for one in routes if not one.components or component in (None, *one.components)),
    )


def _blocked(event: e.Blocked, facts: Facts) -> str:
    if event.kind == "pause":
        return "paused everything that goes to production. Rollbacks go on; `deploy resume` ends it"
    verb = "locked" if event.kind == "lock" else "froze"
    what = event.block("", facts.now)
    zone = facts.asker.time_zone if facts.asker else "UTC"
    end = f" until {say.clock(event.until, zone, facts.now, named=True)}" if event.until else ""
    goes = "Everything else goes on" if event.mainframe else "Rollbacks go on"
    return f"{verb} {what.where}{end}: “{event.why}”. {goes}"


def _without(d: Deployment, facts: Facts) -> tuple[str, ...]:
    names = [one.name for one in would_leave_out(d, facts)]
    return (f"Frozen, gets nothing: {say.listed(names[:5])}",) if names else ()


def _left_out(one: LeftOut, zone: str, facts: Facts) -> str:
    end = f", until {say.clock(one.until, zone, facts.now, named=True)}" if one.until else ""
    return f"{one.name} (OMEGA {one.region}): “{one.why}”, {facts.name_of(one.by)}{end}"


def _names(people: Iterable[str], facts: Facts) -> str:
    return say.listed([facts.name_of(person) for person in people])


def _passed(d: Deployment) -> str:
    checks = d.verification.checks if d.verification else ()
    good = sum(check.state == "passed" for check in checks)
    rest = [check.name for check in checks if check.state != "passed"]
    return f"{good} of {len(checks)} passed" + (f"; not run: {say.listed(rest)}" if rest else "")


def _warnings(d: Deployment) -> tuple[str, ...]:
    checks = d.verification.checks if d.verification else ()
    return tuple(f"⚠ {check.name}: {check.warning}" for check in checks if check.warning)


def failed_checks(d: Deployment) -> tuple[str, ...]:
    """Each failed check in a line: what was expected, what was seen, where."""
    checks = d.verification.checks if d.verification else ()
    if not any(check.bad for check in checks):
        return (f"❌ {d.failure}",) if d.failure else ()
    return tuple(_failed_check(check) for check in checks if check.bad)


def _failed_check(check: Check) -> str:
    if check.state in ("skipped", "not_applicable"):
        why = check.warning or check.seen
        return f"❌ {check.name}: required, and {check.state.replace('_', ' ')}" + (f": {why}" if why else "")
    where = f" at {check.where}" if check.where else ""
    return f"❌ {check.name}: expected {check.expected}, got {check.seen}{where}"


def _next_vote(d: Deployment) -> str:
    if d.stage is Stage.VERIFYING:
        return "You are asked again when the checks have passed"
    return f"Look at what would happen now: `deploy status {d.name}`"


class _Teller:
    """Collects the messages of one event."""

    def __init__(self, d: Deployment, facts: Facts) -> None:
        self.d = d
        self.facts = facts
        self.messages: list[Outbound] = []
        self.actor = facts.asker.name if facts.asker else "Ashat"
        self._asker = facts.asker.id if facts.asker else None

    def thread(self, title: str, *lines: str, tone: Tone = "neutral", broadcast: bool = False,
               buttons: tuple[Button, ...] = ()) -> None:  # fmt: skip
        kind: Kind = "broadcast" if broadcast else "milestone"
        card = Card(title, tuple(lines), buttons, tone, summary=named(title, self.d))
        for channel in (self.d.home, *subscribed(self.d, self.facts.policy.routes)):
            self.messages.append(Outbound(kind, channel, card, deployment=self.d.key))

    def ping(self, people: Iterable[str], title: str, *lines: str, buttons: tuple[Button, ...] = (),
             vote: bool = False) -> None:  # fmt: skip
        """One each, as they chose, and none to the one who did it. `vote`: it asks for theirs."""
        card = Card(title, tuple(lines), buttons, summary=title)
        named: dict[str, list[str]] = {}
        for person in self._others(people):
            if person.pings == "thread":
                named.setdefault(self._place(person), []).append(person.id)
            else:
                message = Outbound("direct", self._place(person), card, self.d.key, person.id, vote=vote)
                self.messages.append(message)
        for place, ids in named.items():
            self._name(Outbound("milestone", place, card, self.d.key, mentions=tuple(ids), vote=vote))

    def _others(self, people: Iterable[str]) -> Iterator[Person]:
        known = {person.id: person for person in self.facts.people}
        yield from (known[id_] for id_ in dict.fromkeys(people) if id_ in known and id_ != self._asker)

    def _place(self, person: Person) -> str:
        """The first of the deployment's channels that is on a platform of theirs."""
        platforms = {account.platform for account in person.accounts}
        channels = (self.d.home, *subscribed(self.d, self.facts.policy.routes))
        return next((one for one in channels if one.partition(":")[0] in platforms), self.d.home)

    def _name(self, own: Outbound) -> None:
        """In what the thread is told anyway, else in a message of their own. Votes are always asked for in one of
        their own, for it is not sent once nobody's is missing."""
        for number, message in enumerate(self.messages):
            if not own.vote and message.channel == own.channel and message.kind in ("milestone", "broadcast"):
                self.messages[number] = replace(message, mentions=own.mentions)
                return
        self.messages.append(own)

    def ask_for_votes(self, people: Iterable[str], *, again: bool = False) -> None:
        """With what a vote would be for: nobody should have to look for that."""
        d, facts = self.d, self.facts
        wanted = covers(d, facts.lane, facts.siblings, facts.regions)
        changes = (f"Changes: {approve.in_words(wanted, d, facts)}",) if wanted and wanted.replaces else ()
        lines = (d.description, facts_line(d), *changes, *_without(d, facts), f"`deploy approve {d.name}`")
        title = f"{d.name} {'still waits' if again else 'waits'} for your approval"
        buttons = (approve_button(d), Button("Details", f"show {d.name}"))
        self.ping(people, title, *lines, buttons=buttons, vote=True)

    def withdrawn(self, person: str, *, short: bool) -> None:
        title = f"{self.facts.name_of(person)} took the vote for {self.d.name} back"
        self.thread(title, *(("It waits for approval again",) if short else ()))
        self.ping([self.d.pusher] if short else [], title, "It waits for approval again")

    def starts(self, event: e.StartSet) -> None:
        zone = self.facts.asker.time_zone if self.facts.asker else "UTC"
        window = f", window {event.window}" if event.window else ""
        self.thread(f"Not before {say.clock(event.at, zone, self.facts.now, named=True)}{window}")

    def emergency(self, event: e.EmergencyDeclared) -> None:
        """Everyone on the routes, whatever they have subscribed to; and those who can countersign."""
        d = self.d
        title = f"🚨 {self.actor} declared an emergency: {d.name} goes to OMEGA without votes"
        lines = (f"“{event.why}”", event.says, "Skipped: votes, freezes, locks and windows; never verification")
        self.thread(title, *lines, tone="bad", broadcast=True)
        told = {d.home, *subscribed(d, self.facts.policy.routes)}
        card = Card(title, lines, tone="bad", summary=named(title, d))
        for channel in dict.fromkeys(route.channel for route in self.facts.policy.routes):
            if channel not in told:
                self.messages.append(Outbound("line", channel, card))
        self.ping([d.pusher, *self._could_sign()], title, *lines, f"`deploy countersign {d.name}`")

    def _could_sign(self) -> list[str]:
        one = self.d.emergency
        but = (one.person, self.d.pusher) if one else (self.d.pusher,)
        return [person.id for person in countersigners(self.d.component, but, self.facts)]

    def overdue(self) -> None:
        one = self.d.emergency
        title = f"🚨 Nobody has countersigned the emergency of {self.d.name}"
        lines = (f"“{one.why}”" if one else "", f"{self.d.component} takes nothing but rollbacks until somebody does",
                 f"`deploy countersign {self.d.name}`")  # fmt: skip
        self.thread(title, *lines, tone="bad", broadcast=True)
        could = [person.id for person in admins(self.facts.people, self.facts.policy)]
        self.ping([*self._could_sign(), *could], title, *lines)

    def asks_to_roll_back(self, why: str | None) -> None:
        d = self.d
        title = f"↩️ {self.actor} asks to roll {d.name} back; a second person has to agree"
        lines = (*((f"“{why}”",) if why else ()), CANNOT_BE_UNDONE, f"`deploy rollback {d.name}`")
        self.thread(title, *lines, broadcast=True)
        self.ping([person.id for person in seconders(d, self.facts)], title, *lines)

    def approved(self, people: tuple[str, ...], behind: str | None) -> None:
        goes = "it goes to OMEGA once it may" if barriers(self.d, self.facts) else "it goes to OMEGA"
        where = f"; queued behind {behind}" if behind else f"; {goes}"
        self.ping([self.d.pusher], f"{self.d.name} is approved by {_names(people, self.facts)}{where}")

    def leaves_out(self, left_out: tuple[LeftOut, ...]) -> None:
        zone = self.facts.asker.time_zone if self.facts.asker else "UTC"
        self.thread(
            "❄ It goes on without those that are frozen", *(_left_out(one, zone, self.facts) for one in left_out)
        )

    def lets_in(self, mainframes: tuple[tuple[str, str], ...]) -> None:
        names = say.listed([name for _, name in mainframes])
        title = f"❄ Frozen no more: {names}, brought to what their peers run of {self.d.component}"
        self.thread(title, broadcast=True)

    def settled(self, mainframes: tuple[tuple[str, str], ...]) -> None:
        """How it ended for each that was brought up; nothing where something newer has taken over."""
        rows = [m for m in self.d.mainframes if (m.region, m.name) in mainframes]
        ends = {"healthy": "healthy", "asleep": "asleep, follows when it wakes", "failed": "failed"}
        lines = [f"{m.name}: {ends[m.status]}{f': {m.error}' if m.error else ''}" for m in rows if m.status in ends]
        bad = any(m.status == "failed" for m in rows)
        if lines:
            self.thread("Mainframes that were frozen", *lines, tone="bad" if bad else "good")
            self.ping([self.d.pusher] if bad else [], f"{self.d.name}: mainframes that were frozen", *lines)

    def completed(self) -> None:
        self.thread(f"✅ {self.d.name} is complete", *fleet_lines(self.d), tone="good")
        self.ping([self.d.pusher], f"{self.d.name} is complete", *fleet_lines(self.d))

    def ended(self, how: str, why: str | None) -> None:
        title = f"{self.actor} {how} {self.d.name}"
        self.thread(title, *((f"“{why}”",) if why else ()), "Nothing was pushed to OMEGA")
        self.ping([self.d.pusher], title, *((f"“{why}”",) if why else ()))

    def failed(self, event: e.Failed) -> None:
        title = f"❌ {self.d.name} failed in {event.failed_in.words}"
        again = (f"Next: `deploy verify {self.d.name}`",) if event.failed_in is Stage.VERIFYING else ()
        self.thread(title, event.why, *again, tone="bad", broadcast=self.d.touched)
        self.ping([self.d.pusher], title, event.why, *again)

    def paused(self, why: str, automatic: bool) -> None:
        title = f"⏸ {self.d.name} is paused" + ("" if automatic else f" by {self.actor}")
        help_ = f"`deploy resume {self.d.name}`, or `deploy rollback {self.d.name}`"
        self.thread(title, *((why,) if automatic else ()), help_, broadcast=automatic)
        could = admins(self.facts.people, self.facts.policy) if automatic else []
        self.ping([self.d.pusher, *(person.id for person in could)], title, why, help_)

    def rolling_back(self, event: e.RollbackStarted) -> None:
        what = undoing(self.d, event.restore) if event.restore else ("off Public; nothing was pushed to OMEGA",)
        why = (f"“{event.why}”",) if event.why else ()
        self.thread(f"↩️ {self.actor} rolls {self.d.name} back", *why, *what)

    def rolled_back(self, touched: bool) -> None:
        d = self.d
        title = f"↩️ {d.name} is rolled back"
        now = (words.replace("returns to", "runs").replace("goes offline", "is offline")
               for words in undone(d))  # fmt: skip
        lines = (*now, *fleet_lines(d)) if touched else ("Nothing was pushed to OMEGA",)
        self.thread(title, *lines, broadcast=touched)
        self.ping([d.pusher, *(vote.person for vote in d.votes)], title, *lines)

    def silent(self, region: str, why: str) -> None:
        """What it serves goes on without its agent, so there is nothing to take back."""
        title = f"⚠ OMEGA {region} has not answered since {self.d.name}"
        self.thread(title, why, "What it serves may go on: `deploy servers`", tone="bad", broadcast=True)
        self.ping([self.d.pusher], title, why)

    def worse(self, region: str, why: str) -> None:
        d = self.d
        back = Button("Rollback", f"rollback {d.name}", seen_of(d), asks="optional reason", style="danger")
        title = f"⚠ OMEGA {region} is worse since {d.name}"
        self.thread(title, why, f"`deploy rollback {d.name}`", tone="bad", broadcast=True, buttons=(back,))
        self.ping([d.pusher], title, why, f"`deploy rollback {d.name}`")


def named(title: str, d: Deployment) -> str:
    """As it stands outside of the deployment's own thread."""
    return title if re.search(rf"(?<![\w.-]){re.escape(d.name)}(?![\w#-]|\.\w)", title) else f"{d.name}: {title}"


def seen_of(d: Deployment) -> Seen:
    """What a button is bound to: what its reader has before them."""
    return Seen(d.attempt, d.digest or "", d.verification.run if d.verification else 0)


def approve_button(d: Deployment) -> Button:
    asked = f"Send {d.name} ({say.digest(d.digest)}) to OMEGA and its mainframes?"
    return Button("Approve", f"approve {d.name}", seen_of(d), confirm=asked, style="primary")


def facts_line(d: Deployment) -> str:
    """What identifies the update, in one line."""
    return f"{d.component}, sha256 {say.digest(d.digest)}, {say.size(d.size)}"


def _well(fleet: Sequence[Mainframe]) -> int:
    return sum(m.status == "healthy" for m in fleet)


def fleet_lines(d: Deployment) -> tuple[str, ...]:
    """The mainframes that this is about, counted; those that sleep are named, for they follow later."""
    included = [m for m in d.mainframes if m.included]
    if not included and not d.left_out:
        return ("No mainframe is licensed for it",)
    offline = [m for m in included if goes_offline(d, m)]
    running = [m for m in included if m not in offline]
    lines = [f"{_well(offline)} of {len(offline)} mainframes offline"] if offline else []
    if running or not offline:
        lines.insert(0, f"{_well(running)} of {len(running)} mainframes healthy")
    asleep = [m.name for m in included if m.status == "asleep"]
    if asleep:
        lines.append(f"Lagging, they follow when they wake: {say.listed(asleep[:5])}")
    if d.left_out:
        lines.append(f"Frozen, got nothing: {say.listed([one.name for one in d.left_out[:5]])}")
    return tuple(lines)
