"""A typed line as tokens: words, quoted strings and flags, whatever keyboard, phone or chat it came through.

Chats escape what they deliver (`&amp;`, `<@U1|ann>`, `<http://x|x>`). Tokens are found first and unescaped after, so
that an escaped character never acts as a quote or a flag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

QUOTES = "\"'“”„«»‘’‚‹›"
_CLOSERS: dict[str, tuple[str, ...]] = {
    '"': ('"', "”“"),
    "“": ("”", '“"'),
    "”": ("”", '"'),
    "„": ("“", '”"'),
    "'": ("'", "’‘"),
    "‘": ("’", "'"),
    "‚": ("‘", "’'"),
    "«": ("»",),
    "»": ("«",),
    "‹": ("›",),
    "›": ("‹",),
}
"""What opens a quote, and what closes it: first the proper mark, then what a phone may have made of it. An apostrophe
(’) never opens one; ” does, as in Swedish."""
_APOSTROPHES = "'‘‚"

_LINK = r"<(?:[@#!][^<>\n]*|(?:https?|ftp|mailto|tel):[^<>\s|]*(?:\|[^<>\n]*)?)>"
_ESCAPE = re.compile(rf"({_LINK})|&(amp|lt|gt);")
_WORD = re.compile(rf"(?:[^\s<]+|{_LINK}|<)+")
_DASHES = "-‐‑−–—―"
_FLAG = re.compile(r"(?P<dash>[-‐‑−]{2}|[—–―][-—–―]?|-[—–])(?P<name>[^\W\d_][\w-]*)(?P<equals>=?)")
_CAN_CLOSE = re.compile(rf"[.,;:!?…{QUOTES}]{{0,8}}(?=\s|$)")
_PUNCTUATION = re.compile(r"[.,;:!?…]{0,8}(?=\s|$)")
_QUOTED_MARK = re.compile(rf"\\([{QUOTES}])")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a line. For a flag, `text` is its name and `value` what stood behind `=`."""

    text: str
    typed: str
    """With its quotes, for where it is part of a longer text."""
    link: str
    """Like `text`, but the address where the chat made a link of a word."""
    quoted: bool = False
    flag: bool = False
    certain: bool = True
    """False for a flag written with a typographic dash: it may be a dash in a sentence."""
    value: Token | None = None


@dataclass(frozen=True, slots=True)
class Unclosed:
    """A quote that nothing closes: the mark, and the text from there on."""

    mark: str
    rest: str


def lex(line: str) -> tuple[Token, ...] | Unclosed:
    """The tokens of `line`, which is `visible` text, or the quote that is left open."""
    tokens: list[Token] = []
    at = 0
    while (start := _next(line, at)) < len(line):
        read = _flag(line, start) or _string(line, start)
        if isinstance(read, Unclosed):
            return read
        token, at = read
        tokens.append(token)
    return tuple(tokens)


def from_words(words: Sequence[str]) -> tuple[Token, ...]:
    """The tokens of a shell's argument list, which is split and unquoted already.

    The shell has taken the quotes: a space inside a word shows that they were used, and then every word stands for
    itself; otherwise they are the words of a sentence. A flag's value tells nothing about the others.
    """
    others = (word for before, word in zip(("", *words), words, strict=False) if not before.startswith("--"))
    separate = any(re.search(r"\s", word) for word in others)
    return tuple(_from_word(word, quoted=separate) for word in words)


def _from_word(word: str, *, quoted: bool) -> Token:
    match = _FLAG.match(word) if word.startswith("--") else None
    if match is None or (match.end() < len(word) and not match["equals"]):
        return Token(word, word, word, quoted=quoted)
    rest = word[match.end() :]
    value = Token(rest, rest, rest, quoted=True) if match["equals"] else None
    return Token(match["name"].lower(), word, word, flag=True, value=value)


def unescaped(text: str, *, links: bool = False) -> str:
    """`text` without a chat's escapes. A word that the chat made a link of is the word, or with `links` its URL."""
    if "<" not in text and "&" not in text:
        return text
    return _ESCAPE.sub(lambda match: _plain(match, links=links), text)


def _plain(match: re.Match[str], *, links: bool) -> str:
    if match[2]:
        return _ENTITIES[match[2]]
    target, _, label = (unescaped(part) for part in match[1][1:-1].partition("|"))
    if target[0] == "#":
        return f"#{label or target[1:]}"
    if target[0] in "@!":
        return label or (target if target[0] == "@" else target[1:])
    scheme, _, address = target.partition(":")
    if scheme in ("mailto", "tel"):
        return address
    return target if links or not label or address.removeprefix("//") != label else label


def _next(line: str, at: int) -> int:
    """Where the next token starts, or the end of the line."""
    while at < len(line) and line[at].isspace():
        at += 1
    return at


def _flag(line: str, start: int) -> tuple[Token, int] | Unclosed | None:
    match = _FLAG.match(line, start) if line[start] in _DASHES else None
    if match is None or not (match["equals"] or match.end() == len(line) or line[match.end()].isspace()):
        return None
    value: Token | None = None
    at = match.end()
    if match["equals"]:
        read = _string(line, at) if at < len(line) and not line[at].isspace() else (Token("", "", ""), at)
        if isinstance(read, Unclosed):
            return read
        value, at = read
    typed = unescaped(line[start:at])
    certain = match["dash"] == "--"
    return Token(match["name"].lower(), typed, typed, flag=True, certain=certain, value=value), at


def _string(line: str, start: int) -> tuple[Token, int] | Unclosed:
    if line[start] not in _CLOSERS:
        return _word(line, start)
    close = _closing(line, start)
    if close is None:
        return Unclosed(line[start], line[start:])
    inner = _QUOTED_MARK.sub(r"\1", line[start + 1 : close])
    token = Token(unescaped(inner), unescaped(line[start : close + 1]), unescaped(inner, links=True), quoted=True)
    end = _PUNCTUATION.match(line, close + 1)
    return token, end.end() if end else close + 1


def _word(line: str, start: int) -> tuple[Token, int]:
    match = _WORD.match(line, start)
    assert match, "a token starts at a character that is no white space"
    text = unescaped(match[0])
    return Token(text, text, unescaped(match[0], links=True)), match.end()


def _closing(line: str, start: int) -> int | None:
    """Where the quote that opens at `start` closes: at its proper mark, else at one that a phone may have put."""
    for closers in _CLOSERS[line[start]]:
        close = _closing_with(line, start, closers)
        if close is not None:
            return close
    return None


def _closing_with(line: str, start: int, closers: str) -> int | None:
    find = _closing_apostrophe if line[start] in _APOSTROPHES else _closing_nested
    return find(line, _marks(line, start, closers))


def _closing_nested(line: str, marks: Iterator[tuple[int, bool]]) -> int | None:
    depth = 1
    for at, closes in marks:
        depth += -1 if closes else 1
        if not depth:
            return at
    return None


def _closing_apostrophe(line: str, marks: Iterator[tuple[int, bool]]) -> int | None:
    """The last mark that can close before another quote opens, since `users'` may be a plural, not an end."""
    closed: int | None = None
    for at, closes in marks:
        if not closes and closed is not None:
            break
        if closes and (closed is None or _ends_argument(line, at + 1)):
            closed = at
    return closed


def _ends_argument(line: str, at: int) -> bool:
    """True where nothing follows, or a new quote, or a flag."""
    following = _next(line, at)
    return following == len(line) or line[following] in _CLOSERS or _FLAG.match(line, following) is not None


def _marks(line: str, start: int, closers: str) -> Iterator[tuple[int, bool]]:
    """Every mark of this kind of quote after `start`, with whether it closes; one inside a word is an apostrophe."""
    opener = line[start]
    for match in _mark(opener, closers).finditer(line, start + 1):
        at = match.start()
        if line[at] == opener and _opens(line, at):
            yield at, False
        elif line[at] in closers and _CAN_CLOSE.match(line, at + 1):
            yield at, True


@cache
def _mark(opener: str, closers: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\\)[{opener}{closers}]")


def _opens(line: str, at: int) -> bool:
    return (
        (line[at - 1].isspace() or line[at - 1] == "=") and not line[at + 1 : at + 2].isspace() and at + 1 < len(line)
    )
