"""The part of Markdown that notes and docs use: headings, paragraphs, lists, code, emphasis and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_LINK = re.compile(r"\[([^\]]+)\]\((/[^)\s]*)\)")
"""Links stay on this host; anything else is text."""


def rendered(text: str) -> str:
    """`text` as HTML. All that it holds is escaped before any element is added."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return "\n".join(html for block in blocks for html in _block(block))


def plain(text: str) -> str:
    """`text` without its marks, for search and excerpts."""
    return re.sub(r"\s+", " ", _LINK.sub(r"\1", re.sub(r"[#`*]", "", text))).strip()


def _block(block: str) -> Iterator[str]:
    lines = block.splitlines()
    if all(line.startswith("    ") for line in lines):
        yield f"<pre><code>{escape(chr(10).join(line[4:] for line in lines))}</code></pre>"
    elif heading := re.match(r"(#{1,3}) (.+)", lines[0]):
        level = len(heading[1])
        yield f"<h{level}>{_inline(heading[2])}</h{level}>"
        if lines[1:]:
            yield from _block("\n".join(lines[1:]))
    elif lines[0].startswith("- "):
        items = re.split(r"^- ", block, flags=re.MULTILINE)[1:]
        yield "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
    else:
        yield f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    html = escape(re.sub(r"\s*\n\s*", " ", text.strip()), quote=False)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    return _LINK.sub(lambda link: f'<a href="{escape(link[2])}">{link[1]}</a>', html)
