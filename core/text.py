"""Text that people and servers send: made safe to show, searched for secrets, compared with what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.release.text import clean, visible

__all__ = ["clean", "likest", "looks_secret", "nearest", "visible"]


def nearest(word: str, choices: Iterable[str], *, least: float = 0.5) -> str | None:
    """The choice most like `word`, whatever the case, or None where none shares at least `least` (0 to 1) of it."""
    from rapidfuzz import process  # here: it takes as long to import as all else that an answer needs
    from rapidfuzz.distance import OSA

    found = process.extractOne(
        word, list(choices), scorer=OSA.normalized_similarity, processor=str.lower, score_cutoff=least
    )
    return found[0] if found else None


def likest(word: str, choices: Iterable[str], most: int) -> list[str]:
    """The choices most like `word`, the likest first, however little that is."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    known = list(dict.fromkeys(choices))
    found = process.extract(word, known, scorer=OSA.normalized_similarity, processor=str.lower, limit=most)
    return [one for one, _, _ in found]


@dataclass(frozen=True, slots=True)
class _Secret:
    kind: str
    needles: tuple[str, ...]
    """One of these is in the lower-cased text, or the pattern, which is slower, is not tried."""
    pattern: re.Pattern[str]


_NO_VALUE = r"(?!(?:null|none|nil|undefined|true|false|redacted|required|optional)\b|[*x.…]{3,}|[<${\[(])"
_SECRETS = (
    _Secret("a private key", ("private key",), re.compile(r"BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY")),
    _Secret("an AWS access key", ("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    _Secret(
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ),
    _Secret("a GitLab token", ("glpat-",), re.compile(r"\bglpat-[\w-]{20,}")),
    _Secret(
        "a Slack token",
        ("xox", "xapp-", "hooks.slack.com"),
        re.compile(r"\bxox[a-z]-[\w-]{10,}|\bxapp-\d-[\w-]{10,}|hooks\.slack\.com/services/\S{10,}"),
    ),
    _Secret(
        "a Discord token",
        (".", "/webhooks/"),
        re.compile(r"\b[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}|discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}"),
    ),
    _Secret("a JSON web token", ("eyj",), re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+")),
    _Secret(
        "an API key",
        ("aiza", "sk_live_", "rk_live_", "sk-", "npm_", "pypi-"),
        re.compile(
            r"\bAIza[\w-]{35}|\b[sr]k_live_[A-Za-z0-9]{16,}|\bsk-(?=[\w-]*\d)[\w-]{24,}"
            r"|\bnpm_[A-Za-z0-9]{36}|\bpypi-[\w-]{50,}"
        ),
    ),
    _Secret("a bearer token", ("bearer",), re.compile(r"\bbearer\s+(?=\S*\d)[\w.~+/-]{20,}", re.IGNORECASE)),
    _Secret("a URL with credentials", ("://",), re.compile(r"://[^\s/?#@:]*:[^\s/?#@]+@|://[^\s/?#@:]{20,}@")),
    _Secret(
        "a password or key",
        ("passw", "pwd", "passphrase", "secret", "token", "key"),
        re.compile(
            r"(?:password|passwd|pwd|passphrase|secret|token|(?:api|access|private)[_-]?key)[\w-]{0,20}[\"']?\s*"
            rf"(?:=\s*[\"']?{_NO_VALUE}[^\s\"']{{6,}}|:\s*[\"']?{_NO_VALUE}(?=[^\s\"']*[0-9!@$%^&*])[^\s\"']{{8,}})",
            re.IGNORECASE,
        ),
    ),
)


def looks_secret(text: str) -> str | None:
    """The kind of secret that `text` seems to hold ("a GitHub token"), or None. The secret itself is never returned."""
    lowered = text.lower()
    for secret in _SECRETS:
        for needle in secret.needles:
            if needle in lowered:
                if secret.pattern.search(text):
                    return secret.kind
                break
    return None
