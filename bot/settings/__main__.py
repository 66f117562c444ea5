"""`python -m bot.settings > config.example.toml`."""

from __future__ import annotations

import sys

from bot.settings.example import example

sys.stdout.write(example())
