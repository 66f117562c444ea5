"""The generated pages are what the code says."""

from pathlib import Path

import pytest

from bot.docs import pages

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize("name", sorted(pages(DOCS)))
def test_generated_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages(DOCS)[name], "run `python -m bot.docs`"
