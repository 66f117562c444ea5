"""Free text: what is stripped, how it is capped, which secrets are seen, what is nearest."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.text import clean, looks_secret, nearest

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine makes an example slow, not wrong."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("  two\t words\n\nhere ", "two words here"),
        ("red\x1b[31m alert\x1b[0m", "red alert"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("bell\x07 null\x00", "bell null"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u2066isolate\u2069", "isolate"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("non\u00a0breaking", "non breaking"),
        ("half \ud83d pair", "half pair"),
        ("e\u0301", "é"),
        ("family \U0001f468\u200d\U0001f469\u200d\U0001f467", "family \U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("نمی\u200cخواهم", "نمی\u200cخواهم"),
        ("tag\U000e0041\U000e0042s", "tags"),
    ],
)
def test_clean_leaves_one_visible_line(text: str, expected: str) -> None:
    assert clean(text, 100) == expected


def test_clean_shows_that_it_cut() -> None:
    assert clean("abcdef", 6) == "abcdef"
    assert clean("abcdefg", 6) == "abcde…"
    assert clean("abcd  efg", 6) == "abcd…"


@PATIENT
@given(st.text(), st.integers(min_value=1, max_value=40))
def test_clean_is_bounded_stable_and_can_be_stored(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert len(once) <= limit
    assert clean(once, limit) == once
    assert once.encode().decode() == once
    assert not [char for char in once if unicodedata.category(char) in ("Cc", "Cs")]


KEY = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY----- b3Blb", "a private key"),
        ("—BEGIN PRIVATE KEY—", "a private key"),
        ("rotate AKIAIOSFODNN7EXAMPLE soon", "an AWS access key"),
        (f"use ghp_{KEY}", "a GitHub token"),
        ("github_pat_11ABCDEFG0123456789abcdef", "a GitHub token"),
        ("glpat-abcdefghij0123456789", "a GitLab token"),
        ("xoxb-123456789012-abcdefghij", "a Slack token"),
        ("https://hooks.slack.com/services/T000/B000/XXXXXXXX", "a Slack token"),
        ("MTE4NDk2MTA1NzU3NzQ3MjA0.GabcDE." + "x" * 38, "a Discord token"),
        ("https://discord.com/api/webhooks/123456/abcdefghijklmnopqrstuvwx", "a Discord token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "a JSON web token"),
        (f"sk_live_{KEY}", "an API key"),
        (f"Authorization: Bearer {KEY}", "a bearer token"),
        ("postgres://app:hunter2@db/app", "a URL with credentials"),
        (f"https://{KEY}@git.example.com/x", "a URL with credentials"),
        ("DB_PASSWORD=hunter2abc", "a password or key"),
        ('"api_key": "9f8e7d6c5b"', "a password or key"),
        ("the new password: S3cret!99", "a password or key"),
        ("aws_secret_access_key = wJalrXUtnFEMIK7MDENG", "a password or key"),
    ],
)
def test_secrets_are_seen(text: str, kind: str) -> None:
    assert looks_secret(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Security fixes and performance improvements",
        "Critical security fixes for authentication module",
        "Fix password reset and token refresh",
        "password: new rules on the form",
        "Tokens: faster refresh",
        "Set token=None when logged out",
        "password=<your password>",
        "keyboard shortcuts, monkey patch, ask-me-anything task-force",
        "See https://staging.raos.io:8443/a?b=c and ops@example.com",
        "https://omega.raos.io",
        "ssh://git@github.com/a/b",
        "Fixes CVE-2024-001",
        "sha256 9f3a1c21e0b79f3a1c21e0b79f3a1c21e0b79f3a1c21e0b79f3a1c21e0b7c21e",
    ],
)
def test_ordinary_text_is_no_secret(text: str) -> None:
    assert looks_secret(text) is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [("verfy", "verify"), ("VERIFY", "verify"), ("approv", "approve"), ("zzzzzz", None), ("", None)],
)
def test_nearest(word: str, expected: str | None) -> None:
    assert nearest(word, ("push", "verify", "approve")) == expected


def test_nearest_of_nothing() -> None:
    assert nearest("push", ()) is None
