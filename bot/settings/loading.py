"""From a file and the environment to settings, or to sentences that say which line is wrong and what it should be."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic_settings
from pydantic import BaseModel, SecretStr, ValidationError

from bot.settings.model import Settings
from bot.settings.rules import broken
from bot.settings.values import names_a_secret
from core.release.complaints import KeyPath, key_path, nearest, phrase
from core.release.toml_lines import line_of

_PREFIX = "ASHAT_"
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


class SettingsError(ValueError):
    """Settings that cannot be used. `problems` has one sentence for each; `str(error)` is those, a line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path) -> Settings:
    """Read the settings file; the environment (`ASHAT_<SECTION>__<KEY>`) has the last word. Raises SettingsError.

    Relative paths start at the file's folder, wherever the program was started.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist: copy config.example.toml there, or name your own file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as text: {error}") from error
    return parse(text, path)


def parse(text: str, path: Path = Path("config.toml")) -> Settings:
    """As `load`, of a text that stands for the file at `path`. Raises SettingsError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is not TOML: {error}.") from error
    source = _Source(text, path.name, data)
    source.refuse([*source.secrets(), *_unknown_variables()])
    try:
        settings = Settings(**data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise SettingsError(*(source.sentence(key_path(each), phrase(each, Settings)) for each in details)) from error
    except pydantic_settings.SettingsError as error:
        raise SettingsError(f"The environment is wrong: {error}: lists and tables are JSON there.") from error
    source.refuse([source.sentence(*each) for each in broken(settings)])
    return _settled(settings, path.absolute().parent)


class _Source:
    """The file that values came from, so that a problem can be named with its place."""

    def __init__(self, text: str, name: str, data: Mapping[str, Any]) -> None:
        self._text = text
        self._name = name
        self._data = data

    def sentence(self, path: KeyPath, phrase: str) -> str:
        return f"{self._place(path)}: {'.'.join(map(str, path))} {phrase}."

    def secrets(self) -> list[str]:
        """A sentence for each secret that was written into the file; it never holds the secret."""
        return [self.sentence(path, phrase) for path, phrase in _secrets_in(self._data)]

    def refuse(self, problems: list[str]) -> None:
        if problems:
            raise SettingsError(*problems)

    def _place(self, path: KeyPath) -> str:
        variable = _variable_for(path)
        if variable is not None:
            return f"The environment's {variable}"
        line = line_of(self._text, path)
        return f"{self._name} line {line}" if line else self._name


def _variable_for(path: KeyPath) -> str | None:
    """The variable that set the value at `path`; one of a whole section counts as a last resort."""
    set_here = {name.upper(): name for name in os.environ}
    for length in range(len(path), 0, -1):
        name = set_here.get(_PREFIX + "__".join(str(part) for part in path[:length]).upper())
        if name is not None:
            return name
    return None


def _unknown_variables() -> Iterator[str]:
    """An override with a typing error in its section would go unnoticed: nothing asks for it."""
    sections = {name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        section, nested, _ = name.upper().removeprefix(_PREFIX).partition("__")
        if name.upper().startswith(_PREFIX) and nested and section not in sections:
            yield f"The environment's {name} names no section of the settings{nearest(section, sections)}."


def _secrets_in(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    match value:
        case dict():
            for key, below in value.items():
                yield from _secrets_in(below, (*path, key))
        case list():
            for index, below in enumerate(value):
                yield from _secrets_in(below, (*path, index))
        case str() if value and names_a_secret(str(path[-1])):
            key = path[-1]
            where = (
                f"a file of mode 0600 and name it here as {key}_file, or into the environment and name it as {key}_env"
            )
            yield path, f"is a secret and cannot stand here: put it into {where}"
        case str() if _PASSWORD_IN_URL.search(value):
            variable = _PREFIX + "__".join(map(str, path)).upper()
            yield path, f"holds a password and cannot stand here: put it into the environment, as {variable}"
        case str() if _PRIVATE_KEY.search(value):
            yield path, "is a private key and cannot stand here: put it into a file of mode 0600 and name that"


def _settled(settings: Settings, folder: Path) -> Settings:
    """`settings` with absolute paths, and with `{data}` replaced by the data folder."""
    data = Path(os.path.normpath(folder / settings.ashat.data.expanduser()))

    def settle(value: Any) -> Any:
        match value:
            case BaseModel():
                return value.model_copy(update={name: settle(below) for name, below in value})
            case Path():
                named = Path(str(value).replace("{data}", str(data)))
                return Path(os.path.normpath(folder / named.expanduser()))
            case SecretStr():
                return SecretStr(value.get_secret_value().replace("{data}", str(data)))
            case tuple():
                return tuple(settle(each) for each in value)
            case _:
                return value

    settled = settle(settings)
    assert isinstance(settled, Settings)
    return settled
