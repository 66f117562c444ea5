"""What a reader of a terminal sees: at 80 columns, without colour, with an edit of a card, with hostile texts."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import pytest
from rich.cells import cell_len

from adapters.terminal import Screen, Terminal
from adapters.terminal.wrapping import wrapped
from core.cards import Bar, Button, Card
from core.people import Person
from core.plain import safe
from core.ports import Form

BO = Person("bo", "Bo Li", frozenset({"viewer", "approver"}))
PLANNED = Card(
    "📋 Planned: v1, web",
    ("Security fixes", "Alice Ng, 14:02, sha256 9f3a…c21e, 18.4 MB", "Estimate: 9 min plus approvals"),
    (Button("Details", "show v1"), Button("Cancel", "cancel v1")),
)


def verifying(done: int, checks: tuple[str, ...] = ("Health Check", "Module Load Test", "API Endpoint Test")) -> Card:
    passed = ("  ".join(f"✅ {name}" for name in checks[:done]),) if done else ()
    running, *waiting = checks[done:]
    rest = f"Running: {running}" + (f" · Waiting: {', '.join(waiting)}" if waiting else "")
    return Card("🔎 Verifying: v1, run 1", (Bar(done, len(checks), f"{done} of {len(checks)} done"), *passed, rest))


class Reader:
    """A terminal whose clock moves when it is told to, and what has been printed on it."""

    def __init__(self, stream: io.StringIO | None = None) -> None:
        self.stream = stream or io.StringIO()
        self.now = datetime(2026, 11, 23, 14, 2, 0, tzinfo=UTC)
        self.terminal = Terminal(Screen(self.stream, width=80), lambda: self.now)
        self._read = 0

    def later(self) -> None:
        self.now += timedelta(seconds=5)

    def sees(self) -> str:
        """What is new since the last look."""
        text = self.stream.getvalue()[self._read :]
        self._read += len(text)
        return text


@pytest.fixture
def reader() -> Reader:
    return Reader()


def shown(text: str) -> str:
    return dedent(text).lstrip("\n")


async def test_a_card_shows_title_facts_and_buttons(reader: Reader) -> None:
    await reader.terminal.post_card("terminal:deployments", PLANNED, "v1#1")
    assert reader.sees() == shown("""
        14:02:00  📋 Planned: v1, web
                  Security fixes
                  Alice Ng, 14:02, sha256 9f3a…c21e, 18.4 MB
                  Estimate: 9 min plus approvals
                  [Details] [Cancel]
        """)


async def test_each_check_is_told_as_it_finishes(reader: Reader) -> None:
    reference = await reader.terminal.post_card("terminal:deployments", verifying(0), "v1#1")
    reader.sees()
    for done in (1, 2):
        reader.later()
        await reader.terminal.edit_card("terminal:deployments", reference, verifying(done))
    assert reader.sees() == shown("""
        14:02:05  🔎 Verifying: v1, run 1 · 1 of 3 done ▓▓▓░░░░░░░ · ✅ Health Check
        14:02:10  🔎 Verifying: v1, run 1 · 2 of 3 done ▓▓▓▓▓▓▓░░░ · ✅ Module Load Test
        """)


async def test_another_stage_shows_what_it_adds(reader: Reader) -> None:
    reference = await reader.terminal.post_card("terminal:deployments", PLANNED, "v1#1")
    reader.sees()
    reader.later()
    staged = Card("📦 Staged: v1", (*PLANNED.lines[:2], "Next: `deploy verify v1`"), (Button("Verify", "verify v1"),))
    await reader.terminal.edit_card("terminal:deployments", reference, staged)
    assert reader.sees() == shown("""
        14:02:05  📦 Staged: v1
                  Next: `deploy verify v1`
                  [Verify]
        """)


async def test_an_edit_without_news_prints_nothing(reader: Reader) -> None:
    reference = await reader.terminal.post_card("terminal:deployments", PLANNED, "v1#1")
    reader.sees()
    await reader.terminal.edit_card("terminal:deployments", reference, PLANNED)
    assert reader.sees() == ""


async def test_a_card_of_an_earlier_run_is_shown_whole(reader: Reader) -> None:
    await reader.terminal.edit_card("terminal:deployments", "v1#1@terminal:deployments", PLANNED)
    assert reader.sees().count("\n") == 5


async def test_a_thread_stands_under_the_name_of_its_deployment(reader: Reader) -> None:
    passed = Card("✅ Verification PASSED!", ("Run 1: 6 of 6 passed",), summary="v1: ✅ Verification PASSED!")
    await reader.terminal.reply("terminal:deployments", "v1#1", passed, "n", broadcast=False)
    assert reader.sees() == shown("""
        14:02:00  v1: ✅ Verification PASSED!
                  Run 1: 6 of 6 passed
        """)


async def test_a_direct_message_says_whom_it_is_for(reader: Reader) -> None:
    await reader.terminal.direct(BO, Card("v1 waits for your approval", ("web, 18.4 MB",)), "n")
    assert reader.sees() == "14:02:00  (to Bo Li) v1 waits for your approval\n          web, 18.4 MB\n"


async def test_what_was_just_said_is_not_said_again_but_later_it_is(reader: Reader) -> None:
    plan = Card("Action plan", ("1. Stage v1 on Public",), summary="v1: Action plan")
    reader.terminal.answer(Card("Deployment session created", ("Action plan", *plan.lines)), refused=False)
    reader.sees()
    await reader.terminal.reply("terminal:deployments", "v1#1", plan, "n", broadcast=False)
    assert reader.sees() == ""
    reader.later()
    await reader.terminal.reply("terminal:deployments", "v1#1", plan, "n", broadcast=False)
    assert "1. Stage v1 on Public" in reader.sees()


async def test_a_form_shows_what_to_type(reader: Reader) -> None:
    form = Form("Reject v1", "reject v1", (("reason", "reason", True),))
    await reader.terminal.ask("terminal:deployments", BO, form)
    assert reader.sees() == "14:02:00  (to Bo Li) Reject v1: `deploy reject v1 <reason>`\n"


async def test_hostile_text_moves_no_cursor_and_starts_no_line(reader: Reader) -> None:
    evil = "a\x1b[2J\x1b]0;title\x07b\u202egnp.exe\r\n✅ approved\x9b31m\x00"
    card = Card(evil, (evil, Bar(1, 2, evil, evil)), (Button(evil, "x"),), summary=evil)
    await reader.terminal.post_card("terminal:x", card, "n1")
    await reader.terminal.reply("terminal:x", "n1", card, "n2", broadcast=True)
    await reader.terminal.direct(Person("x", evil, frozenset()), card, "n3")
    reader.terminal.answer(card, refused=True)
    reader.terminal.spoken(evil, evil)
    text = reader.sees()
    assert {letter for letter in text if not letter.isprintable()} == {"\n"}
    assert not [line for line in text.splitlines() if line.startswith("✅")]


async def test_lines_fit_into_80_columns_also_with_wide_characters(reader: Reader) -> None:
    words = "リリース " * 30 + "x" * 200 + " 👩‍🚀" * 40
    await reader.terminal.post_card("terminal:x", Card("🚚 " + words, (words,)), "n")
    lines = reader.sees().splitlines()
    assert max(cell_len(line) for line in lines) <= 80
    assert "".join("".join(line.split()) for line in lines[1:]).count("x") == 400


async def test_colours_are_for_terminals_only() -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    bad = Card("❌ Failed: v1", tone="bad")
    plain, coloured = Reader(), Reader(Tty())
    for each in (plain, coloured):
        await each.terminal.post("terminal:x", bad, "n")
    assert plain.sees() == "14:02:00  ❌ Failed: v1\n"
    assert coloured.sees() == "\x1b[31m14:02:00  ❌ Failed: v1\x1b[0m\n"


def test_what_is_printed_goes_above_what_is_being_typed() -> None:
    stream = io.StringIO()
    screen = Screen(stream, width=80, prompt=lambda: "@bo> deploy app")
    Terminal(screen, lambda: datetime(2026, 11, 23, tzinfo=UTC)).tell("hello")
    assert stream.getvalue() == "\r\x1b[Khello\n@bo> deploy app"


def test_what_is_to_be_copied_is_never_cut(reader: Reader) -> None:
    command = f"deploy push patch-v1.2.3 'Security fixes and performance' '{'x' * 90}'"
    reader.terminal.offer(command, "deploy help")
    assert reader.sees() == f"  {command}\n  deploy help\n"


def test_a_command_within_a_sentence_stays_in_one_row() -> None:
    text = "Public Server not configured. Eve Poe can: `deploy configure public <url> <name>`, or ask `deploy help`."
    assert wrapped(text, 60, 0, 2) == [
        "Public Server not configured. Eve Poe can:",
        "  `deploy configure public <url> <name>`, or ask",
        "  `deploy help`.",
    ]
    long = f"`deploy push v1 '{'Security fixes ' * 6}'`"
    assert wrapped(f"Say {long} now", 60, 0, 2) == ["Say", f"  {long}", "  now"]


def test_what_begins_with_space_stays_within_the_width_too() -> None:
    assert all(cell_len(row) <= 20 for row in wrapped(f"   {'A' * 50} \u00a0 {'B' * 50}", 20, 4, 2))


def test_a_tab_moves_nothing_out_of_its_column() -> None:
    assert safe("a\tb") == "a b"
