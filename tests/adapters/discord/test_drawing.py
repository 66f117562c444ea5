"""Cards within Discord's limits; nothing is cut without a word, and nothing typed takes effect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import buttons, drawing
from adapters.discord.buttons import Clicked
from adapters.discord.drawing import draw, marks, marks_of, texts_of, words
from adapters.discord.escaping import escaped
from core.cards import Bar, Button, Card
from core.commands import Seen
from core.moments import moment
from core.plain import safe

DIGEST = "9f3a" * 16
SEEN = Seen(2, DIGEST, 3)
CUT = Seen(2, DIGEST[:24], 3)


def every(component: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield component
    below = [*(component.get("components") or ()), *([component["accessory"]] if "accessory" in component else [])]
    for one in below:
        yield from every(one)


def shown(card: Card, **given: Any) -> dict[str, Any]:
    return draw(card, **given).body()


def parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for outer in body["components"] for one in every(outer)]


def test_a_card_is_drawn_natively() -> None:
    card = Card(
        "🔔 Awaiting approval: v1", ("Fixes", "Ann, 14:02", Bar(3, 6, "3 of 6 done")),
        (Button("Approve", "approve v1", SEEN, confirm="Send v1?", style="primary"),
         Button("Reject", "reject v1", SEEN, asks="reason"), Button("Details", "show v1")), "asking",
    )  # fmt: skip
    (container,) = shown(card)["components"]
    head, line, facts, row = container["components"]
    assert container["accent_color"] == 0xF1C40F
    assert head["content"] == "### 🔔 Awaiting approval: v1\nFixes\nAnn, 14:02"
    assert line["type"] == 14
    assert facts["content"] == "3 of 6 done ▓▓▓▓▓░░░░░"
    approve, reject, details = row["components"]
    assert buttons.read(approve["custom_id"]) == Clicked("sure", "approve v1", CUT)
    assert buttons.read(reject["custom_id"]) == Clicked("why", "reject v1", CUT)
    assert buttons.read(details["custom_id"]) == Clicked("say", "show v1")
    assert (approve["style"], reject["style"]) == (1, 2)


def test_every_state_has_a_colour_of_its_own() -> None:
    tones = ("neutral", "moving", "asking", "good", "bad")
    assert len({shown(Card("v1", tone=tone))["components"][0]["accent_color"] for tone in tones}) == len(tones)  # type: ignore[arg-type]


def test_no_message_pings_and_all_are_of_components() -> None:
    body = shown(Card("@everyone"))
    assert body["allowed_mentions"] == {"parse": []}
    assert body["flags"] & (1 << 15)
    assert "content" not in body


def test_a_link_goes_to_a_configured_host_only_and_never_from_typed_lines() -> None:
    url = "http://127.0.0.1:9101/slots/v1/"
    card = Card("v1", (f"Try it: {url}", "by Ann", f"Try it: {url}", "Try it: http://evil.example/"))
    body = shown(card, allows=lambda host: host == "127.0.0.1")
    assert [one["url"] for one in parts(body) if "url" in one] == [url]
    assert not re.search(r"https?://", json.dumps([one.get("content") for one in parts(body)]))
    assert not [one for one in parts(shown(card)) if "url" in one]


def test_what_does_not_fit_is_named_and_given_as_a_file() -> None:
    card = Card("history", tuple(f"line {n} " + "x" * 200 for n in range(60)))
    plain = draw(card)
    assert re.search(r"\d+ more lines do not fit here", json.dumps(plain.components))
    assert plain.whole is None
    filed = draw(card, file=True)
    assert "more lines are in the file" in json.dumps(filed.components)
    assert filed.whole is not None
    assert "line 59" in filed.whole
    assert draw(Card("v1", ("short",)), file=True).whole is None


def test_a_button_that_cannot_be_held_is_told_as_text() -> None:
    body = shown(Card("v1", (), (Button("Note", f"note v1 {'x' * 100}"),)))
    assert f"Note: deploy note v1 {'x' * 100}" in "\n".join(texts_of(body))
    assert not [one for one in parts(body) if one["type"] == 2]


def test_the_words_alone_are_there_where_the_drawing_is_refused() -> None:
    assert texts_of(words(Card("v1", ("a_b", Bar(1, 2, "half")))).body()) == ["v1\na\\_b\nhalf ▓▓▓▓▓░░░░░"]


def test_a_message_is_known_again_by_its_nonce() -> None:
    assert marks_of(shown(Card("v1"), nonce="outbox-7")) == marks("outbox-7")
    assert marks("outbox-7") != marks("outbox-8")
    assert marks_of(shown(Card("v1"))) is None
    assert all(2**30 <= mark < 2**31 for n in range(500) for mark in marks(str(n)))


# -- custom ids --------------------------------------------------------------------------------------------------------


def test_the_longest_button_fits() -> None:
    """An id of 64 characters, in its second attempt, bound to what the card showed."""
    name = f"{'a' * 64}#2"
    made = buttons.button(Button("Roll back", f"rollback {name}", Seen(2, DIGEST, 12), asks="optional reason"))
    assert len(made["custom_id"]) <= 100
    assert buttons.read(made["custom_id"]).command == f"rollback {name}"


def test_before_its_digest_is_fixed_a_button_is_bound_too() -> None:
    made = buttons.button(Button("Cancel", "cancel v1", Seen(1, "", 0)))
    assert buttons.read(made["custom_id"]).seen == Seen(1, "", 0)


@pytest.mark.parametrize("text", ["", "approve", "zz:x", "s:approve v1|", "s:approve v1|x.1.a", "s:a|1.1.A"])
def test_what_is_none_of_ours_is_said_to_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"none of Ashat's"):
        buttons.read(text)


# -- escaping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "drawn"),
    [
        ("**bold** _it_ ~~no~~ ||s||", r"\*\*bold\*\* \_it\_ \~\~no\~\~ \|\|s\|\|"),
        ("`code` ```block```", r"\`code\` \`\`\`block\`\`\`"),
        ("@everyone <@1> <@&2> <#3> <t:1:R> </a:1>", r"\@everyone \<\@1\> \<\@&2\> \<#3\> \<t:1:R\> \</a:1\>"),
        ("[click](https://evil.example)", r"\[click\]\(https\://evil.example\)"),
        ("https://evil.example http://x", r"https\://evil.example http\://x"),
        ("join discord.gg/abc", r"join discord\.gg/abc"),
        ("# big", r"\# big"),
        ("- list", r"\- list"),
        ("-# small", r"\-# small"),
        ("1. one", r"1\. one"),
        ("> quote", r"\> quote"),
        ("patch-v1.2.3 #7, 3 of 6", "patch-v1.2.3 #7, 3 of 6"),
        ("two\nlines", "two lines"),
        ("turned \u202e round", "turned  round"),
    ],
)
def test_nothing_that_was_typed_takes_effect(typed: str, drawn: str) -> None:
    assert escaped(typed) == drawn


@given(st.text(max_size=300))
def test_what_is_shown_is_what_was_typed(typed: str) -> None:
    """Discord takes a backslash off before punctuation, and off nothing else."""
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped(typed)) == safe(typed)


def test_a_moment_is_a_time_in_the_readers_zone() -> None:
    at = datetime(2026, 3, 2, 14, 2, tzinfo=UTC)
    line = f"*Bo*, {moment(at, 'time', '14:02')}; valid until {moment(at, 'day', 'Mon 14:02')}"
    assert escaped(line) == r"\*Bo\*, <t:1772460120:t>; valid until <t:1772460120:f>"


def test_those_who_are_pinged_are_the_only_ones() -> None:
    body = shown(Card("Waits for you, <@9>"), pings=["7", "8"])
    assert body["allowed_mentions"] == {"parse": [], "users": ["7", "8"]}
    assert texts_of(body) == ["### Waits for you, \\<\\@9\\>\n<@7> <@8>"]


# -- limits, whatever is shown -----------------------------------------------------------------------------------------

text = st.text(max_size=400)
names = st.text("abc_*<", min_size=1, max_size=130)
cards = st.builds(
    Card,
    title=text,
    lines=st.lists(text | st.builds(Bar, st.floats(0, 9), st.floats(0, 9), text), max_size=40).map(tuple),
    buttons=st.lists(st.builds(Button, names, names, st.sampled_from([None, SEEN])), max_size=25).map(tuple),
)


@given(cards, st.booleans())
def test_every_card_is_within_the_limits(card: Card, file: bool) -> None:
    body = shown(card, file=file, nonce="n")
    found = parts(body)
    assert len(found) <= drawing.MOST_COMPONENTS
    assert sum(len(one) for one in texts_of(body)) <= drawing.MOST_TEXT
    ids = [one["custom_id"] for one in found if "custom_id" in one]
    assert len(ids) == len(set(ids))
    assert all(len(one["content"]) >= 1 for one in found if one["type"] == 10)
    assert all(1 <= len(one["components"]) <= 5 for one in found if one["type"] == 1)
    assert all(1 <= len(one["label"]) <= 80 and len(one["custom_id"]) <= 100 for one in found if one["type"] == 2)
