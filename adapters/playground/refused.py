"""Why the playground does not start; apart from the rest, so that naming it needs no web server."""


class PlaygroundRefused(Exception):
    """It does not start here. `str(error)` is one sentence."""
