"""Every command a person can give: one closed union of what was asked, and one table that says how to ask for it.

The table drives parsing, help, completion, and the platforms' own registration. To add a command: one dataclass in the
union, one entry in `SPECS`, and its tests; `match` with `assert_never` then points at every place that must handle it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from core.people import Role
from core.stages import ENDED, TRANSITIONS, Act, Stage

Group: TypeAlias = Literal["Server Configuration", "Deployment Management", "Monitoring"]
Where: TypeAlias = Literal["everywhere", "shell"]
Kind: TypeAlias = Literal[
    "id",
    "update",
    "text",
    "url",
    "name",
    "choice",
    "stage",
    "duration",
    "time",
    "count",
    "component",
    "region",
    "mainframe",
    "command",
]
"""What an argument is. id: a deployment, perhaps with `#attempt`. update: an id in ALPHA, always without one.
text: free words. name: one word, or several in quotes. choice: one of `Argument.choices`. command: a name in `SPECS`.
duration: `1h30m`, in seconds once read. time: `Fri 18:00`, see core.times. count: a whole number from 1."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the person who pressed a button had before them. A typed command has none and means what is now."""

    attempt: int
    digest: str
    """All of it, or its beginning of at least 24 digits where the platform's button has no room for more."""
    run: int


# -- server configuration -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Configure:
    role: Literal["public", "omega"]
    url: str
    name: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Unconfigure:
    region: str


@dataclass(frozen=True, slots=True)
class Servers:
    pass


# -- deployment management: `id` is as typed, `v1` or `v1#2`; see `split_id` ------------------------------------------


@dataclass(frozen=True, slots=True)
class Push:
    id: str
    description: str
    info: str | None = None
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verify:
    id: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Approve:
    """`at` as typed, see core.times; `window` a name; `emergency` the reason of one that is declared."""

    id: str
    seen: Seen | None = None
    at: str | None = None
    window: str | None = None
    emergency: str | None = None


@dataclass(frozen=True, slots=True)
class Unapprove:
    id: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Countersign:
    id: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    id: str
    reason: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Rollback:
    id: str
    reason: str | None = None
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    id: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    id: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Without an id, everything that moves."""

    id: str | None = None
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    id: str | None = None
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """`duration` is in seconds; `until` as typed, see core.times."""

    reason: str
    component: str | None = None
    duration: float | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Unlock:
    reason: str | None = None
    component: str | None = None


@dataclass(frozen=True, slots=True)
class Freeze:
    reason: str
    component: str | None = None
    region: str | None = None
    duration: float | None = None
    until: str | None = None
    mainframe: str | None = None


@dataclass(frozen=True, slots=True)
class Unfreeze:
    component: str | None = None
    region: str | None = None
    mainframe: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    text: str


# -- monitoring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    id: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    count: int = 10
    component: str | None = None


@dataclass(frozen=True, slots=True)
class Show:
    id: str


@dataclass(frozen=True, slots=True)
class When:
    id: str


@dataclass(frozen=True, slots=True)
class Audit:
    id: str


@dataclass(frozen=True, slots=True)
class Mainframes:
    pass


@dataclass(frozen=True, slots=True)
class Whoami:
    pass


@dataclass(frozen=True, slots=True)
class Wait:
    """`timeout` is in seconds."""

    id: str
    stage: str | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Help:
    topic: str | None = None


Command: TypeAlias = (
    Configure
    | Unconfigure
    | Servers
    | Push
    | Verify
    | Approve
    | Unapprove
    | Countersign
    | Reject
    | Rollback
    | Cancel
    | Retry
    | Pause
    | Resume
    | Note
    | Lock
    | Unlock
    | Freeze
    | Unfreeze
    | Status
    | History
    | Show
    | When
    | Audit
    | Mainframes
    | Whoami
    | Wait
    | Help
)


# -- how to ask for it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command: `name` is the dataclass's field, `label` the word that people see in its place."""

    name: str
    kind: Kind
    summary: str
    label: str
    typed: str = ""
    """What else whoever types it in a line has to know; a form has a field for it."""
    required: bool = False
    repeatable: bool = False
    flag: str | None = None
    """`--task`, where it is given by name and may stand anywhere."""
    choices: tuple[str, ...] = ()
    limit: int = 64
    """The longest value, in characters."""

    @property
    def usage(self) -> str:
        if self.flag:
            return f"[{self.flag} {self.label}]" + ("…" if self.repeatable else "")
        return f"<{self.label}>" if self.required else f"[{self.label}]"


@dataclass(frozen=True, slots=True)
class Spec:
    """One command as people meet it. `role` is the one that is asked for, `writes` whether it changes anything."""

    name: str
    build: Callable[..., Command]
    summary: str
    group: Group
    examples: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()
    role: Role = "viewer"
    also: frozenset[Role] = frozenset()
    """Other roles that may give it: who lets a thing through may also stop it."""
    writes: bool = False
    where: Where = "everywhere"
    ids_in: frozenset[Stage] | None = None
    """The stages whose ids complete the command; None where it takes no deployment's id."""
    tried: tuple[str, ...] = ()
    """Words people try for it. They are no aliases: they only let the reply name the right command."""

    @property
    def usage(self) -> str:
        return " ".join(("deploy", self.name, *(argument.usage for argument in self.arguments)))

    @property
    def roles(self) -> frozenset[Role]:
        """Whoever has one of these may give the command; whoever has any role may look."""
        return frozenset(get_args(Role)) if self.role == "viewer" else frozenset({self.role}) | self.also

    @property
    def positional(self) -> tuple[Argument, ...]:
        return tuple(argument for argument in self.arguments if argument.flag is None)

    @property
    def flags(self) -> dict[str, Argument]:
        return {argument.flag: argument for argument in self.arguments if argument.flag is not None}


_APPROVERS: frozenset[Role] = frozenset({"approver"})
_APPROVERS_ADMINS: frozenset[Role] = frozenset({"approver", "admin"})


def _where(act: Act) -> frozenset[Stage]:
    return frozenset(TRANSITIONS[act])


def _id() -> Argument:
    return Argument("id", "id", "the update's id; id#2 for its second attempt", "id", required=True)


def _text(name: str, summary: str, typed: str = "", *, required: bool = False, limit: int = 500) -> Argument:
    return Argument(name, "text", summary, name, typed, required=required, limit=limit)


def _component() -> Argument:
    return Argument("component", "component", "only this component", "C", flag="--component")


def _for() -> Argument:
    return Argument("duration", "duration", "how long: 90s, 10m, 2h; at most seven days", "T", flag="--for")


def _until() -> Argument:
    return Argument("until", "time", "until when, in your time zone: 16:00, Fri 18:00, 2026-12-24 18:00", "TIME",
                    flag="--until")  # fmt: skip


SPECS: tuple[Spec, ...] = (
    Spec(
        "configure",
        Configure,
        "Configure the Public (staging) or OMEGA (production) server.",
        "Server Configuration",
        (
            "deploy configure public http://staging.raos.io Staging",
            "deploy configure omega https://omega.raos.io Production --region eu",
        ),
        (
            Argument("role", "choice", "which server", "public|omega", required=True, choices=("public", "omega")),
            Argument("url", "url", "where its agent answers, http or https", "url", required=True, limit=500),
            Argument("name", "name", "what people call it", "name", required=True),
            Argument("region", "region", "OMEGA's region, where there are several", "R", flag="--region"),
        ),
        role="admin",
        writes=True,
        tried=("config", "setup", "set", "server", "url"),
    ),
    Spec(
        "unconfigure",
        Unconfigure,
        "Take out a region of OMEGA.",
        "Server Configuration",
        ("deploy unconfigure eu",),
        (Argument("region", "region", "the region, as `deploy servers` lists it", "region", required=True),),
        role="admin",
        writes=True,
        tried=("decommission", "deconfigure", "forget"),
    ),
    Spec(
        "servers",
        Servers,
        "List ALPHA, Public and OMEGA: where they are and what they run.",
        "Server Configuration",
        ("deploy servers",),
        tried=("hosts", "environments", "envs"),
    ),
    Spec(
        "push",
        Push,
        "Push an update from ALPHA to the Public server.",
        "Deployment Management",
        (
            "deploy push v1.0.0 'New features'",
            "deploy push patch-v1.2.3 'Security fixes and performance improvements' 'Fixes CVE-2024-001' --task OPS-7",
        ),
        (
            Argument("id", "update", "the update's file name on ALPHA, without its ending", "id", required=True),
            _text("description", "what changes", "in quotes where more information follows", required=True),
            _text("info", "more information", "after a quoted description", limit=2000),
            Argument("tasks", "text", "a linked task", "T", repeatable=True, flag="--task", limit=200),
        ),
        role="deployer",
        writes=True,
        tried=("ship", "start", "new", "create", "deploy", "upload", "release", "stage"),
    ),
    Spec(
        "verify",
        Verify,
        "Run the verification checks on the Public server.",
        "Deployment Management",
        ("deploy verify v1.0.0",),
        (_id(),),
        role="deployer",
        writes=True,
        ids_in=_where(Act.VERIFY),
        tried=("test", "check", "validate"),
    ),
    Spec(
        "approve",
        Approve,
        "Approve a verified update for OMEGA and its mainframes.",
        "Deployment Management",
        ("deploy approve v1.0.0", "deploy approve v1.0.0 --at 02:00", "deploy approve v1.0.0 --window low-traffic"),
        (
            _id(),
            Argument("at", "time", "not before, in your time zone: 02:00, Fri 18:00", "TIME", flag="--at"),
            Argument("window", "name", "not before this window of the settings opens", "NAME", flag="--window"),
            Argument(
                "emergency",
                "text",
                "admins: without votes and in spite of freezes, for this reason",
                "REASON",
                flag="--emergency",
                limit=500,
            ),
        ),
        role="approver",
        writes=True,
        ids_in=_where(Act.APPROVE),
        tried=("accept", "lgtm", "ok", "yes", "promote"),
    ),
    Spec(
        "unapprove",
        Unapprove,
        "Take your own vote back, until OMEGA is touched.",
        "Deployment Management",
        ("deploy unapprove v1.0.0",),
        (_id(),),
        role="approver",
        writes=True,
        ids_in=_where(Act.UNAPPROVE),
        tried=("unvote", "withdraw", "disapprove", "revoke"),
    ),
    Spec(
        "countersign",
        Countersign,
        "Countersign an emergency that another declared.",
        "Deployment Management",
        ("deploy countersign v1.0.0",),
        (_id(),),
        role="approver",
        also=frozenset({"admin"}),
        writes=True,
        ids_in=frozenset(Stage),
        tried=("sign", "cosign", "confirm"),
    ),
    Spec(
        "reject",
        Reject,
        "Reject an update that waits for approval, with the reason.",
        "Deployment Management",
        ("deploy reject v1.0.0 'The login page is slower than before'",),
        (_id(), _text("reason", "why, for the person who pushed it", required=True)),
        role="approver",
        writes=True,
        ids_in=_where(Act.REJECT),
        tried=("deny", "decline", "refuse", "no"),
    ),
    Spec(
        "rollback",
        Rollback,
        "Roll an update back: off Public, or to what ran before.",
        "Deployment Management",
        ("deploy rollback v1.0.0", "deploy rollback v1.0.0 'Login errors'"),
        (_id(), _text("reason", "why, for the history")),
        role="deployer",
        also=_APPROVERS,
        writes=True,
        ids_in=_where(Act.ROLLBACK),
        tried=("revert", "undo", "back", "restore"),
    ),
    Spec(
        "cancel",
        Cancel,
        "Cancel a deployment before it touches OMEGA.",
        "Deployment Management",
        ("deploy cancel v1.0.0",),
        (_id(),),
        role="deployer",
        also=_APPROVERS,
        writes=True,
        ids_in=_where(Act.CANCEL),
        tried=("abort", "delete", "remove", "kill", "close"),
    ),
    Spec(
        "retry",
        Retry,
        "Try the step that failed again.",
        "Deployment Management",
        ("deploy retry v1.0.0",),
        (_id(),),
        role="deployer",
        writes=True,
        ids_in=_where(Act.RETRY),
        tried=("again", "rerun", "repeat"),
    ),
    Spec(
        "pause",
        Pause,
        "Hold a deployment, or everything that moves.",
        "Deployment Management",
        ("deploy pause v1.0.0", "deploy pause"),
        (Argument("id", "id", "one deployment; all of them where none is named", "id"),),
        role="deployer",
        also=_APPROVERS_ADMINS,
        writes=True,
        ids_in=_where(Act.PAUSE),
        tried=("hold", "stop", "halt"),
    ),
    Spec(
        "resume",
        Resume,
        "Let a deployment, or everything, go on.",
        "Deployment Management",
        ("deploy resume v1.0.0", "deploy resume"),
        (Argument("id", "id", "one deployment; the pause of everything where none is named", "id"),),
        role="deployer",
        also=_APPROVERS_ADMINS,
        writes=True,
        ids_in=_where(Act.RESUME),
        tried=("continue", "unpause", "go"),
    ),
    Spec(
        "note",
        Note,
        "Add a note to a deployment, also to one that has ended.",
        "Deployment Management",
        ("deploy note v1.0.0 'Cause found: the cache was cold'",),
        (_id(), _text("text", "the note, shown in the history", required=True, limit=2000)),
        role="deployer",
        also=_APPROVERS,
        writes=True,
        ids_in=frozenset(Stage),
        tried=("comment", "annotate", "document"),
    ),
    Spec(
        "lock",
        Lock,
        "Keep production as it is for a while.",
        "Deployment Management",
        ("deploy lock 'Looking into login errors' --for 2h", "deploy lock 'Moving the database' --component api"),
        (_text("reason", "why, for everybody who waits", required=True), _component(), _for(), _until()),
        role="deployer",
        also=_APPROVERS_ADMINS,
        writes=True,
        tried=("block", "claim", "reserve"),
    ),
    Spec(
        "unlock",
        Unlock,
        "Lift a lock: yours, or for a reason another's.",
        "Deployment Management",
        ("deploy unlock", "deploy unlock 'Bo is on holiday' --component api"),
        (_text("reason", "why, where the lock is another's"), _component()),
        role="deployer",
        also=_APPROVERS_ADMINS,
        writes=True,
        tried=("unblock", "release-lock"),
    ),
    Spec(
        "freeze",
        Freeze,
        "Let nothing go to OMEGA until a time.",
        "Deployment Management",
        (
            "deploy freeze 'Release weekend' --until 'Mon 08:00'",
            "deploy freeze Audit --component api --region eu",
            "deploy freeze 'Trade fair' --mainframe mf-3 --until 'Fri 18:00'",
        ),
        (
            _text("reason", "why, for everybody who waits", required=True),
            _component(),
            Argument("region", "region", "only this region of OMEGA", "R", flag="--region"),
            Argument(
                "mainframe", "mainframe", "only this mainframe; all others go on without it", "M", flag="--mainframe"
            ),
            _for(),
            _until(),
        ),
        role="admin",
        writes=True,
        tried=("moratorium", "embargo"),
    ),
    Spec(
        "unfreeze",
        Unfreeze,
        "Lift a freeze early.",
        "Deployment Management",
        ("deploy unfreeze", "deploy unfreeze --component api --region eu", "deploy unfreeze --mainframe mf-3"),
        (
            _component(),
            Argument("region", "region", "the freeze of this region", "R", flag="--region"),
            Argument("mainframe", "mainframe", "the freeze of this mainframe", "M", flag="--mainframe"),
        ),
        role="admin",
        writes=True,
        tried=("thaw", "defrost"),
    ),
    Spec(
        "when",
        When,
        "Show when it may start, and who can lift what holds it.",
        "Monitoring",
        ("deploy when v1.0.0",),
        (_id(),),
        ids_in=frozenset({Stage.AWAITING_APPROVAL, Stage.SCHEDULED}),
        tried=("eta", "earliest", "blockers"),
    ),
    Spec(
        "status",
        Status,
        "Show every deployment that has not ended, or one.",
        "Monitoring",
        ("deploy status", "deploy status v1.0.0"),
        (Argument("id", "id", "one deployment", "id"),),
        ids_in=frozenset(Stage) - ENDED,
        tried=("list", "ls", "active", "state"),
    ),
    Spec(
        "history",
        History,
        "Show the newest deployments, ended and running.",
        "Monitoring",
        ("deploy history", "deploy history 25 --component main"),
        (
            Argument("count", "count", "how many, 10 unless told", "n", limit=100),
            Argument("component", "component", "only this component", "C", flag="--component"),
        ),
        tried=("log", "logs", "past"),
    ),
    Spec(
        "show",
        Show,
        "Show one deployment's timeline: what, when, who.",
        "Monitoring",
        ("deploy show v1.0.0", "deploy show v1.0.0#2"),
        (_id(),),
        ids_in=frozenset(Stage),
        tried=("details", "info", "timeline", "describe"),
    ),
    Spec(
        "audit",
        Audit,
        "Show one deployment's timeline with its evidence.",
        "Monitoring",
        ("deploy audit v1.0.0", "deploy audit v1.0.0#2"),
        (_id(),),
        ids_in=frozenset(Stage),
        tried=("evidence", "proof", "journal", "attest"),
    ),
    Spec(
        "mainframes",
        Mainframes,
        "List the licensed mainframes and what each runs.",
        "Monitoring",
        ("deploy mainframes",),
        tried=("fleet", "licences", "licenses", "nodes"),
    ),
    Spec(
        "whoami",
        Whoami,
        "Show who you are here and what you may do.",
        "Monitoring",
        ("deploy whoami",),
        tried=("who", "me", "roles", "permissions"),
    ),
    Spec(
        "wait",
        Wait,
        "Wait until a deployment needs a person, or has reached a stage.",
        "Monitoring",
        ("deploy wait v1.0.0", "deploy wait v1.0.0 --for completed --timeout 10m"),
        (
            _id(),
            Argument("stage", "stage", "the stage to wait for", "STAGE", flag="--for"),
            Argument("timeout", "duration", "give up after this long: 90s, 10m, 1h30m", "T", flag="--timeout"),
        ),
        where="shell",
        ids_in=frozenset(Stage) - ENDED,
        tried=("watch", "follow"),
    ),
    Spec(
        "help",
        Help,
        "Show help information, for all commands or one.",
        "Monitoring",
        ("deploy help", "deploy help push"),
        (Argument("topic", "command", "one command", "command"),),
        tried=("?", "commands", "usage", "man"),
    ),
)

_BY_NAME = {spec.name: spec for spec in SPECS}
_BY_TYPE = {spec.build: spec for spec in SPECS}


def spec_named(name: str) -> Spec | None:
    """The command of this name, in lower case, or None."""
    return _BY_NAME.get(name)


def spec_of(command: Command) -> Spec:
    """How `command` is asked for. Total: every member of the union has an entry."""
    return _BY_TYPE[type(command)]


def split_id(typed: str) -> tuple[str, int | None]:
    """`v1#2` is ("v1", 2), `v1` is ("v1", None): the newest attempt is meant. `typed` has passed the parser."""
    name, mark, attempt = typed.partition("#")
    return name, int(attempt) if mark else None
