"""Releases on this host: artifacts, slots from unpacking to healthy, the switch, and what is cleared up after it."""
