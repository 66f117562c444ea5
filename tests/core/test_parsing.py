"""The text grammar: what people type, on any keyboard and in any chat, and what they are told when it is wrong."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.commands import (
    Approve,
    Cancel,
    Command,
    Configure,
    Help,
    History,
    Mainframes,
    Note,
    Pause,
    Push,
    Reject,
    Resume,
    Retry,
    Rollback,
    Servers,
    Show,
    Status,
    Verify,
    Wait,
    Whoami,
)
from core.lexing import unescaped
from core.parsing import (
    LONGEST,
    CompletionContext,
    Ignore,
    Reply,
    advice,
    complete,
    from_fields,
    parse,
    parse_words,
    render,
)
from core.stages import Stage
from core.text import clean, looks_secret

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine makes an example slow, not wrong."""

GUIDE: list[tuple[str, Command]] = [
    ("deploy help", Help()),
    (
        "deploy configure public http://staging.example.com PublicStaging",
        Configure("public", "http://staging.example.com", "PublicStaging"),
    ),
    (
        "deploy configure omega https://omega.example.com OmegaProduction",
        Configure("omega", "https://omega.example.com", "OmegaProduction"),
    ),
    ("deploy servers", Servers()),
    (
        "deploy push patch-v1.2.3 'Security fixes and performance improvements' 'Fixes CVE-2024-001'",
        Push("patch-v1.2.3", "Security fixes and performance improvements", "Fixes CVE-2024-001"),
    ),
    ("deploy status    # Active deployments", Status()),
    ("deploy history   # Deployment history", History()),
    (
        "deploy configure public http://staging.raos.io Staging",
        Configure("public", "http://staging.raos.io", "Staging"),
    ),
    (
        "deploy configure omega https://omega.raos.io Production",
        Configure("omega", "https://omega.raos.io", "Production"),
    ),
    ("deploy push v1.0.0 'New features'", Push("v1.0.0", "New features")),
    ("deploy verify v1.0.0", Verify("v1.0.0")),
    ("deploy approve v1.0.0", Approve("v1.0.0")),
    ("deploy rollback v1.0.0", Rollback("v1.0.0")),
    ("deploy cancel v1.0.0", Cancel("v1.0.0")),
    ("deploy status", Status()),
    ("deploy history", History()),
    (
        "deploy push security-patch-001 'Critical security fixes for authentication module'",
        Push("security-patch-001", "Critical security fixes for authentication module"),
    ),
    ("deploy verify security-patch-001", Verify("security-patch-001")),
    ("deploy approve security-patch-001", Approve("security-patch-001")),
    (
        "deploy push feature-2024-q1 'New dashboard and analytics features'",
        Push("feature-2024-q1", "New dashboard and analytics features"),
    ),
    ("deploy verify feature-2024-q1", Verify("feature-2024-q1")),
    ("deploy rollback feature-2024-q1", Rollback("feature-2024-q1")),
    (
        "deploy push feature-2024-q1-fixed 'Dashboard features (fixed)'",
        Push("feature-2024-q1-fixed", "Dashboard features (fixed)"),
    ),
    ("deploy approve feature-2024-q1-fixed", Approve("feature-2024-q1-fixed")),
    ("deploy push hotfix-001 'Critical bug fix'", Push("hotfix-001", "Critical bug fix")),
    ("deploy push feature-update 'New feature'", Push("feature-update", "New feature")),
    ("deploy push docs-update 'Documentation updates'", Push("docs-update", "Documentation updates")),
    ("deploy approve hotfix-001", Approve("hotfix-001")),
    (
        "deploy configure public http://your-staging-server.com StagingServer",
        Configure("public", "http://your-staging-server.com", "StagingServer"),
    ),
]


@pytest.mark.parametrize(("line", "command"), GUIDE)
def test_every_line_of_the_guide(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("deploy reject v1 'Too slow'", Reject("v1", "Too slow")),
        ("deploy reject v1 too slow", Reject("v1", "too slow")),
        ("deploy rollback v1 login errors", Rollback("v1", "login errors")),
        ("deploy rollback v1#2", Rollback("v1#2")),
        ("deploy retry v1", Retry("v1")),
        ("deploy pause v1", Pause("v1")),
        ("deploy resume v1", Resume("v1")),
        ("deploy note v1 cause: a cold cache", Note("v1", "cause: a cold cache")),
        ("deploy status v1", Status("v1")),
        ("deploy history 25", History(25)),
        ("deploy history 25 --component api", History(25, "api")),
        ("deploy history --component=api", History(component="api")),
        ("deploy show v1#3", Show("v1#3")),
        ("deploy mainframes", Mainframes()),
        ("deploy whoami", Whoami()),
        ("deploy help push", Help("push")),
        ("deploy help deploy push", Help("push")),
        ("deploy help /Push", Help("push")),
        ("deploy push --help", Help("push")),
        ("deploy --help", Help()),
        ("deploy configure omega https://o.example A --region eu", Configure("omega", "https://o.example", "A", "eu")),
        ("deploy configure omega https://o.example 'EU West'", Configure("omega", "https://o.example", "EU West")),
        ("deploy configure PUBLIC http://[::1]:8080/base Here", Configure("public", "http://[::1]:8080/base", "Here")),
    ],
)  # fmt: skip
def test_the_other_commands(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", ["deploy", "/deploy", "  /DEPLOY  ", "/deploy deploy", "Deploy", "/deploy help"])
def test_an_empty_deploy_asks_for_help(line: str) -> None:
    assert parse(line) == Help()


@pytest.mark.parametrize(
    "line", ["", "   ", "\n", "\u00a0", "\u200b", "``", "# 1. Configure servers", "> deploy status"]
)
def test_what_asks_for_nothing_is_ignored(line: str) -> None:
    assert parse(line) == Ignore()


PLAIN = Push("v1", "Fix the login", "See OPS-7", ("A-1",))


@pytest.mark.parametrize(
    "line",
    [
        "deploy push v1 'Fix the login' 'See OPS-7' --task A-1",
        "/deploy push v1 'Fix the login' 'See OPS-7' --task A-1",
        "/deploy deploy push v1 'Fix the login' 'See OPS-7' --task A-1",
        "push v1 'Fix the login' 'See OPS-7' --task A-1",
        "DEPLOY Push v1 'Fix the login' 'See OPS-7' --TASK A-1",
        'deploy push v1 "Fix the login" "See OPS-7" --task A-1',
        "deploy push v1 “Fix the login” “See OPS-7” —task A-1",
        "deploy push v1 ‘Fix the login’ ‘See OPS-7’ –task A-1",
        "deploy push v1 «Fix the login» «See OPS-7» --task=A-1",
        "deploy push v1 « Fix the login » « See OPS-7 » —task=“A-1”",
        "deploy push v1 „Fix the login“ „See OPS-7“ ―task A-1",
        "deploy push v1 „Fix the login” ‚See OPS-7‘ ––task A-1",
        "deploy push v1 ”Fix the login” ”See OPS-7” --task A-1",
        "deploy push v1 »Fix the login« ›See OPS-7‹ --task A-1",
        "deploy push v1 ‹Fix the login› ‹See OPS-7› -–task A-1",
        "deploy push v1 \"Fix the login” 'See OPS-7’ --task A-1",
        "deploy push v1 'Fix the login' See OPS-7 --task A-1",
        "deploy push v1 'Fix the login', 'See OPS-7'. --task A-1",
        "deploy push --task A-1 v1 'Fix the login' 'See OPS-7'",
        "deploy   push\tv1\n'Fix  the\u00a0login'   'See OPS-7'\u2003--task  A-1 ",
        "de\u200bploy push v1 'Fix the\x1b[31m login\x1b[0m' 'See OPS-7' --task A-1",
        "`deploy push v1 'Fix the login' 'See OPS-7' --task A-1`",
    ],
)
def test_the_same_line_in_other_clothes(line: str) -> None:
    assert parse(line) == PLAIN


@pytest.mark.parametrize(
    ("typed", "description", "info"),
    [
        ("Fix the login page", "Fix the login page", None),
        ("don't break it", "don't break it", None),
        ("Fix users’ data", "Fix users’ data", None),
        ("Fix users' data", "Fix users' data", None),
        ("'don't break it'", "don't break it", None),
        ("'Fix users' data'", "Fix users' data", None),
        ("'Fix users' data' 'all users' data'", "Fix users' data", "all users' data"),
        ("‘Fix users’ data’ more", "Fix users", "data’ more"),
        ("‘Fix users’ data’ --task A", "Fix users’ data", None),
        ('Fix the "login" page', 'Fix the "login" page', None),
        ('"Fix the "login" page" "and "more""', 'Fix the "login" page', 'and "more"'),
        ("“Fix the “login” page” info", "Fix the “login” page", "info"),
        ('"Fix the \\"login\\" page" info', 'Fix the "login" page', "info"),
        ("'Fix it' by the 5\" disk", "Fix it", 'by the 5" disk'),
        ("'Fix it' see 'A' and 'B'", "Fix it", "see 'A' and 'B'"),
        ("Fix it — and more", "Fix it — and more", None),
        ("Fix it —and more", "Fix it —and more", None),
        ("Fix patch-v1.2.3—x soon", "Fix patch-v1.2.3—x soon", None),
        ("Raise -5 to - 6", "Raise -5 to - 6", None),
        ("'use --force here'", "use --force here", None),
        ("'Fix it' # no comment", "Fix it", "# no comment"),
        ("'Fix it' ''", "Fix it", None),
        ("e\u0301te\u0301 fixes", "été fixes", None),
    ],
)
def test_quotes_dashes_and_apostrophes(typed: str, description: str, info: str | None) -> None:
    parsed = parse(f"deploy push v1 {typed}")
    assert isinstance(parsed, Push), parsed
    assert (parsed.description, parsed.info) == (description, info)


@pytest.mark.parametrize(
    ("typed", "description"),
    [
        ("Asked by <@U1|ann>", "Asked by ann"),
        ("Asked by <@U1>", "Asked by @U1"),
        ("Asked in <#C1|ops>", "Asked in #ops"),
        ("R&amp;D &lt;b&gt;", "R&D <b>"),
        ("&amp;lt; stays", "&lt; stays"),
        ("See <https://x.example/a?b=1&amp;c=2>", "See https://x.example/a?b=1&c=2"),
        ("See <https://x.example/a|the page>", "See https://x.example/a"),
        ("Update <http://README.md|README.md>", "Update README.md"),
        ("Mail <mailto:ops@example.com|ops@example.com>", "Mail ops@example.com"),
        ("Tell <!here> and <!subteam^S1|@ops>", "Tell here and @ops"),
        ("&quot;a &amp;#39;", "&quot;a &#39;"),
        ("<b>bold</b> a < b", "<b>bold</b> a < b"),
        ("'<@U1|ann lee> asks' ", "ann lee asks"),
        ("by <@U1|ann lee>", "by ann lee"),
    ],
)
def test_chat_escapes(typed: str, description: str) -> None:
    assert parse(f"deploy push v1 {typed}") == Push("v1", description)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("<http://x.example|x.example>", "http://x.example"),
        ("<https://x.example>", "https://x.example"),
        ("<https://x.example/a&amp;b|x>", "https://x.example/a&b"),
        ("'https://x.example'", "https://x.example"),
    ],
)
def test_a_url_is_the_address_behind_the_link(typed: str, url: str) -> None:
    assert parse(f"deploy configure public {typed} Staging") == Configure("public", url, "Staging")


def test_an_id_that_a_chat_made_a_link_of_is_the_id() -> None:
    assert parse("deploy verify <http://fix.io|fix.io>") == Verify("fix.io")


def test_tasks_add_up() -> None:
    parsed = parse("deploy push v1 --task A-1 Fix --task=“B 2” the login —task <https://t.example/3>")
    assert parsed == Push("v1", "Fix the login", None, ("A-1", "B 2", "https://t.example/3"))


@pytest.mark.parametrize(
    ("typed", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5_400), ("1H", 3_600), ("0.5s", 0.5), ("2d", 172_800)]
)
def test_durations(typed: str, seconds: float) -> None:
    assert parse(f"deploy wait v1 --timeout {typed}", shell=True) == Wait("v1", None, seconds)


@pytest.mark.parametrize("typed", ["awaiting_approval", "Awaiting-Approval", "'awaiting approval'"])
def test_stages(typed: str) -> None:
    assert parse(f"deploy wait v1 --for {typed}", shell=True) == Wait("v1", "awaiting_approval")


REFUSED = [
    ("deploy verfy v1", "`verfy` is not a command; nearest: deploy verify."),
    ("deploy revert v1", "`revert` is not a command; nearest: deploy rollback."),
    ("/status", "`/status` is not a command; nearest: deploy status."),
    ("deploy zzzzzzzzzz", "`zzzzzzzzzz` is not a command; all of them are in the help."),
    ("deploy --task A-1 push v1", "`--task` is not a command"),
    ("deploy verify", "The id is missing: the update's id"),
    ("deploy push", "The id is missing: the update's file name on ALPHA"),
    ("deploy push v1", "The description is missing: what changes"),
    ("deploy push v1 ''", "The description is empty; it is what changes"),
    ("deploy reject v1", "The reason is missing: why"),
    ("deploy note v1", "The text is missing: the note"),
    ("deploy configure", "The public|omega is missing: which server"),
    ("deploy configure public", "The url is missing: where its agent answers"),
    ("deploy configure public http://x.example", "The name is missing: what people call it"),
    ("deploy configure alpha http://x.example X", "`alpha` is not which server; expected public or omega."),
    ("deploy configure public x.example X", "`x.example` is not a URL; expected http:// or https:// and a host."),
    ("deploy configure public ftp://x.example X", "`ftp://x.example` is not a URL"),
    ("deploy configure public http:// X", "`http://` is not a URL"),
    ("deploy configure public http://[x X", "`http://[x` is not a URL"),
    ("deploy configure public http://x.example:99999 X", "`http://x.example:99999` is not a URL"),
    ("deploy configure public http://me@x.example X", "The URL carries credentials"),
    ("deploy configure public http://x.example/?a=b X", "has a query or fragment"),
    ("deploy configure public http://x.example My Server", "A name of several words goes in quotes."),
    ("deploy configure omega https://x.example X --region 'a b'", "`a b` is not a region"),
    ("deploy approve v1 v2", "`v2` is one argument too many: deploy approve takes id."),
    ("deploy servers all", "`all` is one argument too many: deploy servers takes no arguments."),
    ("deploy verify <update-id>", "`<update-id>` stands for an id of your own"),
    ("deploy verify ../etc", "`../etc` is not an id"),
    ("deploy verify -v1", "`-v1` is not an id"),
    ("deploy verify v1#0", "`v1#0` is not an id"),
    ("deploy verify " + "v" * 65, "The id has 65 characters; at most 64 fit."),
    ("deploy push v1#2 Fix it", "`v1#2` names an attempt; push takes the id alone (`v1`)"),
    ("deploy push v1 Fix --tsak A", "deploy push has no flag `--tsak`; nearest: --task."),
    ("deploy push v1 Fix —tsak A", "deploy push has no flag `--tsak`; nearest: --task."),
    ("deploy verify v1 --force", "deploy verify has no flag `--force`; it takes none."),
    ("deploy note v1 use --force", "Put text that begins with dashes in quotes."),
    ("deploy push v1 Fix --task", "--task needs a value: a linked task."),
    ("deploy push v1 Fix --task --task A", "--task needs a value: a linked task."),
    ("deploy push v1 Fix --task=", "--task needs a value: a linked task."),
    ("deploy push v1 Fix" + " --task A" * 21, "--task can be given at most 20 times."),
    ("deploy history --component a --component b", "--component can be given once."),
    ("deploy history ten", "`ten` is not a count; expected a whole number from 1 to 100."),
    ("deploy history 0", "`0` is not a count"),
    ("deploy history ²", "`²` is not a count"),
    ("deploy push v1 'Fix", "The quote ' before `Fix` is never closed"),
    ("deploy push v1 “Fix it", "The quote “ before `Fix it` is never closed"),
    ("deploy push v1 Fix --task='A", "The quote ' before `A` is never closed"),
    ("deploy wait v1", "deploy wait works in the shell and the console only"),
    ("deploy verify a\ndeploy approve a", "One command at a time, please"),
    ("deploy push v1 " + "x" * 501, "The description has 501 characters; at most 500 fit."),
    ("x" * (LONGEST + 1), "The text has 4001 characters; a command takes at most 4000."),
    ("deploy push v1 Fix password=hunter2abc", "That looks like a password or key; nothing was kept."),
]


@pytest.mark.parametrize(("line", "told"), REFUSED, ids=[line[:40] for line, _ in REFUSED])
def test_what_is_wrong_is_told(line: str, told: str) -> None:
    parsed = parse(line)
    assert isinstance(parsed, Reply), parsed
    assert told in parsed.text
    assert "\n" not in parsed.text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("deploy wait v1 --for complete", "`complete` is not a stage; nearest: completed."),
        ("deploy wait v1 --for zzzzzzzzz", "`zzzzzzzzz` is not a stage; expected one of planned, staging"),
        ("deploy wait v1 --timeout soon", "`soon` is not a duration; expected one like 90s, 10m or 1h30m."),
        ("deploy wait v1 --timeout 90", "`90` is not a duration"),
        ("deploy wait v1 --timeout 0s", "`0s` is not between a second and seven days"),
        ("deploy wait v1 --timeout 8d", "`8d` is not between a second and seven days"),
    ],
)
def test_what_is_wrong_in_the_shell_is_told(line: str, told: str) -> None:
    parsed = parse(line, shell=True)
    assert isinstance(parsed, Reply), parsed
    assert told in parsed.text


def test_a_missing_argument_comes_with_usage_and_example() -> None:
    parsed = parse("deploy push v1")
    assert isinstance(parsed, Reply)
    assert parsed.usage == "deploy push <id> <description> [info] [--task T]…"
    assert parsed.example == "deploy push v1.0.0 'New features'"
    assert parsed.text.endswith(f"Usage: `{parsed.usage}` Example: `{parsed.example}`")


def test_a_secret_is_never_repeated() -> None:
    for line in ("deploy xoxb-123456789012-abcdefghij", "deploy configure public http://a:hunter2@x.example X"):
        parsed = parse(line)
        assert isinstance(parsed, Reply)
        assert "hunter2" not in parsed.text
        assert "xoxb" not in parsed.text


# -- the other two doors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], Help()),
        (["push", "v1", "Fix the login", "See OPS-7", "--task", "A-1"], PLAIN),
        (["push", "v1", "Fix the login", "See OPS-7", "--task=A-1"], PLAIN),
        (["push", "v1", "Fix", "the", "login"], Push("v1", "Fix the login")),
        (["push", "v1", "Fix", "the", "login", "--task", "a b"], Push("v1", "Fix the login", None, ("a b",))),
        (["push", "v1", "Fix the &amp; \"x' —y", "--task", "A"], Push("v1", "Fix the &amp; \"x' —y", None, ("A",))),
        (["wait", "v1", "--for", "completed", "--timeout", "10m"], Wait("v1", "completed", 600)),
        (["rollback", "v1", "it broke"], Rollback("v1", "it broke")),
    ],
)
def test_a_shells_arguments(words: list[str], command: Command) -> None:
    assert parse_words(words) == command


def test_a_shells_arguments_meet_the_same_checks() -> None:
    assert isinstance(parse_words(["push", "v1", "password=hunter2abc"]), Reply)
    assert isinstance(parse_words(["x" * LONGEST]), Reply)
    assert isinstance(parse_words(["wait", "v1"], shell=False), Reply)


def test_a_form() -> None:
    fields = {"id": "v1", "description": "Fix the \u202elogin", "info": "", "tasks": ["A-1", "", "B-2"]}
    assert from_fields("push", fields) == Push("v1", "Fix the login", None, ("A-1", "B-2"))
    assert from_fields("history", {"count": "5"}) == History(5)


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("psh", {}, "nearest: deploy push"),
        ("wait", {"id": "v1"}, "is not a command"),
        ("push", {"id": "v1", "description": " "}, "The description is missing"),
        ("verify", {"id": "../x"}, "is not an id"),
        ("note", {"id": "v1", "text": "ghp_" + "a1" * 20}, "a GitHub token"),
    ],
)
def test_a_form_meets_the_same_checks(name: str, fields: dict[str, str], told: str) -> None:
    parsed = from_fields(name, fields)
    assert isinstance(parsed, Reply), parsed
    assert told in parsed.text


# -- properties -------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["deploy", "/deploy", "push", "wait", "configure", "history", "v1", "--task", "--task=", "—for", "'", '"', "“", "”",
     "«", "<@U1|", "<http://", ">", "|", "&amp;", "\\", "#", "\n", " ", "\u00a0", "`", "1h", "http://[", "\ud800"]
)  # fmt: skip


@PATIENT
@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=5))).map("".join)), st.booleans())
def test_any_text_is_ignored_replied_to_or_a_command(text: str, shell: bool) -> None:
    parsed = parse(text, shell=shell)
    assert isinstance(parsed, (Ignore, Reply, *get_args(Command)))
    if isinstance(parsed, Reply):
        assert parsed.text.encode()


@PATIENT
@given(st.lists(st.one_of(PIECES, st.text(max_size=5))))
def test_any_words_of_a_shell_are_replied_to_or_a_command(words: list[str]) -> None:
    assert isinstance(parse_words(words), (Reply, *get_args(Command)))


@PATIENT
@given(st.lists(st.one_of(PIECES, st.text(max_size=5))).map(" ".join))
def test_any_text_can_be_completed(text: str) -> None:
    assert isinstance(complete(text, CONTEXT), list)


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
IDS = st.one_of(NAMES, st.builds("{}#{}".format, NAMES, st.integers(1, 999)))
FREE = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(PIECES, st.sampled_from([" ", "a", "’", "‘", "don't", "--x", "&lt;", "\\'"]))).map("".join),
)
TEXTS = FREE.map(lambda text: clean(text, 60)).filter(bool)
URLS = st.builds(
    "{}://{}/{}".format, st.sampled_from(["http", "https"]), NAMES, st.sampled_from(["", "a&amp;b", "a'b"])
)
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(Configure, st.sampled_from(["public", "omega"]), URLS, TEXTS, st.none() | NAMES),
    st.builds(Push, NAMES, TEXTS, st.none() | TEXTS, st.lists(TEXTS, max_size=3).map(tuple)),
    *(st.builds(kind, IDS, seen=st.none()) for kind in (Verify, Approve, Cancel, Retry, Pause, Resume)),
    st.builds(Reject, IDS, TEXTS, seen=st.none()),
    st.builds(Rollback, IDS, st.none() | TEXTS, seen=st.none()),
    st.builds(Note, IDS, TEXTS),
    st.builds(Status, st.none() | IDS),
    st.builds(Show, IDS),
    st.builds(History, st.integers(1, 100), st.none() | NAMES),
    st.builds(
        Wait,
        IDS,
        st.none() | st.sampled_from([stage.value for stage in Stage]),
        st.none() | st.integers(1, 604_800_000).map(lambda thousandths: thousandths / 1_000),
    ),
    st.builds(Help, st.none() | st.sampled_from(["push", "wait"])),
    st.sampled_from([Servers(), Mainframes(), Whoami()]),
)


@PATIENT
@given(COMMANDS)
def test_what_is_rendered_is_parsed_back(command: Command) -> None:
    line = render(command)
    assume(looks_secret(unescaped(line, links=True)) is None)
    assert parse(line, shell=True) == command


SIMPLE = st.from_regex(r"[a-z]{1,8}( [a-z]{1,8}){0,3}", fullmatch=True)
QUOTE_PAIRS = st.sampled_from(['""', "''", "“”", "‘’", "„“", "«»", "‹›", "»«", "””"])


@PATIENT
@given(
    description=SIMPLE,
    info=SIMPLE,
    task=SIMPLE,
    leading=st.sampled_from(["", "deploy", "/deploy", "DEPLOY", "/Deploy deploy"]),
    name=st.sampled_from(["push", "PUSH", "Push"]),
    quotes=QUOTE_PAIRS,
    dash=st.sampled_from(["--", "—", "–", "––", "-–"]),
    space=st.sampled_from([" ", "  ", "\u00a0", "\t", "\n", " \u2003 "]),
    equals=st.booleans(),
)
def test_variants_of_one_line_are_one_command(
    description: str, info: str, task: str, leading: str, name: str, quotes: str, dash: str, space: str, equals: bool
) -> None:
    opened, closed = quotes[0], quotes[1]
    flag = f"{dash}task{'=' if equals else space}{opened}{task}{closed}"
    line = space.join([leading, name, "v1", f"{opened}{description}{closed}", flag, f"{opened}{info}{closed}"])
    assert parse(line) == Push("v1", description, info, (task,))


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (PLAIN, 'deploy push v1 "Fix the login" "See OPS-7" --task A-1'),
        (Rollback("v1#2", 'the "new" page'), "deploy rollback v1#2 'the \"new\" page'"),
        (Note("v1", "R&D don't <wait>"), 'deploy note v1 "R&D don\'t <wait>"'),
        (Wait("v1", "completed", 5_400), "deploy wait v1 --for completed --timeout 1h30m"),
        (Status(), "deploy status"),
    ],
)
def test_lines_are_rendered_as_people_would_type_them(command: Command, line: str) -> None:
    assert render(command) == line


# -- advice and completion --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vague", ["test", "x", "tmp", "update", "new", "fix", "foo", "v", "1", "Test-2", "new_fix", "42"]
)
def test_vague_ids_get_advice(vague: str) -> None:
    (told,) = advice(Push(vague, "Fix the login"))
    assert told.startswith(f"The id {vague} says little")


@pytest.mark.parametrize(
    "good",
    ["patch-v1.2.3", "v1", "v1.0.0", "2024.1", "1.2", "security-patch-001", "feature-2024-q1", "hotfix-001",
     "feature-update", "docs-update"],
)  # fmt: skip
def test_the_guides_ids_get_none(good: str) -> None:
    assert advice(Push(good, "New feature")) == ()


@pytest.mark.parametrize("description", ["Fixes", "v1.0.0"])
def test_a_description_of_one_word_gets_advice(description: str) -> None:
    (told,) = advice(Push("v1.0.0", description))
    assert told.startswith("The description is all that approvers read first")


def test_only_a_push_gets_advice() -> None:
    assert advice(Reject("test", "no")) == ()


CONTEXT = CompletionContext(
    ids={Stage.STAGED: ["v1", "v2"], Stage.AWAITING_APPROVAL: ["hotfix-1"], Stage.COMPLETED: ["old-v0"]},
    updates=["v3", "v4", "hotfix-2"],
    components=["main", "api"],
    regions=["eu", "us"],
    mainframes=["mf-1", "mf-2", "lab"],
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deploy ver", ["verify"]),
        ("/deploy RE", ["reject", "retry", "resume"]),
        ("pus", ["push"]),
        ("deploy push ", ["v3", "v4", "hotfix-2"]),
        ("deploy push v", ["v3", "v4"]),
        ("deploy push v3 Fix", []),
        ("deploy push v3 'Fix it' --", ["--task"]),
        ("deploy approve ", ["hotfix-1"]),
        ("deploy verify ", ["v1", "v2", "hotfix-1"]),
        ("deploy verify FIX", ["hotfix-1"]),
        ("deploy show old", ["old-v0"]),
        ("deploy status ", ["v1", "v2", "hotfix-1"]),
        ("deploy configure ", ["public", "omega"]),
        ("deploy configure omega https://x.example X ", ["--region"]),
        ("deploy configure omega https://x.example X --region ", ["eu", "us"]),
        ("deploy configure omega https://x.example X --region eu ", []),
        ("deploy freeze 'Trade fair' --mainframe mf", ["mf-1", "mf-2"]),
        ("deploy freeze 'Trade fair' --m", ["--mainframe"]),
        ("deploy unfreeze --mainframe l", ["lab"]),
        ("deploy history --component a", ["api"]),
        ("deploy history 5 —comp", []),
        ("deploy help sh", ["show"]),
        ("deploy wait ", []),
        ("deploy nonsense ", []),
        ("deploy push v3 'unclosed", []),
    ],
)
def test_completion(text: str, expected: list[str]) -> None:
    assert complete(text, CONTEXT) == expected


def test_completion_in_the_shell() -> None:
    shell = CompletionContext(ids=CONTEXT.ids, shell=True)
    assert complete("wait v1 --for roll", shell) == ["rolling_back", "rolled_back", "rollback_failed"]
    assert complete("wait v1 --for completed --", shell) == ["--timeout"]
    assert "wait" in complete("", shell)
    assert "wait" not in complete("", CONTEXT)
