"""Who calls: bearer tokens, compared in constant time. Only their SHA-256 is kept."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

from agent.api.endpoint import Caller
from agent.errors import Refused

ANYONE = Caller("anyone")


class Doorman:
    """Knows callers by the hash of their token."""

    def __init__(self, bot: str, mainframes: Mapping[str, str]) -> None:
        self._known = [
            (bot, Caller("bot")),
            *((token, Caller("mainframe", name)) for name, token in mainframes.items()),
        ]

    def admit(self, authorization: str | None, kinds: frozenset[str]) -> Caller:
        """The caller, if it is of one of `kinds`. Raises Refused: `unauthorised`, or `refused` for another kind."""
        if "anyone" in kinds:
            return ANYONE
        caller = self._named(authorization or "")
        if caller is None:
            raise Refused(
                "unauthorised",
                "this agent does not know the bearer token; compare it with the one in the agent's settings",
                {"WWW-Authenticate": 'Bearer realm="ashat-agent"'},
            )
        if caller.kind not in kinds:
            raise Refused("refused", f"a {caller.kind} has no access to this; its token is for other endpoints")
        return caller

    def _named(self, authorization: str) -> Caller | None:
        scheme, _, token = authorization.partition(" ")
        given = sha256(token.strip().encode()).hexdigest()
        found: Caller | None = None
        for known, caller in self._known:  # all of them, so that the time says nothing
            if hmac.compare_digest(known, given):
                found = caller
        return found if scheme.lower() == "bearer" else None
