"""The short way to the bot's socket says what settings say, or that they have to be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.asking import socket_of
from bot.settings import load


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[ashat]\n",
        '[ashat]\ndata = "state"\n',
        '[ashat]\ndata = "/var/lib/ashat"\nsocket = "{data}/run/bot.sock"\n',
        '[ashat]\ndata = "~/ashat"\nsocket = "../bot.sock"\n',
        '[ashat]\nsocket = "/run/ashat.sock"\n[http]\nlisten = "127.0.0.1:8000"\n',
    ],
)
def test_it_is_the_one_that_settings_have(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    assert socket_of(config) == load(config).ashat.socket


@pytest.mark.parametrize("text", ["[ashat", "ashat = 3", "[ashat]\ndata = 3\n", "[ashat]\nsocket = []\n"])
def test_what_is_not_plain_is_left_to_settings(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    assert socket_of(config) is None
    assert socket_of(tmp_path / "none.toml") is None


@pytest.mark.parametrize("name", ["ASHAT_ASHAT__SOCKET", "ASHAT_ASHAT__DATA", "ashat_ashat"])
def test_what_the_environment_overrides_is_left_to_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("")
    monkeypatch.setenv(name, "x")
    assert socket_of(config) is None
