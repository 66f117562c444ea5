"""`agent.example.toml` is what the agent's settings say, and starts a server of each role."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.settings import AgentSettings, parse_settings
from bot.settings.example import agent_example

ROOT = Path(__file__).parents[2]
REQUIRED = 'role = "public"\nname = "staging-1"\ndata = "/var/lib/ashat-agent"\nslot_user = "ashat-slot"\n'


def shown(text: str, table: str = "") -> str:
    """With what is commented out in `table`, or everywhere, taken as written."""
    head, found, below = text.partition(f"# [{table}") if table else ("", "", text)
    below, blank, rest = below.partition("\n\n") if table else (below, "", "")
    return head + re.sub(r"^# (?=\[|# |\w+ = )", "", found + below, flags=re.MULTILINE) + blank + rest


def test_the_example_is_current() -> None:
    said = "python -m bot.settings agent > agent.example.toml"
    assert (ROOT / "agent.example.toml").read_text("utf-8") == agent_example(), said


def test_the_example_holds_exactly_the_defaults() -> None:
    assert parse_settings(agent_example()) == parse_settings(REQUIRED)


@pytest.mark.parametrize(("role", "table"), [("public", ""), ("omega", "[mainframes]]"), ("mainframe", "omega]")])
def test_each_role_is_its_example_with_its_own_table(role: str, table: str) -> None:
    text = agent_example().replace('role = "public"', f'role = "{role}"')
    settings = parse_settings(shown(text, table) if table else text)
    assert settings.role == role
    assert bool(settings.omega) == (role == "mainframe")
    assert [entry.name for entry in settings.mainframes] == (["mf-1"] if role == "omega" else [])


def test_every_commented_key_is_valid_too() -> None:
    settings = parse_settings(shown(agent_example().replace('role = "public"', 'role = "omega"')))
    assert all(value is not None for _, value in settings)
    assert settings.slot_ports == (20000, 20099)


def test_every_key_has_one_line_of_comment() -> None:
    lines = agent_example().splitlines()
    keys = [n for n, line in enumerate(lines) if re.match(r"(# )?\w+ = ", line)]
    assert len(keys) > len(AgentSettings.model_fields) + 20
    for number in keys:
        assert re.match(r"(# )?# [A-Z`].{8,}\.$", lines[number - 1]), lines[number]
