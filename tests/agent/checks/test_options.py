from __future__ import annotations

from typing import Any

import pytest

from agent.checks.options import HealthOptions, UrlOptions, options_of
from agent.errors import Refused
from core.release.wire import CheckKind, CheckWanted


def wanted(kind: CheckKind, options: dict[str, Any]) -> CheckWanted:
    return CheckWanted(name="Mine", kind=kind, timeout=1, options=options)


def test_options_have_defaults_and_can_be_tuned() -> None:
    assert options_of(wanted("health", {})) == HealthOptions(within=2, times=3)
    assert options_of(wanted("health", {"within": 0.5})) == HealthOptions(within=0.5, times=3)
    assert options_of(wanted("url", {"path": "/x", "schema": {}})) == UrlOptions(path="/x", body_schema={})


@pytest.mark.parametrize(
    "url", ["http://h", "https://a.b-c.example:8443/x?y=z", "http://127.0.0.1/", "http://[::1]:80/"]
)
def test_web_addresses(url: str) -> None:
    assert options_of(wanted("url", {"url": url})) == UrlOptions(url=url)


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("health", {"times": 0}, "Check 'Mine' (health), option times: "),
        ("health", {"often": 3}, "option often: Extra inputs are not permitted"),
        ("health", {"within": float("nan")}, "option within: "),
        ("modules", {"path": "/x"}, "option path: "),
        ("performance", {"ratio": 0.5}, "option ratio: "),
        ("performance", {"requests": 10**9}, "option requests: "),
        ("security", {"min_days": -1}, "option min_days: "),
        ("url", {}, "options: expected exactly one of path"),
        ("url", {"path": "/x", "url": "http://h/"}, "options: expected exactly one of path"),
        ("url", {"url": "file:///etc/passwd"}, "option url: must be http or https"),
        ("url", {"url": "http://user:word@h/"}, "option url: must be http or https"),
        ("url", {"url": "http://h:99999/"}, "option url: must be http or https"),
        ("url", {"url": "http://h\x00/"}, "option url: must be http or https"),
        ("url", {"url": "http://[x/"}, "option url: must be http or https"),
        ("url", {"url": "http://-h/"}, "option url: must be http or https"),
        ("url", {"url": "http:///x"}, "option url: must be http or https"),
        ("url", {"path": "x"}, "option path: "),
        ("command", {}, "option name: Field required"),
        ("command", {"name": "rm -rf /"}, "option name: "),
        ("command", {"name": "x", "args": ["y"]}, "option args: "),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(kind: CheckKind, options: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused) as refusal:
        options_of(wanted(kind, options))
    assert refusal.value.kind == "bad_request"
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "word" not in str(refusal.value)
