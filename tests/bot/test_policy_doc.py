"""The worked settings of docs/policy.md are settings, and say what the page says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.settings.loading import parse
from bot.wiring import policy_of

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
WORKED = re.findall(r"```toml\n(.*?)```", PAGE.partition("## Five settings")[2], re.DOTALL)


@pytest.mark.parametrize("number", range(5))
def test_each_worked_setting_is_accepted(number: int) -> None:
    assert len(WORKED) == 5
    assert policy_of(parse(WORKED[number])).quorum >= 1


def test_the_quorums_are_those_that_the_page_tells() -> None:
    two, team, several, agreeing, regulated = (policy_of(parse(text)) for text in WORKED)
    assert two.quorum_for("main") == 1
    assert (team.quorum_for("main"), team.quorum_for("docs")) == (2, 1)
    assert [grant.where for grant in several.grants] == ["web", "api", "every component"]
    assert (agreeing.quorum_for("api"), agreeing.groups_for("api"), agreeing.groups_for("docs")) == (
        3, ("security", "ops"), (),
    )  # fmt: skip
    assert (regulated.quorum_for("main"), regulated.countersign_within) == (3, 7200)
