"""Application commands: what Discord takes when they are registered, and how many a day."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.discord.peer import limits
from tests.discord.peer.guilds import APP, State
from tests.discord.peer.refused import InvalidForm, Json, RateLimited, Refused, unknown

SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)
_NAME = re.compile(r"[-_\w'ʼ]{1,32}")
_DAY = 86_400.0


@dataclass
class Commands:
    """Those of each guild, by its id; "" has the global ones."""

    state: State
    hurry: Callable[[], float] = lambda: 1.0
    registered: dict[str, dict[str, Json]] = field(default_factory=dict)
    writes: int = 0
    """Times that anything was registered."""
    _created: dict[str, list[float]] = field(default_factory=dict)

    def all(self, guild: str) -> list[Json]:
        return list(self.registered.get(guild, {}).values())

    def overwrite(self, guild: str, body: list[Json]) -> list[Json]:
        """Bulk overwrite: one that has the name of an old one keeps its id, and counts as no creation."""
        names = [str(one.get("name")) for one in body]
        if len(body) > limits.COMMANDS:
            raise Refused(400, 30032, f"Maximum number of application commands reached ({limits.COMMANDS}).")
        faults = {f"{n}.{path}": fault for n, one in enumerate(body) for path, fault in faults_of(one).items()}
        for number, name in enumerate(names):
            if names.index(name) != number:
                faults[f"{number}.name"] = (
                    "APPLICATION_COMMANDS_DUPLICATE_NAME",
                    "Application command names must be unique",
                )
        if faults:
            raise InvalidForm(faults)
        old = {one["name"]: one for one in self.all(guild)}
        self._count(guild, sum(name not in old for name in names))
        made = [self._made(guild, one, old.get(one["name"])) for one in body]
        self.registered[guild] = {one["id"]: one for one in made}
        self.writes += 1
        return made

    def create(self, guild: str, body: Json) -> tuple[Json, bool]:
        """One more, or a new version of the one of that name; whether it is new."""
        if faults := faults_of(body):
            raise InvalidForm(faults)
        old = next((one for one in self.all(guild) if one["name"] == body["name"]), None)
        self._count(guild, old is None)
        made = self._made(guild, body, old)
        self.registered.setdefault(guild, {})[made["id"]] = made
        self.writes += 1
        return made, old is None

    def edit(self, guild: str, id_: str, body: Json) -> Json:
        old = self.one(guild, id_)
        after = {**old, **body}
        if faults := faults_of(after):
            raise InvalidForm(faults)
        self.registered[guild][id_] = made = self._made(guild, after, old)
        self.writes += 1
        return made

    def delete(self, guild: str, id_: str) -> None:
        self.one(guild, id_)
        del self.registered[guild][id_]
        self.writes += 1

    def one(self, guild: str, id_: str) -> Json:
        found = self.registered.get(guild, {}).get(id_)
        if found is None:
            raise unknown("application command", 10063)
        return found

    def _count(self, guild: str, creations: int) -> None:
        """Raises 30034."""
        now = self.state.now()
        kept = [at for at in self._created.get(guild, []) if at > now - _DAY]
        if len(kept) + creations > limits.CREATIONS_A_DAY:
            words = f"Max number of daily application command creates has been reached ({limits.CREATIONS_A_DAY})"
            raise RateLimited((kept[0] + _DAY - now) / self.hurry() if kept else 1.0, code=30034, words=words)
        self._created[guild] = kept + [now] * creations

    def _made(self, guild: str, body: Json, old: Json | None) -> Json:
        may = body.get("default_member_permissions")
        made = {
            "id": old["id"] if old else self.state.snowflake(), "application_id": APP, "type": body.get("type", 1),
            "version": self.state.snowflake(), "name": body["name"], "description": body.get("description", ""),
            "name_localizations": None, "description_localizations": None, "nsfw": bool(body.get("nsfw")),
            "default_member_permissions": None if may is None else str(may), "dm_permission": not guild,
            "contexts": body.get("contexts"), "integration_types": body.get("integration_types") or [0],
        }  # fmt: skip
        if body.get("options"):
            made["options"] = [_without_defaults(option) for option in body["options"]]
        return made | ({"guild_id": guild} if guild else {})


def _without_defaults(option: Json) -> Json:
    """As Discord gives an option back: without `required: false` and the like."""
    kept = {key: value for key, value in option.items() if value not in (None, False, [])}
    if "options" in kept:
        kept["options"] = [_without_defaults(inner) for inner in kept["options"]]
    return kept


def faults_of(command: Json) -> dict[str, tuple[str, str]]:
    """What is wrong with one command, by path."""
    faults: dict[str, tuple[str, str]] = {}
    kind = command.get("type", 1)
    if kind == 1:
        _named(command, "", faults)
    elif not 1 <= len(str(command.get("name", ""))) <= limits.COMMAND_NAME or command.get("description"):
        faults["name"] = ("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    _options(command.get("options") or [], "options", 0, faults)
    if _size(command) > limits.COMMAND_TOTAL:
        words = f"Command exceeds maximum size ({limits.COMMAND_TOTAL})"
        faults["description"] = ("APPLICATION_COMMAND_TOO_LARGE", words)
    return faults


def _named(one: Json, path: str, faults: dict[str, tuple[str, str]]) -> None:
    name, description = one.get("name"), one.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name != name.lower():
        faults[f"{path}name"] = ("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not isinstance(description, str) or not 1 <= len(description) <= limits.COMMAND_DESCRIPTION:
        words = f"Must be between 1 and {limits.COMMAND_DESCRIPTION} in length."
        faults[f"{path}description"] = ("BASE_TYPE_BAD_LENGTH" if description else "BASE_TYPE_REQUIRED", words)


def _options(options: list[Json], path: str, depth: int, faults: dict[str, tuple[str, str]]) -> None:
    """`depth` 0: of a command, 1: of a group, 2: of a subcommand."""
    if len(options) > limits.COMMAND_OPTIONS:
        faults[path] = ("BASE_TYPE_MAX_LENGTH", f"Must be {limits.COMMAND_OPTIONS} or fewer in length.")
    names = [str(one.get("name")) for one in options]
    optional = nested = False
    for number, one in enumerate(options):
        here = f"{path}.{number}"
        _named(one, f"{here}.", faults)
        if names.index(names[number]) != number:
            faults[f"{here}.name"] = ("APPLICATION_COMMAND_OPTIONS_NAME_NOT_UNIQUE", "Option names must be unique")
        kind = one.get("type")
        if kind in (SUBCOMMAND, GROUP):
            nested = True
            if depth == 2 or (depth == 1 and kind == GROUP):
                faults[f"{here}.type"] = (
                    "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                    "Sub-commands do not nest so deep",
                )
            if kind == GROUP and not one.get("options"):
                faults[f"{here}.options"] = ("BASE_TYPE_REQUIRED", "This field is required")
            _options(one.get("options") or [], f"{here}.options", 1 if kind == GROUP else 2, faults)
            continue
        if nested or depth == 1:
            words = "Sub-command and sub-command group option types are mutually exclusive to all other types"
            faults[f"{here}.type"] = ("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", words)
        if one.get("required") and optional:
            words = "Required options must be placed before non-required options"
            faults[here] = ("APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", words)
        optional = optional or not one.get("required")
        _typed(one, here, faults)


def _typed(one: Json, path: str, faults: dict[str, tuple[str, str]]) -> None:
    kind = one.get("type")
    if kind not in range(STRING, ATTACHMENT + 1):
        faults[f"{path}.type"] = ("BASE_TYPE_CHOICES", "Value must be one of the option types.")
    choices = one.get("choices") or []
    if len(choices) > limits.COMMAND_CHOICES:
        faults[f"{path}.choices"] = ("BASE_TYPE_MAX_LENGTH", f"Must be {limits.COMMAND_CHOICES} or fewer in length.")
    if choices and one.get("autocomplete"):
        faults[path] = ("APPLICATION_COMMAND_AUTOCOMPLETE_WITH_CHOICES", "Autocomplete options cannot have choices")
    if (choices or one.get("autocomplete")) and kind not in (STRING, INTEGER, NUMBER):
        faults[f"{path}.type"] = ("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "This type has no choices")
    faults |= {f"{path}.choices.{place}": fault for place, fault in choice_faults(choices, kind).items()}


def choice_faults(choices: list[Json], kind: object) -> dict[str, tuple[str, str]]:
    """Of fixed choices, and of those that autocomplete offers."""
    faults: dict[str, tuple[str, str]] = {}
    for number, choice in enumerate(choices):
        name, value = choice.get("name"), choice.get("value")
        if not isinstance(name, str) or not 1 <= len(name) <= limits.CHOICE:
            faults[f"{number}.name"] = ("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
        wanted = str if kind == STRING else (int, float)
        if not isinstance(value, wanted) or len(str(value)) > limits.CHOICE:
            faults[f"{number}.value"] = ("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    if len({str(choice.get("name")) for choice in choices}) != len(choices):
        faults["name"] = ("APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_NOT_UNIQUE", "Choice names must be unique")
    return faults


def _size(one: Json) -> int:
    own = len(str(one.get("name", ""))) + len(str(one.get("description", "")))
    own += sum(
        len(str(choice.get("value", ""))) + len(str(choice.get("name", ""))) for choice in one.get("choices") or []
    )
    return own + sum(_size(inner) for inner in one.get("options") or [])
