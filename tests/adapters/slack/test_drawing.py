"""Cards within Slack's limits, as slack_sdk's own models check them; nothing is cut without a word."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack import drawing
from adapters.slack.drawing import blocks, fallback, read_value, value
from core import say
from core.cards import Bar, Button, Card
from core.commands import Seen

SEEN = Seen(2, "a" * 64, 3)


def words(drawn: list[dict[str, Any]]) -> str:
    return json.dumps(drawn, ensure_ascii=False)


def test_a_card_is_drawn_natively() -> None:
    card = Card(
        "🔔 Awaiting approval: v1", ("Fixes", Bar(3, 6, "3 of 6 done")),
        (Button("Approve", "approve v1", SEEN, confirm="Send v1?", style="primary"),
         Button("Reject", "reject v1", SEEN, asks="reason")),
    )  # fmt: skip
    header, section, actions = blocks(card)
    assert header["type"] == "header"
    assert "3 of 6 done ▓▓▓▓▓░░░░░" in section["text"]["text"]
    approve, reject = actions["elements"]
    assert approve["confirm"]["text"]["text"] == "Send v1?"
    assert read_value(approve["value"]) == ("approve v1", SEEN)
    assert reject["action_id"].startswith("ask:needed")
    assert len({one["action_id"] for one in actions["elements"]}) == 2


def test_a_link_goes_to_a_configured_host_only_and_never_from_typed_lines() -> None:
    url = "http://127.0.0.1:9101/slots/v1/"
    card = Card("v1", (f"Try it: {url}", "by Ann", f"Try it: {url}", "Try it: http://evil.example/"))
    drawn = blocks(card, lambda host: host == "127.0.0.1")
    linked = [block for block in drawn if block.get("text", {}).get("type") == "mrkdwn"]
    assert [block["text"]["text"] for block in linked] == [f"Try it: <{url}>"]
    assert not any(block.get("text", {}).get("type") == "mrkdwn" for block in blocks(card))


def test_what_does_not_fit_is_named() -> None:
    drawn = blocks(Card("history", tuple(f"line {n} " + "x" * 200 for n in range(500))))
    assert len(drawn) <= drawing.MAX_BLOCKS
    assert "more lines do not fit here" in words(drawn)


def test_a_long_line_goes_on_in_the_next_section() -> None:
    drawn = blocks(Card("note", ("y" * 7000,)))
    assert sum(block["text"]["text"].count("y") for block in drawn if block["type"] == "section") == 7000


AT = datetime(2026, 1, 7, 14, 9, tzinfo=UTC)


def test_a_time_is_drawn_in_the_zone_of_whoever_reads_and_typed_words_beside_it_stay_words() -> None:
    at = say.clock(AT, "UTC", AT - timedelta(days=1))
    _, body = blocks(Card("v1", ("Fixes", f"Bo Li, {at}: “*<!channel> :tada:*”", Bar(1, 2, "1 of 2"))))
    assert body["type"] == "rich_text"
    assert body["elements"][0]["elements"] == [
        {"type": "text", "text": "Fixes\nBo Li, "},
        {"type": "date", "timestamp": 1767794940, "format": "{date_short_pretty} {time}", "fallback": "Wed 14:09"},
        {"type": "text", "text": ": “*<!channel> :tada:*”\n1 of 2 ▓▓▓▓▓░░░░░"},
    ]


def test_where_there_is_room_for_words_alone_a_time_is_a_token_and_typed_words_are_escaped() -> None:
    at = say.clock(AT, "UTC", AT)
    shown = drawing.words(Card("v1", (f"<!here>, {at}",), summary=f"v1 since {at}"))
    assert shown == "v1 since 14:09\n&lt;!here&gt;, <!date^1767794940^{time}|14:09>"


def test_whom_a_reply_is_for_is_mentioned_apart_from_what_people_typed() -> None:
    _, mentioned, body = blocks(Card("v1", ("<@U0EVE>",)), mentions=["U0BO", "U0CY"])
    users = [one["user_id"] for one in mentioned["elements"][0]["elements"] if one["type"] == "user"]
    assert users == ["U0BO", "U0CY"]
    assert body["text"] == {"type": "plain_text", "text": "<@U0EVE>", "emoji": False}


def test_a_time_in_a_title_is_the_readers_own_too() -> None:
    at = say.clock(AT, "UTC", AT)
    (shown,) = blocks(Card(f"Too late: Bo cancelled v1 at {at} *now*"))
    (section,) = shown["elements"]
    bold = {"style": {"bold": True}}
    assert section["elements"] == [
        {"type": "text", "text": "Too late: Bo cancelled v1 at "} | bold,
        {"type": "date", "timestamp": 1767794940, "format": "{time}", "fallback": "14:09"},
        {"type": "text", "text": " *now*"} | bold,
    ]
    assert [one["type"] for one in blocks(Card("Too late"))] == ["header"]


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: say.clock(at, "UTC", AT)
)
text = st.text(max_size=400) | st.lists(st.text(max_size=200) | moments, max_size=6).map("".join)


@settings(max_examples=60, deadline=None)
@given(title=text, lines=st.lists(text, max_size=60), labels=st.lists(st.text(min_size=1, max_size=90), max_size=30))
def test_any_card_is_within_the_limits(title: str, lines: list[str], labels: list[str]) -> None:
    """`to_dict` of slack_sdk's models raises where a limit is passed."""
    buttons = tuple(Button(label, f"show v{n}", SEEN, confirm=label * 5) for n, label in enumerate(labels))
    drawn = blocks(Card(title, tuple(lines), buttons, summary=title * 20))
    assert len(drawn) <= drawing.MAX_BLOCKS
    ids = [one["action_id"] for block in drawn if block["type"] == "actions" for one in block["elements"]]
    assert len(ids) == len(set(ids)) == len(labels)
    assert "<" not in fallback(Card(title))


def test_a_button_brings_back_what_it_bound() -> None:
    for seen in (SEEN, None):
        assert read_value(value("approve v1", seen)) == ("approve v1", seen)
