"""The shell as a chat platform: a Unix socket to the running bot, on which the system itself says who asks."""
