"""Help comes from the table, so it is whole; it is short enough for a chat; and it names the nearest topic."""

from __future__ import annotations

import pytest

from core.commands import SPECS, Spec
from core.help import Page, commands_markdown, help_for, plain_lines, row_of


def _help(topic: str | None = None, *, shell: bool = False) -> Page:
    return help_for(topic, shell=shell, docs="https://docs.example.com", support="#ops")


def test_the_overview_fits_in_one_message() -> None:
    lines = plain_lines(_help(shell=True))
    assert len(lines) <= 40
    assert len("\n".join(lines)) < 3_000


def test_the_overview_has_the_guides_groups_and_ends_with_docs_and_support() -> None:
    page = _help()
    titles = [section.title for section in page]
    assert titles == ["Server Configuration", "Deployment Management", "Monitoring", "More"]
    assert [line.text for line in page[-1].lines[-2:]] == ["Documentation: https://docs.example.com", "Support: #ops"]


def test_docs_and_support_that_are_not_set_are_left_out() -> None:
    assert len(help_for(None, shell=False, docs="", support="")[-1].lines) == 1


def test_what_only_the_shell_has_is_shown_only_there() -> None:
    assert "deploy wait" in "\n".join(plain_lines(_help(shell=True)))
    assert "deploy wait" not in "\n".join(plain_lines(_help()))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_each_command_has_help_with_usage_arguments_examples_and_who_may(spec: Spec) -> None:
    text = "\n".join(plain_lines(_help(spec.name.upper(), shell=True)))
    assert spec.usage in text
    assert all(example in text for example in spec.examples)
    assert all(argument.summary in text for argument in spec.arguments)
    assert "Who may" in text


@pytest.mark.parametrize(
    ("topic", "who"),
    [
        ("status", "Everyone with a role."),
        ("push", "Deployers."),
        ("rollback", "Deployers and approvers."),
        ("approve", "Approvers."),
        ("configure", "Admins."),
    ],
)
def test_who_may(topic: str, who: str) -> None:
    assert _help(topic)[-1].lines[0].text == who


def test_help_for_push_reads_well() -> None:
    assert plain_lines(_help("push")) == (
        "deploy push",
        "  Push an update from ALPHA to the Public server.",
        "Usage",
        "  deploy push <id> <description> [info] [--task T]…",
        "Arguments",
        "  <id>           the update's file name on ALPHA, without its ending",
        "  <description>  what changes; in quotes where more information follows",
        "  [info]         more information; after a quoted description (optional)",
        "  --task T       a linked task (optional, may be repeated)",
        "Examples",
        "  deploy push v1.0.0 'New features'",
        "  deploy push patch-v1.2.3 'Security fixes and performance improvements' 'Fixes CVE-2024-001' --task OPS-7",
        "Who may",
        "  Deployers.",
    )


@pytest.mark.parametrize("topic", [None, *(spec.name for spec in SPECS), "rolback"])
def test_a_line_of_help_can_be_read_back(topic: str | None) -> None:
    page = _help(topic, shell=True)
    rows = [line for section in page for line in (None, *section.lines)]
    assert [row_of(line) for line in plain_lines(page)] == rows


def test_other_lines_are_no_rows_of_help() -> None:
    assert [row_of(line) for line in ("", "  ", "   Note: x  y", "Alice Ng  14:02", " deploy x")] == [None] * 5


def test_an_unknown_topic_names_the_nearest_and_still_helps() -> None:
    page = _help("rolback")
    assert page[0].title == "There is no command `rolback`."
    assert page[0].lines[0].code == "deploy help rollback"
    assert page[1:] == _help()


def test_a_topic_like_nothing_names_none() -> None:
    assert _help("zzzzzzzz")[0].lines == ()


def test_the_reference_has_a_row_for_every_command() -> None:
    rows = [line for line in commands_markdown().splitlines() if line.startswith("| `deploy")]
    assert len(rows) == len(SPECS)
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)
