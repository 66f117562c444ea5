"""The page in real Chromium, on a whole bot whose servers are twins."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from core.cards import Card
from core.ports import Form
from tests.adapters.playground.world import World, world
from tests.browser.windows import PHONE, Window, chromium

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATCH = "patch-v1.2.3"
Opener = Callable[..., Awaitable[Window]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def here() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def opens(browser: Browser, here: World) -> AsyncIterator[Opener]:
    """Opens windows, and holds each to having had nothing to complain of."""
    windows: list[Window] = []

    async def opened(speaker: str = "alice", **options: Any) -> Window:
        windows.append(await Window.opened(browser, here.playground.link, speaker, **options))
        return windows[-1]

    yield opened
    for window in windows:
        await window.close()


async def staged(window: Window, update: str = PATCH, description: str = "Security fixes") -> None:
    await window.says(f"deploy push {update} '{description}'")
    await window.sees(update, "Staged", "Try it:")


# -- the story ---------------------------------------------------------------------------------------------------------


async def test_the_story_by_typing(opens: Opener) -> None:
    me = await opens()
    await me.says(f"deploy push {PATCH} 'Security fixes and performance improvements' 'Fixes CVE-2024-001'")
    await me.is_told("Deployment session created", "Action plan", "Estimated timeline")
    await me.sees(PATCH, "Staged", "Security fixes and performance improvements")
    await me.finds("public", PATCH)
    await me.says(f"deploy verify {PATCH}")
    await me.sees(PATCH, "Verification PASSED!", "Public Server deployment is stable and ready for OMEGA.")
    await me.says(f"deploy approve {PATCH}")
    await me.is_told("Approve needs approver")
    await me.speaks_as("bo")
    await me.says(f"deploy approve {PATCH}")
    await me.is_told("Counted, 1 of 1")
    await me.sees(PATCH, "Completed", "5 of 5 mainframes healthy")
    for place in ("omega/eu", *(f"mainframe/eu/m{number}" for number in range(1, 6))):
        await me.finds(place, PATCH)
    await me.finds("mainframe/eu/m6", "licence expired, gets nothing")
    await me.says("deploy history")
    await me.is_told("Completed", PATCH, "approved by Bo Li")
    await me.says(f"deploy rollback {PATCH} 'Only a drill'")
    await me.sees(PATCH, "Rolled back", "Only a drill")
    await me.keep("typed")


async def test_the_story_by_clicking(here: World, opens: Opener) -> None:
    me = await opens()
    await me.keep("start")
    await me.page.get_by_role("button", name="New deployment").click()
    dialog = me.page.get_by_role("dialog")
    await expect(dialog.locator("select option").first).to_have_text("v1.2.2")
    await dialog.locator("select").select_option(PATCH)
    await dialog.get_by_label("Description").fill("Security fixes and performance improvements")
    await dialog.get_by_label("More information").fill("Fixes CVE-2024-001")
    await dialog.get_by_label("Linked tasks").fill("OPS-7\nOPS-8")
    await me.keep("new-deployment")
    await me.answers("Push to Public")
    await me.sees(PATCH, "Staged")
    here.public.hold_check("Performance Baseline")
    await me.presses("Verify", PATCH)
    await me.sees(PATCH, "5 of 6 done", "Running: Performance Baseline")
    await me.keep("verifying")
    here.public.release_check("Performance Baseline")
    await me.sees(PATCH, "Awaiting approval")
    await me.speaks_as("bo")
    await me.page.get_by_role("tab", name="Direct messages (1)").click()
    await expect(me.page.locator("#direct")).to_contain_text(f"{PATCH} waits for your approval")
    await me.keep("direct")
    await me.page.get_by_role("tab", name="# deployments").click()
    await me.presses("Approve", PATCH)
    await expect(me.page.get_by_role("dialog")).to_contain_text("to OMEGA and its mainframes?")
    await me.keep("approve")
    await me.answers("Approve")
    await me.sees(PATCH, "Completed")
    await me.finds("mainframe/eu/m5", PATCH)
    await me.card(PATCH).locator(".toggle").click()
    await expect(me.card(PATCH).locator(".thread")).to_contain_text("Bo Li approved")
    await me.keep("completed")
    await me.presses("Details", PATCH)
    await me.is_told("Tasks: OPS-7, OPS-8", "pushed patch-v1.2.3", "quorum reached")
    await me.presses("Rollback", PATCH)
    await me.answers("Rollback", 'It says "no"')
    await me.sees(PATCH, "Rolled back", 'It says "no"')


async def test_a_failed_verification_and_its_reasons(here: World, opens: Opener) -> None:
    me = await opens()
    await staged(me)
    here.public.fail_check("Health Check", seen="500")
    await me.presses("Verify", PATCH)
    await me.sees(PATCH, "Verification FAILED!", "Health Check: expected 200, got 500 at /healthz")
    await me.finds("public", "failed in verifying")
    await me.keep("failed")
    here.public.pass_check("Health Check")
    await me.presses("Verify", PATCH)
    await me.sees(PATCH, "Awaiting approval")
    await me.speaks_as("cy")
    await me.presses("Reject", PATCH)
    dialog = me.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Reject", exact=True).click()
    await expect(dialog).to_contain_text("The reason is missing")
    await me.answers("Reject", "The login page is slower than before")
    await me.sees(PATCH, "Rejected", "The login page is slower than before")


# -- two at once, and one who comes back -------------------------------------------------------------------------------


async def test_two_people_in_two_browsers(here: World, opens: Opener) -> None:
    alice, bo, cy = await opens(), await opens("bo"), await opens("cy")
    await staged(alice)
    await expect(bo.card(PATCH)).to_contain_text("Staged")
    await alice.says("deploy servers")
    await alice.is_told("reachable")
    await expect(bo.page.locator("#room .answer")).to_have_count(0)
    await alice.page.get_by_role("button", name="Share in channel").click()
    await expect(bo.page.locator("#room .message.line").last).to_contain_text("Shared by Alice Ng")
    await alice.presses("Verify", PATCH)
    for voter in (bo, cy):
        await voter.sees(PATCH, "Awaiting approval")
        await voter.presses("Approve", PATCH)
    await asyncio.gather(bo.answers("Approve"), cy.answers("Approve"))
    await alice.sees(PATCH, "Completed")
    d = await here.app.parts.store.deployment(PATCH)
    assert d is not None
    assert len(d.votes) == 1
    told = [await voter.page.locator("#room .message.answer").last.inner_text() for voter in (bo, cy)]
    assert sorted("Counted, 1 of 1" in text for text in told) == [False, True], told


async def test_a_reload_in_the_middle_loses_nothing(here: World, opens: Opener) -> None:
    me = await opens()
    await staged(me)
    here.public.hold_check("Security Scan")
    await me.says(f"deploy verify {PATCH}")
    await me.sees(PATCH, "5 of 6 done")
    await me.page.locator("#text").fill("deploy status pa")
    await me.page.reload()
    await me.loaded("alice")
    await me.sees(PATCH, "5 of 6 done")
    await me.is_told("Verification of patch-v1.2.3 started")
    await expect(me.page.locator("#text")).to_have_value("deploy status pa")
    await me.page.locator("#text").fill("")
    await me.page.locator("#text").press("ArrowUp")
    await expect(me.page.locator("#text")).to_have_value(f"deploy verify {PATCH}")
    here.public.release_check("Security Scan")
    await me.sees(PATCH, "Awaiting approval")


async def test_it_comes_back_by_itself_and_catches_up(here: World, opens: Opener) -> None:
    me, bo = await opens(), await opens("bo")
    await here.playground.stop()
    await expect(me.page.locator("#banner")).to_contain_text("The bot does not answer")
    await me.keep("away")
    await here.room.post(here.room.home, Card("While nobody could look"), "1")
    await here.playground.start()
    for window in (me, bo):
        await expect(window.page.locator("#room .message").last).to_contain_text("While nobody could look")
        await expect(window.page.locator("#banner")).to_be_hidden()
        window.complaints.clear()  # that connections were refused


async def test_a_link_of_another_run_says_so(browser: Browser, here: World) -> None:
    context = await browser.new_context()
    window = Window(await context.new_page())
    await window.page.goto(f"{here.playground.url}#of-another-run")
    await expect(window.page.locator("#banner")).to_contain_text("This link is of another run")
    assert "another-run" not in window.page.url
    await context.close()


# -- keyboard, screen reader, sizes, colours ---------------------------------------------------------------------------


async def test_everything_by_keyboard(opens: Opener) -> None:
    me = await opens()
    keys, text = me.page.keyboard, me.page.locator("#text")
    await expect(text).to_be_focused()
    await keys.type("deploy pus")
    await expect(me.page.get_by_role("option", name="push")).to_be_visible()
    await keys.press("Tab")
    await expect(text).to_have_value("deploy push ")
    await expect(me.page.get_by_role("option").first).to_have_text("v1.2.2")
    await keys.type("pat")
    await expect(me.page.get_by_role("option")).to_have_count(1)
    await me.keep("completion")
    await keys.press("ArrowDown")
    await expect(text).to_have_attribute("aria-activedescendant", "word-0")
    await keys.press("Enter")
    await expect(text).to_have_value(f"deploy push {PATCH} ")
    await keys.type("'Security fixes'")
    await keys.press("Escape")
    await keys.press("Enter")
    await me.sees(PATCH, "Staged")
    await me.card(PATCH).get_by_role("button", name=f"Verify {PATCH}", exact=True).focus()
    await keys.press("Enter")
    await me.sees(PATCH, "Awaiting approval")
    assert await me.page.evaluate("document.activeElement.closest('.message.card') !== null"), "the focus was lost"
    await keys.press("Alt+Digit2")
    await me.loaded("bo")
    await me.card(PATCH).get_by_role("button", name=f"Approve {PATCH}", exact=True).focus()
    await keys.press("Enter")
    await keys.press("Escape")
    await expect(me.page.get_by_role("dialog")).to_have_count(0)
    await expect(me.card(PATCH).get_by_role("button", name=f"Approve {PATCH}", exact=True)).to_be_focused()
    await keys.press("Enter")
    await keys.press("Enter")
    await me.sees(PATCH, "Completed")
    await keys.press("Alt+n")
    await expect(me.page.get_by_role("dialog")).to_be_visible()


async def test_a_tab_right_after_the_last_key_completes_all_the_same(opens: Opener) -> None:
    me = await opens()
    keys, text = me.page.keyboard, me.page.locator("#text")
    await keys.type("deploy pus", delay=30)
    await keys.press("Tab")
    await expect(text).to_have_value("deploy push ")
    await keys.press("Tab")
    await expect(text).to_have_value("deploy push v1.2.2 ")
    await expect(text).to_be_focused()


async def test_tab_leads_on_after_escape_and_where_nothing_can_be_completed(opens: Opener) -> None:
    me = await opens()
    keys, text, send = me.page.keyboard, me.page.locator("#text"), me.page.locator("#send")
    await keys.type("deploy pus", delay=30)
    await keys.press("Escape")
    await keys.press("Tab")
    await expect(send).to_be_focused()
    await keys.press("Shift+Tab")
    await expect(text).to_be_focused()
    await keys.press("Tab")
    await expect(send).to_be_focused()
    await expect(text).to_have_value("deploy pus")
    await text.fill("")
    await keys.type("hello", delay=30)
    await keys.press("Tab")
    await expect(send).to_be_focused()
    await expect(text).to_have_value("hello")


async def test_help_tells_commands_from_what_they_do(opens: Opener) -> None:
    me = await opens()
    await me.says("deploy help")
    answer = me.page.locator("#room .message.answer").last
    await expect(answer.locator("h4")).to_have_text(
        ["Server Configuration", "Deployment Management", "Monitoring", "More"]
    )
    row = answer.locator("li.pair").filter(has_text="Run the verification checks")
    await expect(row.locator("span")).to_have_text("Run the verification checks on the Public server.")
    await expect(row.locator(".code")).to_have_text("deploy verify <id>")
    await me.keep("deploy-help")
    await row.locator(".code").click()
    await expect(me.page.locator("#text")).to_have_value("deploy verify ")
    await me.page.locator("#text").fill("")
    await me.says("deploy help push")
    await me.is_told("in quotes where more information follows", "Deployers.")
    await me.page.locator("#room .answer").last.get_by_text("deploy push v1.0.0").click()
    await expect(me.page.locator("#text")).to_have_value("deploy push v1.0.0 'New features'")
    await me.keep("deploy-help-push")


async def test_a_form_has_words_of_its_own(opens: Opener) -> None:
    me = await opens()
    await me.page.get_by_role("button", name="New deployment").click()
    dialog = me.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Push to Public").click()
    await expect(dialog.locator("form > .problem")).to_have_text("The description is missing: what changes.")
    for description in ("x", ""):
        await dialog.get_by_label("Description").fill(description)
        await dialog.get_by_label("More information").focus()
    await expect(dialog.locator("#field-description-problem")).to_have_text("The description is missing: what changes.")


async def test_what_happens_is_read_out_and_everything_has_a_name(opens: Opener) -> None:
    me = await opens()
    await staged(me)
    await expect(me.page.locator("#announced")).to_contain_text("is staged")
    nameless = """[...document.querySelectorAll("button, a, input, select, textarea, [role]")].filter((one) =>
        !(one.innerText || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.labels?.length)
        && one.checkVisibility()).map((one) => one.outerHTML)"""
    assert await me.page.evaluate(nameless) == []
    await me.page.get_by_role("button", name="Help", exact=True).click()
    assert await me.page.evaluate(nameless) == []
    await me.keep("help")


async def test_phone(opens: Opener) -> None:
    me = await opens(viewport=PHONE, has_touch=True, is_mobile=True)
    await staged(me)
    await me.finds("public", PATCH)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await me.page.evaluate(wide)
    chat = await me.page.locator("#chat").bounding_box()
    picture = await me.page.locator("#picture").bounding_box()
    assert chat is not None
    assert picture is not None
    assert picture["y"] >= chat["y"] + chat["height"] - 1
    await me.keep("phone")
    await me.page.locator("#picture").scroll_into_view_if_needed()
    await me.page.locator('[data-place="mainframe/eu/m6"]').scroll_into_view_if_needed()
    await me.keep("phone-picture")


async def test_dark(opens: Opener) -> None:
    me = await opens(color_scheme="dark")
    await staged(me)
    await me.presses("Verify", PATCH)
    await me.sees(PATCH, "Awaiting approval")
    await me.says("deploy servers")
    await me.is_told("reachable")
    ground = await me.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in re.findall(r"\d+", ground)) < 60
    await me.keep("dark")


async def test_a_release_is_seen_to_move_unless_motion_is_unwanted(opens: Opener) -> None:
    moving, still = await opens(), await opens("bo", reduced_motion="reduce")
    count = """() => { window.flights = 0; new MutationObserver((all) => all.forEach((one) =>
        one.addedNodes.forEach((node) => (window.flights += node.className === "flying" ? 1 : 0))))
        .observe(document.body, { childList: true }); }"""
    for window in (moving, still):
        await window.finds("alpha", PATCH)
        await window.page.evaluate(count)
    await staged(moving)
    for window in (moving, still):
        await window.finds("public", PATCH)
    assert await moving.page.evaluate("window.flights") >= 1
    assert await still.page.evaluate("window.flights") == 0


# -- what must not happen ----------------------------------------------------------------------------------------------


async def test_what_people_type_is_never_markup_or_a_link(opens: Opener) -> None:
    me = await opens()
    evil = "<img src=x onerror=alert(1)> http://127.0.0.1:9/ <b>bold</b>"
    await staged(me, description=evil)
    await me.sees(PATCH, evil)
    await me.says(f"deploy note {PATCH} '<script>alert(1)</script>'")
    await me.card(PATCH).locator(".toggle").click()
    await expect(me.card(PATCH).locator(".thread")).to_contain_text("<script>alert(1)</script>")
    assert await me.page.locator("#chat :is(img, b, script)").count() == 0
    links = await me.page.locator("#chat a").evaluate_all("all => all.map((one) => one.href)")
    assert [re.sub(r"/slots/.*", "", link) for link in links] == ["http://127.0.0.1:9101"]


async def test_the_browser_itself_refuses_markup_and_foreign_addresses(opens: Opener) -> None:
    me = await opens()
    assert "TrustedHTML" in await me.page.evaluate(
        "(() => { try { document.body.innerHTML = '<p>x</p>'; return 'done' } catch (e) { return e.message } })()"
    )
    fetched = "fetch('http://127.0.0.1:9/').then(() => 'done', () => 'refused')"
    assert await me.page.evaluate(fetched) == "refused"
    assert any("Content Security Policy" in line for line in me.complaints)
    me.complaints.clear()


async def test_a_guest_sees_nothing_but_their_own_answers(opens: Opener) -> None:
    me = await opens()
    await staged(me)
    await me.speaks_as("guest")
    await expect(me.page.locator("#room .empty")).to_contain_text("You have no role")
    await expect(me.page.locator("#picture")).not_to_contain_text(PATCH)
    await me.says("deploy status")
    await me.is_told("Only you can see this")
    assert PATCH not in await me.page.locator("main").inner_text()
    await me.keep("guest")


async def test_the_bot_can_ask_and_its_form_is_answered_once(here: World, opens: Opener) -> None:
    me = await opens("bo")
    person = here.app.parts.people.get("bo")
    assert person is not None
    form = Form("Reject v9", "reject v9", (("reason", "Reason", True),))
    await here.room.ask(here.room.home, person, form)
    dialog = me.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Send").click()
    await expect(dialog).to_contain_text("The reason is missing")
    await dialog.get_by_label("Reason").fill("Too slow")
    await me.answers("Send")
    await me.is_told("v9")
    await expect(me.page.locator("#room .said").last).to_contain_text('deploy reject v9 "Too slow"')
    await me.page.reload()
    await me.loaded("bo")
    await me.is_told("v9")
    await expect(dialog).to_have_count(0)


async def test_a_form_says_what_is_wrong_with_each_field(opens: Opener) -> None:
    me = await opens()
    await me.page.locator('[data-place="alpha"]').get_by_role("button", name="hotfix-001").click()
    dialog = me.page.get_by_role("dialog")
    await expect(dialog.locator("select")).to_have_value("hotfix-001")
    await dialog.get_by_label("More information").fill("password=hunter2hunter2")
    await dialog.get_by_label("Description").fill(" ")
    await dialog.get_by_label("Linked tasks").focus()
    await expect(dialog).to_contain_text("That looks like a password or key")
    await expect(dialog).to_contain_text("The description is missing")
    await me.keep("form-problems")
    await dialog.get_by_role("button", name="Push to Public").click()
    await expect(dialog).to_be_visible()
    await me.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
