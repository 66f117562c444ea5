"""The program that runs on a server (Public, OMEGA, a mainframe): it installs signed releases and tells their state."""

__version__ = "0.1.0"
"""As in pyproject.toml; said to the bot, which may require a minimum of its own."""
