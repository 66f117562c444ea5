"""Which servers there are: Public, and OMEGA by region."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from core.commands import Configure
from core.events import ServerConfigured
from core.facts import Decided, Facts, Refused, Verdict
from core.phases.common import way_out
from core.policy import Policy
from core.ports import Probe
from core.stages import Stage
from core.state import DEFAULT_REGION, PUBLIC, Deployment, Server, omega


def configure(command: Configure, facts: Facts) -> Verdict:
    """Save a server, whatever answers there now; say what does."""
    region = (command.region or DEFAULT_REGION).lower()
    if command.role == "public" and command.region:
        return Refused("region", "Public has no region. `deploy configure public <url> <name>`")
    refused = url_refused(command.url, command.role, facts.policy) or _in_use(command, region, facts.unfinished)
    if refused:
        return refused
    probe = facts.probe or Probe("nothing")
    if wrong := _wrong_agent(command, probe, facts.policy):
        return wrong
    url = command.url.rstrip("/")
    old = _standing(command.role, region if command.role == "omega" else DEFAULT_REGION, facts)
    key = probe.about.public_key if probe.about else (old.public_key if old and old.url == url else None)
    event = ServerConfigured(
        role=command.role,
        region=region if command.role == "omega" else DEFAULT_REGION,
        name=command.name,
        url=url,
        public_key=key,
        replaced=old.url if old and old.url != url else None,
    )
    return Decided((event,), (_saved(event), *_answers(probe, command), *_http_warning(command)))


def _standing(role: str, region: str, facts: Facts) -> Server | None:
    return next((server for server in facts.servers if (server.role, server.region) == (role, region)), None)


def url_refused(url: str, role: str, policy: Policy) -> Refused | None:
    """http or https, a host, no credentials; OMEGA needs https unless it is on loopback or settings allow it."""
    example = "`deploy configure omega https://omega.example.com Production`"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return Refused("url", f"{url} is no URL. Like this: {example}")
    if parts.scheme not in ("http", "https") or not host:
        return Refused("url", f"{url} needs http:// or https:// and a host. Like this: {example}")
    if parts.username or parts.password:
        return Refused("url", "A URL with a user name or password would be a secret in the chat. Leave them out; "
                              "the token for this server belongs in the settings, [[agents]]")  # fmt: skip
    if parts.query or parts.fragment:
        return Refused("url", f"{parts.scheme}://{host} has a query or fragment behind it; leave it out")
    if _nobodys(host):
        return Refused("host", f"{host} is no address that a server of yours can have: clouds keep their secrets at "
                               f"such. Give the server's own name or address. Like this: {example}")  # fmt: skip
    if role == "omega" and parts.scheme == "http" and not loopback(host) and not policy.allow_http_omega:
        return Refused("https", f"OMEGA needs https: http://{host} can be read and changed on its way. "
                                f"`deploy configure omega https://{host} <name>`")  # fmt: skip
    return None


def _nobodys(host: str) -> bool:
    """Whether this is a link-local, multicast or unspecified address. What a name leads to is for adapters to see."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_link_local or address.is_multicast or address.is_unspecified


def loopback(host: str) -> bool:
    """Whether the host is this machine, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _in_use(command: Configure, region: str, unfinished: tuple[Deployment, ...]) -> Refused | None:
    place = PUBLIC if command.role == "public" else omega(region)
    for d in unfinished:
        row = d.placement(place)
        there = row is not None and row.observed not in ("withdrawn", "restored")
        on_its_way = command.role == "omega" and (
            d.stage in (Stage.SCHEDULED, Stage.DEPLOYING, Stage.DISTRIBUTING)
            or (d.touched and d.stage is Stage.ROLLING_BACK)
        )
        if there or on_its_way or (command.role == "public" and d.stage in (Stage.PLANNED, Stage.STAGING)):
            which = "Public" if command.role == "public" else f"OMEGA {region}"
            why = f"{d.name} ({d.stage.words}) has something on {which}. Finish it, or {way_out(d)}, first"
            return Refused("in_use", why)
    return None


def _wrong_agent(command: Configure, probe: Probe, policy: Policy) -> Refused | None:
    about = probe.about
    if about is None:
        return None
    if about.role != command.role:
        right = f"`deploy configure {about.role} {command.url} {command.name}`" if about.role != "mainframe" else (
            "Mainframes are not configured: they call OMEGA")  # fmt: skip
        return Refused("role", f"The agent at {command.url} has the role {about.role}, not {command.role}. {right}")
    wanted = policy.min_platform_version
    if wanted and _version(about.platform_version) < _version(wanted):
        has = about.platform_version or "an unknown version"
        return Refused("platform", f"{command.url} runs platform {has}; settings ask for {wanted} or newer. "
                                   "Update it there, and configure it again")  # fmt: skip
    return None


def _version(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text or "")[:4])


def _saved(event: ServerConfigured) -> str:
    what = "Public" if event.role == "public" else f"OMEGA {event.region}"
    return f"{what} is now {event.name} at {event.url}"


def _answers(probe: Probe, command: Configure) -> tuple[str, ...]:
    match probe.kind:
        case "agent" if probe.about is not None:
            about = probe.about
            return (f"An agent answers there: version {about.version}, role {about.role}",)
        case "other":
            return (f"Warning: something else than an agent answers there ({say_detail(probe)}). `deploy servers`",)
        case _:
            return (
                f"Warning: nothing answers there yet ({say_detail(probe)}). It is saved; `deploy servers` shows it",
            )


def say_detail(probe: Probe) -> str:
    return probe.detail or "no answer"


def _http_warning(command: Configure) -> tuple[str, ...]:
    parts = urlsplit(command.url)
    if command.role == "public" and parts.scheme == "http":
        return ("Warning: over plain http anybody between can read and change what is sent. Use https",)
    return ()
