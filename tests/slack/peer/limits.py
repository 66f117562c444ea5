"""Slack's limits, as its reference pages for Block Kit, views and chat methods state them. Lengths are characters."""

from __future__ import annotations

TEXT_POSTED = 40_000
"""chat.postMessage: beyond it the text is refused as msg_too_long."""
TEXT_UPDATED = 4_000
"""chat.update takes less than chat.postMessage; counted after & < > are escaped."""
ALL_BLOCKS = 13_200
"""All text of a message's blocks together; seen, not documented (msg_blocks_too_long)."""
BLOCKS_IN_MESSAGE = 50
BLOCKS_IN_VIEW = 100
ID = 255
"""block_id, action_id, callback_id, external_id."""

SECTION_TEXT = 3000
SECTION_FIELD = 2000
SECTION_FIELDS = 10
HEADER = 150
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
MARKDOWN = 12_000
ALT_TEXT = 2000
LABEL = 2000
HINT = 2000
URL = 3000

BUTTON_TEXT = 75
BUTTON_VALUE = 2000
OPTION_TEXT = 75
OPTION_VALUE = 150
OPTIONS = 100
OVERFLOW_OPTIONS = 5
CHOICES = 10
"""Options of checkboxes and radio buttons."""
PLACEHOLDER = 150
INPUT = 3000

CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30

VIEW_TITLE = 24
PRIVATE_METADATA = 3000
VIEW_BYTES = 250_000
VIEW_STACK = 3

METADATA_BYTES = 8_000

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 1800.0
RESPONSE_URL_USES = 5
ACK_SECONDS = 3.0
