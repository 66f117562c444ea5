"""Secrets are told by their type: every place that holds one is found by walking, and none of them can be printed."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from adapters.discord.setup import Setup as DiscordSetup
from adapters.servers.link import Credential
from adapters.slack.setup import Setup
from agent.settings import AgentSettings
from bot import keys, logs
from bot.settings import Settings, SlackSecrets, insecure_files, load
from bot.settings.files import secret_files
from bot.settings.values import names_a_secret

SECRET = "s3cr3t-0123456789abcdef"
HOLDERS: tuple[type, ...] = (Settings, AgentSettings, SlackSecrets, Setup, DiscordSetup, Credential)
"""What carries secrets through the program, from settings to the edge."""


def kinds(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of."""
    if get_origin(annotation) in (Union, UnionType, tuple, dict, list, frozenset):
        for part in get_args(annotation):
            yield from kinds(part)
    else:
        yield annotation


def walked(holder: type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every field of a model or dataclass, however deep: its path and its type."""
    if issubclass(holder, BaseModel):
        own = {name: field.annotation for name, field in holder.model_fields.items()}
    else:
        hints = get_type_hints(holder)
        own = {field.name: hints[field.name] for field in fields(holder)}
    for name, annotation in own.items():
        for kind in kinds(annotation):
            if isinstance(kind, type) and (issubclass(kind, BaseModel) or is_dataclass(kind)):
                yield from walked(kind, (*path, name))
            else:
                yield (*path, name), kind


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: holder.__name__)
def test_whatever_is_called_a_secret_has_the_type_of_one(holder: type) -> None:
    """A field that only says where a secret is, or its hash, is called otherwise: token_file, token_env."""
    found = list(walked(holder))
    assert found
    for path, kind in found:
        if names_a_secret(path[-1]):
            assert kind in (SecretStr, type(None)), f"{holder.__name__}.{'.'.join(path)} is a {kind}"


def test_every_secret_of_the_settings_is_hidden_wherever_they_are_written() -> None:
    places = [path for path, kind in walked(Settings) if kind is SecretStr]
    assert ("ashat", "database_url") in places
    for path in places:
        nested: Any = SecretStr(SECRET)
        for name in reversed(path):
            nested = {name: nested}
        assert_hidden(Settings(**nested))


@pytest.mark.parametrize(
    "holder",
    [
        SlackSecrets(SecretStr(SECRET), SecretStr(SECRET), SecretStr(SECRET)),
        Setup(SecretStr(SECRET), SecretStr(SECRET), SecretStr(SECRET), "T1", "A1", "C1", frozenset({"C1"})),
        DiscordSetup(SecretStr(SECRET), "1", frozenset({"2"}), "3", frozenset({"3"})),
        Credential(SecretStr(SECRET)),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_what_carries_secrets_shows_none(holder: object) -> None:
    assert_hidden(holder)


def assert_hidden(holder: object) -> None:
    texts = [repr(holder), str(holder), f"{holder}", *_logged(holder)]
    if isinstance(holder, BaseModel):
        texts += [holder.model_dump_json(), repr(holder.model_dump()), str(holder.model_dump(mode="json"))]
    assert [text for text in texts if SECRET in text] == []


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def _logged(holder: object) -> Iterator[str]:
    """As a value, within others, in the text of a message, and in an error."""
    for log_format in ("text", "json"):
        stream = io.StringIO()
        logs.configure("text" if log_format == "text" else "json", "debug", stream)
        log = structlog.get_logger("ashat.test")
        log.info("one", given=holder)
        log.info("two", given=[{"deep": (holder,)}])
        log.info(f"three {holder}")
        log.error("four", exc_info=ValueError(holder))
        logging.getLogger("library").warning("five %s", holder)
        said = stream.getvalue()
        assert all(word in said for word in ("one", "two", "three", "four", "five"))
        yield said


def test_every_file_that_holds_a_secret_is_looked_at(tmp_path: Path) -> None:
    """By the names of the settings' own fields, so a new one is not forgotten."""
    named = {path for path, kind in walked(Settings) if path[-1].endswith("_file") and kind is Path}
    others = {path for path in named if not names_a_secret(path[-1].removesuffix("_file"))}
    assert others == {("ashat", "key_file"), ("servers", "ca_file")}, "is it private? then secret_files must give it"
    (tmp_path / "config.toml").write_text(
        '[[agents]]\norigin = "http://localhost:1"\ntoken_file = "a"\n[servers]\nca_file = "public"\n'
        '[slack]\nbot_token_file = "b"\napp_token_file = "c"\nsigning_secret_file = "d"\n'
    )
    assert sorted(file.name for file in secret_files(load(tmp_path / "config.toml"))) == ["a", "b", "c", "d"]


def test_older_keys_their_register_and_folders_that_others_may_change_are_complained_of(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[ashat]\ndata = "data"\nartifacts = "artifacts"\n')
    settings = load(tmp_path / "config.toml")
    keys.new(settings.ashat.key_file)
    keys.rotate(settings.ashat.key_file, keys.known(settings.ashat.key_file)[0].since)  # type: ignore[arg-type]
    settings.ashat.artifacts.mkdir()
    assert insecure_files(settings) == ()
    open_ = [keys.private_halves(settings.ashat.key_file)[0], settings.ashat.data / "bot.key.register.json"]
    for path in open_:
        path.chmod(0o644)
    for folder in (settings.ashat.data, settings.ashat.artifacts):
        folder.chmod(0o775)
    found = {each.path: each.mend for each in insecure_files(settings)}
    assert found == {
        **{path: f"chmod 0600 {path}" for path in open_},
        **{folder: f"chmod go-w {folder}" for folder in (settings.ashat.data, settings.ashat.artifacts)},
    }
    settings.ashat.data.chmod(0o1777)
    assert settings.ashat.data not in {each.path for each in insecure_files(settings)}, "sticky: each one's are theirs"
