"""The one error that a caller of the agent sees: a kind for programs, a sentence for people, and the HTTP status."""

from __future__ import annotations

from typing import Literal, TypeAlias

from core.release.wire import Problem

Kind: TypeAlias = Literal[
    "bad_request", "unauthorised", "not_found", "conflict", "older_generation", "wrong_offset", "wrong_digest",
    "too_large", "no_space", "refused", "internal",
]  # fmt: skip

STATUS: dict[Kind, int] = {
    "bad_request": 400,
    "unauthorised": 401,
    "not_found": 404,
    "conflict": 409,
    "older_generation": 409,
    "wrong_offset": 409,
    "wrong_digest": 422,
    "too_large": 413,
    "no_space": 507,
    "refused": 403,
    "internal": 500,
}


class Refused(Exception):
    """A request that changed nothing. `str(error)` is one sentence: what is wrong, what was expected, what to do."""

    def __init__(self, kind: Kind, problem: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem)
        self.kind = kind
        self.headers = headers or {}
        """Extra response headers, such as the right `Upload-Offset`."""

    @property
    def status(self) -> int:
        return STATUS[self.kind]

    def body(self) -> Problem:
        return Problem(kind=self.kind, problem=str(self))
