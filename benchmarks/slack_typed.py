"""Slash commands as Slack sends them, signed; and the ids of the workspace that they come from."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import urlencode

SECRET = "the-signing-secret-of-the-benchmark"
TEAM, APP, CHANNEL, USER = "T0BENCH", "A0BENCH", "C0BENCH", "U0ANN"
UPDATES = tuple(f"v{number}" for number in range(16))


def request(text: str, number: int, respond_to: str) -> bytes:
    """One HTTP request, on a connection that is kept."""
    body = urlencode({
        "token": "verification", "team_id": TEAM, "team_domain": "bench", "channel_id": CHANNEL,
        "channel_name": "deployments", "user_id": USER, "user_name": "ann", "command": "/deploy", "text": text,
        "api_app_id": APP, "is_enterprise_install": "false", "response_url": respond_to,
        "trigger_id": f"{time.time_ns()}.{number}",
    }).encode()  # fmt: skip
    at = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    head = (
        "POST /slack/events HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"X-Slack-Request-Timestamp: {at}\r\nX-Slack-Signature: v0={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
