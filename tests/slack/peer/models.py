"""The second opinion: the same payloads through slack_sdk's own model classes, which know limits of their own."""

from __future__ import annotations

from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from tests.slack.peer.refused import Json


def faults_in_blocks(blocks: list[Any]) -> list[str]:
    """What slack_sdk's classes find wrong with these blocks."""
    return [fault for number, block in enumerate(blocks) for fault in _block(block, f"/blocks/{number}")]


def _block(block: Any, at: str) -> list[str]:
    try:
        parsed = Block.parse(block)
        if parsed is None:
            return [f"slack_sdk knows no such block [json-pointer:{at}]"]
        parsed.to_dict()
    except (SlackObjectFormationError, TypeError) as error:
        return [f"slack_sdk: {error} [json-pointer:{at}]"]
    return []


def faults_in_view(view: Json) -> list[str]:
    """What slack_sdk's View finds wrong with a modal or a Home tab."""
    try:
        View(**view).to_dict()
    except (SlackObjectFormationError, TypeError) as error:
        return [f"slack_sdk: {error}"]
    return []
