"""The slash command from the table of commands: within Discord's limits, and the same line of text as anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.discord import commands
from adapters.discord.commands import chosen, completed, offered, placed, registration, same
from core.commands import SPECS, Spec
from core.completion import CompletionContext
from core.parsing import Reply, parse
from core.stages import Stage


def data(name: str, group: str = "", **options: Any) -> dict[str, Any]:
    """An interaction's `data`, as Discord sends it."""
    given = [
        {"type": 4 if isinstance(value, int) else 3, "name": key, "value": value} for key, value in options.items()
    ]
    inside: dict[str, Any] = {"type": 1, "name": name, "options": given}
    return {"name": "deploy", "options": [{"type": 2, "name": group, "options": [inside]} if group else inside]}


def subcommands(registered: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for option in registered["options"]:
        for one in option["options"] if option["type"] == 2 else [option]:
            found[one["name"]] = one
    return found


def many(count: int) -> tuple[Spec, ...]:
    """The table as it would be with `count` more commands of everyday groups."""
    return (*offered(), *(replace(offered()[2], name=f"more{n}") for n in range(count)))


# -- registration ------------------------------------------------------------------------------------------------------


def test_every_command_is_registered_once_but_those_of_the_shell() -> None:
    found = subcommands(registration())
    assert sorted(found) == sorted(spec.name for spec in SPECS if spec.where == "everywhere")


def test_it_is_within_discords_limits() -> None:
    registered = registration()
    total = 0
    assert registered["contexts"] == [0]
    assert len(registered["options"]) <= 25
    for option in registered["options"]:
        if option["type"] == 2:
            assert 1 <= len(option["options"]) <= 25
    for name, one in subcommands(registered).items():
        assert name == name.lower()
        assert 1 <= len(one["description"]) <= 100
        assert len(one["options"]) <= 25
        needed = [option["required"] for option in one["options"]]
        assert needed == sorted(needed, reverse=True), "required before optional"
        for option in one["options"]:
            assert 1 <= len(option["description"]) <= 100
            assert commands._slug(option["name"]) == option["name"]
            total += len(option["name"]) + len(option["description"])
        total += len(name) + len(one["description"])
    assert total < 8000, "https://discord.com/developers/docs/interactions/application-commands#slash-commands"


def test_while_there_is_room_all_stand_in_the_command_itself() -> None:
    often = (spec for spec in offered() if spec.name not in commands._SELDOM)
    everyday = tuple(spec for spec in often if spec.group in commands._FLAT)[:25]
    assert set(placed(everyday).values()) == {""}


@pytest.mark.parametrize("more", [8, 12])
def test_where_there_is_none_whole_groups_of_the_table_are_nested(more: int) -> None:
    specs = many(more)
    registered = registration(specs)
    assert len(registered["options"]) <= 25
    assert len(subcommands(registered)) == len(specs)
    assert placed(specs)["servers"] == "server"


def test_what_is_asked_for_seldom_is_nested_from_the_beginning() -> None:
    rare = replace(offered()[2], name="lock", group="Policy and Locks")  # type: ignore[arg-type]
    places = placed((*offered(), rare))
    assert places["lock"] == "policy"
    assert {place for name, place in places.items() if name != "lock"} <= {"", "policy"}


def test_what_is_asked_for_every_day_stands_in_the_command_itself() -> None:
    places = placed(offered())
    for name in ("push", "verify", "approve", "reject", "rollback", "cancel", "status", "history", "show", "help"):
        assert places[name] == ""


def test_locks_and_freezes_are_policy() -> None:
    rare = [replace(offered()[2], name=name) for name in ("lock", "unlock", "freeze", "unfreeze")]
    places = placed((*offered(), *rare))
    assert {places[spec.name] for spec in rare} == {"policy"}
    assert places["push"] == ""
    found = chosen(data("approve", "policy", id="v1"))
    assert found is not None
    assert found.line == "deploy approve v1", "the text is the same wherever it stands"


def test_too_many_are_noticed() -> None:
    with pytest.raises(ValueError, match="25"):
        registration(tuple(replace(offered()[2], name=f"more{n}") for n in range(80)))


def test_options_are_typed() -> None:
    found = subcommands(registration())
    options = {name: {option["name"]: option for option in one["options"]} for name, one in found.items()}
    assert options["history"]["count"] | {"description": ""} == {
        "type": 4, "name": "count", "description": "", "required": False, "min_value": 1, "max_value": 100,
    }  # fmt: skip
    assert [choice["value"] for choice in options["configure"]["role"]["choices"]] == ["public", "omega"]
    assert options["approve"]["id"]["autocomplete"]
    assert options["approve"]["id"]["required"]
    assert not options["push"]["id"]["required"], "a form asks for what is missing"
    assert options["push"]["description"]["max_length"] == 500


def test_what_discord_adds_is_no_difference() -> None:
    registered = registration()
    echoed = {**registered, "id": "1", "version": "2", "default_member_permissions": None, "nsfw": False}
    echoed["options"] = [{**option, "name_localizations": None} for option in registered["options"]]
    for option in echoed["options"]:
        option["options"] = [
            {key: value for key, value in one.items() if not (key == "required" and value is False)}
            for one in option["options"]
        ]
    assert same(echoed, registered)
    changed = {**echoed, "options": echoed["options"][1:]}
    assert not same(changed, registered)


# -- what was chosen ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (data("push", id="v1", description="It's new", tasks="OPS-7, OPS-8"),
         """deploy push v1 "It's new" --task OPS-7 --task OPS-8"""),
        (data("approve", id="v1#2"), "deploy approve v1#2"),
        (data("history", count=25, component="main"), "deploy history 25 --component main"),
        (data("status"), "deploy status"),
        (data("note", id="v1", text='He said "no" <@1>'), None),
        (data("approve", "server", id="v1"), "deploy approve v1"),
    ],
)  # fmt: skip
def test_a_choice_is_the_line_that_somebody_would_type(given: dict[str, Any], line: str | None) -> None:
    found = chosen(given)
    assert found is not None
    assert not found.problem
    assert line is None or found.line == line
    assert not isinstance(parse(found.line), Reply)


def test_what_a_form_can_ask_for_is_told_apart_from_what_is_wrong() -> None:
    bare, half, wrong, reason = (
        chosen(data("push")), chosen(data("push", id="v1")), chosen(data("push", id="v 1", description="x")),
        chosen(data("reject", id="v1")),
    )  # fmt: skip
    assert bare is not None
    assert bare.lacks
    assert half is not None
    assert half.lacks
    assert half.given == {"id": "v1"}
    assert wrong is not None
    assert not wrong.lacks
    assert "is not an id" in wrong.problem
    assert reason is not None
    assert reason.lacks


@pytest.mark.parametrize("given", [{"name": "other"}, {"name": "deploy"}, data("gone"), data("wait", id="v1")])
def test_a_command_that_there_is_not_is_none(given: dict[str, Any]) -> None:
    assert chosen(given) is None


def test_a_secret_is_not_kept() -> None:
    found = chosen(data("note", id="v1", text="ghp_" + "a1" * 20))
    assert found is not None
    assert not found.line
    assert "GitHub token" in found.problem


# -- while it is typed -------------------------------------------------------------------------------------------------

KNOWN = CompletionContext(
    ids={Stage.AWAITING_APPROVAL: ["v3"], Stage.COMPLETED: ["v1"], Stage.STAGED: ["v2"]},
    updates=[f"v{n}" for n in range(40, 0, -1)], components=["main", "docs"], regions=["eu"],
    mainframes=["mf-1", "mf-2"],
)  # fmt: skip


def focused(given: dict[str, Any], name: str, typed: str) -> list[str]:
    options = given["options"][0]["options"]
    options[:] = [option for option in options if option["name"] != name]
    options.append({"type": 3, "name": name, "value": typed, "focused": True})
    return [choice["value"] for choice in completed(given, KNOWN)]


def test_ids_are_those_for_which_the_command_is_legal() -> None:
    assert focused(data("approve"), "id", "") == ["v3"]
    assert focused(data("verify"), "id", "") == ["v3", "v2"]


def test_updates_come_newest_first_and_no_more_than_fit() -> None:
    assert focused(data("push"), "id", "")[:3] == ["v40", "v39", "v38"]
    assert len(focused(data("push"), "id", "")) == 25
    assert focused(data("push"), "id", "v3")[0] == "v39"


def test_components_regions_and_commands_are_offered_by_their_options() -> None:
    assert focused(data("history", count=5), "component", "d") == ["docs"]
    assert focused(data("configure", role="omega"), "region", "") == ["eu"]
    assert "rollback" in focused(data("help"), "topic", "ro")
    assert focused(data("freeze", reason="Trade fair"), "mainframe", "2") == ["mf-2"]
    assert focused(data("unfreeze"), "mainframe", "") == ["mf-1", "mf-2"]
    assert focused(data("gone"), "id", "") == []
