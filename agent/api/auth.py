"""Who calls: bearer tokens. Only their SHA-256 is kept, and only by it is a caller found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256

from agent.api.endpoint import Caller
from agent.errors import Refused

ANYONE = Caller("anyone")


class Doorman:
    """Knows callers by the hash of their token.

    One look-up, however many mainframes there are. How long it takes may tell something about the hash that was asked
    for, which whoever asks has computed; it leads neither to another hash nor back to a token.
    """

    def __init__(self, bot: str | None, mainframes: Mapping[str, str], revoked: Collection[str] = ()) -> None:
        """`bot` and `mainframes` (by name) are hashes of tokens, hexadecimal; `revoked` are names of mainframes.
        Where `bot` is None, nobody is taken for the bot."""
        self._known = {token: Caller("mainframe", name) for name, token in mainframes.items()}
        if bot is not None:
            self._known[bot] = Caller("bot")
        self._revoked = frozenset(revoked)

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
        if caller.name in self._revoked:
            raise Refused("refused", f"the licence of {caller.name} is revoked; whoever runs this OMEGA can renew it")
        return caller

    def _named(self, authorization: str) -> Caller | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._known.get(sha256(token.strip().encode()).hexdigest())
