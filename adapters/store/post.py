"""Messages in and out: inbox, outbox, cards, and channels that are left alone for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, TextClause, bindparam, delete, func, select, text, union, update

from adapters.store import codec
from adapters.store.tables import CARD, INBOX, OUTBOX, OUTBOX_COLUMNS, PARKED
from adapters.store.upsert import added, put
from core.ports import CardRow, Incoming, Outbound, Queued, Reply, Waiting

UNSENT = text("sent_at IS NULL")
STALE = text("shown < wanted")
_CARD = (CARD.c.channel, CARD.c.deployment, CARD.c.reference, CARD.c.shown, CARD.c.wanted, CARD.c.tries)


# -- inbox -------------------------------------------------------------------------------------------------------------


def accept(c: Connection, message: Incoming, at: datetime) -> bool:
    return added(c, INBOX, arrived(message, at))


def arrived(message: Incoming, at: datetime) -> dict[str, object]:
    """Its row."""
    row = {"platform": message.platform, "delivery": message.delivery, "received_at": at}
    return {**row, "message": codec.encode(message)}


def reply_to(c: Connection, platform: str, delivery: str) -> Reply | None:
    its = (INBOX.c.platform == platform, INBOX.c.delivery == delivery)
    reply = c.execute(select(INBOX.c.reply).where(*its)).scalar()
    return codec.decode(Reply, reply) if reply else None


def unsettled(c: Connection, before: datetime, limit: int) -> list[Waiting]:
    its = (text("settled_at IS NULL"), INBOX.c.received_at < before)
    oldest = select(INBOX.c.message, INBOX.c.received_at).where(*its).order_by(INBOX.c.received_at, INBOX.c.number)
    return [Waiting(codec.decode(Incoming, message), at) for message, at in c.execute(oldest.limit(limit))]


# -- outbox ------------------------------------------------------------------------------------------------------------


def unsent(c: Connection, channel: str, limit: int) -> list[Queued]:
    rows = c.execute(select(OUTBOX).where(OUTBOX.c.channel == channel, UNSENT).order_by(OUTBOX.c.number).limit(limit))
    return [
        Queued(row["number"], codec.build(Outbound, codec.fields(row, OUTBOX_COLUMNS)), row["tries"])
        for row in rows.mappings()
    ]


def sent(c: Connection, numbers: Sequence[int], at: datetime) -> None:
    if numbers:
        its = (OUTBOX.c.number == bindparam("its_number"), UNSENT)
        c.execute(update(OUTBOX).where(*its).values(sent_at=at), [{"its_number": number} for number in numbers])


def channels_waiting(c: Connection, now: datetime) -> list[str]:
    waiting = union(select(OUTBOX.c.channel).where(UNSENT), select(CARD.c.channel).where(STALE))
    alone = (PARKED.c.until.is_(None)) | (PARKED.c.until > now)
    parked = set(c.execute(select(PARKED.c.channel).where(alone)).scalars())
    return sorted(set(c.execute(waiting).scalars()) - parked)


# -- cards -------------------------------------------------------------------------------------------------------------


def stale_cards(c: Connection, channel: str, limit: int) -> list[CardRow]:
    """Limited here and not in the statement: PostgreSQL cannot know how few are stale, expects to find that many soon
    on a walk over all cards, and makes it; without a limit it takes the index of the stale ones."""
    rows = c.execute(select(*_CARD).where(CARD.c.channel == channel, STALE).order_by(CARD.c.number))
    return [CardRow(*row) for row in rows.fetchmany(limit)]


def card(c: Connection, channel: str, deployment: str) -> CardRow | None:
    row = c.execute(select(*_CARD).where(CARD.c.deployment == deployment, CARD.c.channel == channel)).one_or_none()
    return CardRow(*row) if row else None


def shown(c: Connection, channel: str, deployment: str, reference: str, version: int) -> None:
    """Raises LookupError where the channel does not follow the deployment."""
    its = (CARD.c.deployment == deployment, CARD.c.channel == channel)
    if not c.execute(update(CARD).where(*its).values(reference=reference, shown=version, tries=0)).rowcount:
        raise LookupError(f"{channel} does not follow {deployment}: there is no card to show")


# -- channels that refuse ----------------------------------------------------------------------------------------------


def park(c: Connection, channel: str, why: str, until: datetime | None) -> None:
    """What stood first in line was tried once more, in vain: its `tries` tell how often."""
    put(c, PARKED, {"channel": channel, "why": why, "until": until})
    _tried(c, OUTBOX, channel, UNSENT)
    _tried(c, CARD, channel, STALE)


def _tried(c: Connection, table: Table, channel: str, waiting: TextClause) -> None:
    first = select(func.min(table.c.number)).where(table.c.channel == channel, waiting)
    number = c.execute(first).scalar()
    if number is not None:
        c.execute(update(table).where(table.c.number == number).values(tries=table.c.tries + 1))


def unpark(c: Connection, channel: str) -> None:
    c.execute(delete(PARKED).where(PARKED.c.channel == channel))
