"""What the bot and the agents share: the manifest in an artifact, signed statements, and the agents' wire schema."""
