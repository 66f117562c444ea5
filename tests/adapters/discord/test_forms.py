"""Dialogs within Discord's limits, and what comes back of them."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.discord import buttons, forms
from adapters.discord.buttons import Clicked
from core.commands import Seen

SEEN = Seen(1, "ab" * 12, 2)


def fields(form: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["component"]["custom_id"]: row["component"] for row in form["components"]}


def filled(form: dict[str, Any], **values: str) -> dict[str, str]:
    """As Discord brings it back."""
    rows = []
    for name, field in fields(form).items():
        value = values.get(name, "")
        told = {"values": [value]} if field["type"] == 3 else {"value": value}
        rows.append({"type": 18, "id": 1, "component": {"type": field["type"], "custom_id": name, **told}})
    return forms.values_of(rows)


def test_a_push_offers_alphas_updates_where_a_list_holds_them() -> None:
    form = forms.push_form({"id": "v1", "description": "Fix"}, ["v2", "v1"])
    found = fields(form)
    assert [option["value"] for option in found["id"]["options"]] == ["v2", "v1"]
    assert [option["default"] for option in found["id"]["options"]] == [False, True]
    assert found["description"]["value"] == "Fix"
    assert len(form["title"]) <= 45
    assert all(1 <= len(row["label"]) <= 45 for row in form["components"])
    assert len(form["components"]) <= 5


@pytest.mark.parametrize("updates", [[], [f"v{n}" for n in range(26)], ["v2"]])
def test_otherwise_its_id_is_typed(updates: list[str]) -> None:
    field = fields(forms.push_form({"id": "v1"}, updates))["id"]
    assert field["type"] == 4
    assert field["value"] == "v1"


def test_what_is_filled_in_is_the_line_that_somebody_would_type() -> None:
    form = forms.push_form({}, ["v1"])
    values = filled(form, id="v1", description="Fixes the login", tasks="OPS-7\nOPS-8")
    assert forms.push_line(values) == ('deploy push v1 "Fixes the login" --task OPS-7 --task OPS-8', "")


def test_what_is_wrong_is_said() -> None:
    line, problem = forms.push_line({"id": "v1", "description": " "})
    assert not line
    assert "description is missing" in problem
    line, problem = forms.push_line({"id": "v1", "description": "token ghp_" + "a1" * 20})
    assert not line
    assert "GitHub token" in problem


def test_a_reason_goes_with_what_the_button_was_bound_to() -> None:
    about = Clicked("why", "reject v1", SEEN)
    form = forms.reason_form(about)
    assert form["title"] == "Reject v1"
    assert fields(form)["reason"]["required"]
    assert buttons.read(form["custom_id"]) == about
    assert forms.reason_line(about, {"reason": "It's slow"}) == ("""reject v1 "It's slow\"""", "")


def test_where_it_may_be_left_out_it_may() -> None:
    about = Clicked("maybe", "rollback v1", SEEN)
    assert not fields(forms.reason_form(about))["reason"]["required"]
    assert forms.reason_line(about, {"reason": ""}) == ("rollback v1", "")
    line, problem = forms.reason_line(Clicked("why", "reject v1", SEEN), {"reason": ""})
    assert not line
    assert "reason is missing" in problem
