"""Carries what a persona types, clicks or fills in through the door, and puts the answer before them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.playground.lookout import View
from adapters.playground.personas import PLATFORM, Persona
from adapters.playground.room import Room
from core.commands import Seen, spec_named, spec_of
from core.completion import CompletionContext, complete
from core.parsing import Ignore, Reply, from_fields, parse
from core.ports import Door, Incoming
from core.rendering import quoted, render
from core.text import clean
from core.values import ArgumentError, read

LONGEST = 4000
"""Characters of one message: what a command may have."""
_OFFERED = 12
"""How many completions are worth reading; a form's list takes all."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One delivery. `reason` is what a dialog asked for; it becomes the command's last argument."""

    delivery: str
    text: str
    seen: Seen | None = None
    reason: str = ""

    @property
    def line(self) -> str:
        reason = clean(self.reason, LONGEST)
        return f"{self.text} {quoted(reason)}" if reason else self.text


class Desk:
    def __init__(self, room: Room, door: Door, view: View) -> None:
        self._room = room
        self._door = door
        self._view = view

    async def say(self, persona: Persona, spoken: Spoken) -> None:
        """Durable first, then carried out; its answer is in the room when this returns. Twice acts once."""
        line = spoken.line
        message = Incoming(PLATFORM, spoken.delivery, persona.account, self._room.home, line, spoken.seen)
        self._room.said(persona.id, clean(line, LONGEST), spoken.delivery)
        await self._door.submit(message)
        reply = await self._door.answer(message)
        if reply.outcome != "ignored":
            shareable = reply.outcome == "done" and _is_question(line)
            self._room.answered(persona.id, reply.card, spoken.delivery, reply.outcome, shareable=shareable)

    async def fill_in(
        self, persona: Persona, delivery: str, command: str, fields: Mapping[str, str | Sequence[str]]
    ) -> str | None:
        """A filled-in form, as the line that somebody would type for it. What is wrong with it, in a sentence.

        `command` may begin with its first arguments already, as `reject v1` does.
        """
        name, given = _begun(command)
        parsed = from_fields(name, {**given, **fields})
        if isinstance(parsed, Reply):
            return parsed.problem
        await self.say(persona, Spoken(delivery, render(parsed)))
        return None

    def problem(self, command: str, field: str, value: str) -> str | None:
        """What is wrong with one field of a form, before the rest is there."""
        name, _ = _begun(command)
        spec = spec_named(name)
        argument = next((one for one in spec.arguments if one.name == field), None) if spec else None
        text = clean(value, LONGEST)
        if argument is None or not (text or argument.required):
            return None
        if not text:
            return f"The {argument.label} is missing: {argument.summary}."
        try:
            read(argument, text)
        except ArgumentError as error:
            return str(error)
        whole = from_fields(name, {field: text})
        return whole.problem if isinstance(whole, Reply) and whole.usage is None else None

    async def completions(self, persona: Persona, text: str, *, every: bool = False) -> Sequence[str]:
        """The words that can come next. Who may not look is offered commands, and no ids."""
        context = await self._view.completion() if persona.may_look else CompletionContext()
        found = complete(text[:LONGEST], replace(context, shell=False))
        return found if every else found[:_OFFERED]


def _begun(command: str) -> tuple[str, Mapping[str, str]]:
    """The command's name, and the arguments that it begins with, by field."""
    name, _, rest = command.strip().partition(" ")
    spec = spec_named(name)
    names = [argument.name for argument in spec.positional] if spec else []
    return name, dict(zip(names, rest.split(), strict=False))


def _is_question(line: str) -> bool:
    parsed = parse(line)
    return not isinstance(parsed, Ignore | Reply) and not spec_of(parsed).writes
