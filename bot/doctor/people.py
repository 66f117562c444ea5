"""Whether the settings name enough people for the workflow to reach its end."""

from __future__ import annotations

from collections.abc import Iterator

from bot.doctor.finding import Finding, ok, warn
from bot.settings import Settings


def people_findings(settings: Settings) -> list[Finding]:
    found = [*_missing_roles(settings), *_too_few_voters(settings)]
    return found or [ok(f"People: {len(settings.people)} listed, and each role is held.")]


def _missing_roles(settings: Settings) -> Iterator[Finding]:
    held = {role for person in settings.persons() for role in person.roles} | set(settings.roles.default)
    held |= {role for grant in settings.grants for role in grant.roles}
    held |= {role for group in settings.all_groups() for role in group.roles}
    for role, deed in (("deployer", "push"), ("approver", "approve"), ("admin", "configure servers")):
        if role not in held:
            yield warn(f"People: nobody is {role}, so nobody may {deed}.", "give somebody the role under [people]")


def _too_few_voters(settings: Settings) -> Iterator[Finding]:
    grants = [grant for grant in settings.all_grants() if "approver" in grant.roles]
    voters = [
        person
        for person in settings.persons()
        if not person.shared and ("approver" in person.roles or any(grant.to_person(person) for grant in grants))
    ]
    needed = settings.highest_quorum
    others = {"approver"} & {*settings.roles.default, *(role for one in settings.all_groups() for role in one.roles)}
    others |= {name for grant in grants for name in grant.to if name.removeprefix("@") in settings.groups}
    if voters and len(voters) < needed and not others:
        yield warn(
            f"People: the quorum is {needed}, and approvers are {len(voters)}.", "list more, or lower the quorum"
        )
