"""Journals what a start finds different in people, roles and quorum: who could approve is part of who approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from core import say
from core.changes import change
from core.events import SYSTEM, PeopleChanged
from core.facts import Facts
from core.people import Grant, Group, Person
from core.policy import Holiday, Policy, Window
from core.ports import Clock, Conflict, Store
from core.steps import has_work

log = structlog.get_logger("ashat.roster")

_PAGE = 1000
_KIND = PeopleChanged.__name__
Roster = Mapping[str, Any]
"""`people` by id, and `rules` by name; JSON values, as the journal keeps them."""


async def record(
    store: Store, people: Sequence[Person], policy: Policy, clock: Clock, groups: Sequence[Group] = ()
) -> tuple[str, ...]:
    """Commit the differences to the last start, where there are any, and give them.

    Deployments that wait are looked at again: votes of people who may no longer approve do not count any more.
    """
    now, facts = roster_of(people, policy, groups), Facts(clock.now(), policy, tuple(people))
    while found := tuple(differences(await _last(store), now)):
        due = tuple((d.key, facts.now) for d in await store.active() if has_work(d, facts.now, policy))
        try:
            await store.commit(replace(change(facts, (PeopleChanged(found, dict(now)),), via="start"), due=due))
        except Conflict:
            continue  # another replica starts too: it may have written just this
        log.info("people changed", differences=found)
        return found
    return ()


async def _last(store: Store) -> Roster:
    """What the newest such event of the system chain says; empty before the first start."""
    end = next((head.seq for head in await store.heads() if head.chain == SYSTEM), 0)
    while end > 0:
        start = max(0, end - _PAGE)
        for entry in reversed(await store.journal(SYSTEM, after=start, limit=end - start)):
            if entry.kind == _KIND:
                roster: Roster = entry.data["roster"]
                return roster
        end = start
    return {}


def roster_of(people: Sequence[Person], policy: Policy, groups: Sequence[Group] = ()) -> Roster:
    """Everything that decides who may approve what."""
    rules: dict[str, Any] = {"quorum": policy.quorum, "approving one's own push": policy.own_push}
    rules |= {f"quorum of {component}": quorum for component, quorum in sorted(policy.quorum_by_component.items())}
    if policy.groups:
        rules["groups that must agree"] = list(policy.groups)
    rules |= {f"groups of {name}": list(groups) for name, groups in sorted(policy.groups_by_component.items())}
    if policy.grants:
        rules["grants"] = [_grant(grant) for grant in policy.grants]
    rules |= {f"the window {one.name}": _window(one) for one in policy.windows}
    rules |= {
        f"the holiday {one.name}": f"{say.listed(one.days)} in {one.time_zone}{_for(one)}" for one in policy.holidays
    }
    for group in groups:
        rules |= {f"roles of the group {group.name}": sorted(group.roles)}
        rules |= {f"members of the group {group.name}": sorted(f"{where} {place}" for where, place in group.places)}
    return {"people": {person.id: _facts_of(person) for person in people}, "rules": rules}


def _grant(grant: Grant) -> str:
    return f"{say.listed(sorted(grant.roles))} for {grant.where} to {say.listed(grant.to)}"


def _window(window: Window) -> str:
    only = "" if window.required else ", to be chosen"
    return f'"{window.opens}" in {window.time_zone} for {say.duration(window.lasts)}{_for(window)}{only}'


def _holiday(holiday: Holiday) -> str:
    return f"{say.listed(holiday.days)} in {holiday.time_zone}{_for(holiday)}"


def _for(one: Window | Holiday) -> str:
    return f" for {say.listed(one.components)}" if one.components else ""


def _facts_of(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "groups": sorted(person.groups),
        "accounts": sorted(f"{account.platform} {account.id}" for account in person.accounts),
        "shared": person.shared,
    }


def differences(before: Roster, now: Roster) -> list[str]:
    """A sentence each, people first."""
    old, new = before.get("people", {}), now["people"]
    found = [f"{new[id_]['name']} ({id_}) came: {_words(new[id_]['roles'])}" for id_ in new if id_ not in old]
    found += [f"{old[id_]['name']} ({id_}) left: {_words(old[id_]['roles'])}" for id_ in old if id_ not in new]
    for id_ in new:
        found += _changed(f"{new[id_]['name']} ({id_}): ", old.get(id_, new[id_]), new[id_])
    return found + _changed("", before.get("rules", {}), now["rules"])


def _changed(who: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"{who}{what} was {_words(old.get(what))}, is {_words(new.get(what))}"
        for what in dict.fromkeys((*new, *old))
        if old.get(what) != new.get(what)
    ]


def _words(value: object) -> str:
    match value:
        case None | []:
            return "none"
        case list():
            return say.listed([str(one) for one in value])
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
