"""The journal's chains and checkpoints. They only grow: nothing here changes or deletes, and triggers refuse it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, Text, and_, bindparam, func, select, text, type_coerce
from sqlalchemy.exc import IntegrityError

from adapters.store import codec
from adapters.store.statement import inserting
from adapters.store.tables import CHECKPOINT, JOURNAL, NOTES
from adapters.store.upsert import added
from core.journal import GENESIS, Draft, Entry, Head, seal
from core.ports import Conflict

_FIELDS = ("chain", "seq", "kind", "data", "at", "by", "via", "previous", "hash")

End = tuple[int, str]
"""Number and hash of a chain's last entry; 0 and GENESIS where it has none."""

QUEUES = 0x71
"""Keeps these advisory locks apart from others: the seed of their hash."""
_LAST = (
    select(JOURNAL.c.seq, JOURNAL.c.hash)
    .where(JOURNAL.c.chain == bindparam("its_chain"))
    .order_by(JOURNAL.c.seq.desc())
    .limit(1)
)
_NOTED = (
    select(JOURNAL.c.chain, JOURNAL.c.data)
    .where(JOURNAL.c.chain.in_(bindparam("chains", expanding=True)), text(NOTES))
    .order_by(JOURNAL.c.chain, JOURNAL.c.seq)
)
_QUEUE = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("its_chain"), QUEUES)))


def append(
    c: Connection, drafts: Sequence[Draft], own: str | None, end: Callable[[Connection, str], End]
) -> list[Entry]:
    """Seal `drafts` in order behind the last entries of their chains; `own` is that of the deployment that is changed.

    `end` tells where a chain ends now. Raises Conflict where another process has just added to one of them.
    """
    if not drafts:
        return []
    chains = dict.fromkeys(draft.chain for draft in drafts)
    if c.dialect.name == "postgresql":
        _queue_for(c, chains.keys() - {own})
    ends = {chain: end(c, chain) for chain in chains}
    entries = seal_all(drafts, ends)
    try:
        inserting(JOURNAL).run_all(c, [_row(entry) for entry in entries])
    except IntegrityError as error:
        raise Conflict("another entry has just taken this place in the journal") from error
    return entries


def _queue_for(c: Connection, chains: Iterable[str]) -> None:
    """Wait for those who append to chains that many share, rather than fail for them and decide again.

    The chain of a deployment needs no queue: its version lets one through.
    """
    for chain in sorted(chains):
        c.execute(_QUEUE, {"its_chain": chain})


def seal_all(drafts: Iterable[Draft], ends: dict[str, End]) -> list[Entry]:
    """Entries for `drafts`; `ends`, the number and hash of each chain's last entry, moves along."""
    entries = []
    for draft in drafts:
        seq, previous = ends.get(draft.chain, (0, GENESIS))
        entry = seal(codec.settled_draft(draft), seq + 1, previous)
        ends[draft.chain] = (entry.seq, entry.hash)
        entries.append(entry)
    return entries


def end_of(c: Connection, chain: str) -> End:
    """As the journal has it."""
    row = c.execute(_LAST, {"its_chain": chain}).one_or_none()
    return (row.seq, row.hash) if row else (0, GENESIS)


def _row(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in _FIELDS}
    return row | {"data": codec.canonical_text(entry.data)}


def entries(c: Connection, chain: str, after: int, limit: int) -> list[Entry]:
    columns = [JOURNAL.c[name] for name in _FIELDS]
    wanted = select(*columns).where(JOURNAL.c.chain == chain, JOURNAL.c.seq > after)
    wanted = wanted.order_by(JOURNAL.c.seq).limit(limit)
    try:
        return [Entry(**{**row, "data": json.loads(row["data"])}) for row in c.execute(wanted).mappings()]
    except ValueError:
        return _readable(c, wanted, columns)


def _readable(c: Connection, wanted: Select[Any], columns: Sequence[Column[Any]]) -> list[Entry]:
    """Where a hand has left what is no JSON, or no time: the entry is shown as another, so that its hash betrays it."""
    as_text = [type_coerce(column, Text).label(column.name) if column.name == "at" else column for column in columns]
    rows = c.execute(wanted.with_only_columns(*as_text)).mappings()
    return [Entry(**{**row, "data": _data(row["data"]), "at": _at(row["at"])}) for row in rows]


def _data(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError):
        return {"unreadable": text}


def _at(value: str | datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def noted(c: Connection, chains: Sequence[str]) -> dict[str, list[str]]:
    """By the index of notes alone, however long the chains are."""
    found: dict[str, list[str]] = {chain: [] for chain in chains}
    for chain, data in c.execute(_NOTED, {"chains": list(chains)}):
        found[chain].append(json.loads(data)["text"])
    return found


def heads(c: Connection) -> list[Head]:
    """Read from the entries themselves, hopping from chain to chain along the index: the cost grows with the chains,
    not with the entries, and no second table could say something else than the journal does."""
    first, later, last = JOURNAL.alias("first"), JOURNAL.alias("later"), JOURNAL.alias("last")
    chains = select(func.min(first.c.chain).label("chain")).cte("chains", recursive=True)
    following = select(func.min(later.c.chain)).where(later.c.chain > chains.c.chain).scalar_subquery()
    chains = chains.union_all(select(following).where(chains.c.chain.is_not(None)))
    newest = select(func.max(last.c.seq)).where(last.c.chain == chains.c.chain).scalar_subquery()
    joined = select(JOURNAL.c.chain, JOURNAL.c.seq, JOURNAL.c.hash).join_from(
        chains, JOURNAL, and_(JOURNAL.c.chain == chains.c.chain, JOURNAL.c.seq == newest)
    )
    return sorted((Head(*row) for row in c.execute(joined)), key=lambda head: head.chain)


def add_checkpoint(c: Connection, envelope: dict[str, Any], at: datetime, number: int) -> None:
    """Raises Conflict where `number` is not the next one."""
    row = {"number": number, "at": at, "envelope": codec.canonical_text(envelope)}
    last = c.execute(select(func.max(CHECKPOINT.c.number))).scalar() or 0
    if number != last + 1 or not added(c, CHECKPOINT, row):
        raise Conflict(f"checkpoint {number} is not the next one: another one was signed meanwhile")


def checkpoints(c: Connection, after: int) -> list[dict[str, Any]]:
    wanted = select(CHECKPOINT.c.envelope).where(CHECKPOINT.c.number > after).order_by(CHECKPOINT.c.number)
    return [_data(text) for text in c.execute(wanted).scalars()]
