"""The agent's settings: every problem at once, each in a sentence with its line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from agent.api.auth import Doorman
from agent.errors import Refused
from agent.ownership import OwnKey, locked
from agent.settings import (
    AgentSettings,
    SettingsError,
    bot_token_hash,
    load_settings,
    parse_settings,
    read_token,
    token_hash,
)

GOOD = 'role = "public"\nname = "p"\ndata = "data"\nallow_same_user = true\n'
MAINFRAME = GOOD.replace("public", "mainframe") + '[omega]\nurl = "https://o"\ntoken_file = "t"\n'
TOKEN = "sixteen-characters"
ENTRY = '[[mainframes]]\nname = "m"\nowner = "O"\npublic_key = "{0}"\ntoken_sha256 = "{0}"\n'.format("0" * 64)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as error:
        parse_settings(text, "agent.toml")
    return error.value.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD + "nme = 1\n", "agent.toml line 5: nme is no setting; did you mean name."),
        (
            GOOD + "[omega]\nur = 1\ntoken_file = 't'\nurl = 'http://h'\n",
            "line 6: omega.ur is no setting; did you mean url.",
        ),
        (GOOD.replace('"public"', '"boss"'), "line 1: role should be 'public', 'omega' or 'mainframe', not 'boss'."),
        (
            GOOD.replace('"p"', '"a b"'),
            "line 2: name should be a name of letters, digits, dots, dashes and underscores",
        ),
        (GOOD.replace('"data"', "3"), "line 3: data should be a path in quotes, not 3."),
        (GOOD + "listen = '9101'\n", "line 5: listen should be host and port, like \"127.0.0.1:9101\", not '9101'."),
        (GOOD + "[limits]\nkeep = -1\n", "line 6: limits.keep should be greater than or equal to 0, not -1."),
        (GOOD + "[limits]\nwarm = inf\n", "line 6: limits.warm should be a finite number, not inf."),
        (GOOD + "[trust]\nbot_keys = 'ab'\n", 'line 6: trust.bot_keys should be a list, like ["a", "b"].'),
        (
            GOOD + "[trust]\nbot_keys = ['ab']\n",
            "line 6: trust.bot_keys.0 should be an Ed25519 public key of 64 lower-case",
        ),
        (
            GOOD + "[front.routes]\na = '/'\nb = '/'\n",
            "line 5: front.routes should give each component a prefix of its own.",
        ),
        (GOOD + "[front.routes]\na = 'x'\n", 'line 6: front.routes.a should be a path, like "/" or "/api", not \'x\'.'),
        (GOOD + "[checks]\nscanner = ['./scan']\n", "line 6: checks.scanner should begin with an absolute path"),
        (GOOD + "[checks]\nscanner = []\n", "line 6: checks.scanner should have at least 1 item"),
        (GOOD + "[checks.headers]\nX = '('\n", "line 6: checks.headers.X should be a regular expression"),
        (
            GOOD.replace("allow_same_user = true\n", ""),
            "agent.toml: slot_user is missing: name the user that releases run",
        ),
        (GOOD.replace("= true", '= "false"'), "agent.toml: slot_user is missing"),
        (
            GOOD + "tls_key = 'k'\n",
            "agent.toml: tls_certificate is missing: it goes together with tls_key; give both or none.",
        ),
        (GOOD + "slot_ports = [9, 8]\n", "line 5: slot_ports should be the first port and the last, in this order."),
        (GOOD.replace("public", "mainframe"), "omega is missing: a mainframe needs [omega] with url and token_file."),
        (
            GOOD + "url = 'http://user:pw@host/'\n",
            'line 5: url should be like "https://omega.example.com": http or https, and',
        ),
        (GOOD + ENTRY, "line 5: mainframes is no setting of this role: only an OMEGA has a registry."),
        (
            GOOD.replace("public", "omega") + ENTRY + ENTRY,
            "line 5: mainframes should have each name once; twice there is m.",
        ),
        (
            GOOD.replace("public", "omega") + ENTRY + "licence_until = 2027-01-01T00:00:00\n",
            "line 10: mainframes.0.licence_until should have an offset from UTC",
        ),
        (GOOD + "x = \n", "agent.toml is not TOML: Invalid value"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, problem: str) -> None:
    (said,) = problems(text)
    assert problem in said
    assert said.startswith("agent.toml")
    assert said.endswith(".")
    assert "pw" not in said


def test_all_that_is_wrong_is_said_at_once_also_what_does_not_fit_together() -> None:
    assert [each.removeprefix("agent.toml: ").split(" ")[0] for each in problems("")] == [
        "role", "name", "data", "slot_user",
    ]  # fmt: skip
    assert len(problems('role = "mainframe"\nnme = "m"\ntls_key = "k"\n[limits]\nkeep = -1\nfiles = 0\n')) == 8


def test_settings_that_are_not_there_are_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml does not exist: copy agent\.example\.toml there"):
        load_settings(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="cannot read the settings"):
        load_settings(tmp_path / "a.toml")


# -- tokens and key ----------------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_settings_and_the_token_comes_from_file_or_environment(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD + '[trust]\nbot_token_file = "token"\n')
    settings = load_settings(tmp_path / "a.toml")
    assert settings.data == tmp_path / "data"
    assert settings.trust.bot_token_file == tmp_path / "token"
    with pytest.raises(SettingsError, match="cannot read the token file"):
        bot_token_hash(settings, {})
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert bot_token_hash(settings, {}) == hashlib.sha256(TOKEN.encode()).hexdigest()
    assert bot_token_hash(settings, {"ASHAT_AGENT_TOKEN": TOKEN}) == bot_token_hash(settings, {})
    with pytest.raises(SettingsError, match="ASHAT_AGENT_TOKEN is shorter than 16"):
        bot_token_hash(settings, {"ASHAT_AGENT_TOKEN": "short"})
    (tmp_path / "token").write_text("short\n")
    with pytest.raises(SettingsError, match="token is shorter than 16 characters"):
        read_token(tmp_path / "token")


@pytest.mark.parametrize("role", ["public", "omega"])
def test_whom_the_bot_calls_must_have_its_token(role: str) -> None:
    with pytest.raises(SettingsError, match=r"the bot's token is missing: set trust\.bot_token_file"):
        bot_token_hash(parse_settings(GOOD.replace("public", role)), {})


def test_a_mainframe_needs_no_token_of_the_bots_and_without_one_lets_no_bot_in() -> None:
    settings = parse_settings(MAINFRAME)
    token = bot_token_hash(settings, {})
    assert token is None
    for shown in (None, "Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        with pytest.raises(Refused) as refused:
            Doorman(token, {}).admit(shown, frozenset({"bot"}))
        assert refused.value.kind == "unauthorised"
    own = bot_token_hash(settings, {"ASHAT_AGENT_TOKEN": TOKEN})
    assert Doorman(own, {}).admit(f"Bearer {TOKEN}", frozenset({"bot"})).kind == "bot"


def test_the_key_that_is_shown_is_the_one_of_the_first_start(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    settings: AgentSettings = load_settings(tmp_path / "a.toml")
    with locked(settings.data), pytest.raises(SettingsError, match="another agent works in"):
        OwnKey.of(settings)
    shown = OwnKey.of(settings).public_text
    with locked(settings.data):
        assert OwnKey.of(settings).public_text == shown, "also while an agent runs"
        assert OwnKey.at(settings.key_path).public_text == shown
    assert settings.key_path.stat().st_mode & 0o777 == 0o600


def test_a_data_folder_that_cannot_be_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = parse_settings(GOOD.replace('"data"', f'"{tmp_path}/file/data"'))
    for attempt in (lambda: OwnKey.of(settings), lambda: locked(settings.data).__enter__()):
        with pytest.raises(SettingsError, match=r"data: cannot write to .*: Not a directory; start the agent as"):
            attempt()


def test_the_hash_of_a_token_is_the_one_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert token_hash(read_token(tmp_path / "token")) == hashlib.sha256(TOKEN.encode()).hexdigest()
