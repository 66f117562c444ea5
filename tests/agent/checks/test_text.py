from __future__ import annotations

import pytest

from core.release.text import clean


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("  two\r\n\tlines\u2028three  ", "two lines three"),
        ("\x1b[31;1mred\x1b[0m \x1b]0;title\x07after", "red after"),
        ("\x9b2Jcleared", "cleared"),
        ("abc\u202edef\u2066\u200b\x00\x7f", "abcdef"),
        ("na\u200cme 👩\u200d🚀", "na\u200cme 👩\u200d🚀"),
        ("", ""),
    ],
)
def test_clean_leaves_one_visible_line(text: str, line: str) -> None:
    assert clean(text) == line


def test_what_is_cut_says_so() -> None:
    assert clean("x" * 301) == "x" * 299 + "…"
    assert clean("x" * 300) == "x" * 300
    assert clean("ab" + "\x00" * 10_000 + "cd", 10) == "ab…"
