"""Chromium windows on the playground, in the words of those who use it. Screenshots are kept in build/screenshots."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from playwright.async_api import Browser, Locator, Page, async_playwright, expect

CHROMIUM = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""Of Debian's packages of these names, the first that is there: the shell is the same Chromium without what only a
screen needs, and takes two fifths of the time. Tests never download a browser."""
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_PATIENCE = 30_000
"""Milliseconds. What is waited for takes well under a second, but the machine may be busy."""
_SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
_WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser with a fresh profile."""
    path = _found()
    expect.set_options(timeout=_PATIENCE)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


def _found() -> Path:
    found = next((path for path in CHROMIUM if path.exists()), None)
    if found is None:
        raise FileNotFoundError(
            f"{CHROMIUM[0]} is missing: apt-get install -y chromium-headless-shell fonts-noto-color-emoji"
        )
    return found


class Window:
    """One person's browser window. Whatever the page complains of is kept in `complaints`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)

    @classmethod
    async def opened(cls, browser: Browser, link: str, speaker: str = "alice", **options: Any) -> Self:
        """A profile of its own, with the link opened and somebody speaking. Options are those of a context."""
        context = await browser.new_context(**{"viewport": _WIDE, "locale": "en-GB", **options})
        context.set_default_timeout(_PATIENCE)
        window = cls(await context.new_page())
        await window.page.goto(link)
        await window.loaded("alice")
        if speaker != "alice":
            await window.speaks_as(speaker)
        return window

    async def close(self) -> None:
        """Also the check that the page had nothing to complain of."""
        await self.page.context.close()
        assert self.complaints == []

    async def loaded(self, speaker: str) -> None:
        await expect(self.page.locator("body")).to_have_attribute("data-loaded", speaker)

    async def speaks_as(self, speaker: str) -> None:
        await self.page.locator(f"#personas label:has(input[value={speaker}])").click()
        await self.loaded(speaker)

    async def says(self, text: str) -> None:
        await self.page.locator("#text").fill(text)
        await self.page.locator("#text").press("Enter")
        await expect(self.page.locator("#room .said").filter(has_text=text).last).to_be_visible()

    # -- what is there -------------------------------------------------------------------------------------------------

    def card(self, update: str) -> Locator:
        """The live card of an update."""
        title = self.page.locator("h3", has_text=re.compile(rf": {re.escape(update)}(,|$)"))
        return self.page.locator("#room .message.card").filter(has=title)

    async def sees(self, update: str, *texts: str) -> None:
        """On its card."""
        for text in texts:
            await expect(self.card(update)).to_contain_text(text)

    async def is_told(self, *texts: str) -> None:
        """In the newest answer that they alone see."""
        for text in texts:
            await expect(self.page.locator("#room .message.answer").last).to_contain_text(text)

    async def finds(self, place: str, text: str) -> None:
        """In the picture."""
        await expect(self.page.locator(f'[data-place="{place}"]')).to_contain_text(text)

    # -- what is clicked -----------------------------------------------------------------------------------------------

    async def presses(self, button: str, update: str) -> None:
        await self.card(update).get_by_role("button", name=f"{button} {update}", exact=True).click()

    async def answers(self, button: str, reason: str | None = None) -> None:
        """In the dialog that is open; it closes."""
        dialog = self.page.get_by_role("dialog")
        if reason is not None:
            await dialog.locator("textarea").fill(reason)
        await dialog.get_by_role("button", name=button, exact=True).click()
        await expect(dialog).to_have_count(0)

    async def keep(self, name: str) -> None:
        """A screenshot, once what was moving has come to rest."""
        await self.page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished))")
        _SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=_SCREENSHOTS / f"{name}.png")
