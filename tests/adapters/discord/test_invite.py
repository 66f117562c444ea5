"""The invitation asks for exactly what is used, and the docs say what for."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from adapters.discord.inspection import permissions
from adapters.discord.invite import PERMISSIONS, SCOPES, invitation

GUILD, ROLE, OWN = "1", "2", "9"
VIEW, SEND = PERMISSIONS["View Channel"][0], PERMISSIONS["Send Messages"][0]


def test_it_asks_for_exactly_the_scopes_and_permissions() -> None:
    asked = parse_qs(urlsplit(invitation("123456")).query)
    assert asked["scope"] == [" ".join(SCOPES)]
    assert int(asked["permissions"][0]) == sum(bit for bit, _ in PERMISSIONS.values())
    assert asked["client_id"] == ["123456"]
    assert "guild_id" not in asked


def test_for_a_listed_server_it_leaves_no_choice() -> None:
    asked = parse_qs(urlsplit(invitation("123456", "777777")).query)
    assert asked["guild_id"] == ["777777"]
    assert asked["disable_guild_select"] == ["true"]


def test_the_docs_name_each_permission_with_what_it_is_for() -> None:
    text = (Path(__file__).parents[3] / "docs/discord.md").read_text()
    for name, (_, purpose) in PERMISSIONS.items():
        assert f"| {name} | {purpose} |" in text


def overwrite(id_: str, allow: int = 0, deny: int = 0) -> dict[str, str]:
    return {"id": id_, "allow": str(allow), "deny": str(deny)}


def test_permissions_are_judged_in_discords_order() -> None:
    everyone, role = {GUILD: VIEW | SEND}, {GUILD: VIEW, ROLE: SEND}
    assert permissions(GUILD, OWN, everyone, ()) == VIEW | SEND
    assert permissions(GUILD, OWN, everyone, [overwrite(GUILD, deny=VIEW)]) == SEND
    denied = [overwrite(GUILD, deny=VIEW), overwrite(ROLE, allow=VIEW)]
    assert permissions(GUILD, OWN, role, denied) == VIEW | SEND
    assert permissions(GUILD, OWN, everyone, denied) == SEND, "a role that the bot does not have"
    own = [overwrite(ROLE, allow=SEND), overwrite(OWN, deny=SEND)]
    assert permissions(GUILD, OWN, role, own) == VIEW
    assert permissions(GUILD, OWN, {GUILD: 1 << 3}, [overwrite(GUILD, deny=VIEW)]) & VIEW
