"""How long a server's certificate is still good, asked as a client sees it."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from bot.doctor.finding import Finding, fail, ok, warn

_SOON_DAYS = 14
_PATIENCE = 10.0
"""Seconds for a handshake."""


async def certificate_finding(name: str, url: str, ca_file: Path | None, now: datetime) -> Finding:
    """What there is to say of the certificate at `url`, which is https."""
    try:
        until = await _valid_until(url, ca_file)
    except ssl.SSLCertVerificationError as error:
        return fail(
            f"{name}: its certificate is refused: {error.verify_message}.", "renew it, or set [servers] ca_file"
        )
    except OSError as error:  # an ssl.SSLError and a TimeoutError are ones too
        said = error.strerror or "no answer in time"
        return fail(f"{name}: no TLS connection to {url}: {said}.", "start it, or check its address and the network")
    days = (until - now).days
    if days < _SOON_DAYS:
        return warn(f"{name}: its certificate ends in {days} days, on {until:%Y-%m-%d}.", "renew it now")
    return ok(f"{name}: its certificate is good for {days} days.")


async def _valid_until(url: str, ca_file: Path | None) -> datetime:
    """The end of the certificate's validity, after it was verified. Raises OSError."""
    parts = urlsplit(url)
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    async with asyncio.timeout(_PATIENCE):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    try:
        certificate = writer.get_extra_info("peercert")
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    finally:
        writer.transport.abort()
