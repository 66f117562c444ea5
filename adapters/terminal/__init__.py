"""The terminal as a chat platform: cards and messages as calm lines of text."""

from adapters.terminal.channel import Terminal
from adapters.terminal.screen import Screen

__all__ = ["Screen", "Terminal"]
