"""How Discord says no, and the shapes that everything here passes around."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """A request that Discord answers with an error: HTTP `status`, its own `code`, its words."""

    def __init__(self, status: int, code: int, message: str, **more: object) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.more = more

    def body(self) -> Json:
        return {"message": self.message, "code": self.code, **self.more}


class InvalidForm(Refused):
    """50035: a body that breaks rules. `faults` are Discord's name for each rule, by the path of the field."""

    def __init__(self, faults: dict[str, tuple[str, str]]) -> None:
        super().__init__(400, 50035, "Invalid Form Body")
        self.faults = faults

    def __str__(self) -> str:
        return "; ".join(f"{path}: {name}: {words}" for path, (name, words) in self.faults.items())

    def body(self) -> Json:
        errors: Json = {}
        for path, (name, words) in self.faults.items():
            inner = errors
            for step in path.split("."):
                inner = inner.setdefault(step, {})
            inner.setdefault("_errors", []).append({"code": name, "message": words})
        return {**super().body(), "errors": errors}


class RateLimited(Refused):
    """429: come back in `retry_after` seconds. `everywhere`: no request goes through until then."""

    def __init__(self, retry_after: float, *, everywhere: bool = False, code: int = 0, words: str = "") -> None:
        super().__init__(429, code, words or "You are being rate limited.")
        self.retry_after = round(retry_after, 3)
        self.everywhere = everywhere

    def body(self) -> Json:
        return {**super().body(), "retry_after": self.retry_after, "global": self.everywhere}


class Cut(Exception):
    """The connection is to be closed without an answer."""


def unknown(what: str, code: int) -> Refused:
    """404: there is none, or it is gone."""
    return Refused(404, code, f"Unknown {what}")


def missing_access() -> Refused:
    return Refused(403, 50001, "Missing Access")


def missing_permissions() -> Refused:
    return Refused(403, 50013, "Missing Permissions")
