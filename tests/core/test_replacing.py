"""Another state with few fields changed is what the standard library makes of it."""

from __future__ import annotations

import dataclasses

import pytest

from core.replacing import replace
from tests.core.support.making import MAKERS, in_stage


@pytest.mark.parametrize("stage", MAKERS)
def test_it_is_what_dataclasses_make_of_it(stage: str) -> None:
    d = in_stage(stage).deployment
    changed = replace(d, notes=("Seen",), version=7)
    assert changed == dataclasses.replace(d, notes=("Seen",), version=7)
    assert (changed.notes, changed.version, d.notes) == (("Seen",), 7, ())


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        replace(in_stage("staged").deployment, colour="blue")  # type: ignore[call-arg]
