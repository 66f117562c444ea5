"""Between the registry's rows and what the fleet thinks in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete

from agent.fleet.distributions import Distribution, Ledger, Signed, SignedLeftOut
from agent.fleet.registry import CountedReceipt, Grant, Registration, Registry
from agent.fleet.store import Change, Contents, RegistryError
from agent.fleet.tables import DistributionRow, ReceiptRow, table
from core.release.wire import Receipt, Release


def distribution_of(row: DistributionRow) -> Distribution:
    return Distribution(
        release=Release.model_validate_json(row.release),
        envelope=json.loads(row.envelope),
        hold=row.hold,
        order=row.order,
        otherwise=_otherwise(row),
        left_out=_left_out(row),
    )


def _otherwise(row: DistributionRow) -> Signed | None:
    if row.otherwise is None or row.otherwise_envelope is None:
        return None
    return Signed(Release.model_validate_json(row.otherwise), json.loads(row.otherwise_envelope))


def _left_out(row: DistributionRow) -> SignedLeftOut | None:
    if row.left_out is None:
        return None
    kept = json.loads(row.left_out)
    return SignedLeftOut(frozenset(kept["names"]), kept["envelope"])


def distribution_row(distribution: Distribution) -> dict[str, Any]:
    left_out = distribution.left_out
    return {
        "component": distribution.release.component,
        "generation": distribution.generation,
        "release": distribution.release.model_dump_json(),
        "envelope": json.dumps(distribution.envelope),
        "hold": distribution.hold,
        "order": distribution.order,
        "otherwise": distribution.otherwise and distribution.otherwise.release.model_dump_json(),
        "otherwise_envelope": distribution.otherwise and json.dumps(distribution.otherwise.envelope),
        "left_out": left_out and json.dumps({"names": sorted(left_out.names), "envelope": left_out.envelope}),
    }


def granted(distribution: Distribution, one: Registration, version: int, at: datetime) -> Grant:
    """The part of `distribution` that is for this mainframe's tier; the release itself where the tier was changed."""
    signed = distribution.for_tier(one.licence.tier) or Signed(distribution.release, distribution.envelope)
    return Grant(signed.release, signed.envelope, version, at)


def grant_row(name: str, distribution: Distribution, version: int, given_at: datetime) -> dict[str, Any]:
    return {
        "mainframe": name,
        "component": distribution.release.component,
        "generation": distribution.generation,
        "version": version,
        "given_at": given_at,
    }


def remember(contents: Contents, registry: Registry, ledger: Ledger) -> None:
    """Put what was given and what was received back beside each mainframe."""
    for row in contents.grants:
        one, given = registry.get(row.mainframe), ledger.get(row.component, row.generation)
        if one is None or given is None:
            raise RegistryError(
                f"the registry names generation {row.generation} of {row.component} without its "
                f"distribution or mainframe {row.mainframe}; restore the file from a backup"
            )
        one.grants[row.component] = granted(given, one, row.version, row.given_at)
    for received in contents.receipts:
        one = registry.get(received.mainframe)
        grant = one.grants.get(received.component) if one else None
        if one and grant and received.counted and received.generation == grant.release.generation:
            one.receipts[received.component] = CountedReceipt(received.generation, json.loads(received.envelope))


def receipt_row(receipt: Receipt, envelope: dict[str, Any], counted: bool, now: datetime) -> dict[str, Any]:
    return {
        "mainframe": receipt.mainframe,
        "component": receipt.component,
        "generation": receipt.generation,
        "counted": counted,
        "envelope": json.dumps(envelope),
        "received_at": now,
    }


def superseded_receipts(newest: Receipt, oldest: int) -> Change:
    """Forget the receipts of this mainframe and component that are from before generation `oldest`."""
    target = table(ReceiptRow)
    mine = (target.c.mainframe == newest.mainframe) & (target.c.component == newest.component)
    return Change(delete(target).where(mine & (target.c.generation < oldest)), [{}])


def forgotten_distributions(component: str, generations: Sequence[int]) -> Change:
    target = table(DistributionRow)
    return Change(delete(target).where(target.c.component == component, target.c.generation.in_(generations)), [{}])
