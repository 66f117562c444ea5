"""What is decided about distributions, without I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.errors import Refused
from agent.fleet.distributions import (
    Distribution,
    Ledger,
    Patience,
    SignedLeftOut,
    check_receipt,
    due,
    judge,
    state_of,
)
from agent.fleet.registry import CountedReceipt, Grant, Licence, Registration
from core.release.wire import MainframeReport, MainframeStatus, Receipt, Release
from tests.agent.fleet.world import START

ONE, TWO = "1" * 64, "2" * 64
PATIENCE = Patience(online_within=timedelta(seconds=90), receipt_timeout=timedelta(seconds=300))


def release(generation: int = 5, digest: str | None = ONE, **changes: Any) -> Release:
    fields: dict[str, Any] = {
        "purpose": "desired",
        "component": "main",
        "digest": digest,
        "generation": generation,
        "deployment": "v1",
        "attempt": 1,
        "nonce": "nonce-of-it",
        "issued_at": START,
    }
    return Release(**{**fields, **changes})


def offer(generation: int = 5, *, hold: bool = False, order: int = 0, **changes: Any) -> Distribution:
    return Distribution(release(generation, **changes), {"generation": generation}, hold, order)


def licence(**changes: Any) -> Licence:
    fields: dict[str, Any] = {
        "name": "m1",
        "owner": "Ada",
        "tier": "standard",
        "until": None,
        "revoked": False,
        "public_key": "0" * 64,
        "token_sha256": "0" * 64,
    }
    return Licence(**{**fields, **changes})


def mainframe(given: Distribution | None = None, **changes: Any) -> Registration:
    made = Registration(licence(**changes), last_seen=START, awake_since=START)
    if given is not None:
        made.grants[given.release.component] = Grant(given.release, given.envelope, 1, START)
    return made


def refusal(current: Distribution, offered: Distribution) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        judge(current, offered)
    return caught.value.kind, str(caught.value)


def test_the_first_and_a_newer_generation_are_accepted_whatever_their_order() -> None:
    assert judge(None, offer()) == offer()
    assert judge(offer(5, order=7), offer(6, digest=TWO)) == offer(6, digest=TWO)


def test_an_older_generation_is_refused() -> None:
    kind, sentence = refusal(offer(5), offer(4))
    assert kind == "older_generation"
    assert "generation 4 of main is older than 5" in sentence


@pytest.mark.parametrize(
    "other", [{"digest": TWO}, {"digest": None}, {"deployment": "v2"}, {"attempt": 2}, {"nonce": "another-one"}]
)
def test_one_generation_is_one_statement(other: dict[str, Any]) -> None:
    kind, sentence = refusal(offer(), offer(order=1, **other))
    assert kind == "conflict"
    assert "newer generation" in sentence


def test_the_same_again_changes_nothing_also_when_signed_at_another_time() -> None:
    assert judge(offer(order=3, hold=True), offer(order=3, hold=True)) is None
    assert judge(offer(), offer(issued_at=START + timedelta(hours=1))) is None


def test_order_decides_about_hold() -> None:
    assert judge(offer(order=1), offer(order=2, hold=True)) == offer(order=2, hold=True)
    assert refusal(offer(order=2, hold=True), offer(order=1))[0] == "conflict"
    assert refusal(offer(order=2, hold=True), offer(order=2))[0] == "conflict"


def test_what_is_due_is_the_newest_that_reaches_the_tier() -> None:
    ledger = Ledger([offer(1), offer(2), offer(3, level="server-owner")])
    assert [d.generation for d in due(ledger, mainframe(), START)] == [2]
    assert [d.generation for d in due(ledger, mainframe(tier="server-owner"), START)] == [3]
    assert due(ledger, mainframe(offer(2)), START) == ()


def test_nothing_is_due_to_whom_it_would_lead_back() -> None:
    ledger = Ledger([offer(2), offer(3, level="server-owner")])
    moved_to_a_lower_tier = mainframe(offer(3, level="server-owner"))
    assert due(ledger, moved_to_a_lower_tier, START) == ()


@pytest.mark.parametrize("changes", [{"revoked": True}, {"until": START}, {"until": START - timedelta(days=1)}])
def test_nothing_is_due_without_a_licence(changes: dict[str, Any]) -> None:
    assert due(Ledger([offer()]), mainframe(**changes), START) == ()


def test_nothing_on_hold_is_due_and_the_older_one_is_not_given_instead() -> None:
    assert due(Ledger([offer(1), offer(2, hold=True)]), mainframe(), START) == ()


def without(distribution: Distribution, *names: str, order: int = 0) -> Distribution:
    return replace(distribution, order=order, left_out=SignedLeftOut(frozenset(names), {"without": names}))


def test_who_is_left_out_of_the_newest_is_due_nothing_not_even_what_came_before() -> None:
    ledger = Ledger([offer(1), without(offer(2), "m1")])
    assert due(ledger, mainframe(), START) == ()
    assert [d.generation for d in due(ledger, mainframe(name="m2"), START)] == [2]


def test_who_is_let_in_is_due_the_newest_for_its_tier_also_where_that_left_it_out() -> None:
    ledger = Ledger([offer(1), without(offer(2), "m1"), without(offer(3, level="server-owner"), "m1")])
    assert due(ledger, mainframe(), START) == ()
    ledger.put(without(offer(3, level="server-owner"), order=1))
    assert [d.generation for d in due(ledger, mainframe(), START)] == [2]
    assert [d.generation for d in due(ledger, mainframe(tier="server-owner"), START)] == [3]


def test_order_decides_about_who_is_left_out() -> None:
    current = without(offer(), "m1")
    assert judge(current, without(offer(), "m1")) is None
    assert judge(current, without(offer(), order=1)) == without(offer(), order=1)
    assert judge(offer(), without(offer(), "m1", order=1)) == without(offer(), "m1", order=1)
    assert refusal(current, without(offer(), "m2"))[0] == "conflict"
    assert refusal(offer(), without(offer(), "m1"))[0] == "conflict"


def test_whom_the_bot_left_out_nobody_lets_in_without_its_signature() -> None:
    kind, sentence = refusal(without(offer(), "m1"), offer(order=1))
    assert kind == "refused"
    assert "needs a signed statement of who still is" in sentence
    assert judge(without(offer(), "m1"), offer(6)) == offer(6)


def test_the_ledger_forgets_what_nobody_needs() -> None:
    ledger = Ledger([offer(n) for n in range(1, 31)] + [offer(31, level="server-owner")])
    gone = ledger.forget("main", {3})
    assert sorted(set(range(1, 32)) - set(gone)) == [3, *range(22, 32)]
    assert ledger.get("main", 4) is None
    newest_for_all = ledger.newest("main", "standard")
    assert newest_for_all is not None
    assert newest_for_all.generation == 30


def test_the_ledger_keeps_the_newest_for_every_tier_however_old_it_is() -> None:
    ledger = Ledger([offer(1), *(offer(n, level="server-owner") for n in range(2, 31))])
    assert 1 not in ledger.forget("main", set())


def receipt(**changes: Any) -> Receipt:
    given = release()
    fields: dict[str, Any] = {
        "mainframe": "m1",
        "component": "main",
        "digest": given.digest,
        "generation": given.generation,
        "deployment": given.deployment,
        "attempt": given.attempt,
        "nonce": given.nonce,
        "healthy_at": START,
    }
    return Receipt(**{**fields, **changes})


def test_a_receipt_for_exactly_what_was_given_counts_and_an_older_one_is_stale() -> None:
    assert check_receipt(receipt(), mainframe(offer())) is True
    assert check_receipt(receipt(generation=4, digest=TWO), mainframe(offer())) is False


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"mainframe": "m2"}, "refused"),
        ({"generation": 6}, "conflict"),
        ({"component": "api"}, "conflict"),
        ({"digest": TWO}, "conflict"),
        ({"digest": None}, "conflict"),
        ({"nonce": "nonce-of-another"}, "conflict"),
        ({"deployment": "v2"}, "conflict"),
        ({"attempt": 2}, "conflict"),
    ],
)
def test_a_receipt_about_anything_else_is_refused(changes: dict[str, Any], kind: str) -> None:
    with pytest.raises(Refused) as caught:
        check_receipt(receipt(**changes), mainframe(offer()))
    assert caught.value.kind == kind


def report(status: str, generation: int = 5, error: str | None = None) -> MainframeReport:
    return MainframeReport(component="main", running=ONE, generation=generation, status=status, error=error)


def shown(one: Registration, seconds: float = 0, **distribution: Any) -> tuple[MainframeStatus, str | None]:
    state = state_of(offer(**distribution), [one], START + timedelta(seconds=seconds), PATIENCE)
    return state.mainframes[0].status, state.mainframes[0].error


def test_status_of_one_that_is_awake() -> None:
    one = mainframe(offer())
    assert shown(one) == ("waiting", None)
    one.reports["main"] = report("healthy")
    assert shown(one) == ("waiting", None)  # its word alone is no receipt
    one.reports["main"] = report("failed", error="exited with 3")
    assert shown(one) == ("failed", "exited with 3")
    one.reports["main"] = report("failed", generation=4, error="of before")
    assert shown(one) == ("waiting", None)
    one.receipts["main"] = CountedReceipt(4, {})
    assert shown(one) == ("waiting", None)
    one.receipts["main"] = CountedReceipt(5, {})
    assert shown(one) == ("healthy", None)
    assert shown(one, seconds=3600) == ("healthy", None)
    one.reports["main"] = report("crashed", error="killed")
    assert shown(one) == ("failed", "killed")


def test_status_of_others() -> None:
    assert shown(mainframe(offer()), seconds=90) == ("waiting", None)
    assert shown(mainframe(offer()), seconds=91) == ("asleep", None)
    assert shown(mainframe(offer(), until=START)) == ("unlicensed", None)
    assert shown(mainframe(offer(), revoked=True)) == ("unlicensed", None)
    assert shown(mainframe(offer()), level="server-owner") == ("not_included", None)


@pytest.mark.parametrize(
    ("one", "changes", "status"),
    [
        (mainframe(), {}, "frozen"),
        (mainframe(until=START), {}, "unlicensed"),
        (mainframe(), {"level": "server-owner"}, "not_included"),
        (mainframe(tier="server-owner"), {"level": "server-owner"}, "frozen"),
    ],
)
def test_frozen_is_who_would_get_it_otherwise(one: Registration, changes: dict[str, Any], status: str) -> None:
    state = state_of(without(offer(**changes), "m1"), [one], START, PATIENCE)
    assert [row.status for row in state.mainframes] == [status]
    never_seen = mainframe()
    never_seen.last_seen = None
    assert shown(never_seen) == ("asleep", None)


def test_one_that_is_awake_owes_a_receipt_within_a_time() -> None:
    one = mainframe(offer())
    one.open_polls = 1
    assert shown(one, seconds=300) == ("waiting", None)
    status, error = shown(one, seconds=301)
    assert status == "failed"
    assert error == "no receipt came within 300 s of its being given the release"
    one.awake_since = START + timedelta(seconds=200)  # it slept meanwhile
    assert shown(one, seconds=301) == ("waiting", None)
    not_given_because_of_a_hold = mainframe()
    not_given_because_of_a_hold.open_polls = 1
    assert shown(not_given_because_of_a_hold, seconds=3600, hold=True) == ("waiting", None)
