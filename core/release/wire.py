"""The agents' HTTP API, version 1: every body that crosses the wire between bot, agents and mainframes.

Envelopes are DSSE (see core.release.signing); `Release`, `Report` and `Receipt` are the predicates inside them.
Digests are SHA-256, 64 lower-case hexadecimal digits. Times are ISO 8601 in UTC. Durations are seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from core.release.manifest import Name

API_VERSION = 1
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
EnvelopeJson = dict[str, Any]
Role = Literal["public", "omega", "mainframe"]
Nonce = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
SlotName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,70}$")]
"""`<update id>.<attempt>`."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# -- statements ---------------------------------------------------------------------------------------------------


class Release(_Body):
    """Signed by the bot (predicate `release/v1`): what a server is to run. The only thing that changes a server.

    `stage` puts the digest into a slot of its own on Public. `desired` makes it the component's current release:
    on Public that is the baseline, on OMEGA production, and OMEGA passes the same statement on to its mainframes.
    `generation` is issued by the component's lane and rises with every desired change, rollbacks too; it is 0 when
    staging. `digest` is None where the component is to be offline.
    """

    purpose: Literal["stage", "desired"]
    component: Name
    digest: Digest | None
    generation: Annotated[int, Field(ge=0)]
    deployment: Name
    attempt: Annotated[int, Field(ge=1)]
    level: Literal["standard", "server-owner"] = "standard"
    nonce: Nonce
    issued_at: datetime

    @model_validator(mode="after")
    def _fits_its_purpose(self) -> Release:
        if self.purpose == "stage" and (self.digest is None or self.generation):
            raise ValueError("a staged release names a digest and has generation 0")
        if self.purpose == "desired" and not self.generation:
            raise ValueError("a desired release has a generation of at least 1")
        return self


class LeftOut(_Body):
    """Signed by the bot (predicate `left-out/v1`): mainframes that keep what they run of a component, whatever is
    distributed at this generation and order. Those that it no longer names get what is due to them."""

    component: Name
    generation: Annotated[int, Field(ge=1)]
    order: Annotated[int, Field(ge=0)]
    mainframes: tuple[Name, ...]


class Receipt(_Body):
    """Signed by a mainframe (predicate `receipt/v1`): it now runs exactly this, and is healthy."""

    mainframe: Name
    component: Name
    digest: Digest | None
    generation: int
    deployment: Name
    attempt: int
    nonce: Nonce
    healthy_at: datetime


# -- what an agent says of itself -----------------------------------------------------------------------------------


class About(_Body):
    product: Literal["ashat-agent"] = "ashat-agent"
    version: str
    api: int = API_VERSION
    role: Role
    name: str
    region: str | None = None
    platform_version: str | None = None
    """The version of the product's platform on this host, from the agent's settings (RaOS 9.4.0, say)."""
    public_key: str
    """The agent's Ed25519 key, 64 hexadecimal digits: its reports and receipts are signed with it."""
    now: datetime


SlotStatus = Literal["preparing", "starting", "healthy", "failed", "crashed", "withdrawn"]


class SlotState(_Body):
    """One staged release on Public, in a folder, a process and a port of its own."""

    slot: SlotName
    component: Name
    digest: Digest
    deployment: Name
    attempt: int
    status: SlotStatus
    url: str | None = None
    """Where people can open it."""
    error: str | None = None
    """One sentence for a person, where status is failed or crashed."""
    nonce: str = ""
    """Of the statement that it was last asked for with: one that failed is tried again when asked with another."""
    since: datetime


ComponentStatus = Literal["switching", "healthy", "failed", "crashed", "offline"]


class ComponentState(_Body):
    """What a component runs, and what it was last asked to run.

    `generation` is the highest accepted. status `failed`: the wanted release did not become healthy and the front
    door still serves `running`. `crashed`: `running` was current and died; it is being restarted with backoff.
    """

    component: Name
    generation: int
    wanted: Digest | None
    running: Digest | None
    deployment: str | None = None
    """`<id>#<attempt>` of the running release."""
    replaced: Digest | None = None
    """What `running` replaced at the last switch; kept for a rollback."""
    status: ComponentStatus
    url: str | None = None
    error: str | None = None
    since: datetime


class State(_Body):
    """GET /v1/state: the whole of what is on this host."""

    about: About
    url: str | None
    """The front door's address, where people see what is current."""
    components: tuple[ComponentState, ...] = ()
    slots: tuple[SlotState, ...] = ()
    free_bytes: int
    bot_keys: tuple[Digest, ...] = ()
    """The public keys of bots whose signed releases this host takes; empty also where an older agent does not say."""
    leaves_out: bool = False
    """Whether it can leave mainframes out of a distribution; False also where an older agent does not say."""


# -- requests --------------------------------------------------------------------------------------------------------


class SlotWanted(_Body):
    """PUT /v1/slots/{slot} (public)."""

    release: EnvelopeJson


class DesiredWanted(_Body):
    """PUT /v1/desired/{component} (public: the baseline; omega: production)."""

    release: EnvelopeJson


CheckKind = Literal["health", "modules", "api", "database", "performance", "security", "url", "command"]


class CheckWanted(_Body):
    """One check of a run. `options` tune its kind; each kind documents and validates its own."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    kind: CheckKind
    timeout: Annotated[float, Field(gt=0, le=3600)]
    options: dict[str, Any] = {}


class VerificationWanted(_Body):
    """PUT /v1/verifications/{slot}/{run} (public). Idempotent: the same body again changes nothing."""

    digest: Digest
    deployment: Name
    attempt: int
    run: Annotated[int, Field(ge=1)]
    nonce: Nonce
    address: str
    """Public's URL as the bot calls it: its certificate is checked as a client sees it."""
    baseline: Digest | None = None
    """Production's release, which Public runs as the component's current one; None where there is none."""
    checks: Annotated[tuple[CheckWanted, ...], Field(min_length=1, max_length=50)]


CheckState = Literal["waiting", "running", "passed", "failed", "timed_out", "skipped", "not_applicable"]


class CheckReport(_Body):
    """How one check stands. Texts are one line each; `expected`, `seen` and `where` are set on every failure."""

    name: str
    state: CheckState
    expected: str | None = None
    seen: str | None = None
    where: str | None = None
    warning: str | None = None
    measured: dict[str, float] = {}
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Report(_Body):
    """Signed by Public's agent (predicate `verification/v1`), over exactly what was asked."""

    digest: Digest
    deployment: Name
    attempt: int
    run: int
    nonce: Nonce
    finished: bool
    checks: tuple[CheckReport, ...]


class VerificationState(_Body):
    """GET and PUT /v1/verifications/{slot}/{run}: `envelope` is the signed Report, made anew as checks finish."""

    envelope: EnvelopeJson


class DistributionWanted(_Body):
    """PUT /v1/distributions/{component} (omega). `order` rises with each change of `hold`; lower is refused."""

    release: EnvelopeJson
    otherwise: EnvelopeJson | None = None
    """What mainframes that the release's level does not reach are to run, under the same generation: a rollback to a
    release of owner level takes the others back to theirs. None: they keep what they have."""
    hold: bool
    order: Annotated[int, Field(ge=0)]
    left_out: EnvelopeJson | None = None
    """The signed `LeftOut` of this generation and order; sent only where somebody is or was left out of it, for an
    agent of an earlier version refuses the field. Once given, each change of the generation carries one."""


MainframeStatus = Literal["healthy", "waiting", "failed", "asleep", "unlicensed", "not_included", "frozen"]


class MainframeState(_Body):
    """One mainframe in one distribution.

    healthy: its receipt for this generation was verified. waiting: online, no receipt yet. failed: it reported that
    the release did not become healthy. asleep: not seen within `online_within`. unlicensed: its licence is expired
    or revoked. not_included: the update's level does not reach its tier. frozen: the bot's signed `LeftOut` names it.
    """

    name: Name
    owner: str
    tier: str
    licence_until: datetime | None
    status: MainframeStatus
    running: Digest | None
    generation: int
    last_seen: datetime | None
    url: str | None = None
    error: str | None = None
    receipt: EnvelopeJson | None = None


class DistributionState(_Body):
    """GET /v1/distributions/{component}."""

    component: Name
    generation: int
    digest: Digest | None
    hold: bool
    order: int
    mainframes: tuple[MainframeState, ...]


# -- mainframes pull ---------------------------------------------------------------------------------------------------


class MainframeReport(_Body):
    """What a mainframe runs of one component; it comes along with every poll."""

    component: Name
    running: Digest | None
    generation: int
    status: ComponentStatus
    url: str | None = None
    error: str | None = None


class Poll(_Body):
    """POST /v1/poll (mainframes): held open until something changes after `after`, at most `wait` seconds."""

    after: int
    wait: Annotated[float, Field(ge=0, le=60)]
    reports: tuple[MainframeReport, ...] = ()


class Assignment(_Body):
    component: Name
    release: EnvelopeJson


class Assignments(_Body):
    """What this mainframe should run; empty where it has no valid licence. `version` goes into the next poll."""

    version: int
    items: tuple[Assignment, ...]


class ReceiptSent(_Body):
    """POST /v1/receipts (mainframes)."""

    receipt: EnvelopeJson


class Registered(_Body):
    """One row of GET /v1/mainframes: the registry, whatever is being distributed."""

    name: Name
    owner: str
    tier: str
    licence_until: datetime | None
    licensed: bool
    online: bool
    last_seen: datetime | None
    reports: tuple[MainframeReport, ...] = ()


class Mainframes(_Body):
    mainframes: tuple[Registered, ...]


class Problem(_Body):
    """Every error body: `problem` is one sentence for a person, `kind` a stable word for a program."""

    kind: Literal[
        "bad_request", "unauthorised", "not_found", "conflict", "older_generation", "wrong_offset", "wrong_digest",
        "too_large", "no_space", "refused", "internal",
    ]  # fmt: skip
    problem: str
    reference: str | None = None
    """A correlation id that finds the log line, where the fault is the agent's."""
