"""Settings: every wrong key or value is named with its line; secrets are never in the file, nor in anything printed."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import ValidationError

from bot.settings import Settings, SettingsError, insecure_files, load, parse, sqlite_file, token_of
from bot.settings.example import example
from bot.settings.values import to_seconds, to_text
from bot.wiring import policy_of
from core.people import Account

ROOT = Path(__file__).parents[2]
SECRET = "s3cr3t-0123456789abcdef"
AGENT = '[[agents]]\norigin = "https://public.example.com"\ntoken_file = "public.token"\n'


@pytest.fixture(autouse=True)
def _no_overrides_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("ASHAT_")]:
        monkeypatch.delenv(name)


def problem(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(dedent(text), Path("config.toml"))
    return str(caught.value)


# -- the example -----------------------------------------------------------------------------------------------------


def test_the_example_is_current() -> None:
    assert (ROOT / "config.example.toml").read_text() == example(), "python -m bot.settings > config.example.toml"


def test_the_example_holds_exactly_the_defaults() -> None:
    assert parse(example(), Path("config.toml")) == parse("", Path("config.toml"))


def test_the_examples_commented_keys_are_valid_too() -> None:
    shown = re.sub(r"^# (?=\[|# |\w+ = )", "", example(), flags=re.MULTILINE)
    shown = shown.replace('token_env = "ASHAT_PUBLIC_TOKEN"', "")  # the other way to say where the token is
    settings = parse(shown, Path("config.toml"))
    assert settings.agents[0].origin == "http://127.0.0.1:9101"
    assert settings.people["alice"].name == "Alice Ng"
    assert settings.checks_added[0].options == {"path": "/licence", "status": 200}
    assert settings.components["main"].minimum_checks == ("health",)


def test_every_key_has_one_line_of_comment() -> None:
    lines = example().splitlines()
    keys = [n for n, line in enumerate(lines) if re.match(r"(# )?\w+ = ", line)]
    assert len(keys) > 60
    for number in keys:
        assert re.match(r"(# )?# [A-Z`].{8,}\.$", lines[number - 1]), lines[number]


# -- wrong keys and values -------------------------------------------------------------------------------------------

WRONG = [
    ("[workflow]\npol_seconds = 3", "line 2: workflow.pol_seconds is no setting; did you mean poll_seconds."),
    ("\n[workfow]\nquorum = 1", "line 2: workfow is no setting; did you mean workflow."),
    ("[alpha]\nzzz = 1", "line 2: alpha.zzz is no setting; there are folder, name."),
    ("[checks.helth]\nenabled = true", "line 1: checks.helth is no setting; did you mean health."),
    ("[people.al]\nname = 'Al'\nrole = ['viewer']", "line 3: people.al.role is no setting; did you mean roles."),
    ("[groups.ops]\nslack = ['ops']", "line 2: groups.ops.slack.0 should be a user group's id, like \"S0615G0KT\""),
    ("[groups.ops]\ndiscord = ['1']", "line 2: groups.ops.discord.0 should be guild id/role id, both numbers"),
    ("[groups.ops]\nroles = ['boss']", "line 2: groups.ops.roles.0 should be 'viewer', 'deployer', 'approver' or"),
    ("[workflow]\n\nquorum = 0", "line 3: workflow.quorum should be greater than or equal to 1, not 0."),
    ("[workflow]\nquorum = 'many'", "line 2: workflow.quorum should be a valid integer, not 'many'."),
    ("[workflow]\nown_push = 'maybe'", "line 2: workflow.own_push should be true or false, not 'maybe'."),
    ("[workflow]\nwatch = 'soon'", "line 2: workflow.watch should be a duration: seconds, or a text like"),
    ("[workflow]\nwatch = true", "line 2: workflow.watch should be a duration"),
    ("[workflow]\nwatch = nan", "line 2: workflow.watch should be greater than or equal to 0, not nan."),
    ("[workflow]\npoll_seconds = 0", "line 2: workflow.poll_seconds should be greater than 0, not 0."),
    ("[workflow]\nwatch = inf", "line 2: workflow.watch should be a finite number, not inf."),
    ("[workflow.quorum_by_component]\napi = -1", "line 2: workflow.quorum_by_component.api should be greater"),
    ("workflow = 3", "line 1: workflow should be a table, not 3."),
    ("[ashat]\ntime_zone = 'Mars/Olympus'", "line 2: ashat.time_zone should be a time zone by its IANA name"),
    ("[ashat]\nlog_format = 'xml'", "line 2: ashat.log_format should be 'auto', 'text' or 'json', not 'xml'."),
    ("[servers]\nallowed_hosts = 'a.example'", "line 2: servers.allowed_hosts should be a list, like"),
    ("[servers]\nallowed_hosts = ['http://a']", "line 2: servers.allowed_hosts.0 should be a host without scheme"),
    ("[servers]\nmin_platform_version = 'new'", 'line 2: servers.min_platform_version should be a version like'),
    ("[checks.api]\ntimeout = '-1s'", "line 2: checks.api.timeout should be a duration"),
    ("[people.al]\nroles = ['viewer']", "line 1: people.al.name is missing."),
    ("[people.al]\nname='Al'\nroles = ['boss']", "line 3: people.al.roles.0 should be 'viewer', 'deployer',"),
    ("[people.al]\nname='Al'\nshell='no such user'", "line 3: people.al.shell should be a user of this machine"),
    ("[people.'a l']\nname='Al'", "people.a l should be a name of letters, digits, dots, dashes and underscores"),
    ("[people.al]\nname='Al'\nslack='<@U1>'", "line 3: people.al.slack should be the platform's own id"),
    (AGENT.replace("public.example.com", "u:p@h"), "line 2: agents.0.origin holds a password"),
    (AGENT.replace("https://", "ftp://"), "line 2: agents.0.origin should be like"),
    (AGENT.replace("https://", "http://"), "line 2: agents.0.origin should be https: a token never crosses plain http"),
    (AGENT.replace(".com", ".com/deploy"), "line 2: agents.0.origin should be an origin without a path, like"),
    (AGENT + "token_env = 'ASHAT_T'", "line 1: agents.0 should name the token once"),
    ("[[agents]]\norigin = 'http://localhost:1'", "line 1: agents.0 should say where the token is"),
    (AGENT + "public_key = 'abc'", "line 4: agents.0.public_key should be an Ed25519 public key of 64 hexadecimal"),
    (AGENT + AGENT, "line 5: agents.1.origin stands in another [[agents]] already"),
    (
        "[[checks_added]]\nname='a'\nkind='url'\n[[checks_added]]\nname='b'\nkind='shell'",
        "line 6: checks_added.1.kind should be 'url' or 'command', not 'shell'.",
    ),
    ("[[checks_added]]\nname='Security Scan'\nkind='url'", "line 2: checks_added.0.name should be another than"),
    ("[checks.api]\nname='Health Check'", "line 2: checks.api.name should be another than"),
    ("[components.api]\nminimum_checks=['smoke']", 'line 2: components.api.minimum_checks names "smoke", which is not'),
    (
        "[people.a]\nname='A'\nslack='U1'\n[people.b]\nname='B'\nslack='U1'",
        "line 6: people.b.slack is the account of people.a already: one human, one vote.",
    ),
    ("[people.a]\nname='A'\nroles=['approver']\nshared=true", "line 3: people.a.roles should not hold approver"),
    (
        "[workflow]\nquorum=2\n[roles]\ndefault=['approver']",
        "line 4: roles.default should not hold approver where the quorum is 2: list them under [people].",
    ),
    ("[[grants]]\nto=['bob']\nroles=['approver']", 'line 2: grants.0.to names "bob", who is not listed under [people]'),
    ("[[grants]]\nto=['a b']\nroles=['approver']", "line 2: grants.0.to.0 should be a person's key under [people]"),
    ("[[grants]]\nto=[]\nroles=['approver']", "line 2: grants.0.to"),
    (
        "[people.a]\nname='A'\nshared=true\n[[grants]]\nto=['a']\nroles=['approver']",
        "line 6: grants.0.roles should not give a approver: a shared person cannot vote.",
    ),
    (
        "[workflow.quorum_by_component]\napi=2\n[components.api]\nquorum=3",
        "line 4: components.api.quorum stands in [workflow] quorum_by_component too; keep one of them.",
    ),
    (
        "[workflow]\ngroups=['security','ops']\n[roles]\ndefault=['approver']",
        "line 4: roles.default should not hold approver where the quorum is 2: list them under [people].",
    ),
    ("[[windows]]\nname='n'\nopens='99 2 * * *'\nlasts='1h'", "line 3: windows.0.opens should be a cron expression"),
    (
        "[[windows]]\nname='n'\nopens='0 2 * * *'\nlasts='1h'\n[[windows]]\nname='n'\nopens='0 3 * * *'\nlasts='1h'",
        'line 6: windows.1.name should be another than "n", which another window has.',
    ),
    ("[[holidays]]\nname='n'\ndays=['13-25']", 'line 3: holidays.0.days.0 should be like "12-25"'),
    ("[[holidays]]\nname='n'\ndays=['12-25/2027-01-02']", "line 3: holidays.0.days.0 should be a day, or from and to"),
    ("[ashat\ndata = 1", "config.toml is not TOML: Expected"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), WRONG, ids=[sentence[:60] for _, sentence in WRONG])
def test_what_is_wrong_is_named_with_its_line(text: str, sentence: str) -> None:
    said = problem(text)
    assert sentence in said
    assert said.startswith("config.toml")
    assert said.endswith(".")
    assert "\n" not in said


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse("[workflow]\nquorum = 0\nfoo = 1\n[alpha]\nname = 3")
    assert len(caught.value.problems) == 3


def test_switching_every_check_off_is_refused() -> None:
    off = "\n".join(f"[checks.{kind}]\nenabled = false" for kind, _ in Settings().checks.by_kind())
    assert "checks switches every check off" in problem(off)


@pytest.mark.parametrize("broken", [b"\xff\xfe", None], ids=["not text", "missing"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, broken: bytes | None) -> None:
    path = tmp_path / "config.toml"
    if broken is not None:
        path.write_bytes(broken)
    with pytest.raises(SettingsError, match=re.escape(str(path))):
        load(path)


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "mend"),
    [
        (f"[[agents]]\norigin='http://localhost:1'\ntoken = '{SECRET}'", 3, "name it here as token_file"),
        (f"[slack]\nsigning_secret = '{SECRET}'", 2, "name it as signing_secret_env"),
        (f"[[checks_added]]\nname='a'\nkind='url'\noptions = {{ api_key = '{SECRET}' }}", 4, "a file of mode 0600"),
        (f"[ashat]\ndatabase_url = 'postgresql://ashat:{SECRET}@db/ashat'", 2, "as ASHAT_ASHAT__DATABASE_URL"),
        (f"[about]\nsupport = '''-----BEGIN PRIVATE KEY-----\n{SECRET}'''", 2, "a file of mode 0600"),
    ],
)
def test_a_secret_in_the_file_is_refused_with_the_place_where_it_belongs(text: str, line: int, mend: str) -> None:
    said = problem(text)
    assert said.startswith(f"config.toml line {line}: ")
    assert mend in said
    assert SECRET not in said


def test_secrets_are_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASHAT_ASHAT__DATABASE_URL", f"postgresql://ashat:{SECRET}@db/ashat")
    monkeypatch.setenv("ASHAT_PUBLIC_TOKEN", SECRET)
    settings = parse('[[agents]]\norigin = "https://p.example"\ntoken_env = "ASHAT_PUBLIC_TOKEN"')
    token = token_of(settings.agents[0])
    assert token.get_secret_value() == SECRET
    assert settings.ashat.database_url.get_secret_value().endswith(f"{SECRET}@db/ashat")
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump()), repr(token)):
        assert SECRET not in text


@pytest.mark.parametrize("key", ["token_env", "public_key", "origin"])
def test_a_secret_in_the_wrong_key_is_not_shown_in_the_error(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    entry = {"origin": "https://p.example", "token_env": "ASHAT_T", key: f"https://u:{SECRET}@h"}
    monkeypatch.setenv("ASHAT_AGENTS", str([entry]).replace("'", '"'))
    assert SECRET not in problem("")


def test_tokens_belong_to_an_origin() -> None:
    settings = parse(AGENT)
    assert settings.agent_at("https://PUBLIC.example.com:443/") is settings.agents[0]
    for other in ("https://public.example.com:8443", "http://public.example.com", "https://omega.example.com"):
        assert settings.agent_at(other) is None


def test_tokens_are_read_from_files_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(AGENT)
    agent = load(tmp_path / "config.toml").agents[0]
    with pytest.raises(SettingsError, match=re.escape(f"{tmp_path}/public.token cannot be read")):
        token_of(agent)
    (tmp_path / "public.token").write_text("short\n")
    with pytest.raises(SettingsError, match="shorter than 16 characters"):
        token_of(agent)
    (tmp_path / "public.token").write_text(f"{SECRET}\n")
    assert token_of(agent).get_secret_value() == SECRET


def test_files_that_others_can_read_are_listed(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(AGENT)
    (tmp_path / "data").mkdir()
    private = [tmp_path / "public.token", *(tmp_path / "data" / n for n in ("bot.key.pem", "ashat.db", "ashat.db-wal"))]
    for path in private:
        path.write_text("")
        path.chmod(0o600)
    config.chmod(0o644)
    settings = load(config)
    assert insecure_files(settings, config) == ()
    for path in private:
        path.chmod(0o640)
    config.chmod(0o666)
    found = insecure_files(settings, config)
    assert {each.path for each in found} == {*private, config}
    assert found[0].problem == "has mode 0640, open to others"
    assert found[0].mend == f"chmod 0600 {found[0].path}"
    assert found[-1].mend == f"chmod 0644 {config}"


# -- environment -----------------------------------------------------------------------------------------------------


def test_the_environment_overrides_single_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASHAT_WORKFLOW__QUORUM", "3")
    monkeypatch.setenv("ASHAT_WORKFLOW__WATCH", "1h 30m")
    monkeypatch.setenv("ASHAT_CHECKS__HEALTH__TIMEOUT", "9")
    monkeypatch.setenv("ASHAT_SERVERS__ALLOWED_HOSTS", '["a.example"]')
    monkeypatch.setenv("ASHAT_PEOPLE__ALICE__NAME", "Alice")
    settings = parse("[workflow]\nquorum = 1\nown_push = true\n[checks.health]\nname = 'Well'\n")
    assert (settings.workflow.quorum, settings.workflow.own_push, settings.workflow.watch) == (3, True, 5400)
    assert (settings.checks.health.name, settings.checks.health.timeout) == ("Well", 9)
    assert settings.servers.allowed_hosts == ("a.example",)
    assert settings.people["alice"].name == "Alice"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ASHAT_WORKFLOW__QUORUM", "0", "The environment's ASHAT_WORKFLOW__QUORUM: workflow.quorum should be greater"),
        ("ASHAT_WORKFLOW__QUROUM", "1", "ASHAT_WORKFLOW__QUROUM: workflow.quroum is no setting; did you mean quorum"),
        (
            "ASHAT_WROKFLOW__QUORUM",
            "1",
            "ASHAT_WROKFLOW__QUORUM names no section of the settings; did you mean WORKFLOW",
        ),
        ("ASHAT_SERVERS__ALLOWED_HOSTS", "a,b", "lists and tables are JSON there"),
    ],
)
def test_a_wrong_override_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    monkeypatch.setenv(name, value)
    assert sentence in problem("")


# -- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h 30m", 5400), ("24H", 86400), ("7d", 604800), ("500ms", 0.5)],
)
def test_durations_have_units(given: str, seconds: float) -> None:
    assert to_seconds(given) == pytest.approx(seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 59.0, 60.0, 90.0, 3600.0, 86400.0, 172800.0])
def test_durations_are_written_so_that_they_are_read_back(seconds: float) -> None:
    assert float(str(to_seconds(to_text(seconds)))) == seconds


def test_relative_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    settings = parse("[ashat]\ndata = 'state'\n[alpha]\nfolder = '../alpha'", tmp_path / "etc" / "config.toml")
    state = tmp_path / "etc" / "state"
    assert (settings.ashat.data, settings.alpha.folder) == (state, tmp_path / "alpha")
    assert (settings.ashat.socket, settings.ashat.key_file) == (state / "ashat.sock", state / "bot.key.pem")
    assert settings.ashat.database_url.get_secret_value() == f"sqlite:///{state}/ashat.db"
    assert sqlite_file(settings) == state / "ashat.db"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().workflow.quorum = 5  # type: ignore[misc] # what the test is about


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("a.example", True), ("A.Example", True), ("x.b.example", True), ("x.y.b.example", True), ("b.example", False),
     ("xb.example", False), ("::1", True), ("[::1]", True), ("c.a.example", False), ("", False)],
)  # fmt: skip
def test_hosts_are_allowed_exactly_or_below_a_name(host: str, allowed: bool) -> None:
    servers = parse("[servers]\nallowed_hosts = ['a.example', '*.b.example', '::1']").servers
    assert servers.allows(host) is allowed


def test_checks_of_a_component_are_the_standard_ones_then_its_own() -> None:
    settings = parse(
        dedent("""
        [checks.performance]
        enabled = false
        [[checks_added]]
        name = "Licence Page"
        kind = "url"
        components = ["web"]
        [[checks_added]]
        name = "Smoke"
        kind = "command"
        [components.web]
        minimum_checks = ["health", "api", "Smoke"]
        """)
    )
    web = policy_of(settings).checks_for("web")
    assert [check.name for check in web] == [
        "Health Check", "Module Load Test", "API Endpoint Test", "Database Connection", "Security Scan",
        "Licence Page", "Smoke",
    ]  # fmt: skip
    assert [check.kind for check in web if check.required] == ["health", "api", "command"]
    assert "Licence Page" not in [check.name for check in policy_of(settings).checks_for("main")]
    assert [check.kind for check in policy_of(settings).checks_for("main") if check.required] == ["health"]


def test_the_standard_checks_have_the_guides_names() -> None:
    assert [check.name for check in policy_of(Settings()).checks_for("main")] == [
        "Health Check", "Module Load Test", "API Endpoint Test", "Database Connection", "Performance Baseline",
        "Security Scan",
    ]  # fmt: skip


def test_people_become_persons_with_accounts() -> None:
    settings = parse(
        dedent("""
        [ashat]
        time_zone = "Europe/Paris"
        [people.alice]
        name = "Alice Ng"
        shell = "root"
        slack = "U1"
        roles = ["approver"]
        groups = ["ops"]
        [people.bo]
        name = "Bo Li"
        roles = []
        time_zone = "Asia/Tokyo"
        """)
    )
    alice, bo = settings.persons()
    assert alice.accounts == (Account("shell", "0"), Account("slack", "U1"))
    assert alice.roles == {"approver", "viewer"}
    assert (alice.groups, alice.time_zone) == (frozenset({"ops"}), "Europe/Paris")
    assert (bo.id, bo.roles, bo.time_zone) == ("bo", frozenset(), "Asia/Tokyo")


def test_the_defaults_deny_and_are_those_that_are_promised() -> None:
    settings = Settings()
    assert settings.roles.default == ()
    workflow = tomllib.loads(example())["workflow"]
    assert (workflow["poll_seconds"], workflow["verification_timeout"]) == ("2s", "10m")
    assert (workflow["own_push"], workflow["quorum"], workflow["watch"]) == (False, 1, "15m")
