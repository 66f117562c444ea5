"""Duties that one process at a time may have, such as to write to a channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, delete, or_

from adapters.store.tables import DUTY
from adapters.store.upsert import insertion

if TYPE_CHECKING:
    from adapters.store.upsert import Insert


def hold(c: Connection, duty: str, owner: str, now: datetime, lease: float) -> bool:
    """One statement: of two who try at once, one has it."""
    row = {"name": duty, "owner": owner, "until": now + timedelta(seconds=lease)}
    return c.execute(_take(c.dialect.name), {**row, "its_owner": owner, "now": now}).rowcount == 1


def let_go(c: Connection, owner: str) -> None:
    c.execute(delete(DUTY).where(DUTY.c.owner == owner))


def let_all_go(c: Connection) -> None:
    c.execute(delete(DUTY))


@cache
def _take(dialect: str) -> Insert:
    new = insertion(dialect, DUTY)
    free = or_(DUTY.c.owner == bindparam("its_owner"), DUTY.c.until <= bindparam("now", type_=DUTY.c.until.type))
    return new.on_conflict_do_update(
        index_elements=[DUTY.c.name],
        set_={"owner": new.excluded.owner, "until": new.excluded.until},
        where=free,
    )
