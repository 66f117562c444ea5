"""Public's certificate and TLS version, seen as a client sees them."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from agent.checks.context import CheckContext, Unmet
from agent.checks.options import SecurityOptions

_EXPIRED, _NOT_YET, _HOST, _ADDRESS = 10, 9, 62, 64
"""OpenSSL's X509_V_ERR_* numbers (openssl/x509_vfy.h): expired, not yet valid, another host, another IP address."""


async def tls_is_sound(context: CheckContext, options: SecurityOptions) -> list[str]:
    """Raises Unmet: no TLS answer, chain, host, expiry, version. Over http it warns that it does not apply."""
    address = urlsplit(context.address)
    if address.scheme != "https":
        return ["TLS is not applicable: Public is addressed over http"]
    host, port = address.hostname or "", address.port or 443
    where = f"https://{host}:{port}"
    context.place.where = f"the TLS handshake with {where}"
    try:
        trusted = trust(context.settings.ca_file)
    except OSError as error:
        raise Unmet("a readable ca_file in the agent's settings", str(error.strerror or error), where) from error
    left = await _valid_until(host, port, trusted, where) - context.clock()
    if left < timedelta(days=options.min_days):
        expected = f"a certificate valid for {options.min_days} more days"
        raise Unmet(expected, f"one that expires on {context.clock() + left:%Y-%m-%d %H:%M} UTC", where)
    return []


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """The system's authorities and the private one. Raises OSError where that one's file is unreadable."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def _valid_until(host: str, port: int, trusted: ssl.SSLContext, where: str) -> datetime:
    """The end of the presented certificate, once OpenSSL has found it trusted and made for `host`. Raises Unmet."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise Unmet("a connection", f"none: {error.strerror or error}", where) from error
    try:
        await writer.start_tls(trusted, server_hostname=host)
        certificate = writer.get_extra_info("peercert")
    except ssl.SSLCertVerificationError as error:
        raise Unmet(*_certificate_fault(error, host), where) from error
    except OSError as error:
        seen = getattr(error, "reason", None) or "a connection that was cut"
        raise Unmet("a handshake with TLS 1.2 or newer", seen, where) from error
    finally:
        writer.transport.abort()  # nothing was asked, so there is nothing to wait for
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def _certificate_fault(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    """What was expected and what was seen."""
    match error.verify_code:
        case code if code == _EXPIRED:
            return "a certificate that is valid now", "one that has expired"
        case code if code == _NOT_YET:
            return "a certificate that is valid now", "one that is not valid yet"
        case code if code in (_HOST, _ADDRESS):
            return f"a certificate for {host}", "one for another host"
        case _:
            return "a certificate chain that this host trusts", error.verify_message
