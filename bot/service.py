"""The door of the application: what people say, and what was observed, decided by core and committed at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from bot.gather import Gatherer
from bot.logs import reference
from bot.pace import Pace
from bot.reader import Reader
from bot.standing import Standing
from core import commands as c
from core import say
from core.advice import advice
from core.cards import Card
from core.changes import change
from core.events import DeploymentEvent
from core.facts import ChecksSeen, Decided, Elapsed, Facts, LaneFree, Outcome, Refused, VotesStale
from core.parsing import Ignore
from core.parsing import Reply as Usage
from core.people import Account, Person
from core.ports import Change, Clock, Conflict, Incoming, Lease, Outbound, Reply, Settled, Store, Surroundings
from core.ports import Outcome as Result
from core.replacing import replace
from core.state import Deployment
from core.workflow import Writing, about, conclude, decide

T = TypeVar("T")
log = structlog.get_logger("ashat.service")

_TRIES = 20
"""How often a decision is made again because somebody else committed first, before that is our fault."""

_REPLY_LIFE = 1800.0
"""Seconds after which a late reply helps nobody: Slack's own limit for answering a command."""

_SWEPT = 100
"""Messages that were cut off and are carried out in one go."""

_ASKS_WHO_MAY_VOTE = (ChecksSeen, VotesStale, LaneFree, Elapsed)
"""Outcomes that ask people for their votes, or count them."""

_NEVER_SEEN = c.Configure | c.Unconfigure | c.Push | c.Note | c.Lock | c.Unlock | c.Freeze | c.Unfreeze
"""Commands that act on nothing which a card's button had shown."""

NOBODY = "nobody"


def stranger(platform: str) -> Person:
    """Somebody whom settings do not name: no role, so nothing is shown and nothing done."""
    return Person(NOBODY, f"somebody on {platform}", frozenset())


@dataclass(frozen=True, slots=True)
class Kicks:
    """Wakes those who act on a commit, so that nobody waits for a tick."""

    reconciler: Callable[[], None]
    notifier: Callable[[], None]

    def __call__(self) -> None:
        self.reconciler()
        self.notifier()


class Service:
    """Implements core.ports.Door for the adapters, and `observe` for the reconciler."""

    def __init__(
        self, store: Store, people: Standing, clock: Clock, gatherer: Gatherer, reader: Reader, kicks: Kicks, pace: Pace
    ) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._gather = gatherer
        self._reader = reader
        self._kicks = kicks
        self._pace = pace
        self._answering: set[tuple[str, str]] = set()
        """Deliveries that somebody waits for now: they are not swept."""
        self._submitted: set[tuple[str, str]] = set()
        """Of those, what is in the inbox already, and so is carried out later where it cannot be now."""

    # -- the door ------------------------------------------------------------------------------------------------------

    async def submit(self, message: Incoming) -> bool:
        """Durable before it returns, where the message would change something; see core.ports.Door."""
        if not isinstance(message.parsed, Writing):
            return True
        new = await self._store.accept(message, self._clock.now())
        if new:  # one that was carried out meanwhile is not forgotten again
            self._submitted.add((message.platform, message.delivery))
        return new

    async def answer(self, message: Incoming) -> Reply:
        """Carry it out, or find that it was. What was not expected becomes a sentence with a reference."""
        command = message.parsed
        if isinstance(command, Ignore):
            return Reply("ignored", Card(""))
        delivery = (message.platform, message.delivery)
        self._answering.add(delivery)
        try:
            return await self._heard(command, message)
        except Exception:
            mark = reference()
            log.exception("command failed", reference=mark, platform=message.platform, delivery=message.delivery)
            return await self._our_fault(mark, command, message)
        finally:
            self._answering.discard(delivery)
            self._submitted.discard(delivery)

    async def _heard(self, command: c.Command | Usage, message: Incoming) -> Reply:
        person = await self._asker(command, message)
        who = f"{message.platform}:{message.account.id}" if person.id == NOBODY else person.id
        wait = self._pace.wait(who, self._clock.now())
        if wait:
            reply = _too_fast(self._pace.per_minute, wait)
            return await self._settle(message, reply) if isinstance(command, Writing) else reply
        if isinstance(command, Writing):
            return await self._carry_out(message, _with_seen(command, message.seen), person, late=False)
        if isinstance(command, Usage):
            return Reply("usage", Card(command.text, summary=command.text))
        return await self._reader.read(command, person, message)

    async def _asker(self, command: c.Command | Usage, message: Incoming) -> Person:
        """Who gives it. Their groups are asked where what they may without them is not enough."""
        person = self._person(message)
        if not self._people.asks or isinstance(command, Usage):
            return person
        if isinstance(command, c.Approve):
            await self._ask_voters(await self._store.deployment(*c.split_id(command.id)), message.account)
        elif isinstance(command, c.Whoami) or self._gather.may_hang_on_groups(person, command):
            await self._people.refresh([message.account])
        return self._person(message)

    async def _ask_voters(self, d: Deployment | None, *more: Account) -> None:
        """Make it certain who may vote for `d` now."""
        gave = [vote.person for vote in d.votes] if d else []
        gave += [d.emergency.person] if d and d.emergency else []
        people = (self._people.get(person) for person in gave)
        accounts = [account for person in people if person is not None for account in person.accounts]
        await self._people.refresh([*accounts, *more], everybody=True)

    def _person(self, message: Incoming) -> Person:
        return self._people.find(message.account) or stranger(message.platform)

    async def _settle(self, message: Incoming, reply: Reply, *outbox: Outbound) -> Reply:
        """Make `reply` the end of a message that changes nothing. One that was carried out keeps its own."""
        settled = Settled(message.platform, message.delivery, reply, message)
        try:
            await self._store.commit(Change(settled=settled, outbox=outbox))
        except Conflict:
            return await self._store.settled(message.platform, message.delivery) or reply
        return reply

    async def _our_fault(
        self, mark: str, command: c.Command | Ignore | Usage, message: Incoming, *, late: bool = False
    ) -> Reply:
        """The message ends with what was logged as `mark`; where even that cannot be stored, it is kept."""
        reply = _failed(mark, command)
        if not isinstance(command, Writing):
            return reply
        outbox = (_by_outbox(reply, message, self._person(message), self._clock.now()),) if late else ()
        try:
            return await self._settle(message, reply, *outbox)
        except Exception:
            kept = late or (message.platform, message.delivery) in self._submitted
            log.exception("cannot settle", reference=mark, delivery=message.delivery, via=message.platform, kept=kept)
            return _kept(mark, command) if kept else reply

    async def _carry_out(self, message: Incoming, command: Writing, person: Person, *, late: bool) -> Reply:
        for _ in range(_TRIES):
            try:
                draft, reply = await self._committed(message, command, person, late=late)
            except Conflict:
                known = await self._store.settled(message.platform, message.delivery)
                if known is not None:
                    return known
                continue
            log.info(
                "decided", command=c.spec_of(command).name, outcome=reply.outcome, deployment=reply.id, by=person.id,
                via=message.platform, events=[entry.kind for entry in draft.entries],
            )  # fmt: skip
            self._kicks()
            return reply
        raise Conflict(f"{_TRIES} others committed first")

    async def _committed(
        self, message: Incoming, command: Writing, person: Person, *, late: bool
    ) -> tuple[Change, Reply]:
        """Decided, and durable with its reply. What the store knows is read in the transaction that writes; ALPHA and
        servers are asked first, outside it.

        Raises Conflict where somebody else committed first.
        """
        asked = await self._gather.asked(command, person)

        def drafted(around: Surroundings) -> Change:
            facts = self._gather.within(around, person, message.channel, asked)
            reply, draft = self._decided(command, facts, message)
            settled = Settled(message.platform, message.delivery, reply, message)
            answer = (_by_outbox(reply, message, person, facts.now),) if late else ()
            return replace(draft, settled=settled, outbox=(*draft.outbox, *answer))

        typed = command.id if isinstance(command, c.Push) else about(command) or ""
        draft = _certain(await self._store.decide(*c.split_id(typed), drafted, asked.component))
        return draft, _certain(draft.settled).reply

    def _decided(self, command: Writing, facts: Facts, message: Incoming) -> tuple[Reply, Change]:
        verdict = decide(command, facts)
        name = facts.deployment.name if facts.deployment else getattr(command, "id", None)
        match verdict:
            case Refused(_, why, more):
                return Reply("refused", Card(why, more, tone="bad", summary=why), name), Change()
            case Decided(events, says):
                draft = change(facts, events, via=message.platform)
                first, *rest = (*says, *advice(command))
                name = draft.deployment.name if draft.deployment else name
                return Reply("done", Card(first, tuple(rest), summary=first), name), draft

    # -- what was observed ---------------------------------------------------------------------------------------------

    async def observe(self, key: str, outcome: Outcome, lease: Lease) -> tuple[DeploymentEvent, ...]:
        """Decide an outcome and commit it under `lease`. Raises FenceLost. No events: nothing changed."""
        events: tuple[DeploymentEvent, ...] = ()
        if self._people.asks and isinstance(outcome, _ASKS_WHO_MAY_VOTE):
            await self._ask_voters(await self._store.deployment(*c.split_id(key)))

        def concluded(around: Surroundings) -> Change | None:
            nonlocal events
            events = ()
            if around.deployment is None:
                return None
            facts = self._gather.within(around, None, around.deployment.home)
            events = conclude(outcome, facts)
            return change(facts, events, lease=lease) if events else None

        for _ in range(_TRIES):
            try:
                committed = await self._store.decide(*c.split_id(key), concluded)
            except Conflict:
                continue
            if committed is None:
                return ()
            log.info(
                "observed", deployment=key, outcome=type(outcome).__name__, events=[type(e).__name__ for e in events]
            )
            self._kicks()
            return events
        raise Conflict(f"{_TRIES} others committed first")

    async def facts(self, key: str) -> Facts | None:
        """What is known of one deployment now, for a step or an outcome."""
        return await self._gather.for_deployment(key)

    # -- what was left behind ------------------------------------------------------------------------------------------

    async def sweep(self, older_than: float) -> int:
        """Carry out messages that were accepted and then cut off, oldest first; their replies go by the outbox."""
        before = self._clock.now() - timedelta(seconds=older_than)
        waiting = [row.message for row in await self._store.unsettled(before, _SWEPT)]
        cut_off = [message for message in waiting if (message.platform, message.delivery) not in self._answering]
        for message in cut_off:
            await self._late(message)
        return len(cut_off)

    async def _late(self, message: Incoming) -> None:
        """One message. What fails about it ends it, with a reply, so that those behind it get their turn."""
        command = message.parsed
        try:
            if isinstance(command, Writing):
                command = _with_seen(command, message.seen)
                await self._carry_out(message, command, await self._asker(command, message), late=True)
            else:
                await self._settle(message, Reply("ignored", Card("")))
        except Exception:
            mark = reference()
            log.exception("late command failed", reference=mark, platform=message.platform, delivery=message.delivery)
            await self._our_fault(mark, command, message, late=True)


def _by_outbox(reply: Reply, message: Incoming, person: Person, now: datetime) -> Outbound:
    """The reply to somebody who is no longer waiting on the line for it."""
    expires = now + timedelta(seconds=_REPLY_LIFE)
    return Outbound("reply", message.channel, reply.card, person=person.id, expires_at=expires)


def _certain(value: T | None) -> T:
    """Where the caller has just put it there."""
    if value is None:
        raise TypeError("a decision about a message settles it")
    return value


def _with_seen(command: Writing, seen: c.Seen | None) -> Writing:
    if seen is None or isinstance(command, _NEVER_SEEN):
        return command
    return replace(command, seen=seen)


def _failed(mark: str, command: object) -> Reply:
    about = getattr(command, "id", None)
    what = f"{about} is unchanged. `deploy status {about}`" if about else "Nothing was changed. `deploy status`"
    return _sentence("failed", f"Our fault, reference {mark}; {what}", about)


def _kept(mark: str, command: object) -> Reply:
    about = getattr(command, "id", None)
    see = f"`deploy status {about}`" if about else "`deploy status`"
    why = f"Our fault, reference {mark}; what you said is kept, and carried out as soon as that is possible. {see}"
    return _sentence("failed", why, about)


def _too_fast(limit: int, wait: float) -> Reply:
    seconds = say.duration(max(1.0, wait))
    return _sentence("refused", f"{limit} commands in a minute are the limit. Nothing was changed; go on in {seconds}")


def _sentence(outcome: Result, sentence: str, about: str | None = None) -> Reply:
    return Reply(outcome, Card(sentence, tone="bad", summary=sentence), about)
