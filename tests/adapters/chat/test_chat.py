"""What chats share: what was told a while ago, deliveries that come twice, and signed requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.chat import delivery
from adapters.chat.cache import Cache
from adapters.chat.delivery import Deliveries, Delivery, not_to_be_shared, share_of
from adapters.chat.signed import is_fresh


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


async def test_what_was_told_holds_for_ten_minutes_and_not_for_as_long_as_a_clock_was_put_back() -> None:
    clock, asked = Clock(), list[str]()

    async def ask(key: str) -> int:
        asked.append(key)
        return len(asked)

    cache: Cache[int] = Cache(clock)
    assert [await cache.get("ann", ask) for _ in range(2)] == [1, 1]
    clock.at += timedelta(seconds=599)
    assert await cache.get("ann", ask) == 1
    clock.at += timedelta(seconds=1)
    assert await cache.get("ann", ask) == 2
    clock.at -= timedelta(hours=6)
    assert await cache.get("ann", ask) == 3


async def test_what_could_not_be_found_out_is_asked_again() -> None:
    async def fails(_: str) -> int:
        raise OSError("away")

    async def tells(_: str) -> int:
        return 1

    cache: Cache[int] = Cache(Clock())
    with pytest.raises(OSError, match="away"):
        await cache.get("ann", fails)
    assert await cache.get("ann", tells) == 1


def test_deliveries_of_lately_are_known_and_the_oldest_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_REMEMBERED", 2)
    heard = Deliveries()
    for one in ("a", "b", "c"):
        heard.add(one)
    assert ["a" in heard, "b" in heard, "c" in heard] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "writes", "asks", "pushes"),
    [
        ("deploy push v1 'Fixes'", True, False, True),
        ("deploy approve v1", True, False, False),
        ("deploy status", False, True, False),
        ("deploy help", False, True, False),
        ("deploy nothing", False, False, False),
        ("", False, False, False),
    ],
)
def test_what_a_delivery_would_do(text: str, writes: bool, asks: bool, pushes: bool) -> None:
    said = Delivery("1", "ann", text)
    assert (said.writes, said.asks, said.pushes) == (writes, asks, pushes)


def test_answers_to_questions_are_shared_where_people_act() -> None:
    asked = Delivery("1", "ann", "deploy status", "C1", source="message-7")
    assert not_to_be_shared(asked, {"C1"}) is None
    assert not_to_be_shared(asked, {"C2"}) == "Answers are shared in listed channels only."
    assert not_to_be_shared(Delivery("1", "ann", "deploy approve v1", "C1"), {"C1"}) is not None
    assert share_of(asked) == "share-message-7"
    assert share_of(Delivery("1", "ann", "deploy status")) == "share-1"


@pytest.mark.parametrize(
    ("timestamp", "fresh"),
    [("0", True), ("-300", True), ("300", True), ("301", False), ("-301", False), ("x", False), ("", False)],
)
def test_a_signed_request_is_of_now(timestamp: str, fresh: bool) -> None:
    clock = Clock()
    now = int(clock.at.timestamp())
    shown = str(now + int(timestamp)) if timestamp.lstrip("-").isdigit() else timestamp
    assert is_fresh(shown, clock) is fresh


@pytest.mark.parametrize("timestamp", ["1" * 13, "٣", "1.5", " 1"])
def test_what_is_no_timestamp_is_not_fresh(timestamp: str) -> None:
    assert not is_fresh(timestamp, Clock())
