"""The servers that updates go to, asked over the agents' HTTP API, and a twin of them in memory."""
