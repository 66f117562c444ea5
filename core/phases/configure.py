"""Which servers there are: Public, and OMEGA by region; and taking a region out again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from core import say
from core.commands import Configure, Unconfigure
from core.events import ServerConfigured, ServerUnconfigured
from core.facts import Decided, Facts, Refused, Verdict
from core.phases.common import way_out
from core.policy import Policy
from core.ports import Probe
from core.stages import Stage
from core.state import DEFAULT_REGION, PUBLIC, Deployment, Server, ServerRole, omega


def configure(command: Configure, facts: Facts) -> Verdict:
    """Save a server, whatever answers there now; say what does.

    A rollback that failed goes on at another server: where the old one never answers again there is no other way.
    """
    going_on = (d for d in facts.unfinished if command.role == "public" or d.stage is not Stage.ROLLBACK_FAILED)
    region, probe = (command.region or DEFAULT_REGION).lower(), facts.probe or Probe("nothing")
    refused = (
        _which_region(command, facts)
        or url_refused(command.url, command.role, facts.policy)
        or _in_use(command.role, region, going_on)
        or _wrong_agent(command, region, probe, facts)
        or _anothers(command, region, probe, facts)
    )
    if refused:
        return refused
    url = command.url.rstrip("/")
    old = _standing(command.role, region, facts)
    key = probe.about.public_key if probe.about else (old.public_key if old and old.url == url else None)
    event = ServerConfigured(
        role=command.role,
        region=region,
        name=command.name,
        url=url,
        public_key=key,
        replaced=old.url if old and old.url != url else None,
    )
    says = (_saved(event), *_answers(probe, command), *_http_warning(command), *_left_behind(event, facts))
    return Decided((event,), says)


def unconfigure(command: Unconfigure, facts: Facts) -> Verdict:
    """Take a region of OMEGA out, where nothing runs or may run: what is there would be looked after by nobody."""
    region = command.region.lower()
    server = _standing("omega", region, facts)
    if server is None:
        known = say.listed(facts.regions) if facts.regions else "none"
        return Refused("region", f"OMEGA has no region {region}; there are {known}. `deploy servers`")
    runs = [f"{ref.name} ({lane.component})" for lane in facts.lanes if (ref := lane.running(region))]
    if runs:
        another = f"`deploy configure omega <url> <name> --region {region}` puts another server in its place"
        return Refused("runs", f"OMEGA {region} runs {say.listed(runs)}, so it stays. {another}")
    if owed := _owed(region, facts):
        why = f"{say.listed(owed)} on OMEGA {region} still get what they missed while they were frozen"
        return Refused("owed", f"{why}: `deploy unfreeze --mainframe {owed[0]}`, and wait until it is there")
    event = ServerUnconfigured("omega", region, server.name, server.url)
    says = f"OMEGA {region} is taken out: {server.name} at {server.url}. Nothing goes there any more"
    return _in_use("omega", region, facts.unfinished) or Decided((event,), (says,))


def _owed(region: str, facts: Facts) -> list[str]:
    """The mainframes there that a distribution has left out, and that nobody would bring up to date any more."""
    distributions = (*facts.leaving_out, *facts.unfinished)
    left_out = {one.name for d in distributions for one in d.left_out if one.region == region}
    return sorted(left_out | {name for d in distributions for at, name in d.letting_in if at == region})


def _which_region(command: Configure, facts: Facts) -> Refused | None:
    """Without a region the only one is meant, where that has no name of its own."""
    if command.role == "public" and command.region:
        return Refused("region", "Public has no region. `deploy configure public <url> <name>`")
    if command.role == "public" or command.region or not set(facts.regions) - {DEFAULT_REGION}:
        return None
    there = say.listed([f"`--region {region}`" for region in facts.regions], "or")
    return Refused("region", f"Which region? There is {there}; another name adds a region. `deploy servers`")


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


def _in_use(role: ServerRole, region: str, unfinished: Iterable[Deployment]) -> Refused | None:
    """Where something of a deployment is, or comes at any moment."""
    for d in unfinished:
        on_public = d.stage in (Stage.PLANNED, Stage.STAGING) or _is_there(d, PUBLIC)
        if on_public if role == "public" else _is_there(d, omega(region)):
            which = "Public" if role == "public" else f"OMEGA {region}"
            why = f"{d.name} ({d.stage.words}) has something on {which}. Finish it, or {way_out(d)}, first"
            return Refused("in_use", why)
    return None


def _is_there(d: Deployment, place: str) -> bool:
    """A region that is recorded as not asked has nothing, but is asked at any moment while something moves."""
    row = d.placement(place)
    if row is None:
        return False
    going_on = place != PUBLIC and d.stage in (Stage.DEPLOYING, Stage.ROLLING_BACK)
    return going_on or not (row.unasked or row.observed in ("withdrawn", "restored"))


def _wrong_agent(command: Configure, region: str, probe: Probe, facts: Facts) -> Refused | None:
    about = probe.about
    if about is None:
        return None
    if about.role != command.role:
        right = f"`deploy configure {about.role} {command.url} {command.name}`" if about.role != "mainframe" else (
            "Mainframes are not configured: they call OMEGA")  # fmt: skip
        return Refused("role", f"The agent at {command.url} has the role {about.role}, not {command.role}. {right}")
    if command.role == "omega" and about.region and about.region.lower() != region:
        theirs = about.region.lower()
        there = f"`deploy configure omega {command.url} {command.name} --region {theirs}`, or mend"
        right = "Mend" if _anothers(command, theirs, probe, facts) else there
        return Refused("region", f"The agent at {command.url} is of the region {about.region}, not {region}. {right} "
                                 "`region` in the agent's settings")  # fmt: skip
    wanted = facts.policy.min_platform_version
    if wanted and _version(about.platform_version) < _version(wanted):
        has = about.platform_version or "an unknown version"
        return Refused("platform", f"{command.url} runs platform {has}; settings ask for {wanted} or newer. "
                                   "Update it there, and configure it again")  # fmt: skip
    return None


def _anothers(command: Configure, region: str, probe: Probe, facts: Facts) -> Refused | None:
    """One server counts once: what goes to two places must not be told of both and be in one."""
    key = probe.about.public_key if probe.about else None
    for other in facts.servers:
        if (other.role, other.region) == (command.role, region):
            continue
        if _same_place(other.url, command.url) or (key is not None and other.public_key == key):
            which = "Public" if other.role == "public" else f"OMEGA {other.region}"
            return Refused("taken", f"The server at {command.url} is {which} already ({other.name}, {other.url}). "
                                    "Each is one server of its own. `deploy servers`")  # fmt: skip
    return None


def _same_place(one: str, other: str) -> bool:
    return _normal(one) == _normal(other)


def _normal(url: str) -> tuple[str | None, int | None, str]:
    """What is reached by it: http and https of one host and port cannot both be served there."""
    parts = urlsplit(url)
    return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme), parts.path.rstrip("/")


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


def _left_behind(event: ServerConfigured, facts: Facts) -> tuple[str, ...]:
    """Where another server takes the place of one from which something could not be taken back."""
    place = omega(event.region)
    if event.role != "omega" or event.replaced is None:
        return ()
    rows = [(d, d.placement(place)) for d in facts.unfinished if d.stage is Stage.ROLLBACK_FAILED]
    return tuple(
        f"Warning: {d.name} may still run at {event.replaced}, where nothing looks any more. "
        f"`deploy rollback {d.name}` goes on here"
        for d, row in rows
        if row is not None and row.observed != "restored" and not row.unasked
    )


def _http_warning(command: Configure) -> tuple[str, ...]:
    parts = urlsplit(command.url)
    if command.role == "public" and parts.scheme == "http" and not loopback(parts.hostname or ""):
        return ("Warning: over plain http anybody between can read and change what is sent. Use https",)
    return ()
