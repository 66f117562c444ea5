"""Help, from the table of commands: plain sections and lines that each platform draws in its own way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from core.commands import SPECS, Argument, Group, Spec, spec_named
from core.text import nearest
from core.values import command_names, shown


@dataclass(frozen=True, slots=True)
class HelpLine:
    """`code` is what can be typed, drawn as code; `text` says what it is."""

    text: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class HelpSection:
    title: str
    lines: tuple[HelpLine, ...]


Page = tuple[HelpSection, ...]


def help_for(topic: str | None, *, shell: bool, docs: str, support: str) -> Page:
    """All commands, or one. `docs` is where the documentation is, `support` whom to ask; an empty one is left out.

    An unknown topic gives all commands, with the nearest one named first.
    """
    spec = _offered(topic, shell=shell) if topic else None
    if spec:
        return _one(spec)
    overview = (*_groups(shell=shell), _more(docs, support))
    return (_unknown(topic, shell=shell), *overview) if topic else overview


def plain_lines(page: Page, *, columns: bool = True) -> tuple[str, ...]:
    """The page as lines of text: a title, then its lines with the code first; in a column of its own, where letters are
    of one width."""
    lines: list[str] = []
    for section in page:
        widths = (len(line.code) for line in section.lines if columns and line.code and len(line.code) <= 50)
        width = max(widths, default=0)
        lines.append(section.title)
        lines += [f"  {line.code or '':{width}}  {line.text}".rstrip() if line.code else f"  {line.text}"
                  for line in section.lines]  # fmt: skip
    return tuple(lines)


def row_of(line: str) -> HelpLine | None:
    """What `plain_lines` made this line of, for who can draw code; None for a title, and for any other line."""
    if not line.startswith("  ") or line[2:3] in ("", " "):
        return None
    code, _, text = line[2:].partition("  ")
    if text or code.startswith("deploy "):
        return HelpLine(text.strip(), code)
    return HelpLine(code)


def commands_markdown() -> str:
    """The reference of all commands, for the docs."""
    parts = []
    for group in get_args(Group):
        parts.append(f"### {group}\n\n| Command | What it does | Who may | Example |\n| --- | --- | --- | --- |")
        parts += [_row(spec) for spec in SPECS if spec.group == group]
        parts.append("")
    return "\n".join(parts)


def who_may(spec: Spec) -> str:
    """Whose command it is, in words: "Deployers and approvers"."""
    if spec.role == "viewer":
        return "Everyone with a role"
    return " and ".join(f"{role}s" for role in (spec.role, *sorted(spec.also))).capitalize()


def _row(spec: Spec) -> str:
    where = " (shell and console)" if spec.where == "shell" else ""
    cells = (f"`{spec.usage}`", spec.summary + where, who_may(spec), f"`{spec.examples[-1]}`")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _offered(topic: str, *, shell: bool) -> Spec | None:
    spec = spec_named(topic.lower())
    return spec if spec and (shell or spec.where == "everywhere") else None


def _groups(*, shell: bool) -> Iterable[HelpSection]:
    for group in get_args(Group):
        specs = (spec for spec in SPECS if spec.group == group and (shell or spec.where == "everywhere"))
        yield HelpSection(group, tuple(HelpLine(spec.summary, spec.usage) for spec in specs))


def _more(docs: str, support: str) -> HelpSection:
    lines = [HelpLine("One command, with examples.", "deploy help <command>")]
    if docs:
        lines.append(HelpLine(f"Documentation: {docs}"))
    if support:
        lines.append(HelpLine(f"Support: {support}"))
    return HelpSection("More", tuple(lines))


def _one(spec: Spec) -> Page:
    sections = [HelpSection(f"deploy {spec.name}", (HelpLine(spec.summary),))]
    sections.append(HelpSection("Usage", (HelpLine("", spec.usage),)))
    if spec.arguments:
        sections.append(HelpSection("Arguments", tuple(_argument(argument) for argument in spec.arguments)))
    sections.append(HelpSection("Examples", tuple(HelpLine("", example) for example in spec.examples)))
    sections.append(HelpSection("Who may", (HelpLine(f"{who_may(spec)}."),)))
    return tuple(sections)


def _argument(argument: Argument) -> HelpLine:
    notes = [] if argument.required else ["optional"]
    if argument.repeatable:
        notes.append("may be repeated")
    suffix = f" ({', '.join(notes)})" if notes else ""
    code = f"{argument.flag} {argument.label}" if argument.flag else argument.usage
    return HelpLine("; ".join(text for text in (argument.summary, argument.typed) if text) + suffix, code)


def _unknown(topic: str, *, shell: bool) -> HelpSection:
    likely = nearest(topic, command_names(shell=shell))
    lines = (HelpLine("The nearest command.", f"deploy help {likely}"),) if likely else ()
    return HelpSection(f"There is no command {shown(topic)}.", lines)
