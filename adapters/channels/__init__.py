"""Chat platforms without a network."""
