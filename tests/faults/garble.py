"""Hostile text by the hundred thousand: what is typed, what servers report, what a terminal is given to show."""

from __future__ import annotations

import asyncio
import io
import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import get_args

from rich.cells import cell_len

from adapters.terminal import Screen, Terminal
from core.cards import Bar, Button, Card
from core.commands import Command
from core.completion import CompletionContext, complete
from core.parsing import Ignore, Reply, parse, parse_words
from core.plain import safe
from core.stages import Stage
from core.text import clean, looks_secret
from tests.faults.tally import Tally

LINES = (
    "deploy push patch-v1.2.3 'Security fixes and performance improvements' 'Fixes CVE-2024-001'",
    "/deploy configure public http://your-staging-server.com StagingServer",
    "deploy configure omega https://[::1]:8443/base “Production EU” --region eu",
    "deploy push hotfix-001 “Critical bug fix” —task OPS-1 --task=OPS-2",
    "deploy verify feature-2024-q1#2",
    "deploy reject v1 it's too slow, isn't it?",
    "deploy rollback v1 'login errors'",
    "deploy history 25 --component=api",
    "deploy wait v1 --for awaiting_approval --timeout 1h30m",
    "<@U1|ashat> push <http://v1.example|v1.example> &lt;fix&gt; &amp; more",
    "deploy note v1 «cause: a cold cache» # seen by the night shift",
    "deploy help push",
    "> deploy approve v1",
    "```deploy approve v1```",
)
MARKS = (
    *"\"'“”„«»‘’‚‹›`<>|&;#\\/=.,:@!-—–―\n\r\t ",
    *"\u00a0\u200b\u202e\u2066\u2069\ufeff\x00\x07\x1b\x7f\x9b\ud800\udfff\u0301é界🙂",
    "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "🏳️‍🌈", "👩‍👩‍👧",
    "&amp;", "&lt;", "<@U1|", "<http://", "--task", "—for",
    "--", "\r\n", "\u2028", "%s", "{}", "${jndi:x}", "'; DROP TABLE", "A" * 200,
)  # fmt: skip
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
PARSED = (Ignore, Reply, *get_args(Command))
LONGEST = 0.010
"""Seconds that one line may take."""
_KNOWN = CompletionContext(ids=dict.fromkeys(Stage, ("v1", "patch-v1.2.3")), updates=("v2",))
_WIDTH = 60
_TRIES = 5


def mutated(random: Random, line: str) -> str:
    """A real line as a cat on the keyboard, a hostile chat or a broken phone would send it."""
    for _ in range(random.randrange(1, 8)):
        at = random.randrange(len(line) + 1)
        match random.randrange(6):
            case 0:
                line = line[:at] + random.choice(MARKS) + line[at:]
            case 1:
                line = line[:at] + line[at + random.randrange(1, 9) :]
            case 2:
                line = line[:at] + line[at : at + 12] * random.randrange(2, 6) + line[at + 12 :]
            case 3:
                line = line[:at] + chr(random.choice((random.randrange(0x110000), random.randrange(0x300))))
            case 4:
                line = line[at:] + random.choice(LINES)[: random.randrange(40)]
            case _:
                line = line[:at] + random.choice(MARKS) * random.choice((1, 2, 50)) + line[at:]
    if random.random() < 0.002:
        line = (line + random.choice(MARKS)) * 200
    return line[:4000]


def _seconds(act: Callable[[], object]) -> float:
    """Of this thread alone: others may have the machine meanwhile. The best of a few, if it was not good at once."""
    best = LONGEST
    for _ in range(_TRIES):
        start = time.thread_time()
        act()
        best = min(best, time.thread_time() - start)
        if best < LONGEST:
            break
    return best


def _tried(tally: Tally, text: str, check: Callable[[], str | None]) -> None:
    """`check` gives what is wrong; that it raises is wrong too."""
    try:
        wrong = check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        wrong = f"raised {error!r}"
    if wrong:
        tally.fault(f"{text[:200]!r}: {wrong}")
    else:
        tally.held_well()


def parser(cases: int, seed: int) -> Tally:
    """No line, argument list or beginning of a line makes it raise, or takes it longer than LONGEST."""
    tally, random = Tally("parser: mutated lines"), Random(seed)
    slowest = 0.0

    def check(line: str) -> str | None:
        nonlocal slowest
        found = parse(line, shell=random.random() < 0.5)
        if not isinstance(found, PARSED):
            return f"parsed as {found!r}"
        if isinstance(found, Reply):
            found.text.encode()
        if not isinstance(parse_words(line.split()), PARSED):
            return "its words are no command"
        complete(line, _KNOWN)
        took = _seconds(lambda: parse(line))
        slowest = max(slowest, took)
        return f"took {took * 1e3:.1f} ms" if took >= LONGEST else None

    for _ in range(cases):
        line = mutated(random, random.choice(LINES))
        _tried(tally, line, lambda line=line: check(line))  # type: ignore[misc]
    return tally.ends(f"slowest {slowest * 1e3:.1f} ms")


def hostile(random: Random) -> str:
    """What a stolen server would report."""
    return "".join(random.choice((*MARKS, chr(random.randrange(0x110000)))) for _ in range(random.randrange(1, 30)))


def obeyed(text: str) -> str | None:
    """What in `text` a terminal or a chat would obey, or could not send on."""
    for mark in text:
        if unicodedata.category(mark) in ("Cc", "Cs") or mark in BIDI or mark in "\u2028\u2029":
            return f"{mark!r} is left in it"
    return None


def cleaning(cases: int, seed: int) -> Tally:
    """What others report becomes one bounded line that nobody obeys; once clean, it stays as it is."""
    tally, random = Tally("text: reported by servers"), Random(seed)

    def check(text: str, limit: int) -> str | None:
        found = clean(text, limit)
        looks_secret(text)
        if len(found) > limit:
            return f"{len(found)} characters, not {limit}"
        if clean(found, limit) != found:
            return "cleaning it again changes it"
        return obeyed(found) or obeyed(safe(text))

    for _ in range(cases):
        text, limit = hostile(random), random.choice((1, 2, 10, 80, 300))
        _tried(tally, text, lambda text=text, limit=limit: check(text, limit))  # type: ignore[misc]
    return tally.ends()


def rendering(cases: int, seed: int) -> Tally:
    """A card of hostile texts is drawn within the terminal's width, and tells the terminal nothing."""
    tally, random = Tally("terminal: hostile cards"), Random(seed)

    def check(card: Card, before: Card) -> str | None:
        stream = io.StringIO()
        terminal = Terminal(Screen(stream, width=_WIDTH), lambda: datetime(2026, 3, 2, tzinfo=UTC))
        asyncio.run(_drawn(terminal, card, before))
        rows = stream.getvalue().removesuffix("\n").split("\n")
        wide = max(rows, key=cell_len)
        if cell_len(wide) > _WIDTH:
            return f"a row takes {cell_len(wide)} columns: {wide!r}"
        return next((wrong for row in rows if (wrong := obeyed(row))), None)

    for _ in range(cases):
        card, before = _card(random), _card(random)
        _tried(tally, card.title, lambda card=card, before=before: check(card, before))  # type: ignore[misc]
    return tally.ends()


async def _drawn(terminal: Terminal, card: Card, before: Card) -> None:
    await terminal.post_card("terminal:x", before, "n")
    await terminal.edit_card("terminal:x", "n", card)
    await terminal.reply("terminal:x", "n", card, "m", broadcast=False)
    terminal.answer(card, refused=True)
    terminal.tell(card.title)


def _card(random: Random) -> Card:
    bar = Bar(random.uniform(-9, 9), random.uniform(-9, 9), hostile(random), hostile(random))
    lines: tuple[str | Bar, ...] = (*(hostile(random) for _ in range(random.randrange(3))), bar)
    return Card(hostile(random), lines, (Button(hostile(random), "show v1"),), summary=hostile(random))
