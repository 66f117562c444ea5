"""The table of commands: complete, consistent with the union and with the stages, and readable by itself."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, get_args

import pytest

from core.commands import SPECS, Command, Reject, Role, Spec, Status, spec_named, spec_of, split_id
from core.parsing import parse
from core.people import Person, with_viewing
from core.policy import Policy, may
from core.stages import Stage

TYPES = get_args(Command)
ROLES: tuple[Role, ...] = get_args(Role)
by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def test_every_command_of_the_union_has_exactly_one_entry() -> None:
    assert sorted(spec.build.__name__ for spec in SPECS) == sorted(kind.__name__ for kind in TYPES)
    assert len({spec.name for spec in SPECS}) == len(SPECS)


@by_name
def test_the_arguments_are_the_fields_of_the_dataclass(spec: Spec) -> None:
    kind: Any = spec.build
    known = {one.name: one.default is MISSING for one in fields(kind) if one.name != "seen"}
    assert {argument.name: argument.required for argument in spec.arguments} == known


@by_name
def test_every_example_is_this_command(spec: Spec) -> None:
    for example in spec.examples:
        parsed = parse(example, shell=True)
        assert isinstance(parsed, TYPES), parsed
        assert spec_of(parsed) is spec


@by_name
def test_ids_are_completed_where_and_only_where_one_is_taken(spec: Spec) -> None:
    takes = any(argument.kind == "id" for argument in spec.arguments)
    assert (spec.ids_in is not None) == takes
    assert (spec.ids_in or frozenset()) <= frozenset(Stage)


@by_name
def test_required_arguments_stand_before_optional_ones_and_flags_are_optional(spec: Spec) -> None:
    required = [argument.required for argument in spec.positional]
    assert required == sorted(required, reverse=True)
    assert not any(argument.required for argument in spec.flags.values())


@by_name
def test_what_changes_something_is_not_for_viewers(spec: Spec) -> None:
    assert spec.writes == (spec.role != "viewer")


@by_name
def test_the_words_people_try_are_no_commands(spec: Spec) -> None:
    assert not [word for word in spec.tried if spec_named(word)]


@pytest.mark.parametrize("role", ROLES)
@by_name
def test_the_table_and_the_policy_name_the_same_roles(spec: Spec, role: Role) -> None:
    person = Person("ann", "Ann", with_viewing([role]))
    assert may(person, spec, Policy()) == bool(person.roles & spec.roles)


def test_usages_read_like_the_guide() -> None:
    assert [spec.usage for spec in SPECS[:6]] == [
        "deploy configure <public|omega> <url> <name> [--region R]",
        "deploy unconfigure <region>",
        "deploy servers",
        "deploy push <id> <description> [info] [--task T]…",
        "deploy verify <id>",
        "deploy approve <id> [--at TIME] [--window NAME] [--emergency REASON]",
    ]


def test_only_wait_is_for_the_shell() -> None:
    assert [spec.name for spec in SPECS if spec.where == "shell"] == ["wait"]


def test_an_id_may_carry_its_attempt() -> None:
    assert split_id("v1") == ("v1", None)
    assert split_id("v1#2") == ("v1", 2)


def test_a_command_finds_its_entry() -> None:
    assert spec_of(Reject("v1", "slow")).name == "reject"
    assert spec_of(Status()).group == "Monitoring"
    assert spec_named("Push") is None
