"""The front door: a reverse proxy in a process of its own, and the agent's side of it."""
