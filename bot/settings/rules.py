"""What must hold between keys, as far as the settings alone can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bot.settings.model import Settings
from bot.settings.sections import Checks
from core.people import Account

Path = tuple[str | int, ...]
Broken = Iterator[tuple[Path, str]]


def broken(settings: Settings) -> Broken:
    """Every broken rule, with the path of the key to change and a phrase that follows its name."""
    yield from _one_human_one_vote(settings)
    yield from _shared_accounts_have_no_vote(settings)
    yield from _strangers_have_no_vote(settings)
    yield from _grants_reach_somebody(settings)
    yield from _one_quorum_each(settings)
    yield from _windows_are_distinct(settings)
    yield from _roles_are_of_listed_servers(settings)
    yield from _origins_are_distinct(settings)
    yield from _check_names_are_distinct(settings)
    yield from _minimum_checks_exist(settings)
    yield from _something_is_checked(settings)


def _one_human_one_vote(settings: Settings) -> Broken:
    owners: dict[Account, str] = {}
    for key, person in settings.people.items():
        for account in person.accounts():
            other = owners.setdefault(account, key)
            if other != key:
                yield (
                    ("people", key, account.platform),
                    f"is the account of people.{other} already: one human, one vote",
                )


def _shared_accounts_have_no_vote(settings: Settings) -> Broken:
    for key, person in settings.people.items():
        if person.shared and "approver" in person.roles:
            yield ("people", key, "roles"), "should not hold approver: a shared person cannot vote"


def _strangers_have_no_vote(settings: Settings) -> Broken:
    highest = settings.highest_quorum
    for role in ("approver", "admin"):
        if role in settings.roles.default and highest > 1:
            yield (
                ("roles", "default"),
                f"should not hold {role} where the quorum is {highest}: list them under [people]",
            )


def _grants_reach_somebody(settings: Settings) -> Broken:
    """A group may be filled by a chat platform later; a person's key can only be a typing error."""
    for index, grant in enumerate(settings.grants):
        for name in grant.to:
            if not name.startswith("@") and name not in settings.people:
                yield ("grants", index, "to"), f'names "{name}", who is not listed under [people]; a group is "@{name}"'
        shared = [key for key, person in settings.people.items() if person.shared and key in grant.to]
        if shared and "approver" in grant.roles:
            yield ("grants", index, "roles"), f"should not give {shared[0]} approver: a shared person cannot vote"


def _one_quorum_each(settings: Settings) -> Broken:
    for name, component in settings.components.items():
        if component.quorum is not None and name in settings.workflow.quorum_by_component:
            yield ("components", name, "quorum"), "stands in [workflow] quorum_by_component too; keep one of them"


def _windows_are_distinct(settings: Settings) -> Broken:
    seen: set[str] = set()
    for index, window in enumerate(settings.windows):
        if window.name in seen:
            yield ("windows", index, "name"), f'should be another than "{window.name}", which another window has'
        seen.add(window.name)


def _roles_are_of_listed_servers(settings: Settings) -> Broken:
    for name, group in settings.groups.items():
        for role in group.discord:
            if settings.discord.guilds and role.partition("/")[0] not in settings.discord.guilds:
                yield ("groups", name, "discord"), f"names {role}, of a server that discord.guilds does not list"


def _origins_are_distinct(settings: Settings) -> Broken:
    seen: set[str] = set()
    for index, agent in enumerate(settings.agents):
        if agent.origin in seen:
            yield ("agents", index, "origin"), "stands in another [[agents]] already; keep one"
        seen.add(agent.origin)


def _check_names_are_distinct(settings: Settings) -> Broken:
    names = Counter(check.name for _, check in settings.checks.by_kind())
    for kind, check in settings.checks.by_kind():
        if names[check.name] > 1 and check.name != Checks.model_fields[kind].default.name:
            yield ("checks", kind, "name"), f'should be another than "{check.name}", which another check has'
    seen = set(names)
    for index, added in enumerate(settings.checks_added):
        if added.name in seen:
            yield ("checks_added", index, "name"), f'should be another than "{added.name}", which another check has'
        seen.add(added.name)


def _minimum_checks_exist(settings: Settings) -> Broken:
    for name, component in settings.components.items():
        run = {kind for kind, check in settings.checks.by_kind() if check.enabled}
        run |= {check.name for check in settings.checks_added if not check.components or name in check.components}
        for wanted in component.minimum_checks:
            if wanted not in run:
                known = ", ".join(sorted(run)) or "none"
                yield ("components", name, "minimum_checks"), f'names "{wanted}", which is not run; there are {known}'


def _something_is_checked(settings: Settings) -> Broken:
    if not any(check.enabled for _, check in settings.checks.by_kind()) and not settings.checks_added:
        yield ("checks",), "switches every check off: a verification in which nothing ran cannot pass"
