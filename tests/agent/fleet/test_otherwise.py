"""A rollback to a release of owner level: owners return to it, all others to theirs, in one distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.errors import Refused
from agent.fleet.distributions import (
    Distribution,
    Ledger,
    Patience,
    Signed,
    SignedLeftOut,
    check_receipt,
    due,
    judge,
    state_of,
)
from agent.fleet.registry import Registration
from agent.fleet.rows import distribution_of, distribution_row, granted
from agent.fleet.tables import DistributionRow
from core.release.wire import Receipt
from tests.agent.fleet.test_distributions import ONE, PATIENCE, TWO, mainframe, offer, release
from tests.agent.fleet.world import START


def both(generation: int = 5, **changes: Any) -> Distribution:
    owners = offer(generation, level="server-owner", digest=ONE)
    return replace(owners, otherwise=Signed(release(generation, digest=TWO, **changes), {"for": "others"}))


def with_it(tier: str) -> Registration:
    one = mainframe(tier=tier)
    one.grants["main"] = granted(both(), one, 1, START)
    return one


@pytest.mark.parametrize(("tier", "digest"), [("standard", TWO), ("server-owner", ONE)])
def test_each_tier_is_given_its_own(tier: str, digest: str) -> None:
    (given,) = due(Ledger([offer(4), both()]), mainframe(tier=tier), START)
    signed = given.for_tier(tier)
    assert signed is not None
    assert signed.release.digest == digest
    assert with_it(tier).grants["main"].release.digest == digest
    assert due(Ledger([both()]), with_it(tier), START) == ()


def test_without_it_the_others_keep_what_they_have() -> None:
    ledger = Ledger([offer(4, digest=TWO), offer(5, level="server-owner")])
    (given,) = due(ledger, mainframe(), START)
    assert given.generation == 4


@pytest.mark.parametrize(("tier", "digest"), [("standard", TWO), ("server-owner", ONE)])
def test_a_receipt_counts_for_what_its_mainframe_was_given(tier: str, digest: str) -> None:
    def receipt(of: str) -> Receipt:
        asked = release(digest=of)
        return Receipt(mainframe="m1", component="main", digest=of, generation=5, deployment=asked.deployment,
                       attempt=1, nonce=asked.nonce, healthy_at=START)  # fmt: skip

    assert check_receipt(receipt(digest), with_it(tier))
    with pytest.raises(Refused, match="must be the assignment's"):
        check_receipt(receipt(ONE if digest == TWO else TWO), with_it(tier))


def test_all_of_them_are_counted() -> None:
    fleet = [mainframe(), mainframe(tier="server-owner")]
    patience: Patience = PATIENCE
    assert [row.status for row in state_of(both(), fleet, START, patience).mainframes] == ["waiting", "waiting"]
    without = replace(both(), otherwise=None)
    assert [row.status for row in state_of(without, fleet, START, patience).mainframes] == ["not_included", "waiting"]


def test_one_generation_is_one_pair_of_statements() -> None:
    assert judge(both(), both()) is None
    for other in (replace(both(), otherwise=None), both(nonce="another-one")):
        with pytest.raises(Refused, match="newer generation"):
            judge(both(), other)


def test_it_is_read_back_from_the_registry_as_it_was_written() -> None:
    left_out = SignedLeftOut(frozenset({"m1", "m2"}), {"signed": "by the bot"})
    for distribution in (both(), offer(), replace(offer(), left_out=left_out)):
        assert distribution_of(DistributionRow(**distribution_row(distribution))) == distribution
