"""Discord: commands, cards and clicks, native to it."""
