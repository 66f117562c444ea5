"""What a person typed, as a command: total, so any text is Ignore, Reply or Command, and nothing is raised.

Three doors lead to the same checks: `parse` for a typed line, `parse_words` for a shell's arguments, `from_fields` for
a form or a platform's own options. `render` is the way back. `complete` and `advice`, which go with typing, are given
from here too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.advice import advice
from core.commands import SPECS, Argument, Command, Help, Spec, spec_named
from core.completion import CompletionContext, complete
from core.lexing import Token, Unclosed, from_words, lex, unescaped
from core.rendering import render
from core.text import clean, looks_secret, nearest, visible
from core.times import begins_time, is_clock
from core.values import ArgumentError, Value, command_names, read, shown

__all__ = [
    "CompletionContext", "Ignore", "Parsed", "Reply", "advice", "complete", "from_fields", "parse", "parse_words",
    "render",
]  # fmt: skip

LONGEST = 4_000
"""Characters of a line: Discord's longest message, and above Slack's slash commands."""
MOST_REPEATED = 20
"""Values of one repeatable flag."""

_LEADING = re.compile(r"\s*(?:/deploy(?:\s+deploy)?|deploy)(?=\s|$)", re.IGNORECASE)
_SECOND_LINE = re.compile(r"\n\s*/?deploy\s+([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing was asked."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The line is no command. `problem` is one sentence: what is wrong and what was expected."""

    problem: str
    usage: str | None = None
    example: str | None = None

    @property
    def text(self) -> str:
        """The whole answer as a line of plain text, with what to type next."""
        parts = [self.problem]
        if self.usage:
            parts.append(f"Usage: `{self.usage}`")
        if self.example:
            parts.append(f"Example: `{self.example}`")
        return " ".join(parts)


Parsed: TypeAlias = Ignore | Reply | Command
_Given: TypeAlias = dict[str, list[str]]
"""Field name to the texts given for it."""


def parse(text: str, *, shell: bool = False) -> Parsed:
    """Read a typed line. `shell` allows the commands that only the shell and the console have."""
    if len(text) > LONGEST:
        return Reply(f"The text has {len(text)} characters; a command takes at most {LONGEST}.")
    line = _unwrapped(visible(text))
    if not line or line.startswith(("#", ">", "&gt;")):
        return Ignore()
    if (kind := looks_secret(unescaped(line, links=True))) is not None:
        return _secret(kind)
    second = _SECOND_LINE.search(line)
    if second and spec_named(second[1].lower()):
        return Reply("One command at a time, please: send each line as a message of its own.")
    leading = _LEADING.match(line)
    tokens = lex(line[leading.end() :] if leading else line)
    if isinstance(tokens, Unclosed):
        return _unclosed(tokens)
    return _command(tokens, shell=shell)


def parse_words(words: Sequence[str], *, shell: bool = True) -> Parsed:
    """Read the arguments of `ashat deploy …`, split and unquoted by a shell."""
    if (length := sum(len(word) + 1 for word in words)) > LONGEST:
        return Reply(f"The text has {length} characters; a command takes at most {LONGEST}.")
    tokens = from_words([clean(word, LONGEST) for word in words])
    if (kind := looks_secret(" ".join(token.typed for token in tokens))) is not None:
        return _secret(kind)
    return _command(tokens, shell=shell)


def from_fields(name: str, fields: Mapping[str, str | Sequence[str]], *, shell: bool = False) -> Reply | Command:
    """Read a form: a command's name, and text by field name (`Argument.name`). An empty text counts as not given."""
    spec = spec_named(name)
    if spec is None or (spec.where == "shell" and not shell):
        return _unknown(name, shell=shell)
    given: _Given = {}
    for field, value in fields.items():
        texts = [clean(text, LONGEST) for text in ([value] if isinstance(value, str) else value)]
        if (kind := looks_secret(" ".join(texts))) is not None:
            return _secret(kind)
        given[field] = [text for text in texts if text]
    return _built(spec, {field: texts for field, texts in given.items() if texts})


def _unwrapped(text: str) -> str:
    """A line that was copied out of a card comes in the backticks that it was shown in."""
    line = text.strip()
    return line.strip("`").strip() if line.startswith("`") and line.endswith("`") else line


def _command(tokens: Sequence[Token], *, shell: bool) -> Parsed:
    if not tokens:
        return Help()
    first, rest = tokens[0], tokens[1:]
    if first.flag:
        return Help() if first.text in ("help", "h") else _unknown(first.typed, shell=shell)
    spec = spec_named(first.text.lower())
    if spec is None:
        return _unknown(first.text, shell=shell)
    if spec.where == "shell" and not shell:
        return Reply(f"deploy {spec.name} works in the shell and the console only; here the card follows by itself.")
    if any(token.flag and token.certain and token.text == "help" for token in rest):
        return Help(spec.name)
    words = _flags(spec, rest)
    if isinstance(words, Reply):
        return words
    given, positional = words
    surplus = _positional(spec, positional, given)
    return surplus or _built(spec, given)


# -- flags may stand anywhere -----------------------------------------------------------------------------------------


def _flags(spec: Spec, tokens: Sequence[Token]) -> tuple[_Given, list[Token]] | Reply:
    """Take the flags out of `tokens`: their values, and what is left."""
    given: _Given = {}
    if not any(token.flag for token in tokens):
        return given, list(tokens)
    words: list[Token] = []
    queue = list(reversed(tokens))
    while queue:
        token = queue.pop()
        argument = spec.flags.get(f"--{token.text}") if token.flag else None
        if argument is None:
            if token.flag and (token.certain or _meant_as_flag(spec, token)):
                return _no_such_flag(spec, token)
            words.append(token)
            continue
        value = token.value or (queue.pop() if queue and not queue[-1].flag else None)
        if value is None or not value.text:
            return _reply(spec, f"{argument.flag} needs a value: {argument.summary}.")
        given.setdefault(argument.name, []).append(_with_clock(argument, _text(argument, value), queue))
    return given, words


def _with_clock(argument: Argument, text: str, queue: list[Token]) -> str:
    """`--until Fri 18:00` needs no quotes: a day takes the clock's time that follows along."""
    if argument.kind == "time" and begins_time(text) and queue and is_clock(queue[-1].text):
        return f"{text} {queue.pop().text}"
    return text


def _meant_as_flag(spec: Spec, token: Token) -> bool:
    """A typographic dash before a word is a dash in a sentence, unless the word is close to a flag."""
    return nearest(token.text, [flag[2:] for flag in spec.flags], least=0.6) is not None


def _no_such_flag(spec: Spec, token: Token) -> Reply:
    flag = f"--{token.text}"
    likely = nearest(flag, spec.flags)
    takes = f"nearest: {likely}" if likely else f"it takes {', '.join(spec.flags) or 'none'}"
    quoting = " Put text that begins with dashes in quotes." if _takes_text(spec) else ""
    return _reply(spec, f"deploy {spec.name} has no flag {shown(flag)}; {takes}.{quoting}")


def _takes_text(spec: Spec) -> bool:
    return any(argument.kind == "text" for argument in spec.positional)


# -- the other arguments, in their order ------------------------------------------------------------------------------


def _positional(spec: Spec, tokens: Sequence[Token], given: _Given) -> Reply | None:
    """Put `tokens` into `given`, in the order of the arguments; a Reply where some are left over."""
    rest = list(tokens) if _takes_text(spec) else _before_comment(tokens)
    arguments = spec.positional
    for at, argument in enumerate(arguments):
        if not rest:
            return None
        if argument.kind == "command" and rest[0].text.lower() == "deploy" and len(rest) > 1:
            rest = rest[1:]
        if argument.kind == "text":
            more = any(later.kind == "text" for later in arguments[at + 1 :])
            taken = 1 if more and rest[0].quoted else len(rest)
            given[argument.name] = [_joined(rest[:taken])]
            rest = rest[taken:]
        else:
            given[argument.name] = [_text(argument, rest.pop(0))]
    return _surplus(spec, rest[0]) if rest else None


def _before_comment(tokens: Sequence[Token]) -> list[Token]:
    """The tokens before a lone `#`: lines are copied from guides together with their comments."""
    mark = next((at for at, token in enumerate(tokens) if token.typed == "#"), len(tokens))
    return list(tokens[:mark])


def _text(argument: Argument, token: Token) -> str:
    return clean(token.link if argument.kind == "url" else token.text, LONGEST)


def _joined(tokens: Sequence[Token]) -> str:
    """One text: what is in the quotes where it is one quoted string, else the words as typed."""
    text = tokens[0].text if len(tokens) == 1 else " ".join(token.typed for token in tokens)
    return clean(text, LONGEST)


def _surplus(spec: Spec, token: Token) -> Reply:
    takes = ", ".join(argument.label for argument in spec.positional) or "no arguments"
    last = spec.positional[-1] if spec.positional else None
    quoting = f" A {last.label} of several words goes in quotes." if last and last.kind == "name" else ""
    return _reply(spec, f"{shown(token.typed)} is one argument too many: deploy {spec.name} takes {takes}.{quoting}")


# -- from texts to the command ----------------------------------------------------------------------------------------


def _built(spec: Spec, given: _Given) -> Reply | Command:
    values: dict[str, Value | tuple[Value, ...]] = {}
    for argument in spec.arguments:
        texts = given.get(argument.name)
        if texts is None and argument.required:
            return _missing(spec, argument)
        if texts is None or not (argument.required or any(texts)):
            continue
        if len(texts) > (MOST_REPEATED if argument.repeatable else 1):
            most = f"at most {MOST_REPEATED} times" if argument.repeatable else "once"
            return _reply(spec, f"{argument.flag or argument.label} can be given {most}.")
        try:
            read_values = tuple(read(argument, text) for text in texts)
        except ArgumentError as error:
            return _reply(spec, str(error))
        values[argument.name] = read_values if argument.repeatable else read_values[0]
    return spec.build(**values)


def _missing(spec: Spec, argument: Argument) -> Reply:
    return _reply(spec, f"The {argument.label} is missing: {argument.summary}.", example=True)


def _reply(spec: Spec, problem: str, *, example: bool = False) -> Reply:
    return Reply(problem, spec.usage, spec.examples[0] if example else None)


def _unknown(typed: str, *, shell: bool) -> Reply:
    """Say which command is the nearest: by a word that people try for it, or by its spelling."""
    word = typed.lower().lstrip("/-")
    tried = next((spec for spec in SPECS if word in spec.tried and (shell or spec.where == "everywhere")), None)
    likely = tried.name if tried else nearest(word, command_names(shell=shell))
    spec = spec_named(likely) if likely else None
    if spec is None:
        return Reply(f"{shown(typed)} is not a command; all of them are in the help.", "deploy help")
    return Reply(f"{shown(typed)} is not a command; nearest: deploy {spec.name}.", spec.usage)


def _unclosed(unclosed: Unclosed) -> Reply:
    return Reply(
        f"The quote {unclosed.mark} before {shown(unclosed.rest[1:])} is never closed; "
        "close it, or leave it out where it is meant as text."
    )


def _secret(kind: str) -> Reply:
    return Reply(f"That looks like {kind}; nothing was kept. Leave it out, and replace it if it is real.")
