"""The Home tab: who I am, what waits for me, what is active, and what was lately."""

from __future__ import annotations

from adapters.slack.desk import Desk, Said
from adapters.slack.drawing import Allows, Blocks, actions, blocks, new_deployment
from adapters.slack.view import View
from adapters.slack.workspace import Workspace
from core.cards import Card

MAX_BLOCKS = 100
"""https://docs.slack.dev/reference/views: in a Home tab."""


class Home:
    def __init__(self, workspace: Workspace, desk: Desk, view: View, allows: Allows | None = None) -> None:
        self._workspace = workspace
        self._desk = desk
        self._view = view
        self._allows = allows

    async def show(self, opened: Said) -> None:
        """Draw it anew. Raises ChannelGone or ChannelDown."""
        client = self._workspace.client
        drawn = await self._drawn(opened)
        await self._workspace.call(
            client.views_publish, user_id=opened.user, view={"type": "home", "blocks": drawn[:MAX_BLOCKS]}
        )

    async def _drawn(self, opened: Said) -> Blocks:
        problem = await self._desk.problem(opened)
        if problem is not None:
            return blocks(Card(problem))
        person = await self._view.person(opened.account)
        drawn = blocks(await self._asked(opened, "whoami"))
        if person is None or not person.known:
            return drawn
        if "deployer" in person.roles:
            drawn.append(actions([new_deployment()]))
        for card in await self._view.waiting(person):
            drawn += blocks(card, self._allows)
        for question in ("status", "history 5"):
            drawn += blocks(await self._asked(opened, question))
        return drawn

    async def _asked(self, opened: Said, question: str) -> Card:
        delivery = f"{opened.delivery}-{question.partition(' ')[0]}"
        return await self._desk.answer(Said(delivery, opened.user, question))
