"""What can be typed next: commands, ids, flags and their values, from the same table that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.commands import Argument, Spec, spec_named
from core.lexing import Token, lex
from core.stages import Stage
from core.text import visible
from core.values import command_names


@dataclass(frozen=True, slots=True)
class CompletionContext:
    """What is known now; every sequence with the likeliest first."""

    ids: Mapping[Stage, Sequence[str]] = field(default_factory=dict)
    updates: Sequence[str] = ()
    """Ids of the files in ALPHA."""
    components: Sequence[str] = ()
    regions: Sequence[str] = ()
    mainframes: Sequence[str] = ()
    """Those that OMEGA has told of."""
    shell: bool = False


def complete(text: str, context: CompletionContext) -> list[str]:
    """The words that can stand where `text` ends, in place of the word begun there; empty where it is free text."""
    tokens = lex(visible(text))
    if not isinstance(tokens, tuple):
        return []
    begun = bool(tokens) and not text[-1:].isspace()
    word = tokens[-1].typed if begun else ""
    before = _without_leading(tokens[:-1] if begun else tokens)
    if not before:
        return _matching(word.lstrip("/"), command_names(shell=context.shell))
    spec = spec_named(before[0].text.lower())
    if spec is None or (spec.where == "shell" and not context.shell):
        return []
    return _arguments(spec, before[1:], word, context)


def suggest(spec: Spec, argument: Argument, word: str, context: CompletionContext) -> list[str]:
    """The values of one argument that fit what was begun, for platforms that ask for each by itself."""
    return _matching(word, _candidates(spec, argument, context))


def _without_leading(tokens: Sequence[Token]) -> Sequence[Token]:
    while tokens and tokens[0].text.lower() in ("deploy", "/deploy"):
        tokens = tokens[1:]
    return tokens


def _arguments(spec: Spec, before: Sequence[Token], word: str, context: CompletionContext) -> list[str]:
    positional = 0
    used: set[str] = set()
    awaited: Argument | None = None
    for token in before:
        if awaited:
            awaited = None
        elif token.flag:
            used.add(f"--{token.text}")
            awaited = spec.flags.get(f"--{token.text}") if token.value is None else None
        else:
            positional += 1
    if awaited:
        return _matching(word, _candidates(spec, awaited, context))
    if word.startswith("-"):
        return _matching(word, _flags_left(spec, used))
    if positional < len(spec.positional):
        return _matching(word, _candidates(spec, spec.positional[positional], context))
    return _matching(word, _flags_left(spec, used))


def _flags_left(spec: Spec, used: set[str]) -> list[str]:
    return [flag for flag, argument in spec.flags.items() if argument.repeatable or flag not in used]


def _candidates(spec: Spec, argument: Argument, context: CompletionContext) -> Sequence[str]:
    match argument.kind:
        case "id":
            stages = spec.ids_in or frozenset()
            return [one for stage, ids in context.ids.items() if stage in stages for one in ids]
        case "update":
            return context.updates
        case "choice":
            return argument.choices
        case "component":
            return context.components
        case "region":
            return context.regions
        case "mainframe":
            return context.mainframes
        case "stage":
            return [stage.value for stage in Stage]
        case "command":
            return command_names(shell=context.shell)
        case "duration":
            return ("90s", "10m", "1h")
        case "time":
            return ("18:00", "tomorrow", "Mon")
        case "text" | "url" | "name" | "count":
            return ()


def _matching(word: str, choices: Iterable[str]) -> list[str]:
    """The choices that begin with `word`, or where none does, those that hold it, whatever the case."""
    wanted = word.lower()
    known = list(dict.fromkeys(choices))
    begins = [choice for choice in known if choice.lower().startswith(wanted)]
    return begins or [choice for choice in known if wanted in choice.lower()]
