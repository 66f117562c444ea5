"""Discord's limits, as its developer documentation states them. Lengths are characters, times are seconds."""

from __future__ import annotations

CONTENT = 2000
NONCE = 25
NONCE_SECONDS = 180.0
"""The documentation says "the past few minutes" of a nonce that is enforced."""
EMBEDS = 10
EMBED_FIELDS = 25
EMBED_TOTAL = 6000
"""Titles, descriptions, fields, footers and authors of all embeds of a message together."""
EMBED_TITLE = 256
EMBED_DESCRIPTION = 4096
EMBED_FIELD_NAME = 256
EMBED_FIELD_VALUE = 1024
EMBED_FOOTER = 2048
EMBED_AUTHOR = 256

COMPONENTS = 40
"""Of a message with Components V2, nested ones included."""
ROWS = 5
TEXT_TOTAL = 4000
"""All Text Displays of a message together."""
ROW_BUTTONS = 5
BUTTON_LABEL = 80
CUSTOM_ID = 100
LINK = 512
SELECT_OPTIONS = 25
SELECT_TEXT = 100
PLACEHOLDER = 150
SECTION_TEXTS = 3
GALLERY_ITEMS = 10
MODAL_COMPONENTS = 5
MODAL_TITLE = 45
INPUT_LABEL = 45
LABEL_DESCRIPTION = 100
INPUT_VALUE = 4000
INPUT_PLACEHOLDER = 100

ATTACHMENTS = 10
UPLOAD_BYTES = 10 * 2**20

COMMANDS = 100
COMMAND_NAME = 32
COMMAND_DESCRIPTION = 100
COMMAND_OPTIONS = 25
COMMAND_CHOICES = 25
COMMAND_TOTAL = 8000
"""Names, descriptions and choices' values of one command together."""
CHOICE = 100
OPTION_VALUE = 6000
CREATIONS_A_DAY = 200

ANSWER_SECONDS = 3.0
TOKEN_SECONDS = 900.0
FOLLOW_UPS = 5
"""Of an app that is not installed in the guild; an installed one has no such limit."""

OLD_SECONDS = 3600.0
OLD_EDITS = 3
OLD_EDITS_SECONDS = 20.0
"""Edits of messages older than an hour, in a channel. Not documented: as developers report it."""

THREAD_NAME = 100
AUTO_ARCHIVE = (60, 1440, 4320, 10080)
SESSION_SECONDS = 180.0
"""How long a gateway session can be resumed. Not documented: minutes, as seen."""
SESSION_EVENTS = 5000
GATEWAY_BYTES = 4096
GATEWAY_SENDS = 120
GATEWAY_SENDS_SECONDS = 60.0
