"""Slack as a home: cards, threads, buttons and forms, over Socket Mode or signed HTTP."""
